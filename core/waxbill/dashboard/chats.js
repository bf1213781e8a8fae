// The chats: the list on one side, the open chat on the other.

import { control, get, path, post } from "./api.js";
import { ask, attempt, button, copy, dayOrTime, field, h, icon, iconButton, json, menu, note, settled } from "./dom.js";
import { Composer } from "./composer.js";
import { inWords, kindOfChat, parseId, readMessage } from "./message.js";
import { avatar, number, People } from "./people.js";
import { changes, current, look, simulated, state } from "./state.js";
import { Thread } from "./thread.js";
import { ticks } from "./bubble.js";

const PAGE = 40;
const EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
const ABOUT_CHATS = ["message.any", "message.waiting", "message.ack", "message.edited", "message.revoked", "message.reaction", "group.v2.join", "group.v2.update", "chat.archive"];

export class Chats {
  title = "Chats";
  #chats = new Map();
  #dirty = new Set();
  #all = false;
  #open = "";
  #thread = null;
  #composer = null;
  #typing = new Map();
  #generation = 0;

  constructor(go) {
    this.go = go;
    this.picker = h("select", { "aria-label": "Session", onchange: () => go("chats", { session: this.picker.value }) });
    this.search = h("input", { type: "search", placeholder: "Search chats", "aria-label": "Search chats", oninput: () => this.#draw() });
    this.list = h("ul", { class: "chat-list", onscroll: () => this.#scrolled() });
    this.side = h(
      "section",
      { class: "side", "aria-label": "Chats" },
      h("header", null, h("h1", null, "Chats"), this.picker, iconButton("New chat", "plus", (event) => this.#new(event.currentTarget))),
      h("div", { class: "search" }, icon("search"), this.search),
      this.list,
    );
    this.pane = h("section", { class: "pane", "aria-label": "Open chat" });
    this.node = h("div", { class: "chats" }, this.side, this.pane);
    this.#refresh = settled(() => this.#reloadDirty(), 80, 400);
    this.node.addEventListener("dragover", (event) => event.preventDefault());
    this.node.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer.files[0];
      if (file && this.#composer) this.#composer.attach(file);
    });
  }

  #refresh;
  #onSessions = () => this.#sessionsChanged();
  #onEvent = ({ detail }) => this.#take(detail);

  mount() {
    changes.addEventListener("sessions", this.#onSessions);
    changes.addEventListener("event", this.#onEvent);
  }

  unmount() {
    changes.removeEventListener("sessions", this.#onSessions);
    changes.removeEventListener("event", this.#onEvent);
    this.#thread?.stop();
  }

  /** Shows a session and a chat of it, as the address says. */
  async show(query) {
    if (query.get("session") && query.get("session") !== state.session) look(query.get("session"));
    if (this.session !== state.session || this.status !== current()?.status) await this.#openSession();
    await this.#openChat(query.get("chat") || "");
  }

  key(event) {
    if (event.key === "/") this.search.focus();
    else if (event.key === "Escape" && this.#open) this.go("chats", {});
    else return false;
    return true;
  }

  // -- the session

  #sessionsChanged() {
    this.#drawPicker();
    if (this.session !== state.session || this.status !== current()?.status) this.#openSession().then(() => this.#openChat(this.#open, true));
  }

  #drawPicker() {
    this.picker.hidden = state.sessions.length < 2;
    this.picker.replaceChildren(...state.sessions.map(({ name }) => h("option", { value: name, selected: name === state.session }, name)));
  }

  async #openSession() {
    this.session = state.session;
    this.status = current()?.status;
    const generation = (this.#generation += 1);
    this.#chats.clear();
    this.#all = false;
    this.#drawPicker();
    if (this.status !== "WORKING") {
      this.#draw();
      return;
    }
    this.people = new People(this.session);
    await attempt(() => Promise.all([this.people.load(), this.#more()]));
    if (generation === this.#generation) this.#draw();
  }

  // -- the list

  async #more() {
    if (this.#all || this.#loading) return;
    this.#loading = true;
    try {
      const session = this.session;
      const found = await get(path`/api/${session}/chats/overview`, { limit: PAGE, offset: this.#chats.size });
      if (session !== this.session) return;
      this.#all = found.length < PAGE;
      for (const chat of found) this.#keep(chat);
    } finally {
      this.#loading = false;
    }
  }

  #loading = false;

  #keep(raw) {
    const last = raw.lastMessage ? readMessage(raw.lastMessage) : null;
    const chat = { id: raw.id, name: raw.name || "", picture: raw.picture || "", last, at: last?.at || (raw._chat?.conversationTimestamp ?? raw._chat?.timestamp ?? 0) * 1000, unread: raw._chat?.unreadCount || 0 };
    if (kindOfChat(chat.id) === "person" && chat.name && !/^\d+$/.test(chat.name)) this.people?.learn(chat.id, chat.name);
    this.#chats.set(chat.id, chat);
  }

  async #reloadDirty() {
    const ids = [...this.#dirty].slice(0, 50);
    this.#dirty.clear();
    const session = this.session;
    if (!ids.length || this.status !== "WORKING") return;
    const found = await post(path`/api/${session}/chats/overview`, { pagination: { limit: 50 }, filter: { ids } }).catch(() => []);
    if (session !== this.session) return;
    for (const chat of found) this.#keep(chat);
    this.#draw();
  }

  async #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.list;
    if (scrollHeight - scrollTop - clientHeight < 400 && !this.#all && !this.#loading) {
      await attempt(() => this.#more());
      this.#draw();
    }
  }

  #nameOf(chat) {
    if (chat.id === "status@broadcast") return "Statuses";
    if (kindOfChat(chat.id) === "person") return this.people.isMe(chat.id) ? "You" : chat.name && !/^\d+$/.test(chat.name) ? chat.name : this.people.name(chat.id);
    return chat.name || number(chat.id);
  }

  #draw() {
    if (this.status !== "WORKING") {
      this.list.replaceChildren(h("li", { class: "empty" }, this.#notWorking()));
      return;
    }
    const wanted = this.search.value.trim().toLowerCase();
    const fits = (chat) => !wanted || this.#nameOf(chat).toLowerCase().includes(wanted) || chat.id.includes(wanted.replace(/^\+/, ""));
    const shown = [...this.#chats.values()].filter(fits).sort((one, other) => other.at - one.at);
    const focused = this.list.contains(document.activeElement) && document.activeElement.dataset.chat;
    this.list.replaceChildren(...shown.map((chat) => this.#row(chat)));
    if (!shown.length) {
      this.list.append(h("li", { class: "empty" }, wanted ? "No chat fits." : simulated() ? ["No chats yet.", button("Let somebody write", "plus", (event) => this.#new(event.currentTarget), { class: "primary" })] : "No chats yet."));
    }
    if (focused) this.list.querySelector(`[data-chat="${CSS.escape(focused)}"]`)?.focus();
  }

  #notWorking() {
    const session = current();
    const link = h("a", { class: "button primary", href: "/dashboard/sessions" }, session ? "Go to its session" : "Create a session");
    return [session ? `${session.name} is ${session.status}.` : "There is no session yet.", link];
  }

  #row(chat) {
    const name = this.#nameOf(chat);
    const typing = this.#typing.get(chat.id);
    const who = chat.last && kindOfChat(chat.id) === "group" && !chat.last.fromMe ? `${this.people.name(chat.last.author)}: ` : "";
    const preview = typing ? h("span", { class: "typing" }, typing) : chat.last ? [chat.last.fromMe && ticks(chat.last.ack), `${who}${inWords(chat.last)}`.slice(0, 120)] : "No messages";
    const unread = chat.unread !== 0;
    const count = chat.unread > 0 ? String(chat.unread) : "";
    return h(
      "li",
      null,
      h(
        "a",
        { href: this.#address(chat.id), "data-chat": chat.id, "aria-current": chat.id === this.#open && "true", class: unread && "unread" },
        avatar(chat.id, name, chat.picture),
        h("span", { class: "name", dir: "auto" }, name),
        chat.at > 0 && h("time", { datetime: new Date(chat.at).toISOString() }, dayOrTime(chat.at)),
        h("span", { class: "preview", dir: "auto" }, preview),
        unread && h("span", { class: "count", role: "img", "aria-label": count ? `${count} unread by the account` : "Marked as unread" }, count),
      ),
    );
  }

  #address(chat) {
    return `/dashboard/chats?${new URLSearchParams(chat ? { session: this.session, chat } : { session: this.session })}`;
  }

  // -- events

  #take(event) {
    if (event.session !== this.session || this.status !== "WORKING") return;
    this.#thread?.take(event);
    const payload = event.payload || {};
    if (event.event === "presence.update") this.#showPresence(payload);
    if (!ABOUT_CHATS.includes(event.event)) return;
    const chat = payload.group?.id || (event.event === "chat.archive" ? payload.id : parseId(payload.reaction?.messageId || payload.after?.id || payload.id || "").chat);
    if (!chat) return;
    this.#typing.delete(chat);
    this.#dirty.add(chat);
    this.#refresh();
    if (event.event === "group.v2.update" && chat === this.#open) this.#openChat(chat, true);
  }

  #showPresence({ id, presences }) {
    const busy = (presences || []).find((each) => ["typing", "recording"].includes(each.lastKnownPresence));
    if (busy) this.#typing.set(id, `${busy.lastKnownPresence === "typing" ? "typing" : "recording"}…`);
    else this.#typing.delete(id);
    this.#draw();
    if (id === this.#open) this.#subtitle();
  }

  // -- the open chat

  async #openChat(chat, again = false) {
    if (chat === this.#open && this.#thread && !again) return;
    this.#thread?.stop();
    this.#thread = this.#composer = null;
    this.#open = chat;
    this.node.classList.toggle("opened", Boolean(chat));
    this.#draw();
    if (!chat || this.status !== "WORKING") {
      this.pane.replaceChildren(
        h("div", { class: "nothing" }, h("img", { src: "/dashboard/-/logo.svg", alt: "", width: "88", height: "88" }), h("p", null, this.status === "WORKING" ? "Choose a chat to see its messages as they come." : this.#notWorking())),
      );
      return;
    }
    const composer = (this.#composer = new Composer(this.session, chat, this.people));
    const thread = (this.#thread = new Thread(this.session, chat, this.people, {
      menu: (message, anchor) => this.#messageMenu(message, anchor),
      votesAs: () => composer.votesAs(),
      vote: (message, options) => attempt(() => composer.vote(message, options)),
      choose: simulated() ? (message, choice) => attempt(() => composer.send({ text: choice.title, choice, reply_to: message.id })) : null,
    }));
    composer.onpersona = () => thread.drawPolls();
    this.heading = h("h2", { dir: "auto" });
    this.below = h("small");
    const more = simulated() ? iconButton("What they do", "more", (event) => this.#chatMenu(event.currentTarget), { "aria-haspopup": "menu" }) : null;
    this.pane.replaceChildren(
      h("header", { class: "chat-head" }, h("a", { class: "round back", href: this.#address(""), "aria-label": "Back to the chats" }, icon("back")), avatar(chat, this.#titleOf(chat), this.#chats.get(chat)?.picture), h("div", null, this.heading, this.below), more),
      thread.node,
      composer.node,
    );
    this.#subtitle();
    await attempt(() => Promise.all([thread.load(), this.#loadMembers(chat, composer)]));
    if (thread === this.#thread) {
      this.#subtitle();
      composer.focus();
    }
  }

  #titleOf(chat) {
    return this.#nameOf(this.#chats.get(chat) || { id: chat, name: "" });
  }

  async #loadMembers(chat, composer) {
    if (kindOfChat(chat) !== "group") return;
    this.members = await this.people.members(chat).catch(() => []);
    composer.setPeople(this.members);
  }

  #subtitle() {
    this.heading.textContent = this.#titleOf(this.#open);
    const typing = this.#typing.get(this.#open);
    const group = kindOfChat(this.#open) === "group";
    this.below.className = typing ? "typing" : "";
    this.below.textContent = typing || (group ? ["You", ...(this.members || []).map((each) => each.name)].join(", ") : number(this.#open));
  }

  // -- menus

  #messageMenu(message, anchor) {
    const composer = this.#composer;
    const mine = message.reactions.get(composer.votesAs());
    const faces = h(
      "div",
      { class: "faces" },
      EMOJI.map((emoji) =>
        h("button", { type: "button", role: "menuitemcheckbox", tabindex: "-1", "aria-checked": String(mine === emoji), "aria-label": `React with ${emoji}`, onclick: () => attempt(() => composer.react(message, mine === emoji ? "" : emoji)) }, emoji),
      ),
    );
    const alive = message.kind !== "deleted";
    const may = simulated() || message.fromMe;
    menu(
      anchor,
      [
        alive && faces,
        alive && ["Reply", "reply", () => composer.reply(message)],
        message.text && ["Copy the text", "copy", () => copy(message.text)],
        alive && may && ["text", "image", "video", "document"].includes(message.kind) && ["Edit", "edit", () => composer.edit(message)],
        alive && may && ["Delete for everyone", "trash", () => attempt(() => composer.remove(message))],
        ["Show as JSON", "code", () => attempt(() => this.#showJson(message))],
      ],
      "Message",
    );
  }

  async #showJson(message) {
    const raw = await get(path`/api/${this.session}/chats/${message.chat}/messages/${message.id}`);
    ask("Message", [json(raw), button("Copy", "copy", () => copy(JSON.stringify(raw, null, 2)))], { wide: true });
  }

  #chatMenu(anchor) {
    const composer = this.#composer;
    const chat = this.#open;
    const who = composer.person ? this.people.name(composer.person) : "";
    const group = kindOfChat(chat) === "group";
    const act = (rest, body, done) => attempt(() => post(control(this.session, rest), body), done);
    const ring = (video) => act("/calls", { from: composer.person, isVideo: video }, `${who} is calling`);
    const shows = (presence, word) => [`${who} is ${word}`, "edit", () => composer.presence(presence)];
    menu(
      anchor,
      [
        who && shows("typing", "typing"),
        who && shows("recording", "recording"),
        who && shows("online", "online"),
        who && shows("offline", "offline"),
        who && [`${who} calls`, "phone", () => ring(false)],
        who && [`${who} calls with video`, "video", () => ring(true)],
        ["Read on your own phone", "check", () => act("/phone/read", { chatId: chat }, "Read on the phone").then(() => (this.#dirty.add(chat), this.#refresh()))],
        group && ["Let somebody join", "group", () => this.#askMember(chat, "join")],
        group && ["Let somebody leave", "out", () => this.#askMember(chat, "leave")],
      ],
      "What they do",
    );
  }

  #askMember(group, type) {
    ask(type === "join" ? "Who joins?" : "Who leaves?", field("Number", h("input", { name: "who", required: true, inputmode: "tel", placeholder: "49301234567" })), {
      label: "OK",
      submit: async (form) => {
        await post(control(this.session, path`/groups/${group}/participants`), { type, participants: [form.get("who")] });
        await this.#loadMembers(group, this.#composer);
        this.#subtitle();
      },
    });
  }

  #new(anchor) {
    if (this.status !== "WORKING") return note("The session is not working yet.", "bad");
    if (!simulated()) return this.#askNumber();
    return menu(anchor, [["A person", "contact", () => this.#askPerson()], ["A group", "group", () => this.#askGroup()]], "New chat");
  }

  #askNumber() {
    ask("New chat", field("Number", h("input", { name: "phone", required: true, inputmode: "tel", placeholder: "49301234567" }), "With the country's code"), {
      label: "Open",
      submit: (form) => this.go("chats", { session: this.session, chat: `${form.get("phone").replace(/\D/g, "")}@c.us` }),
    });
  }

  #askPerson() {
    const known = newList(this.people.known);
    const phone = h("input", { name: "phone", required: true, inputmode: "tel", placeholder: "49301234567", list: known.id });
    ask("Play a person", [field("Number", phone, "With the country's code; any number will do"), known, field("Name", h("input", { name: "name", placeholder: "Ana" }), "As in the address book")], {
      label: "Open the chat",
      submit: async (form) => {
        const id = `${form.get("phone").replace(/\D/g, "")}@c.us`;
        await post(control(this.session, "/contacts"), { id, name: form.get("name") || undefined });
        this.people.learn(id, form.get("name"));
        this.go("chats", { session: this.session, chat: id });
      },
    });
  }

  #askGroup() {
    ask(
      "Make a group",
      [
        field("Name", h("input", { name: "subject", required: true, placeholder: "Football on Tuesday" })),
        field("Members", h("textarea", { name: "members", rows: "3", required: true, placeholder: "49301234567\n49301234568" }), "Numbers, one on each line; the first one makes the group, and this account is in it"),
      ],
      {
        label: "Make it",
        submit: async (form) => {
          const [creator, ...participants] = form.get("members").split(/[\n,;]+/).map((each) => each.replace(/\D/g, "")).filter(Boolean);
          if (!creator) throw new Error("A group needs one member or more.");
          const made = await post(control(this.session, "/groups"), { creator, subject: form.get("subject"), participants });
          this.#dirty.add(made.id);
          await this.#reloadDirty();
          this.go("chats", { session: this.session, chat: made.id });
        },
      },
    );
  }
}

function newList(people) {
  return h("datalist", { id: "known-people" }, people.map(({ id, name }) => h("option", { value: id.split("@")[0] }, name)));
}
