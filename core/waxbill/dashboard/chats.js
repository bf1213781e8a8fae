// The chats: the list on one side, the open chat on the other.

import { get, path, post } from "./api.js";
import { attempt, button, dayOrTime, h, icon, iconButton, settled } from "./dom.js";
import { Composer } from "./composer.js";
import { chatMenu, messageMenu } from "./menus.js";
import { inWords, kindOfChat, parseId, readMessage } from "./message.js";
import { newChat } from "./newchat.js";
import { avatar, number, People } from "./people.js";
import { changes, current, look, simulated, state } from "./state.js";
import { Thread } from "./thread.js";
import { ticks } from "./bubble.js";

const PAGE = 40;
// prettier-ignore
const ABOUT_CHATS = [
  "message.any", "message.waiting", "message.ack", "message.edited", "message.revoked", "message.reaction",
  "group.v2.join", "group.v2.update", "chat.archive",
];

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
    this.search = h("input", {
      type: "search",
      placeholder: "Search chats",
      "aria-label": "Search chats",
      oninput: () => this.#draw(),
    });
    this.list = h("ul", { class: "chat-list", onscroll: () => this.#scrolled() });
    this.side = h(
      "section",
      { class: "side", "aria-label": "Chats" },
      h(
        "header",
        null,
        h("h1", null, "Chats"),
        this.picker,
        iconButton("New chat", "plus", (event) => newChat(this, event.currentTarget)),
      ),
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
    if (this.session !== state.session || this.status !== current()?.status)
      this.#openSession().then(() => this.#openChat(this.#open, true));
  }

  #drawPicker() {
    this.picker.hidden = state.sessions.length < 2;
    this.picker.replaceChildren(
      ...state.sessions.map(({ name }) => h("option", { value: name, selected: name === state.session }, name)),
    );
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
    const chat = {
      id: raw.id,
      name: raw.name || "",
      picture: raw.picture || "",
      last,
      at: last?.at || (raw._chat?.conversationTimestamp ?? raw._chat?.timestamp ?? 0) * 1000,
      unread: raw._chat?.unreadCount || 0,
    };
    if (kindOfChat(chat.id) === "person" && chat.name && !/^\d+$/.test(chat.name))
      this.people?.learn(chat.id, chat.name);
    this.#chats.set(chat.id, chat);
  }

  async #reloadDirty() {
    const ids = [...this.#dirty].slice(0, 50);
    this.#dirty.clear();
    const session = this.session;
    if (!ids.length || this.status !== "WORKING") return;
    const found = await post(path`/api/${session}/chats/overview`, {
      pagination: { limit: 50 },
      filter: { ids },
    }).catch(() => []);
    if (session !== this.session) return;
    for (const chat of found) this.#keep(chat);
    this.#draw();
  }

  /** Reads a chat of the list anew. */
  async reload(chat) {
    this.#dirty.add(chat);
    await this.#reloadDirty();
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
    if (kindOfChat(chat.id) === "person")
      return this.people.isMe(chat.id)
        ? "You"
        : chat.name && !/^\d+$/.test(chat.name)
          ? chat.name
          : this.people.name(chat.id);
    return chat.name || number(chat.id);
  }

  #draw() {
    if (this.status !== "WORKING") {
      this.list.replaceChildren(h("li", { class: "empty" }, this.#notWorking()));
      return;
    }
    const wanted = this.search.value.trim().toLowerCase();
    const fits = (chat) =>
      !wanted || this.#nameOf(chat).toLowerCase().includes(wanted) || chat.id.includes(wanted.replace(/^\+/, ""));
    const shown = [...this.#chats.values()].filter(fits).sort((one, other) => other.at - one.at);
    const focused = this.list.contains(document.activeElement) && document.activeElement.dataset.chat;
    this.list.replaceChildren(...shown.map((chat) => this.#row(chat)));
    if (!shown.length) {
      this.list.append(
        h(
          "li",
          { class: "empty" },
          wanted
            ? "No chat fits."
            : simulated()
              ? [
                  "No chats yet.",
                  button("Let somebody write", "plus", (event) => newChat(this, event.currentTarget), {
                    class: "primary",
                  }),
                ]
              : "No chats yet.",
        ),
      );
    }
    if (focused) this.list.querySelector(`[data-chat="${CSS.escape(focused)}"]`)?.focus();
  }

  #notWorking() {
    const session = current();
    const link = h(
      "a",
      { class: "button primary", href: "/dashboard/sessions" },
      session ? "Go to its session" : "Create a session",
    );
    return [session ? `${session.name} is ${session.status}.` : "There is no session yet.", link];
  }

  #row(chat) {
    const name = this.#nameOf(chat);
    const typing = this.#typing.get(chat.id);
    const who =
      chat.last && kindOfChat(chat.id) === "group" && !chat.last.fromMe
        ? `${this.people.name(chat.last.author)}: `
        : "";
    const preview = typing
      ? h("span", { class: "typing" }, typing)
      : chat.last
        ? [chat.last.fromMe && ticks(chat.last.ack), `${who}${inWords(chat.last)}`.slice(0, 120)]
        : "No messages";
    const unread = chat.unread !== 0;
    const count = chat.unread > 0 ? String(chat.unread) : "";
    return h(
      "li",
      null,
      h(
        "a",
        {
          href: this.#address(chat.id),
          "data-chat": chat.id,
          "aria-current": chat.id === this.#open && "true",
          class: unread && "unread",
        },
        avatar(chat.id, name, chat.picture),
        h("span", { class: "name", dir: "auto" }, name),
        chat.at > 0 && h("time", { datetime: new Date(chat.at).toISOString() }, dayOrTime(chat.at)),
        h("span", { class: "preview", dir: "auto" }, preview),
        unread &&
          h(
            "span",
            {
              class: "count",
              role: "img",
              "aria-label": count ? `${count} unread by the account` : "Marked as unread",
            },
            count,
          ),
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
    const chat =
      payload.group?.id ||
      (event.event === "chat.archive"
        ? payload.id
        : parseId(payload.reaction?.messageId || payload.after?.id || payload.id || "").chat);
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
        h(
          "div",
          { class: "nothing" },
          h("img", { src: "/dashboard/-/logo.svg", alt: "", width: "88", height: "88" }),
          h(
            "p",
            null,
            this.status === "WORKING" ? "Choose a chat to see its messages as they come." : this.#notWorking(),
          ),
        ),
      );
      return;
    }
    const composer = (this.#composer = new Composer(this.session, chat, this.people));
    const thread = (this.#thread = new Thread(this.session, chat, this.people, {
      menu: (message, anchor) => messageMenu(composer, message, anchor),
      votesAs: () => composer.votesAs(),
      vote: (message, options) => attempt(() => composer.vote(message, options)),
      choose: simulated()
        ? (message, choice) => attempt(() => composer.send({ text: choice.title, choice, reply_to: message.id }))
        : null,
    }));
    composer.onpersona = () => thread.drawPolls();
    this.heading = h("h2", { dir: "auto" });
    this.below = h("small");
    const more = simulated()
      ? iconButton(
          "What they do",
          "more",
          (event) => chatMenu(composer, event.currentTarget, () => this.#othersActed()),
          { "aria-haspopup": "menu" },
        )
      : null;
    this.pane.replaceChildren(
      h(
        "header",
        { class: "chat-head" },
        h("a", { class: "round back", href: this.#address(""), "aria-label": "Back to the chats" }, icon("back")),
        avatar(chat, this.#titleOf(chat), this.#chats.get(chat)?.picture),
        h("div", null, this.heading, this.below),
        more,
      ),
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
    this.below.textContent =
      typing || (group ? ["You", ...(this.members || []).map((each) => each.name)].join(", ") : number(this.#open));
  }

  async #othersActed() {
    await Promise.all([this.#loadMembers(this.#open, this.#composer), this.reload(this.#open)]);
    this.#subtitle();
  }
}
