/* People: who exists, the address book, the block list, one's own profile, pictures, settings of chats. */
'use strict';

standinModule('WAWebQueryExistsJob', (exports, require) => {
  const ask = async (id) => {
    const { createWid } = require('WAWebWidFactory');
    const found = await require('StandinWire').ask('exists', { id });
    if (!found) return null;
    if (found.lid) {
      const mapping = { lid: createWid(found.lid), pn: createWid(found.wid) };
      await require('WAWebDBCreateLidPnMappings').createLidPnMappings({ mappings: [mapping] });
    }
    return { wid: createWid(found.wid), biz: found.biz };
  };
  exports.queryWidExists = (wid) => ask(wid);
  exports.queryPhoneExists = (phone) => ask(`${phone}@c.us`);
});

standinModule('WAWebUserPrefsGeneral', (exports, require) => {
  let profile = { pushname: '' };
  exports.standinSet = (found) => {
    profile = found;
    require('WAWebConnModel').Conn.pushname = found.pushname;
  };
  exports.getPushname = () => profile.pushname;
  exports.setBrowserId = () => {};
  exports.getUserPrivacySettings = () => ({ about: 'all', lastSeen: 'all', online: 'all', profilePicture: 'all', readReceipts: 'all' });
});

standinModule('WAWebSetPushnameConnAction', (exports, require) => {
  exports.setPushname = (pushname) => require('StandinWire').ask('profile', { pushname });
});

standinModule('WAWebContactStatusBridge', (exports, require) => {
  const { TextStatusCollection } = require('WAWebTextStatusCollection');
  exports.setMyStatus = async (about) => {
    await require('StandinWire').ask('profile', { about });
    return { status: 200 };
  };
  exports.getStatus = async (id) => ({ id, status: (await TextStatusCollection.find(id)).status });
  exports.queryStatusAll = async () => [];
});

standinModule('WAWebContactProfilePicThumbBridge', (exports, require) => {
  const change = async (id, picture) => {
    const answer = await require('StandinWire').ask('set-picture', { id, picture });
    require('WAWebProfilePicThumbCollection').ProfilePicThumbCollection.remove(id);
    return { status: 200, _duplicate: false, ...answer };
  };
  exports.sendSetPicture = (id, preview, picture) => change(id, picture);
  exports.requestDeletePicture = (id) => change(id, null);
});

standinModule('WAWebBlockContactAction', (exports, require) => {
  const change = async (contact, on) => {
    await require('StandinWire').ask('block', { id: contact.id, on });
    const { BlocklistCollection } = require('WAWebBlocklistCollection');
    if (on) BlocklistCollection.add({ id: contact.id });
    else BlocklistCollection.remove(contact.id);
  };
  exports.blockContact = ({ contact }) => change(contact, true);
  exports.unblockContact = (contact) => change(contact, false);
});

standinModule('WAWebSaveContactAction', (exports, require) => {
  exports.saveContactAction = ({ phoneNumber, lid, firstName, lastName }) => {
    const name = [firstName, lastName].filter(Boolean).join(' ');
    return require('StandinWire').ask('contact', { id: phoneNumber ? `${phoneNumber}@c.us` : `${lid}@lid`, name, shortName: firstName });
  };
});

standinModule('WAWebDeleteContactAction', (exports, require) => {
  exports.deleteContactAction = ({ phoneNumber, lid }) =>
    require('StandinWire').ask('contact', { id: phoneNumber ?? lid, name: null, shortName: null });
});

standinModule('WAWebFindCommonGroupsContactAction', (exports, require) => {
  exports.findCommonGroups = async (contact) => {
    const { ChatCollection, ChatCollectionImpl } = require('WAWebChatCollection');
    const lid = require('WAWebApiContact').getCurrentLid(contact.id);
    const common = ChatCollection.filter((chat) => chat.groupMetadata?.participants.get(lid ?? contact.id));
    return new ChatCollectionImpl(common);
  };
});

standinModule('WAWebPresenceChatAction', (exports, require) => {
  const say = (type) => (chat) => require('StandinWire').ask('typing', { id: chat.id, type });
  exports.markComposing = say('composing');
  exports.markRecording = say('recording');
  exports.markPaused = say('paused');
  exports.sendPresenceAvailable = () => require('StandinWire').ask('presence', { available: true });
  exports.sendPresenceUnavailable = () => require('StandinWire').ask('presence', { available: false });
  exports.clearPresence = () => {};
});

standinModule('WAWebUpdateUnreadChatAction', (exports, require) => {
  const change = async (chat, unreadCount, seen) => {
    chat.unreadCount = unreadCount;
    await require('StandinWire').ask('chat', { id: chat.id, unreadCount, seen });
    return chat;
  };
  exports.sendSeen = ({ chat }) => change(chat, 0, true);
  exports.markUnread = (chat) => change(chat, -1, false);
});

standinModule('WAWebMarkPlayedAction', (exports, require) => {
  exports.canMarkPlayed = (msg) => msg.type === 'ptt' && !msg.id.fromMe;
  exports.markPlayed = async (msg) => {
    await require('StandinWire').ask('played', { id: msg.id });
    msg.ack = 4;
  };
});

standinModule('WAWebSetArchiveChatAction', (exports, require) => {
  exports.setArchive = async (chat, archive) => {
    chat.archive = archive;
    await require('StandinWire').ask('chat', { id: chat.id, archive });
  };
});

standinModule('WAWebSetPinChatAction', (exports, require) => {
  exports.setPin = async (chat, pin) => {
    chat.pin = pin;
    await require('StandinWire').ask('chat', { id: chat.id, pin });
  };
});

standinModule('WAWebChatClearBridge', (exports, require) => {
  // WA-JS knows it by the name of a module that the real one uses: WAWebStateUtils
  exports.sendClear = function sendClear(chat, keepStarred) {
    chat.promises.sendClear = require('StandinWire')
      .ask('clear', { id: chat.id, keepStarred, uses: 'WAWebStateUtils' })
      .then(() => {
        const { MsgCollection } = require('WAWebMsgCollection');
        for (const msg of chat.msgs.toArray()) {
          if (keepStarred && msg.star) continue;
          chat.msgs.remove(msg);
          MsgCollection.remove(msg);
        }
        return { status: 200 };
      });
  };
});

standinModule('WAWebDeleteChatAction', (exports, require) => {
  exports.sendDelete = function sendDelete(chat) {
    chat.promises.sendDelete = require('StandinWire')
      .ask('delete-chat', { id: chat.id })
      .then(() => {
        require('WAWebChatCollection').ChatCollection.remove(chat);
        return { status: 200 };
      });
  };
});

standinModule('WAWebVcardUtils', (exports) => {
  exports.vcardFromContactModel = (contact) => {
    const name = contact.formattedName;
    const { user } = contact.id;
    const vcard = `BEGIN:VCARD\nVERSION:3.0\nN:;${name};;;\nFN:${name}\nTEL;type=CELL;waid=${user}:+${user}\nEND:VCARD`;
    return { displayName: name, vcard, isMultiVcard: false };
  };
  exports.mergeVcards = (vcards) => vcards[0];
});
