// The people of a session: names, hidden ids, members of groups.

import { get, path } from "./api.js";
import { h } from "./dom.js";
import { filePath, kindOfChat } from "./message.js";

/** 49301234567@c.us as +49301234567. */
export function number(id) {
  const user = String(id).split(/[@:]/)[0];
  if (String(id).endsWith("@c.us") || /^\d{5,15}$/.test(String(id))) return `+${user}`;
  return String(id).endsWith("@lid") ? `~${user}` : user;
}

/** Of a large group with hidden ids, so many members are asked about. */
const MOST_ASKED = 60;

const flat = (id) => (typeof id === "string" ? id : id?._serialized || "");

export class People {
  #names = new Map();
  #numbers = new Map();
  constructor(session) {
    this.session = session;
    this.me = "";
    /** Everybody who is known: [{id, name}]. */
    this.known = [];
  }

  async load() {
    const [me, contacts, lids] = await Promise.all([
      get(path`/api/sessions/${this.session}/me`).catch(() => null),
      get("/api/contacts/all", { session: this.session, limit: 500 }).catch(() => []),
      get(path`/api/${this.session}/lids`, { limit: 1000 }).catch(() => []),
    ]);
    this.me = me?.id || "";
    if (me?.lid) this.#numbers.set(me.lid, me.id);
    for (const { lid, pn } of Array.isArray(lids) ? lids : []) if (lid && pn) this.#numbers.set(lid, pn);
    this.known = [];
    for (const contact of Array.isArray(contacts) ? contacts : []) {
      const id = flat(contact.id);
      if (!id || kindOfChat(id) !== "person" || id === this.me) continue;
      const name = contact.name || contact.pushname || contact.pushName || contact.notify || "";
      this.learn(id, name);
      this.known.push({ id, name: this.name(id) });
    }
  }

  learn(id, name) {
    if (name && id) this.#names.set(id, String(name));
  }

  /** The id by phone number of a hidden id, where it is known. */
  canonical(id) {
    return this.#numbers.get(id) || String(id).replace("@s.whatsapp.net", "@c.us");
  }

  isMe(id) {
    return id === "me" || (this.me !== "" && this.canonical(id) === this.me);
  }

  name(id) {
    if (this.isMe(id)) return "You";
    return this.#names.get(this.canonical(id)) || this.#names.get(id) || number(this.canonical(id));
  }

  async #ask(lid) {
    const found = await get(path`/api/${this.session}/lids/${lid}`).catch(() => null);
    if (found?.pn) this.#numbers.set(lid, found.pn);
  }

  /** The members of a group without this account: [{id, name, role}]. */
  async members(group) {
    const found = (await get(path`/api/${this.session}/groups/${group}/participants/v2`)).filter(
      (each) => each.role !== "left",
    );
    const strangers = found.filter((each) => !each.pn && each.id.endsWith("@lid") && !this.#numbers.has(each.id));
    await Promise.all(strangers.slice(0, MOST_ASKED).map((each) => this.#ask(each.id)));
    return found
      .map((each) => ({ id: this.canonical(each.pn || each.id), role: each.role }))
      .filter((each) => !this.isMe(each.id))
      .map((each) => ({ ...each, name: this.name(each.id) }));
  }
}

function hue(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 3600;
  return sum % 360;
}

/** A round picture; without one, the first letters of a name in a colour of its own. */
export function avatar(id, name, picture = "") {
  const path = filePath(picture);
  if (path)
    return h("img", {
      class: "avatar",
      src: path,
      alt: "",
      onerror: (event) => event.target.replaceWith(avatar(id, name)),
    });
  const words = name
    .replace(/[^\p{L}\p{N} ]/gu, "")
    .trim()
    .split(/\s+/)
    .filter(Boolean);
  const letters = /^\d/.test(words[0] || "")
    ? (words[0] || "").slice(-2)
    : words
        .slice(0, 2)
        .map((word) => [...word][0])
        .join("");
  const node = h("span", { class: "avatar", "aria-hidden": "true" }, letters.toUpperCase() || "?");
  node.style.setProperty("--hue", hue(id));
  return node;
}
