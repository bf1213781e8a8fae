/* Stores: one collection for each kind of thing, each under the name that the real page gives it. Where a class is
 * exported beside its one instance, the real page does so, too. */
'use strict';

standinModule('WAWebContactCollection', (exports, require) => {
  const { BaseCollection } = require('WAWebBaseCollection');
  class ContactCollectionImpl extends BaseCollection {
    static model = require('WAWebContactModel').default;
  }
  exports.ContactCollectionImpl = ContactCollectionImpl;
  exports.ContactCollection = new ContactCollectionImpl();
});

standinModule('WAWebMsgCollection', (exports, require) => {
  const { BaseCollection } = require('WAWebBaseCollection');
  const Msg = require('WAWebMsgModel').default;

  /** The messages of one chat that the page has in memory. */
  class ChatMsgsCollection extends BaseCollection {
    static model = Msg;
    msgLoadState = { noEarlierMsgs: false, isLoadingEarlierMsgs: false };
  }

  class MsgCollectionImpl extends BaseCollection {
    static model = Msg;
    async getMessagesById(keys) {
      const found = await Promise.all(keys.map((key) => require('StandinMessages').byKey(key)));
      return { messages: found.filter(Boolean) };
    }
    /** Takes in what arrived for a chat; what a protocol message changes is changed. */
    async processMultipleMessages(chatId, raws) {
      return raws.map((raw) => require('StandinMessages').takeIn(chatId, raw)).filter(Boolean);
    }
  }
  exports.ChatMsgsCollection = ChatMsgsCollection;
  exports.MsgCollection = new MsgCollectionImpl();
});

standinModule('WAWebChatCollection', (exports, require) => {
  const { BaseCollection } = require('WAWebBaseCollection');
  class ChatCollectionImpl extends BaseCollection {
    static model = require('WAWebChatModel').default;
    static comparator = (one, other) => (other.pin ? 1 : 0) - (one.pin ? 1 : 0) || (other.t ?? 0) - (one.t ?? 0);
    /** Channels are found here as well, though they are listed apart. */
    get(id) {
      return super.get(id) ?? require('WAWebNewsletterCollection').default.own(id);
    }
    getActive() {
      return this.findFirst((chat) => chat.active);
    }
  }
  exports.ChatCollectionImpl = ChatCollectionImpl;
  exports.ChatCollection = new ChatCollectionImpl();
});

standinModule('WAWebGroupMetadataCollection', (exports, require) => {
  const { BaseCollection } = require('WAWebBaseCollection');
  class GroupMetadataCollection extends BaseCollection {
    static model = require('WAWebGroupMetadataModel').default;
    async find(id) {
      const group = this.gadd(require('WAWebWidFactory').createWid(String(id)), { silent: true });
      return group.stale ? this.update(group.id) : group;
    }
    async update(id) {
      const group = this.gadd(id, { silent: true });
      group.take(await require('StandinWire').ask('group', { id }));
      return group;
    }
    _handleParentGroupChange() {}
    onParentGroupChange() {}
  }
  exports.default = new GroupMetadataCollection();
});

standinModule('WAWebBlocklistCollection', (exports, require) => {
  const { BaseCollection } = require('WAWebBaseCollection');
  const { BaseModel } = require('WAWebBaseModel');
  class Blocked extends BaseModel {}
  Blocked.prototype.proxyName = 'blocklist';
  class BlocklistCollectionImpl extends BaseCollection {
    static model = Blocked;
  }
  exports.BlocklistCollectionImpl = BlocklistCollectionImpl;
  exports.BlocklistCollection = new BlocklistCollectionImpl();
});

standinModule('WAWebProfilePicThumbCollection', (exports, require) => {
  const { BaseCollection } = require('WAWebBaseCollection');
  const { BaseModel } = require('WAWebBaseModel');
  class ProfilePicThumb extends BaseModel {}
  ProfilePicThumb.prototype.proxyName = 'profile_pic_thumb';
  class ProfilePicThumbCollectionImpl extends BaseCollection {
    static model = ProfilePicThumb;
    async findImpl(id) {
      const picture = await require('StandinWire').ask('picture', { id });
      return { id, eurl: picture?.url, img: picture?.url, imgFull: picture?.url, tag: picture?.tag };
    }
  }
  exports.ProfilePicThumbCollectionImpl = ProfilePicThumbCollectionImpl;
  exports.ProfilePicThumbCollection = new ProfilePicThumbCollectionImpl();
});

standinModule('WAWebTextStatusCollection', (exports, require) => {
  const { BaseCollection } = require('WAWebBaseCollection');
  const { BaseModel } = require('WAWebBaseModel');
  class TextStatus extends BaseModel {}
  TextStatus.prototype.proxyName = 'status';
  class TextStatusCollectionImpl extends BaseCollection {
    static model = TextStatus;
    async findImpl(id) {
      return { id, status: await require('StandinWire').ask('about', { id }) };
    }
  }
  exports.TextStatusCollectionImpl = TextStatusCollectionImpl;
  exports.TextStatusCollection = new TextStatusCollectionImpl();
});

standinModule('WAWebPresenceCollection', (exports, require) => {
  const { BaseCollection, default: Collection } = require('WAWebBaseCollection');
  const { BaseModel } = require('WAWebBaseModel');
  class Chatstate extends BaseModel {}
  class Chatstates extends Collection {
    static model = Chatstate;
  }
  class Presence extends BaseModel {
    static defaults = () => ({ hasData: false, isOnline: undefined, isSubscribed: false });
    constructor(attributes) {
      super(attributes);
      const { id } = this.attributes;
      this.set({ chatstate: new Chatstate({ id }), chatstates: new Chatstates(), isUser: id.isUser(), isGroup: id.isGroup() });
    }
    async subscribe() {
      if (this.attributes.isSubscribed) return;
      this.attributes.isSubscribed = true;
      await require('WAWebContactPresenceBridge').subscribeUserPresence(this.attributes.id);
    }
    /** What the server says: by whom (in a group), available or not, typing, recording, last seen. */
    take({ by, state: type, online, seen, deny }) {
      const state = { type: { composing: 'typing', recording: 'recording_audio' }[type] ?? type, t: seen, deny: Boolean(deny) };
      this.set({ hasData: true, isOnline: online });
      if (by) {
        const id = require('WAWebWidFactory').createWid(by);
        this.attributes.chatstates.gadd(id, { silent: true }).set(state);
      }
      this.attributes.chatstate.set(state);
    }
  }
  Presence.prototype.proxyName = 'presence';
  class PresenceCollectionImpl extends BaseCollection {
    static model = Presence;
    async find(id) {
      const presence = this.gadd(id, { silent: true });
      await presence.subscribe();
      return presence;
    }
  }
  exports.PresenceCollection = new PresenceCollectionImpl();
  exports.Chatstate = Chatstate;
});

standinModule('WAWebContactPresenceBridge', (exports, require) => {
  exports.subscribeUserPresence = (id) => require('StandinWire').ask('subscribe', { id });
  exports.subscribeGroupPresence = exports.subscribeUserPresence;
});

standinModule('WAWebPinInChatCollection', (exports, require) => {
  const { BaseCollection } = require('WAWebBaseCollection');
  const { BaseModel } = require('WAWebBaseModel');
  class PinInChat extends BaseModel {}
  PinInChat.prototype.proxyName = 'pin_in_chat';
  class PinInChatCollectionImpl extends BaseCollection {
    static model = PinInChat;
    getByParentMsgKey(key) {
      return this.get(key) ?? null;
    }
    byChatId(id) {
      return this.filter((pin) => pin.id.remote.equals(id));
    }
  }
  exports.PinInChatCollection = new PinInChatCollectionImpl();
  exports.PIN_STATE = { INVALID: 0, PIN: 1, UNPIN: 2 };
});

standinModule('WAWebMsgInfoCollection', (exports, require) => {
  const { BaseCollection, default: Collection } = require('WAWebBaseCollection');
  const { BaseModel } = require('WAWebBaseModel');
  class Receipt extends BaseModel {}
  class Receipts extends Collection {
    static model = Receipt;
  }
  class MsgInfo extends BaseModel {}
  MsgInfo.prototype.proxyName = 'msg_info';
  class MsgInfoCollectionImpl extends BaseCollection {
    static model = MsgInfo;
    async find(id) {
      const { createWid } = require('WAWebWidFactory');
      const told = await require('StandinWire').ask('receipts', { id });
      const made = (list) => new Receipts(list.map(({ by, t }) => ({ id: createWid(by), t })));
      const { delivery, read, played } = told;
      this.remove(id, { silent: true });
      return this.add({ id, ...told, delivery: made(delivery), read: made(read), played: made(played) });
    }
  }
  exports.MsgInfoCollection = new MsgInfoCollectionImpl();
});

/* Stores that stay empty: nothing is sold here, and no bots are offered. */
for (const [id, name] of [
  ['WAWebBotProfileCollection', 'BotProfileCollection'],
  ['WAWebBusinessProfileCollection', 'BusinessProfileCollection'],
  ['WAWebQuickReplyCollection', 'QuickReplyCollection'],
  ['WAWebReactionsCollection', 'ReactionsCollection'],
]) {
  standinModule(id, (exports, require) => {
    const { BaseCollection } = require('WAWebBaseCollection');
    const { BaseModel } = require('WAWebBaseModel');
    class Thing extends BaseModel {}
    class Things extends BaseCollection {
      static model = Thing;
      async fetchBizProfile(wid) {
        return this.find(wid);
      }
    }
    exports[name] = new Things();
  });
}

/* What whatsapp-web.js and others read all at once. */
standinModule('WAWebCollections', (exports, require) => {
  Object.assign(exports, {
    Chat: require('WAWebChatCollection').ChatCollection,
    Msg: require('WAWebMsgCollection').MsgCollection,
    Contact: require('WAWebContactCollection').ContactCollection,
    GroupMetadata: require('WAWebGroupMetadataCollection').default,
    Blocklist: require('WAWebBlocklistCollection').BlocklistCollection,
    Presence: require('WAWebPresenceCollection').PresenceCollection,
    Label: require('WAWebLabelCollection').LabelCollection,
    ProfilePicThumb: require('WAWebProfilePicThumbCollection').ProfilePicThumbCollection,
    WAWebNewsletterCollection: require('WAWebNewsletterCollection').default,
    WAWebCallCollection: require('WAWebCallCollection').default,
    PinInChat: require('WAWebPinInChatCollection').PinInChatCollection,
    Reactions: require('WAWebReactionsCollection').ReactionsCollection,
    Status: require('WAWebStatusCollection').StatusCollection,
    StatusV3: require('WAWebStatusCollection').StatusCollection,
    BusinessProfile: require('WAWebBusinessProfileCollection').BusinessProfileCollection,
    QuickReply: require('WAWebQuickReplyCollection').QuickReplyCollection,
  });
});
