/* Messages: sending, taking in, history, receipts, and what may be done to a message afterwards. */
'use strict';

standinModule('WAWebAck', (exports) => {
  exports.ACK = { EXPIRED: -2, FAILED: -1, CLOCK: 0, SENT: 1, RECEIVED: 2, READ: 3, PLAYED: 4, PEER: 5 };
  exports.ACK_STRING = { SENDER: 'sender', DELIVERY: 'delivery', READ: 'read', PLAYED: 'played', INACTIVE: 'inactive' };
  exports.EDIT_ATTR = { SENDER_REVOKE: 7, ADMIN_REVOKE: 8 };
});

standinModule('WAWebSendMsgResult', (exports) => {
  exports.SendMsgResult = Object.fromEntries(
    ['OK', 'ERROR_NETWORK', 'ERROR_EXPIRED', 'ERROR_CANCELLED', 'ERROR_UPLOAD', 'ERROR_UNKNOWN'].map((one) => [one, one]),
  );
});

standinModule('WAWebMsgType', (exports) => {
  const types = [
    'notification', 'notification_template', 'gp2', 'e2e_notification', 'call_log', 'protocol', 'chat', 'location',
    'vcard', 'ciphertext', 'multi_vcard', 'revoked', 'groups_v4_invite', 'image', 'video', 'audio', 'ptt', 'sticker',
    'document', 'list', 'interactive', 'list_response', 'buttons_response', 'reaction', 'unknown',
  ]; // prettier-ignore
  exports.MSG_TYPE = Object.fromEntries(types.map((type) => [type.toUpperCase(), type]));
  exports.SYSTEM_MESSAGE_TYPES = ['gp2', 'e2e_notification', 'notification_template', 'call_log'];
});

standinModule('WATimeUtils', (exports) => {
  exports.unixTime = () => Math.floor(Date.now() / 1000);
  exports.unixTimeMs = () => Date.now();
});

standinModule('WAWebGetEphemeralFieldsMsgActionsUtils', (exports) => {
  exports.getEphemeralFields = (chat) => {
    const duration = chat.groupMetadata?.ephemeralDuration ?? chat.ephemeralDuration;
    return duration ? { ephemeralDuration: duration } : {};
  };
});

standinModule('WAWebFindChatAction', (exports, require) => {
  const { ChatCollection } = require('WAWebChatCollection');
  const newsletters = require('WAWebNewsletterCollection').default;
  exports.findOrCreateLatestChat = async (wid) => {
    const known = wid.isNewsletter() ? newsletters.get(wid) : ChatCollection.get(wid);
    if (known) return { chat: known, created: false };
    const { id, t } = await require('StandinWire').ask('open-chat', { id: wid });
    const chat = ChatCollection.add({ id: require('WAWebWidFactory').createWid(id), t });
    if (chat.id.isGroup()) await require('WAWebGroupMetadataCollection').default.find(chat.id);
    return { chat, created: true };
  };
  exports.findExistingChat = async (wid) => ChatCollection.get(wid);
  exports.findChat = async (wid) => (await exports.findOrCreateLatestChat(wid)).chat;
});

standinModule('WAWebMsgActionCapability', (exports) => {
  exports.canEditText = (msg) => msg.id.fromMe && msg.type === 'chat';
  exports.canEditCaption = (msg) => msg.id.fromMe && ['image', 'video', 'document'].includes(msg.type);
  exports.canReplyMsg = (msg) => !msg.isNotification && msg.type !== 'revoked' && msg.ack !== 0;
});

/* What the page does with messages; the modules below are how others reach it. */
standinModule('StandinMessages', (exports, require) => {
  const wire = require('StandinWire');
  const MsgKey = require('WAWebMsgKey').default;
  const { MsgCollection } = require('WAWebMsgCollection');
  const { ChatCollection } = require('WAWebChatCollection');
  const newsletters = require('WAWebNewsletterCollection').default;

  exports.chatOf = (id) => (id.isNewsletter() ? newsletters.get(id) : ChatCollection.get(id));

  /** A message into memory: its chat's list and the list of all. */
  const remember = (chat, raw) => {
    const msg = MsgCollection.add(raw);
    chat.msgs.add(msg);
    if ((raw.t ?? 0) >= (chat.t ?? 0)) chat.set({ t: raw.t, lastReceivedKey: msg.id });
    return msg;
  };

  exports.takeIn = (chatId, raw) => {
    const changed = raw.protocolMessageKey && MsgCollection.get(raw.protocolMessageKey);
    if (raw.subtype === 'message_edit') {
      changed?.set({ [changed.isMedia ? 'caption' : 'body']: raw.body, latestEditSenderTimestampMs: raw.t * 1000 });
      changed?.set({ latestEditMsgKey: raw.id });
      return changed;
    }
    if (raw.type === 'protocol') {
      changed?.set({ type: 'revoked', subtype: raw.subtype, body: undefined, caption: undefined, mediaData: undefined });
      return changed;
    }
    const chat = exports.chatOf(chatId) ?? ChatCollection.add({ id: chatId, t: raw.t });
    return remember(chat, raw);
  };

  /** Sends: the message is there at once with ack 0, and has ack 1 when the server took it. */
  exports.send = (chat, raw) => {
    const msg = remember(chat, raw);
    const result = (async () => {
      try {
        const { t, ack, serverId } = await wire.ask('send', { message: msg.serialize() });
        msg.set({ t, serverId });
        msg.ack = Math.max(msg.ack, ack);
        if (chat.id.isStatus()) require('WAWebStatusCollection').StatusCollection.own(msg);
        return { messageSendResult: 'OK', t, count: null };
      } catch (error) {
        msg.ack = -1;
        return { messageSendResult: error.message in require('WAWebSendMsgResult').SendMsgResult ? error.message : 'ERROR_NETWORK' };
      }
    })();
    return [Promise.resolve(msg), result];
  };

  exports.byKey = async (key) => {
    const known = MsgCollection.get(key);
    if (known) return known;
    const record = await wire.ask('message', { id: key });
    return record && MsgCollection.add(wire.hydrate(record), { silent: true });
  };

  exports.find = async (question, { anchor, ...more }) => {
    const records = await wire.ask('find', { question, anchor, ...more });
    return records.map((record) => wire.hydrate(record));
  };

  exports.star = (chat, msgs, star) => {
    chat.promises.sendStarMsgs = wire.ask('star', { ids: msgs.map((msg) => msg.id), star }).then(() => {
      for (const msg of msgs) msg.star = star;
    });
    return chat.promises.sendStarMsgs;
  };

  exports.revoke = async (chat, msgs) => {
    for (const msg of msgs) {
      await wire.ask('revoke', { id: msg.id });
      msg.set({ type: 'revoked', body: undefined, caption: undefined, mediaData: undefined });
    }
  };

  exports.forget = async (chat, msgs) => {
    for (const msg of msgs) {
      await wire.ask('forget', { id: msg.id });
      chat.msgs.remove(msg);
      MsgCollection.remove(msg);
    }
  };

  exports.receipt = ({ ids, ack, from }) => {
    for (const id of ids) {
      const msg = MsgCollection.get(id);
      if (msg && msg.ack < ack) msg.ack = ack;
    }
    return from;
  };
  exports.key = (text) => MsgKey.fromString(text);
});

standinModule('WAWebSendMsgChatAction', (exports, require) => {
  exports.addAndSendMsgToChat = (chat, raw) => require('StandinMessages').send(chat, raw);
});

standinModule('WAWebSendTextMsgChatAction', (exports, require) => {
  const MsgKey = require('WAWebMsgKey').default;
  exports.sendTextMsgToChat = async (chat, body, options = {}) => {
    const raw = await require('StandinOutgoing').raw(chat, { type: 'chat', body, ...options.quotedMsg?.msgContextInfo() });
    const [message, result] = require('StandinMessages').send(chat, raw);
    await message;
    return (await result).messageSendResult;
  };
  exports.newId = MsgKey.newId;
});

/* Messages that the page itself makes (forwarding, votes) rather than gets from a caller. */
standinModule('StandinOutgoing', (exports, require) => {
  const MsgKey = require('WAWebMsgKey').default;
  const me = require('WAWebUserPrefsMeUser');
  exports.raw = async (chat, content) => {
    const from = chat.id.isGroup() || chat.id.isLid() ? me.getMaybeMeLidUser() : me.getMaybeMePnUser();
    const id = MsgKey.ofMine(chat.id, await MsgKey.newId());
    const t = require('WATimeUtils').unixTime();
    return { id, t, from, to: chat.id, self: 'out', ack: 0, isNewMsg: true, local: true, ...content };
  };
});

standinModule('WAWebSendMessageEditAction', (exports, require) => {
  exports.addAndSendMessageEdit = async (msg, raw) => {
    const body = raw.body ?? raw.caption;
    const { t } = await require('StandinWire').ask('edit', { id: msg.id, edit: raw.id, body });
    msg.set({ [msg.isMedia ? 'caption' : 'body']: body, latestEditSenderTimestampMs: t * 1000 });
    msg.set({ latestEditMsgKey: raw.id });
  };
});

standinModule('WAWebSendReactionMsgAction', (exports, require) => {
  exports.sendReactionToMsg = async (msg, reaction) => {
    const { key } = await require('StandinWire').ask('react', { id: msg.id, reaction });
    require('StandinSync').happen({ type: 'reaction', key, parent: String(msg.id), reaction, by: null, t: Date.now() });
    return 'OK';
  };
});

standinModule('WAWebChatForwardMessage', (exports, require) => {
  const KEPT = [
    'type', 'body', 'caption', 'mimetype', 'size', 'filehash', 'directPath', 'duration', 'waveform', 'filename', 'lat',
    'lng', 'loc', 'vcardFormattedName', 'vcardList', 'isGif', 'fullWidth', 'fullHeight', 'pollName', 'pollOptions',
  ]; // prettier-ignore
  exports.forwardMessages = async ({ chat, msgs, includeCaption }) => {
    const results = [];
    for (const msg of msgs) {
      const content = Object.fromEntries(KEPT.filter((name) => msg[name] !== undefined).map((name) => [name, msg[name]]));
      if (!includeCaption) delete content.caption;
      const raw = await require('StandinOutgoing').raw(chat, { ...content, isForwarded: true, forwardingScore: 1 });
      results.push(await require('StandinMessages').send(chat, raw)[1]);
    }
    return results;
  };
});

standinModule('WAWebForwardMessagesToChat', (exports, require) => {
  exports.forwardMessagesToChats = async (msgs, chats, includeCaption) => {
    for (const chat of chats) await require('WAWebChatForwardMessage').forwardMessages({ chat, msgs, includeCaption });
    return true;
  };
});

standinModule('WAWebSendPinMessageAction', (exports, require) => {
  exports.sendPinInChatMsg = async (msg, pinType, duration) => {
    const { t } = await require('StandinWire').ask('pin', { id: msg.id, pin: pinType === 1, duration });
    require('WAWebPinInChatCollection').PinInChatCollection.add({ id: msg.id, pinType, parentMsgKey: msg.id, t });
    return { messageSendResult: 'OK', t };
  };
});

standinModule('WAWebPinInChatPinExpiryDurationOption', (exports) => {
  exports.PinExpiryDurationOption = Object.fromEntries(
    ['FiveSeconds', 'FifteenSeconds', 'OneMinute', 'OneDay', 'SevenDays', 'ThirtyDays'].map((one) => [one, one]),
  );
});

standinModule('WAWebDBMessageFindLocal', (exports, require) => {
  const find = (question, parts) => require('StandinMessages').find(question, parts);
  const whole = async (question, parts) => ({ messages: await find(question, parts), status: 200 });
  exports.msgFindBefore = (parts) => whole('before', parts);
  exports.msgFindAfter = (parts) => whole('after', parts);
  exports.msgFindByDirection = ({ direction, ...parts }) => whole(direction, parts);
  exports.msgFindCallLog = (parts) => find('calls', parts);
  exports.msgFindEvents = (parts) => find('events', parts);
  exports.msgFindStarred = (parts) => find('starred', parts);
  exports.msgFindMedia = (parts) => whole('media', parts);
  exports.msgFindSearch = async (parts) => ({ messages: await find('search', parts), eof: true, canceled: false });
});

standinModule('WAWebChatMessageSearch', (exports, require) => {
  exports.getSearchContext = ({ chat, msgKey }) => {
    const { ChatMsgsCollection } = require('WAWebMsgCollection');
    const collection = new ChatMsgsCollection(null, { parent: chat });
    collection.loadAroundPromise = require('StandinMessages')
      .byKey(msgKey)
      .then((msg) => msg && collection.add(msg));
    return { collection, key: msgKey, highlightMsg: true };
  };
});

standinModule('WAWebChatLoadMessages', (exports, require) => {
  exports.loadEarlierMsgs = async ({ chat }) => {
    const { MsgCollection } = require('WAWebMsgCollection');
    const anchor = chat.msgs.head()?.id;
    const raws = anchor ? await require('StandinMessages').find('before', { anchor, count: 50 }) : [];
    chat.msgs.msgLoadState.noEarlierMsgs = raws.length < 50;
    const found = raws.map((raw) => MsgCollection.add(raw, { silent: true }));
    for (const msg of found) chat.msgs.add(msg, { silent: true });
    chat.msgs.sort((one, other) => one.t - other.t);
    return found;
  };
});

for (const kind of ['Chat', 'Group', 'Status']) {
  standinModule(`WAWebHandle${kind}Receipt`, (exports, require) => {
    exports[`handle${kind}SimpleReceipt`] = async ({ externalIds, from, participant, ack }) => {
      const MsgKey = require('WAWebMsgKey').default;
      const ids = externalIds.map((id) => MsgKey.ofMine(from, id));
      return require('StandinMessages').receipt({ ids, ack, from, participant });
    };
  });
}

standinModule('WAWebHandleMsg', (exports, require) => {
  exports.handleSingleMsg = async (wid, raw) =>
    require('WAWebMsgCollection').MsgCollection.processMultipleMessages(wid, [raw]);
});

standinModule('WAWebPollsVotesTable', (exports, require) => {
  const wire = require('StandinWire');
  /** Votes of which the page heard; the parts are VoteData of WA-JS. */
  exports.upsertVotesDb = async (votes) => votes;
  exports.getVotes = async (keys) => {
    const found = await Promise.all(keys.map((id) => wire.ask('votes', { id })));
    return found.flat().map(exports.voteFromDbRow);
  };
  exports.getVote = (key) => key;
  exports.voteFromDbRow = (row) => ({
    ...row,
    parentMsgKey: require('WAWebMsgKey').default.fromString(row.parentMsgKey),
    sender: require('WAWebWidFactory').createWid(row.sender),
  });
});

standinModule('WAWebPollsSendVoteMsgAction', (exports, require) => {
  exports.sendVote = async (msg, selected) => {
    await require('StandinWire').ask('vote', { id: msg.id, selected: [...selected] });
    return { messageSendResult: 'OK' };
  };
});

standinModule('WAWebReactionsModelCollectionUtils', (exports) => {
  exports.addOrUpdateReactionsModelCollection = () => {};
});

standinModule('WAWebGetReactions', (exports, require) => {
  exports.getReactions = async (id) => {
    const MsgKey = require('WAWebMsgKey').default;
    const { reactions, mine } = await require('StandinWire').ask('reactions', { id });
    const whole = (one) => one && { ...one, msgKey: MsgKey.fromString(one.msgKey), parentMsgKey: MsgKey.fromString(one.parentMsgKey) };
    return {
      reactionByMe: whole(mine),
      reactions: reactions.map((group) => ({ ...group, senders: group.senders.map(whole) })),
    };
  };
});

standinModule('WAWebKeepInChatMsgAction', (exports) => {
  exports.keepMessage = async () => {};
  exports.undoKeepMessage = async () => {};
});
