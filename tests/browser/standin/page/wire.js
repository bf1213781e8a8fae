/* The line to the server: questions by POST, what happens by server-sent events. Records travel as JSON; ids as text. */
'use strict';

standinModule('StandinWire', (exports, require) => {
  const { createWid } = require('WAWebWidFactory');
  const MsgKey = require('WAWebMsgKey').default;
  const Wid = require('WAWebWid').default;

  const WIDS = new Set(['from', 'to', 'author', 'quotedParticipant', 'quotedRemoteJid', 'inviteGrp', 'owner', 'descOwner']);
  const KEYS = new Set(['protocolMessageKey', 'latestEditMsgKey', 'lastReceivedKey', 'parentMsgKey', 'msgKey', 'pollUpdateParentKey']);

  /** A record of the server's as attributes of a model. */
  exports.hydrate = (record, key = MsgKey.fromString) => {
    const found = { ...record };
    for (const [name, value] of Object.entries(record)) {
      if (value == null) continue;
      if (name === 'id') found.id = key(value);
      else if (WIDS.has(name)) found[name] = createWid(value);
      else if (KEYS.has(name)) found[name] = MsgKey.fromString(value);
      else if (name === 'mentionedJidList') found[name] = value.map(createWid);
    }
    return found;
  };
  exports.hydrateWid = (record) => exports.hydrate(record, createWid);

  /** Attributes of a model as a record: models inside are left out, bytes become base64. */
  exports.dehydrate = function dehydrate(value) {
    if (value instanceof MsgKey || value instanceof Wid) return value.toString();
    if (value instanceof Uint8Array) return btoa(String.fromCharCode(...value));
    if (Array.isArray(value)) return value.map(dehydrate);
    if (value === null || typeof value !== 'object') return value;
    if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, dehydrate(one)]));
  };

  let device = null;
  exports.setDevice = (id) => (device = id);

  class ServerError extends Error {
    constructor({ code, message }) {
      super(message);
      this.name = 'ServerStatusCodeError';
      this.status = code;
      this.statusCode = code;
    }
  }
  exports.ServerError = ServerError;

  exports.ask = async (question, parts = {}) => {
    const answer = await fetch(`/-/ask/${question}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Device': device },
      body: JSON.stringify(exports.dehydrate(parts)),
    });
    const found = await answer.json();
    if (found.error) throw new ServerError(found.error);
    return found.answer;
  };

  exports.upload = async (blob) => {
    const answer = await fetch('/-/media', { method: 'POST', headers: { 'X-Device': device }, body: blob });
    return answer.json();
  };

  exports.download = async (filehash) => {
    const answer = await fetch(`/-/media/${encodeURIComponent(filehash)}`, { headers: { 'X-Device': device } });
    if (!answer.ok) throw new ServerError({ code: answer.status, message: 'media is gone' });
    return answer.blob();
  };

  /** Hears everything after ``after``, each thing once, also over breaks of the line. */
  exports.listen = (after, hear) => {
    const source = new EventSource(`/-/happens?device=${device}&after=${after}`);
    source.onmessage = (event) => hear(JSON.parse(event.data));
    return source;
  };
});
