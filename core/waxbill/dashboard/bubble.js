// How a message looks. Everything that came from outside becomes text.

import { h, icon, time, bytes } from "./dom.js";
import { number } from "./people.js";

const ACKS = {
  "-1": ["wrong", "Not sent"],
  0: ["pending", "Pending"],
  1: ["tick", "Sent"],
  2: ["ticks", "Delivered"],
  3: ["ticks", "Read"],
  4: ["ticks", "Played"],
};

export function ticks(ack) {
  const [sign, word] = ACKS[ack] || ["", ""];
  return sign
    ? h("span", { class: `ticks ack-${ack}`, role: "img", "aria-label": word, title: word }, icon(sign))
    : null;
}

const MARKS = [
  [/```([^`]+)```/, "code"],
  [/(?<![\p{L}\p{N}])\*(\S(?:[^*\n]*\S)?)\*(?![\p{L}\p{N}])/u, "strong"],
  [/(?<![\p{L}\p{N}])_(\S(?:[^_\n]*\S)?)_(?![\p{L}\p{N}])/u, "em"],
  [/(?<![\p{L}\p{N}])~(\S(?:[^~\n]*\S)?)~(?![\p{L}\p{N}])/u, "s"],
];
const LINK = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/i;

/** WhatsApp's marks and links in a text, as elements. */
export function rich(text) {
  let first = null;
  for (const [mark, tag] of [...MARKS, [LINK, "a"]]) {
    const found = text.match(mark);
    if (found && (first === null || found.index < first.found.index)) first = { found, tag };
  }
  if (first === null) return [text];
  const { found, tag } = first;
  const inner =
    tag === "a"
      ? h("a", { href: found[0], target: "_blank", rel: "noopener noreferrer nofollow" }, found[0])
      : h(tag, null, tag === "code" ? found[1] : rich(found[1]));
  return [text.slice(0, found.index), inner, ...rich(text.slice(found.index + found[0].length))];
}

const MOST_LETTERS = 3000;

function textOf(text) {
  const body = h("p", { class: "text", dir: "auto" });
  const show = (all) => body.replaceChildren(...rich(all ? text : text.slice(0, MOST_LETTERS)));
  show(text.length <= MOST_LETTERS);
  if (text.length > MOST_LETTERS) {
    body.append(
      "… ",
      h("button", { type: "button", class: "link", onclick: () => show(true) }, `Show all ${text.length} characters`),
    );
  }
  return body;
}

function fileOf(message) {
  const { file, kind } = message;
  if (!file?.path && file?.link)
    return h(
      "a",
      { class: "file", href: file.link, target: "_blank", rel: "noopener noreferrer" },
      icon(kind),
      h("span", null, file.name || "A file", h("small", null, "kept elsewhere")),
    );
  if (!file?.path) return h("p", { class: "missing" }, icon(kind), file?.wrong || "The file was not kept");
  const gone = (event) =>
    event.target.replaceWith(h("p", { class: "missing" }, icon(kind), "The file is not there any more"));
  if (kind === "image" || kind === "sticker") {
    const picture = h("img", {
      src: file.path,
      alt: message.text ? `Photo: ${message.text}` : "Photo",
      class: kind,
      onerror: gone,
    });
    return h("a", { href: file.path, target: "_blank", rel: "noopener", class: "picture" }, picture);
  }
  if (kind === "voice" || kind === "audio") {
    return h("audio", {
      controls: true,
      preload: "none",
      src: file.path,
      "aria-label": kind === "voice" ? "Voice message" : "Audio",
    });
  }
  if (kind === "video") return h("video", { controls: true, preload: "none", src: file.path, "aria-label": "Video" });
  return h(
    "a",
    { class: "file", href: file.path, download: file.name || true },
    icon("document"),
    h("span", null, file.name || "Document", h("small", null, file.type + (file.size ? `, ${bytes(file.size)}` : ""))),
  );
}

function placeOf({ place }) {
  const where = `${place.latitude.toFixed(5)}, ${place.longitude.toFixed(5)}`;
  const address = `https://www.openstreetmap.org/?mlat=${place.latitude}&mlon=${place.longitude}#map=15/${place.latitude}/${place.longitude}`;
  return h(
    "a",
    { class: "file", href: address, target: "_blank", rel: "noopener noreferrer" },
    icon("location"),
    h("span", null, place.name || "Location", h("small", null, [place.address, where].filter(Boolean).join(" · "))),
  );
}

function pollOf(message, who, act) {
  const { poll, votes } = message;
  const mine = votes.get(act.votesAs()) || [];
  const group = `poll-${message.key}`;
  const most = Math.max(
    1,
    ...poll.options.map((option) => [...votes.values()].filter((chosen) => chosen.includes(option)).length),
  );
  const rows = poll.options.map((option) => {
    const voters = [...votes].filter(([, chosen]) => chosen.includes(option)).map(([id]) => who.name(id));
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", voters.length / most);
    const choose = () => {
      const boxes = [...box.querySelectorAll("input")];
      act.vote(
        message,
        boxes.filter((each) => each.checked).map((each) => each.value),
      );
    };
    return h(
      "label",
      { class: "option" },
      h("input", {
        type: poll.multiple ? "checkbox" : "radio",
        name: group,
        value: option,
        checked: mine.includes(option),
        onchange: choose,
      }),
      h("span", { dir: "auto" }, option),
      h("b", { title: voters.join(", ") }, String(voters.length)),
      bar,
      voters.length > 0 && h("small", null, voters.join(", ")),
    );
  });
  const box = h(
    "fieldset",
    { class: "poll" },
    h("legend", { dir: "auto" }, poll.name),
    h("small", null, poll.multiple ? "Choose one or more" : "Choose one"),
    rows,
  );
  return box;
}

function eventOf({ event }) {
  const when = event.at ? new Date(event.at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "";
  return h(
    "div",
    { class: "file" },
    icon("event"),
    h("span", null, event.name, h("small", null, [when, event.place].filter(Boolean).join(" · "))),
  );
}

const FILES = ["image", "video", "voice", "audio", "document", "sticker"];

/**
 * The bubble of a message. ``who`` names people; ``act`` has what can be done: ``menu``, ``vote``, ``goTo`` and, where
 * other people can be played, ``choose``; ``votesAs`` says whose vote is shown as chosen.
 */
export function bubble(message, { who, act, named }) {
  const side = message.fromMe ? "out" : "in";
  const parts = [];
  if (named) parts.push(h("span", { class: "author", dir: "auto" }, who.name(message.author)));
  if (message.quoted) {
    parts.push(
      h(
        "button",
        { type: "button", class: "quoted", tabindex: "-1", onclick: () => act.goTo(message.quoted.key) },
        h("b", null, who.name(message.quoted.author || "")),
        h("span", { dir: "auto" }, message.quoted.text),
      ),
    );
  }
  if (message.kind === "deleted") parts.push(h("p", { class: "gone" }, icon("trash"), "This message was deleted"));
  if (message.waiting) parts.push(h("p", { class: "gone" }, "Waiting for this message"));
  if (FILES.includes(message.kind) && message.hasMedia) parts.push(fileOf(message));
  if (message.place) parts.push(placeOf(message));
  for (const card of message.cards)
    parts.push(
      h(
        "div",
        { class: "file" },
        icon("contact"),
        h("span", { dir: "auto" }, card.name, h("small", null, card.phone || (card.id && number(card.id)))),
      ),
    );
  if (message.poll) parts.push(pollOf(message, who, act));
  if (message.event) parts.push(eventOf(message));
  if (message.text && !(message.place && message.text === message.place.name)) parts.push(textOf(message.text));
  if (message.choices.length) {
    parts.push(
      h(
        "div",
        { class: "choices" },
        message.choices.map((choice) =>
          h(
            "button",
            { type: "button", disabled: !act.choose, onclick: () => act.choose(message, choice) },
            choice.title,
            choice.about && h("small", null, choice.about),
          ),
        ),
      ),
    );
  }
  const more = h(
    "button",
    {
      type: "button",
      class: "more",
      tabindex: "-1",
      "aria-label": "What to do with this message",
      "aria-haspopup": "menu",
      onclick: (event) => act.menu(message, event.currentTarget),
    },
    icon("down"),
  );
  parts.push(
    h(
      "span",
      { class: "stamp" },
      message.edited && message.kind !== "deleted" && "edited ",
      h(
        "time",
        { datetime: new Date(message.at).toISOString(), title: new Date(message.at).toLocaleString() },
        time(message.at),
      ),
      message.fromMe && message.kind !== "deleted" && ticks(message.ack),
    ),
    more,
  );
  const body = h(
    "article",
    { class: `bubble ${side} kind-${message.kind}`, "aria-label": `${who.name(message.author)}, ${time(message.at)}` },
    parts,
  );
  const counted = new Map();
  for (const emoji of message.reactions.values()) counted.set(emoji, (counted.get(emoji) || 0) + 1);
  if (counted.size) {
    const names = [...message.reactions].map(([id, emoji]) => `${who.name(id)} ${emoji}`).join(", ");
    body.append(
      h(
        "span",
        { class: "reactions", role: "img", "aria-label": `Reactions: ${names}`, title: names },
        [...counted].map(([emoji, count]) => (count > 1 ? `${emoji} ${count}` : emoji)).join(" "),
      ),
    );
  }
  return body;
}
