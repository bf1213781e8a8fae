// Writing into a chat: as the account itself and, in the simulator, as the other people and as the phone.

import { control, path, post, put, remove } from "./api.js";
import { askContact, askLocation, askPoll, base64, record } from "./attach.js";
import { attempt, bytes, h, icon, iconButton, menu } from "./dom.js";
import { inWords, kindOfChat } from "./message.js";
import { avatar } from "./people.js";
import { simulated } from "./state.js";

const ACCOUNT = "account";
const PHONE = "phone";
const TYPING_MS = 2500;

const SENDS = { image: "sendImage", video: "sendVideo", voice: "sendVoice", audio: "sendVoice", document: "sendFile" };

const kindOfFile = (type) => {
  const kind = type.split("/")[0];
  return ["image", "video", "audio"].includes(kind) ? kind : "document";
};

export class Composer {
  #reply = null;
  #editing = null;
  #file = null;
  #typing = 0;

  constructor(session, chat, people) {
    this.session = session;
    this.chat = chat;
    this.people = people;
    this.group = kindOfChat(chat) === "group";
    this.as = h("select", {
      "aria-label": "Write as",
      onchange: () => (sessionStorage.setItem(this.#remember, this.persona), this.#personaChanged()),
    });
    this.face = h("span");
    this.text = h("textarea", {
      rows: "1",
      placeholder: "Type a message",
      "aria-label": "Message",
      oninput: () => (this.#grow(), this.#types()),
      onkeydown: (event) => this.#key(event),
      onpaste: (event) =>
        event.clipboardData.files.length && (event.preventDefault(), this.attach(event.clipboardData.files[0])),
    });
    this.about = h("div", { class: "about", hidden: true });
    this.picker = h("input", {
      type: "file",
      hidden: true,
      onchange: () => this.picker.files[0] && this.attach(this.picker.files[0], this.picker.dataset.kind),
    });
    this.clip = iconButton("Attach", "attach", (event) => this.#attachMenu(event.currentTarget), {
      "aria-haspopup": "menu",
    });
    this.node = h(
      "form",
      { class: "composer", onsubmit: (event) => (event.preventDefault(), this.#submit()) },
      h(
        "div",
        { class: "persona", hidden: !simulated() },
        this.face,
        h("label", null, h("span", null, "Writing as"), this.as),
      ),
      this.about,
      h(
        "div",
        { class: "line" },
        this.clip,
        this.text,
        h("button", { class: "round primary", "aria-label": "Send", title: "Send" }, icon("send")),
      ),
      this.picker,
    );
    this.setPeople([]);
  }

  /** Who can write here: the members of a group, or the person that the chat is with. */
  setPeople(members) {
    const others = this.group ? members : [{ id: this.chat, name: this.people.name(this.chat) }];
    const kept = sessionStorage.getItem(this.#remember) || "";
    const options = [
      ...(simulated() ? others.map(({ id, name }) => [id, name]) : []),
      simulated() && [PHONE, "Your own phone"],
      [ACCOUNT, "The account, through the API (as the bot)"],
    ].filter(Boolean);
    this.as.replaceChildren(
      ...options.map(([value, label]) => h("option", { value, selected: value === kept }, label)),
    );
    if (!options.some(([value]) => value === kept)) this.as.selectedIndex = 0;
    this.#personaChanged();
  }

  get #remember() {
    return `waxbill.as.${this.session}.${this.chat}`;
  }

  get persona() {
    return this.as.value || ACCOUNT;
  }

  /** The person that is played; empty for the account and its phone. */
  get person() {
    return [ACCOUNT, PHONE].includes(this.persona) ? "" : this.persona;
  }

  /** Under whose id a vote of the one who writes now is kept. */
  votesAs() {
    return this.person || "me";
  }

  #personaChanged() {
    const id = this.person || this.people.me || "me";
    this.face.replaceChildren(avatar(id, this.person ? this.people.name(id) : "Me"));
    this.text.placeholder = this.person
      ? `Message from ${this.people.name(this.person)}`
      : this.persona === PHONE
        ? "Message from your phone"
        : "Message from the account";
    this.onpersona?.();
  }

  focus() {
    // On a phone that would bring the keyboard up over the messages.
    if (!matchMedia("(pointer: coarse)").matches) this.text.focus();
  }

  // -- what is written

  #grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 160)}px`;
  }

  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape" && (this.#reply || this.#editing || this.#file)) {
      event.stopPropagation();
      this.#clear();
    }
  }

  reply(message) {
    this.#clear();
    this.#reply = message;
    this.#tell("reply", `Reply to ${this.people.name(message.author)}`, inWords(message));
  }

  edit(message) {
    this.#clear();
    this.#editing = message;
    this.text.value = message.text;
    this.#grow();
    this.#tell("edit", "Edit the message", message.text);
  }

  attach(file, kind = "") {
    this.#file = { file, kind: kind || kindOfFile(file.type) };
    this.#tell(this.#file.kind, file.name, `${file.type || "unknown type"}, ${bytes(file.size)}`);
  }

  #tell(iconName, title, detail) {
    const part = h("span", null, h("b", { dir: "auto" }, title), h("small", { dir: "auto" }, detail));
    this.about.replaceChildren(
      icon(iconName),
      part,
      iconButton("Leave it", "close", () => this.#clear()),
    );
    this.about.hidden = false;
    this.text.focus();
  }

  #clear() {
    if (this.#editing) this.text.value = "";
    this.#reply = this.#editing = this.#file = null;
    this.picker.value = "";
    this.about.hidden = true;
    this.#grow();
  }

  async #submit() {
    const text = this.text.value.trim();
    const editing = this.#editing;
    if (editing) {
      if (text && (await attempt(() => this.#edit(editing, text)))) this.#clear();
      return;
    }
    if (!text && !this.#file) return;
    const draft = this.text.value;
    const [file, reply] = [this.#file, this.#reply];
    this.text.value = "";
    this.#clear();
    const went = await attempt(async () => this.send({ text, file, reply_to: reply?.id }));
    if (went) return;
    // Nothing that was typed is lost.
    this.text.value = draft;
    if (reply) this.reply(reply);
    if (file) this.attach(file.file, file.kind);
    this.#grow();
  }

  // -- sending

  async send({
    text = "",
    file = null,
    location = null,
    poll = null,
    card = null,
    choice = null,
    reply_to = undefined,
  }) {
    const sent = file && {
      mimetype: file.file.type || "application/octet-stream",
      filename: file.file.name,
      data: await base64(file.file),
    };
    if (this.persona !== ACCOUNT) {
      const body = { reply_to, text: text || undefined };
      if (this.person) body.from = this.chat;
      else body.chatId = this.chat;
      if (this.person && this.group) body.participant = this.person;
      if (file) Object.assign(body, { file: sent, type: file.kind });
      if (location) body.location = location;
      if (poll) body.poll = poll;
      if (card)
        body.vcards = [
          `BEGIN:VCARD\nVERSION:3.0\nFN:${card.name}\nTEL;type=CELL;waid=${card.phone}:+${card.phone}\nEND:VCARD`,
        ];
      if (choice) body[choice.by === "row" ? "selectedRowId" : "selectedButtonId"] = choice.id;
      return post(control(this.session, this.person ? "/messages" : "/phone/messages"), body);
    }
    const to = { session: this.session, chatId: this.chat, reply_to };
    // WhatsApp takes one form of voice message; the server makes it of others.
    const convert = ["voice", "audio"].includes(file?.kind) && !sent.mimetype.startsWith("audio/ogg");
    if (file) return post(`/api/${SENDS[file.kind]}`, { ...to, file: sent, caption: text || undefined, convert });
    if (location)
      return post("/api/sendLocation", {
        ...to,
        latitude: location.latitude,
        longitude: location.longitude,
        title: location.name,
      });
    if (poll) return post("/api/sendPoll", { ...to, poll });
    if (card)
      return post("/api/sendContactVcard", {
        ...to,
        contacts: [{ fullName: card.name, phoneNumber: `+${card.phone}`, whatsappId: card.phone }],
      });
    return post("/api/sendText", { ...to, text });
  }

  async #edit(message, text) {
    if (simulated() && (this.persona !== ACCOUNT || !message.fromMe))
      return put(control(this.session, path`/messages/${message.id}`), { text });
    return put(path`/api/${this.session}/chats/${this.chat}/messages/${message.id}`, { text });
  }

  async remove(message) {
    if (simulated() && (this.persona !== ACCOUNT || !message.fromMe))
      return remove(control(this.session, path`/messages/${message.id}`));
    return remove(path`/api/${this.session}/chats/${this.chat}/messages/${message.id}`);
  }

  async react(message, reaction) {
    if (this.persona === ACCOUNT)
      return put("/api/reaction", { session: this.session, messageId: message.id, reaction });
    return post(control(this.session, path`/messages/${message.id}/reactions`), {
      from: this.person || this.people.me,
      reaction,
    });
  }

  async vote(message, votes) {
    if (this.persona === ACCOUNT)
      return post("/api/sendPollVote", { session: this.session, chatId: this.chat, pollMessageId: message.id, votes });
    return post(control(this.session, path`/messages/${message.id}/votes`), {
      from: this.person || this.people.me,
      votes,
    });
  }

  // -- typing

  #types() {
    if (!this.text.value || this.#editing || this.persona === PHONE) return;
    const before = this.#typing;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => ((this.#typing = 0), this.presence("paused")), TYPING_MS);
    if (!before) this.presence("typing");
  }

  /** Shows the one who writes as typing, recording, online ...; who is not simulated only types. */
  presence(presence) {
    if (this.person) {
      const who = this.group ? { participant: this.person } : {};
      return post(control(this.session, "/presence"), { chatId: this.chat, presence, ...who }).catch(() => {});
    }
    const typing = { typing: "startTyping", paused: "stopTyping" }[presence];
    return typing ? post(`/api/${typing}`, { session: this.session, chatId: this.chat }).catch(() => {}) : null;
  }

  // -- attachments

  #pick(kind, accept) {
    this.picker.accept = accept;
    this.picker.dataset.kind = kind;
    this.picker.click();
  }

  #attachMenu(anchor) {
    const microphone = Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);
    menu(
      anchor,
      [
        ["Photo", "image", () => this.#pick("image", "image/*")],
        ["Video", "video", () => this.#pick("video", "video/*")],
        microphone && ["Record a voice message", "voice", () => attempt(() => record(this))],
        ["Voice message from a file", "voice", () => this.#pick("voice", "audio/*")],
        ["Document", "document", () => this.#pick("document", "")],
        ["Location", "location", () => askLocation(this)],
        ["Poll", "poll", () => askPoll(this)],
        ["Contact", "contact", () => askContact(this)],
      ],
      "Attach",
    );
  }
}
