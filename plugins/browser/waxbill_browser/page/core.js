// What all parts of the adapter share: the queue of events, plain copies of WhatsApp's models, the operations' table.

const documentId = crypto.randomUUID();
const operations = Object.create(null);

// -- events: kept until the server has them. At most WINDOW are on their way, so that neither side piles up.
const WINDOW = 200;
const MOST_KEPT = 20000;
const kept = [];
let counted = 0;
let underway = 0;

function tell(event, data) {
  if (kept.length >= MOST_KEPT && event === 'presence') return;
  kept.push(JSON.stringify({ document: documentId, number: ++counted, event, data }));
  pump();
}

function pump() {
  while (underway < kept.length && underway < WINDOW) binding(kept[underway++]);
}

operations.acknowledge = ({ number }) => {
  const first = counted - kept.length + 1;
  const done = Math.max(0, Math.min(number - first + 1, kept.length));
  kept.splice(0, done);
  underway = Math.max(0, underway - done);
  pump();
};

// -- plain copies

const text = (value) => (typeof value === 'string' ? value.toWellFormed() : value);

// An id of WhatsApp's (a Wid, a key, or their text) as text; null for none.
function id(value) {
  if (value == null || value === '') return null;
  if (typeof value === 'string') return value;
  if (typeof value._serialized === 'string') return value._serialized;
  return String(value);
}

function key(value) {
  return {
    fromMe: Boolean(value.fromMe),
    remote: id(value.remote),
    id: value.id,
    ...(value.participant ? { participant: id(value.participant) } : {}),
    _serialized: id(value),
  };
}

// A copy that is JSON: ids as text, no functions, no bytes, no models inside models, nothing endless.
function plain(value, depth = 3) {
  if (value == null || typeof value === 'boolean') return value ?? null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'string') return value.length > 65536 ? null : text(value);
  if (typeof value !== 'object') return null;
  if (typeof value._serialized === 'string' && !value.attributes) return value._serialized;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Blob) return null;
  if (depth <= 0) return null;
  if (Array.isArray(value)) return value.slice(0, 2000).map((each) => plain(each, depth - 1));
  const source = value.attributes || value;
  const copy = {};
  for (const name of Object.keys(source)) {
    if (name.startsWith('_') || typeof source[name] === 'function') continue;
    const found = plain(source[name], depth - 1);
    if (found !== null) copy[name] = found;
  }
  return copy;
}

const pick = (model, names) => {
  const copy = {};
  for (const name of names) {
    const value = model[name];
    if (value !== undefined && value !== null) copy[name] = plain(value, 4);
  }
  return copy;
};

const MESSAGE = [
  'type', 'subtype', 'caption', 't', 'notifyName', 'from', 'to', 'author', 'ack', 'invis', 'isNewMsg', 'star', 'mimetype',
  'filename', 'size', 'duration', 'width', 'height', 'pageCount', 'isGif', 'isViewOnce', 'lat', 'lng', 'loc', 'isLive',
  'clientUrl', 'vcardFormattedName', 'vcardList', 'mentionedJidList', 'groupMentions', 'quotedStanzaID',
  'quotedParticipant', 'isForwarded', 'forwardingScore', 'ephemeralDuration', 'pollName', 'pollOptions',
  'pollSelectableOptionsCount', 'pollInvalidated', 'list', 'listResponse', 'selectedButtonId', 'dynamicReplyButtons',
  'isDynamicReplyButtonsMsg', 'title', 'description', 'matchedText', 'footer', 'eventName', 'eventDescription',
  'eventStartTime', 'eventEndTime', 'eventLocation', 'latestEditSenderTimestampMs', 'recipients', 'templateParams',
  'backgroundColor', 'font', 'broadcast', 'hasReaction', 'kind', 'serverId', 'viewCount', 'isStatusV3', 'pinExpiryTimestamp',
];
const WITH_FILES = ['image', 'video', 'audio', 'ptt', 'ptv', 'document', 'sticker', 'gif'];

function message(model, withQuoted = true) {
  const copy = { id: key(model.id), ...pick(model, MESSAGE) };
  // The body of a file is its small picture in base64; the caption is what people wrote.
  if (!WITH_FILES.includes(model.type) && typeof model.body === 'string') copy.body = text(model.body);
  copy.hasMedia = WITH_FILES.includes(model.type) && Boolean(model.mimetype || model.mediaData?.mimetype || model.deprecatedMms3Url);
  if (!copy.mimetype && model.mediaData?.mimetype) copy.mimetype = model.mediaData.mimetype;
  if (model.latestEditMsgKey) copy.latestEditMsgKey = key(model.latestEditMsgKey);
  copy.ours = isOurs(model.id);
  if (withQuoted && model.quotedStanzaID) copy.quoted = quoted(model);
  return copy;
}

function quoted(model) {
  try {
    const found = WPP.whatsapp.functions.getQuotedMsgObj(model);
    if (found) return message(found, false);
  } catch {
    // an older page, or the message is not there: what the reply itself carries must do
  }
  const raw = model.quotedMsg;
  if (!raw) return null;
  const participant = id(model.quotedParticipant);
  return { ...pick(raw, MESSAGE), body: text(raw.body ?? raw.caption), key: model.quotedStanzaID, participant };
}

// -- what this server sent, so that it can be told from what the phone sent

const ours = new Set();

function remember(messageId) {
  ours.add(messageId);
  if (ours.size > 5000) ours.delete(ours.values().next().value);
}

const isOurs = (messageKey) => Boolean(messageKey?.fromMe) && ours.has(messageKey.id);

// -- calls from the server

class Problem extends Error {
  constructor(code, words) {
    super(words);
    this.code = code;
  }
}

function problem(error) {
  if (typeof error === 'string') return { code: 'error', message: error };
  return {
    code: text(String(error?.code ?? error?.name ?? 'Error')),
    message: text(String(error?.message ?? error)).slice(0, 2000),
    ...(error?.status ? { status: error.status } : {}),
  };
}

async function run(name, given) {
  try {
    if (!(name in operations)) throw new Problem('no_operation', `The adapter has no operation ${name}`);
    const answer = await operations[name](given);
    return { answer: answer === undefined ? null : answer };
  } catch (error) {
    return { problem: problem(error) };
  }
}
