// The messages of one chat. It asks for pages, and keeps few of them on the page however long the chat is.

import { control, get, path } from "./api.js";
import { bubble } from "./bubble.js";
import { attempt, day, h, iconButton, sameDay, say } from "./dom.js";
import { inWords, kindOfChat, parseId, readMessage } from "./message.js";
import { simulated } from "./state.js";

const PAGE = 50;
/** Most messages that are elements at once. */
const MOST = 150;
const NEAR = 700;
const GROUPED_MS = 5 * 60 * 1000;

export class Thread {
  /** Oldest first, without gaps up to the newest; ``#first`` and ``#end`` bound those that are elements. */
  #items = [];
  #first = 0;
  #end = 0;
  #nodes = new Map();
  #complete = false;
  #loading = null;
  #missed = 0;
  #stopped = false;

  constructor(session, chat, people, act) {
    this.session = session;
    this.chat = chat;
    this.people = people;
    this.act = { ...act, goTo: (key) => this.goTo(key) };
    this.list = h("ol", { class: "messages" });
    this.begin = h("p", { class: "begin", hidden: true }, "This is where the chat begins");
    this.scroller = h(
      "div",
      {
        class: "scroller",
        role: "log",
        "aria-live": "off",
        "aria-label": "Messages",
        tabindex: "0",
        onkeydown: (event) => this.#walk(event),
      },
      this.begin,
      this.list,
    );
    this.jump = iconButton("Go to the newest message", "down", () => this.toNewest(), {
      class: "round jump",
      hidden: true,
    });
    this.node = h("div", { class: "thread" }, this.scroller, this.jump);
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#sticks && this.#toBottom()).observe(this.scroller);
  }

  #sticks = true;

  get length() {
    return this.#items.length;
  }

  async load() {
    await this.#older();
    this.toNewest();
  }

  stop() {
    this.#stopped = true;
  }

  find(key) {
    return this.#items.find((message) => message.key === key);
  }

  last() {
    return this.#items.at(-1);
  }

  // -- reading

  async #older() {
    this.#loading ??= this.#fetchOlder().finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #fetchOlder() {
    if (this.#complete) return;
    const window = { limit: PAGE, offset: this.#items.length };
    const where = path`/api/${this.session}/chats/${this.chat}/messages`;
    const [found, answers] = await Promise.all([
      get(where, { ...window, downloadMedia: true }),
      simulated() ? get(control(this.session, path`/chats/${this.chat}/answers`), window).catch(() => []) : [],
    ]);
    if (this.#stopped) return;
    const known = new Set(this.#items.map((message) => message.key));
    const older = found
      .map(readMessage)
      .filter((message) => !known.has(message.key))
      .reverse();
    for (const message of older)
      this.people.learn(
        message.fromMe ? "" : message.author,
        this.people.name(message.author).startsWith("+") ? message.pushName : "",
      );
    this.#items.unshift(...older);
    this.#first += older.length;
    this.#end += older.length;
    for (const { messageId, answers: given } of answers) {
      const message = this.find(parseId(messageId).key);
      for (const each of message ? given : []) this.#answer(message, each.from, each.reaction, each.votes);
    }
    this.#complete = found.length < PAGE;
    this.begin.hidden = !this.#complete;
  }

  #answer(message, from, reaction, votes) {
    const who = this.people.isMe(from) ? "me" : this.people.canonical(from);
    if (votes?.length) message.votes.set(who, votes);
    else if (reaction) message.reactions.set(who, reaction);
  }

  // -- what happens

  /** Takes an event of this session in; says whether it was about this chat. */
  take(event) {
    const payload = event.payload || {};
    const handler = {
      "message.any": () => this.#arrived(payload),
      "message.waiting": () => this.#arrived(payload, true),
      "message.ack": () => this.#change(parseId(payload.id), (message) => (message.ack = payload.ack)),
      "message.edited": () =>
        this.#change({ ...parseId(payload.id), key: payload.editedMessageId }, (message) =>
          Object.assign(message, { text: payload.body || "", edited: true }),
        ),
      "message.revoked": () =>
        this.#change({ ...parseId(payload.after?.id), key: payload.revokedMessageId }, (message) =>
          Object.assign(message, readMessage({ ...payload.after, id: message.id }), {
            at: message.at,
            ack: message.ack,
            kind: "deleted",
          }),
        ),
      "message.reaction": () => {
        const id = parseId(payload.reaction?.messageId);
        const who = payload.fromMe ? "me" : this.people.canonical(payload.participant || payload.from);
        this.#change(id, (message) =>
          payload.reaction.text ? message.reactions.set(who, payload.reaction.text) : message.reactions.delete(who),
        );
      },
      "poll.vote": () => {
        const { vote, poll } = payload;
        const who = vote.fromMe ? "me" : this.people.canonical(vote.participant || vote.from);
        this.#change(parseId(poll.id), (message) =>
          vote.selectedOptions.length ? message.votes.set(who, vote.selectedOptions) : message.votes.delete(who),
        );
      },
    }[event.event];
    handler?.();
  }

  #arrived(raw, waiting = false) {
    const message = readMessage(raw);
    if (message.chat !== this.chat || this.find(message.key)) return;
    message.waiting = waiting;
    if (!message.fromMe && this.people.name(message.author).startsWith("+"))
      this.people.learn(message.author, message.pushName);
    const atEnd = this.#end === this.#items.length;
    this.#items.push(message);
    if (!message.fromMe || message.source === "api") say(`${this.people.name(message.author)}: ${inWords(message)}`);
    if (this.#sticks && atEnd) {
      this.#draw(this.#first, this.#end + 1);
      this.#trim();
      this.#toBottom();
    } else {
      this.#missed += 1;
      this.#showJump();
    }
  }

  #change(id, edit) {
    const message = this.find(id.key);
    if (!message || (id.chat && id.chat !== this.chat)) return;
    edit(message);
    if (this.#nodes.has(message.key)) this.#redraw(message);
  }

  // -- elements

  #element(index) {
    const message = this.#items[index];
    const before = this.#items[index - 1];
    const newDay = !before || !sameDay(before.at, message.at);
    const follows = !newDay && before.author === message.author && message.at - before.at < GROUPED_MS;
    const many = kindOfChat(this.chat) === "group" || kindOfChat(this.chat) === "status";
    const named = many && !message.fromMe && !follows;
    const item = h(
      "li",
      {
        class: `${message.fromMe ? "out" : "in"}${follows ? " follows" : ""}${message.reactions.size ? " reacted" : ""}`,
      },
      newDay && h("div", { class: "day" }, h("span", null, day(message.at))),
      bubble(message, { who: this.people, act: this.act, named }),
    );
    this.#nodes.set(message.key, item);
    return item;
  }

  #redraw(message) {
    const old = this.#nodes.get(message.key);
    const focused = old.contains(document.activeElement) && document.activeElement;
    const value = focused && focused.value;
    const index = this.#items.indexOf(message);
    const item = this.#element(index);
    old.replaceWith(item);
    if (focused) {
      const same = [...item.querySelectorAll("input, button")].find((node) =>
        value ? node.value === value : node.className === focused.className,
      );
      same?.focus();
    }
    this.#rove();
    if (this.#sticks) this.#toBottom();
  }

  /** Makes elements of the messages from ``first`` to ``end``, in addition to those that are there. */
  #draw(first, end) {
    if (first < this.#first) {
      const added = [];
      for (let index = first; index < this.#first; index += 1) added.push(this.#element(index));
      const boundary = this.#first < this.#end && this.#nodes.get(this.#items[this.#first].key);
      this.list.prepend(...added);
      // Whether the message that was the first one shows its day and author depends on the one before.
      if (boundary) boundary.replaceWith(this.#element(this.#first));
      this.#first = first;
    }
    for (; this.#end < end; this.#end += 1) this.list.append(this.#element(this.#end));
    this.#rove();
  }

  /** Takes elements away at one end, so that no more than MOST stay. */
  #trim(fromTop = true) {
    while (this.#end - this.#first > MOST) {
      const index = fromTop ? this.#first : this.#end - 1;
      this.#nodes.get(this.#items[index].key)?.remove();
      this.#nodes.delete(this.#items[index].key);
      if (fromTop) this.#first += 1;
      else this.#end -= 1;
    }
  }

  /** Draws the polls again: whose vote is shown has changed. */
  drawPolls() {
    for (const message of this.#items) if (message.poll && this.#nodes.has(message.key)) this.#redraw(message);
  }

  toNewest() {
    this.list.replaceChildren();
    this.#nodes.clear();
    this.#end = this.#first = Math.max(0, this.#items.length - PAGE);
    this.#draw(this.#first, this.#items.length);
    this.#missed = 0;
    this.#sticks = true;
    this.#toBottom();
  }

  #toBottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#showJump();
  }

  #showJump() {
    this.jump.hidden = this.#sticks && this.#end === this.#items.length;
    this.jump.dataset.count = this.#missed || "";
    this.jump.setAttribute(
      "aria-label",
      this.#missed ? `Go to ${this.#missed} new messages` : "Go to the newest message",
    );
  }

  /** Keeps what is on the screen where it is while elements come and go around it. */
  #keeping(change) {
    const top = this.scroller.getBoundingClientRect().top;
    const seen = [...this.list.children].find((item) => item.getBoundingClientRect().bottom > top);
    const key = seen && [...this.#nodes].find(([, node]) => node === seen)?.[0];
    const before = seen?.getBoundingClientRect().bottom;
    change();
    const now = key && this.#nodes.get(key);
    if (now) this.scroller.scrollTop += now.getBoundingClientRect().bottom - before;
  }

  async #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const left = scrollHeight - scrollTop - clientHeight;
    this.#sticks = left < 40 && this.#end === this.#items.length;
    if (this.#sticks) this.#missed = 0;
    this.#showJump();
    if (scrollTop < NEAR && (this.#first > 0 || !this.#complete)) await this.#up();
    else if (left < NEAR && this.#end < this.#items.length) {
      this.#keeping(() => {
        this.#draw(this.#first, Math.min(this.#items.length, this.#end + PAGE));
        this.#trim(true);
      });
    }
  }

  async #up() {
    if (this.#first === 0) {
      if (this.#loading || !(await attempt(() => this.#older())) || this.#stopped) return;
    }
    if (this.#first === 0) return;
    this.#keeping(() => {
      this.#draw(Math.max(0, this.#first - PAGE), this.#end);
      this.#trim(false);
    });
    this.#showJump();
  }

  /** Shows a message that is loaded, and marks it for a moment. */
  goTo(key) {
    const index = this.#items.findIndex((message) => message.key === key);
    if (index < 0) return;
    if (!this.#nodes.has(key)) {
      this.list.replaceChildren();
      this.#nodes.clear();
      this.#first = this.#end = Math.max(0, index - 20);
      this.#draw(this.#first, Math.min(this.#items.length, index + PAGE));
    }
    const node = this.#nodes.get(key);
    this.#sticks = false;
    node.scrollIntoView({ block: "center" });
    node.classList.add("marked");
    setTimeout(() => node.classList.remove("marked"), 1600);
  }

  // -- keyboard: one message can be reached by Tab, the others by the arrows

  #rove(current = null) {
    const buttons = this.list.querySelectorAll(":scope .more");
    const focused = [...buttons].find((each) => each === document.activeElement);
    for (const each of buttons) each.tabIndex = -1;
    const one = current || focused || buttons[buttons.length - 1];
    if (one) one.tabIndex = 0;
  }

  #walk(event) {
    if (!event.target.classList.contains("more")) return;
    const step = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
    const next = step && event.target.closest("li")[step]?.querySelector(".more");
    if (!next) return;
    event.preventDefault();
    this.#rove(next);
    next.focus();
  }
}
