// Messages as engines tell them, read into one form. What an engine leaves out is left out here, too.

/** The parts of a message id: whose, chat, key, and who wrote it in a chat of many. */
export function parseId(id) {
  const parts = String(id).split("_");
  if (parts.length < 3) return { fromMe: false, chat: "", key: String(id), participant: "" };
  const [fromMe, chat, key, participant = ""] = parts;
  return { fromMe: fromMe === "true", chat, key, participant };
}

/** "status", "group", "channel" or "person". */
export function kindOfChat(chat) {
  if (chat === "status@broadcast") return "status";
  return { "g.us": "group", newsletter: "channel" }[chat.split("@")[1]] || "person";
}

const WEB = {
  image: "image",
  video: "video",
  ptv: "video",
  ptt: "voice",
  audio: "audio",
  document: "document",
  sticker: "sticker",
  poll_creation: "poll",
  event_creation: "event",
  vcard: "contact",
  multi_vcard: "contact",
  location: "location",
  list: "list",
  buttons: "list",
  revoked: "deleted",
};
const PROTOCOL = {
  imageMessage: "image",
  videoMessage: "video",
  ptvMessage: "video",
  documentMessage: "document",
  stickerMessage: "sticker",
  eventMessage: "event",
  listMessage: "list",
  interactiveMessage: "list",
};

/** Names as Go spells them are found by the usual ones. */
const member = (object, name) => object?.[name] ?? object?.[name.replace(/Id\b/, "ID")];

function kindOf(raw, own, content) {
  if (own.type === "revoked" || content.protocolMessage?.type === "REVOKE") return "deleted";
  if (raw.location) return "location";
  if (raw.vCards?.length) return "contact";
  const poll = Object.keys(content).find((name) => name.startsWith("pollCreationMessage"));
  if (poll) return "poll";
  if (content.audioMessage) return content.audioMessage.ptt || content.audioMessage.PTT ? "voice" : "audio";
  const named = WEB[own.type] || PROTOCOL[Object.keys(content).find((name) => name in PROTOCOL)];
  if (named) return named;
  if (!raw.hasMedia) return "text";
  const kind = (raw.media?.mimetype || "").split("/")[0];
  return ["image", "video", "audio"].includes(kind) ? kind : "document";
}

function readPoll(raw, own, content) {
  const name = Object.keys(content).find((each) => each.startsWith("pollCreationMessage"));
  const poll = content[name];
  if (poll) {
    const options = (poll.options || []).map((option) => String(option.optionName ?? ""));
    return { name: poll.name || "", options, multiple: poll.selectableOptionsCount !== 1 };
  }
  const options = (own.pollOptions || []).map((option) => String(option.name ?? option));
  return { name: own.pollName || raw.body || "", options, multiple: own.pollSelectableOptionsCount !== 1 };
}

function readEvent(own, content) {
  const event = content.eventMessage || {};
  const start = Number(event.startTime ?? own.eventStartTime ?? 0);
  return { name: event.name || own.eventName || "", at: start ? start * 1000 : 0, place: event.location?.name || "" };
}

/** What can be chosen of a list or of buttons: [{id, title, about, by}]. */
function readChoices(own, content) {
  const list = content.listMessage || own.list || {};
  const rows = (list.sections || []).flatMap((section) => section.rows || []);
  const choices = rows.map((row) => ({
    id: member(row, "rowId"),
    title: row.title,
    about: row.description,
    by: "row",
  }));
  for (const button of content.interactiveMessage?.nativeFlowMessage?.buttons || own.buttons || []) {
    const inner = button.buttonParamsJson || button;
    choices.push({ id: inner.id ?? inner.text, title: inner.text ?? inner.title, by: "button" });
  }
  return choices.filter((choice) => choice.title);
}

function readCard(card) {
  const line = (name) => (card.match(new RegExp(`^${name}[^:\\n]*:(.*)$`, "im")) || [])[1]?.trim() || "";
  return {
    name: line("FN") || line("N").replaceAll(";", " ").trim() || "Contact",
    phone: line("TEL"),
    id: (card.match(/waid=(\d+)/i) || [])[1] || "",
  };
}

/** The path of a file on this server, whatever host the address names; nothing else is ever loaded. */
export function filePath(url) {
  const pathname = URL.canParse(url || "", location.origin) ? new URL(url || "", location.origin).pathname : "";
  return pathname.startsWith("/api/files/") ? pathname : "";
}

/** An address elsewhere, for somebody to open; empty for what is none. */
const elsewhere = (url) => (/^https?:\/\//.test(url || "") && URL.canParse(url) ? url : "");

const text = (value) =>
  typeof value === "string" ? value : value === null || value === undefined ? "" : JSON.stringify(value);

/** A message of the API or of an event, in the form that the page works with. */
export function readMessage(raw) {
  const own = raw._data || {};
  const content = own.message || own.Message || {};
  const id = parseId(raw.id);
  const kind = kindOf(raw, own, content);
  const author = id.fromMe ? "me" : text(raw.participant) || id.participant || id.chat;
  const media = raw.hasMedia && raw.media ? raw.media : null;
  return {
    id: text(raw.id),
    key: id.key,
    chat: id.chat,
    fromMe: Boolean(raw.fromMe),
    author,
    pushName: text(own.notifyName || own.pushName || own.Info?.PushName),
    at: Number(raw.timestamp) * 1000 || 0,
    kind,
    source: raw.source,
    text: ["contact", "poll", "event", "deleted"].includes(kind) ? "" : text(raw.body),
    hasMedia: Boolean(raw.hasMedia),
    fileName: text(own.filename || content.documentMessage?.fileName),
    file: media && {
      path: filePath(media.s3 ? `/api/files/${media.s3.Key}` : media.url),
      link: elsewhere(media.url),
      type: text(media.mimetype),
      name: text(media.filename),
      wrong: media.error ? "The file could not be had." : "",
    },
    place: raw.location && {
      latitude: Number(raw.location.latitude),
      longitude: Number(raw.location.longitude),
      name: text(raw.location.name || raw.location.description),
      address: text(raw.location.address),
    },
    cards: kind === "contact" ? (raw.vCards || []).map((card) => readCard(text(card))) : [],
    poll: kind === "poll" ? readPoll(raw, own, content) : null,
    event: kind === "event" ? readEvent(own, content) : null,
    choices: kind === "list" ? readChoices(own, content) : [],
    quoted: raw.replyTo
      ? {
          key: text(raw.replyTo.id),
          author: text(raw.replyTo.participant),
          text: text(raw.replyTo.body) || (raw.replyTo.hasMedia ? "Media" : "Message"),
        }
      : null,
    ack: raw.ack,
    edited: Boolean(own.latestEditMsgKey || own.IsEdit),
    waiting: false,
    reactions: new Map(
      (own.reactions || [])
        .filter((each) => each.text && each.key)
        .map((each) => [
          (each.key.participant || each.key.remoteJid || "").replace("@s.whatsapp.net", "@c.us"),
          each.text,
        ]),
    ),
    votes: new Map(),
  };
}

const WORDS = {
  image: "Photo",
  video: "Video",
  voice: "Voice message",
  audio: "Audio",
  document: "Document",
  sticker: "Sticker",
  location: "Location",
  contact: "Contact",
  poll: "Poll",
  event: "Event",
  list: "Choices",
  deleted: "Deleted message",
};

/** A message in a few words, for lists and for those who listen. */
export function inWords(message) {
  const word = WORDS[message.kind];
  const more =
    message.text ||
    message.poll?.name ||
    message.event?.name ||
    message.cards[0]?.name ||
    message.place?.name ||
    message.fileName ||
    "";
  return word ? (more ? `${word}: ${more}` : word) : message.text || "Message";
}
