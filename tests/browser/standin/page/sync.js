/* Taking in what the server says: all of it when the page starts, then piece by piece. */
'use strict';

standinModule('StandinSync', (exports, require) => {
  const wire = require('StandinWire');
  const MsgKey = require('WAWebMsgKey').default;
  const { createWid } = require('WAWebWidFactory');
  const chats = require('WAWebChatCollection').ChatCollection;
  const contacts = require('WAWebContactCollection').ContactCollection;
  const groups = require('WAWebGroupMetadataCollection').default;
  const messages = require('StandinMessages');

  const contact = ({ lid, ...record }) => {
    const { createLidPnMappings } = require('WAWebDBCreateLidPnMappings');
    const model = contacts.add(wire.hydrateWid(record));
    model.set(wire.hydrateWid(record));
    if (!lid) return;
    createLidPnMappings({ mappings: [{ lid: createWid(lid), pn: createWid(record.id) }] });
    contacts.add({ ...wire.hydrateWid(record), id: createWid(lid), phoneNumber: createWid(record.id) });
  };

  const chat = ({ msgs = [], ...record }) => {
    const attributes = wire.hydrateWid(record);
    const model = chats.add(attributes);
    model.set(attributes);
    if ('muteExpiration' in record) model.mute.expiration = record.muteExpiration;
    for (const raw of msgs) messages.takeIn(model.id, { ...wire.hydrate(raw), isNewMsg: false });
    return model;
  };

  const group = (record) => groups.gadd(createWid(record.id), { silent: true }).take(record);

  exports.take = (snapshot) => {
    snapshot.contacts.forEach(contact);
    snapshot.groups.forEach(group);
    snapshot.channels.forEach(require('StandinChannels').take);
    snapshot.chats.forEach(chat);
    chats.sort();
    snapshot.labels.forEach(require('StandinLabels').take);
    snapshot.statuses.forEach((raw) => require('WAWebStatusCollection').StatusCollection.take(wire.hydrate(raw)));
    const { BlocklistCollection } = require('WAWebBlocklistCollection');
    for (const id of snapshot.blocked) BlocklistCollection.add({ id: createWid(id) });
    BlocklistCollection.sort();
    const { PinInChatCollection } = require('WAWebPinInChatCollection');
    for (const { id, ...pin } of snapshot.pins) {
      PinInChatCollection.add({ id: MsgKey.fromString(id), parentMsgKey: MsgKey.fromString(id), ...pin });
    }
    require('WAWebUserPrefsGeneral').standinSet(snapshot.profile);
  };

  /* One function for each kind of thing that happens. */
  const kinds = {
    paired: ({ account }) => require('StandinSession').enter(account, true),
    logout: ({ reason }) => require('StandinSession').left(reason),
    conflict: () => require('StandinSession').conflict(),
    update: () => (require('WAWebStreamModel').Stream.needsUpdate = true),
    outdated: () => {
      require('WAWebSocketModel').Socket.state = 'DEPRECATED_VERSION';
      require('WAWebStreamModel').Stream.mode = 'DEPRECATED_VERSION';
    },
    offline: ({ offline }) => {
      require('WAWebSocketModel').Socket.state = offline ? 'TIMEOUT' : 'CONNECTED';
      require('WAWebStreamModel').Stream.info = offline ? 'OFFLINE' : 'NORMAL';
    },
    reload: () => location.reload(),
    'link-code': ({ event }) =>
      require('WAWebLinkDeviceEvents').WAWebLinkDeviceEvents.trigger(`link_device_events:${event}`),
    contact: ({ contact: record }) => contact(record),
    chat: ({ chat: record }) => chat(record),
    'chat-gone': ({ id }) => chats.remove(createWid(id)),
    group: ({ group: record }) => group(record),
    message: ({ chat: id, message }) =>
      require('WAWebHandleMsg').handleSingleMsg(createWid(id), { isNewMsg: true, ...wire.hydrate(message) }),
    changed: ({ id, changes }) => {
      require('WAWebMsgCollection').MsgCollection.get(MsgKey.fromString(id))?.set(wire.hydrate(changes));
    },
    receipt: ({ chat: id, ids, ack, by }) => {
      const from = createWid(id);
      const kind = from.isGroup() ? 'Group' : from.isStatus() ? 'Status' : 'Chat';
      require(`WAWebHandle${kind}Receipt`)[`handle${kind}SimpleReceipt`]({
        type: 'receipt',
        ack,
        ackString: { 2: 'delivery', 3: 'read', 4: 'played' }[ack],
        externalIds: ids,
        from,
        participant: by ? createWid(by) : null,
        recipient: null,
        ts: Math.floor(Date.now() / 1000),
        offline: null,
      });
    },
    reaction: ({ key, parent, reaction, by, t }) => {
      const me = require('WAWebUserPrefsMeUser');
      require('WAWebMsgCollection').MsgCollection.get(MsgKey.fromString(parent))?.set({ hasReaction: reaction !== '' });
      const one = { msgKey: key, parentMsgKey: parent, reactionText: reaction, orphan: 0, read: false, t, timestamp: t };
      const sender = by ?? String(me.getMaybeMePnUser());
      const utils = require('WAWebReactionsModelCollectionUtils');
      utils.addOrUpdateReactionsModelCollection({ ...one, senderUserJid: sender, from: sender }, true);
    },
    vote: ({ vote }) => {
      const table = require('WAWebPollsVotesTable');
      return table.upsertVotesDb([table.voteFromDbRow(vote)]);
    },
    presence: ({ id, ...state }) => {
      require('WAWebPresenceCollection').PresenceCollection.gadd(createWid(id), { silent: true }).take(state);
    },
    'group-action': ({ group: record, author, pushname, action, t }) => {
      group(record);
      const participants = (action.participants ?? []).map((id) => ({ id: createWid(id), isAdmin: false, isSuperAdmin: false }));
      const whole = { reason: '', prevVersion: 1, version: 2, ...action, action: action.actionType, participants };
      require('WAWebDBUpdateForGroupAction').updateDBForGroupAction(
        { actions: [whole], author: author && createWid(author), chatId: createWid(record.id), externalId: '', offline: null, pushname, ts: t },
        whole,
      );
    },
    channel: ({ channel }) => require('StandinChannels').take(channel),
    'channel-gone': ({ id }) => require('WAWebNewsletterCollection').default.remove(createWid(id)),
    status: ({ message }) => {
      const raw = { isNewMsg: true, ...wire.hydrate(message) };
      require('WAWebHandleMsg').handleSingleMsg(createWid('status@broadcast'), raw);
      require('WAWebStatusCollection').StatusCollection.take(raw);
    },
    label: ({ label }) => require('StandinLabels').take(label),
    'label-gone': ({ id }) => require('WAWebLabelCollection').LabelCollection.remove(id),
    labelled: ({ id, chat: chatId, on }) => require('StandinLabels').put(chatId, [id], on),
    blocked: ({ id, on }) => {
      const { BlocklistCollection } = require('WAWebBlocklistCollection');
      if (on) BlocklistCollection.add({ id: createWid(id) });
      else BlocklistCollection.remove(id);
    },
    call: ({ call }) => require('StandinCalls').arrive(call),
    'call-ended': ({ id, state }) => require('StandinCalls').end(id, state),
    profile: ({ profile }) => require('WAWebUserPrefsGeneral').standinSet(profile),
    picture: ({ id }) => require('WAWebProfilePicThumbCollection').ProfilePicThumbCollection.remove(id),
  };

  exports.happen = (happened) => kinds[happened.type](happened);
});
