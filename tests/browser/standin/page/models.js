/* Models: what WhatsApp's page knows of a chat, a message, a person, a group. */
'use strict';

standinModule('WAWebContactModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  class Contact extends BaseModel {
    static defaults = () => ({ name: undefined, shortName: undefined, pushname: undefined, type: 'in', isBusiness: false });
    getCollection() {
      return require('WAWebContactCollection').ContactCollection;
    }
  }
  Contact.prototype.proxyName = 'contact';
  exports.default = Contact;
});

standinModule('WAWebContactGetters', (exports, require) => {
  const me = require('WAWebUserPrefsMeUser');
  const no = () => false;
  Object.assign(exports, {
    getNotifyName: (contact) => contact.pushname ?? '',
    getPremiumMessageName: () => null,
    getUserid: (contact) => contact.id.user,
    getIsMe: (contact) => me.isMeAccount(contact.id),
    getIsUser: (contact) => contact.id.isUser(),
    getIsGroup: (contact) => contact.id.isGroup(),
    getIsBroadcast: (contact) => contact.id.isBroadcast(),
    getIsNewsletter: (contact) => contact.id.isNewsletter(),
    getIsPSA: (contact) => contact.id.isPSA(),
    getIsWAContact: (contact) => contact.type === 'in',
    getIsIAS: no,
    getIsSupportAccount: no,
    getCanRequestPhoneNumber: no,
    getShowBusinessCheckmarkAsPrimary: no,
    getShowBusinessCheckmarkAsSecondary: no,
    getShowBusinessCheckmarkInChatlist: no,
    getIsDisplayNameApproved: no,
    getShouldForceBusinessUpdate: no,
  });
});

standinModule('WAWebFrontendContactGetters', (exports, require) => {
  const lids = require('WAWebLidPnCache').lidPnCache;
  const phone = (contact) => (contact.id.isLid() ? (lids.getPhoneNumber(contact.id) ?? contact.id) : contact.id);
  const formatted = (contact) => `+${phone(contact).user}`;
  const name = (contact) => contact.name ?? (contact.pushname ? `~${contact.pushname}` : formatted(contact));
  const first = (contact) => contact.shortName ?? name(contact).split(' ')[0];
  Object.assign(exports, {
    getDisplayName: name,
    getPnForLid: (contact) => (contact.id.isLid() ? lids.getPhoneNumber(contact.id) : undefined),
    getUserDisplayNameForLid: name,
    getPhoneNumber: phone,
    getTextStatusString: (contact) => contact.about ?? '',
    getFormattedPhone: formatted,
    getFormattedUsernameOrPhone: formatted,
    getFormattedShortNameWithNonBreakingSpaces: first,
    getFormattedShortName: first,
    getFormattedName: name,
    getFormattedUser: formatted,
    getSearchName: (contact) => name(contact).toLowerCase(),
    getIsMyContact: (contact) => Boolean(contact.name),
    getMentionName: first,
    getSearchVerifiedName: () => '',
    getHeader: (contact) => name(contact)[0],
  });
});

standinModule('WAWebMsgModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  const MEDIA = ['image', 'video', 'audio', 'ptt', 'ptv', 'sticker', 'document'];
  const QUIET = ['gp2', 'e2e_notification', 'notification_template', 'call_log', 'protocol'];

  class Msg extends BaseModel {
    static defaults = () => ({ isNewMsg: false, star: false, hasReaction: false });

    constructor(attributes) {
      super(attributes);
      const { MediaData } = require('WAWebMediaDataModel');
      if (this.isMedia && !this.attributes.mediaData) {
        this.set({ mediaData: new MediaData(this.attributes) }, { silent: true });
      }
    }

    get isMedia() {
      return MEDIA.includes(this.attributes.type);
    }
    get mediaObject() {
      return this.isMedia ? { type: this.attributes.type.toUpperCase() } : undefined;
    }
    get isNotification() {
      return QUIET.includes(this.attributes.type);
    }
    get isStatusV3() {
      return this.attributes.id.remote.isStatus();
    }
    get sender() {
      const { id, author, from } = this.attributes;
      return author ?? id.participant ?? from;
    }
    get senderObj() {
      return require('WAWebContactCollection').ContactCollection.gadd(this.sender, { silent: true });
    }
    isExpired() {
      return false;
    }
    updateAck(ack) {
      this.proxy.ack = ack;
    }
    /** What another message needs to say that it answers this one. */
    msgContextInfo() {
      const { id, type, body, caption } = this.attributes;
      const quoted = { type, body: body ?? caption };
      return { quotedMsg: quoted, quotedStanzaID: id.id, quotedParticipant: this.sender, quotedRemoteJid: id.remote };
    }
    async downloadMedia() {
      return require('StandinMedia').download(this.attributes.mediaData);
    }
  }
  Msg.prototype.proxyName = 'msg';
  exports.default = Msg;
  exports.Msg = Msg;
});

standinModule('WAWebMsgGetters', (exports, require) => {
  exports.getIsUnreadType = (msg) => !msg.isNotification;
  exports.getAsMms = (msg) => msg.isMedia;
  exports.getIsStatus = (msg) => msg.isStatusV3;
});

standinModule('WAWebQuotedMsgModelUtils', (exports, require) => {
  const Msg = require('WAWebMsgModel').default;
  const MsgKey = require('WAWebMsgKey').default;
  exports.getQuotedMsgObj = (msg) => {
    if (!msg.quotedMsg) return null;
    const mine = require('WAWebUserPrefsMeUser').isMeAccount(msg.quotedParticipant);
    const remote = msg.quotedRemoteJid ?? msg.id.remote;
    const participant = remote.isGroup() ? msg.quotedParticipant : undefined;
    const id = new MsgKey({ fromMe: mine, remote, id: msg.quotedStanzaID, participant });
    return new Msg({ ...msg.quotedMsg, id, from: msg.quotedParticipant });
  };
});

standinModule('WAWebMediaDataModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  const MEMBERS = ['type', 'mimetype', 'size', 'filehash', 'directPath', 'duration', 'waveform', 'fullWidth', 'fullHeight', 'isGif', 'filename'];
  class MediaData extends BaseModel {
    constructor(attributes) {
      super(Object.fromEntries(MEMBERS.map((name) => [name, attributes[name]])));
      if (this.attributes.mediaStage === undefined) this.set({ mediaStage: 'NEED_POKE' }, { silent: true });
    }
  }
  MediaData.prototype.proxyName = 'mediaData';
  exports.default = MediaData;
  exports.MediaData = MediaData;
});

standinModule('WAWebMuteModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  class Mute extends BaseModel {
    static defaults = () => ({ expiration: 0 });
    get isMuted() {
      return this.attributes.expiration !== 0;
    }
    canMute() {
      return true;
    }
    async mute({ expiration }) {
      this.proxy.expiration = expiration;
      await require('StandinWire').ask('chat', { id: this.attributes.id, muteExpiration: expiration });
    }
    async unmute() {
      await this.mute({ expiration: 0 });
      return this.proxy;
    }
  }
  Mute.prototype.proxyName = 'mute';
  exports.default = Mute;
});

standinModule('WAWebChatModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  const { ChatMsgsCollection } = require('WAWebMsgCollection');
  const Mute = require('WAWebMuteModel').default;
  class Chat extends BaseModel {
    static defaults = () => ({ unreadCount: 0, archive: false, pin: 0, promises: {}, active: false, isReadOnly: false, canSend: true, labels: [] });

    constructor(attributes) {
      super(attributes);
      const { id, muteExpiration = 0 } = this.attributes;
      const groups = require('WAWebGroupMetadataCollection').default;
      this.set(
        {
          msgs: new ChatMsgsCollection(null, { parent: this.proxy }),
          mute: new Mute({ id, expiration: muteExpiration }),
          presence: require('WAWebPresenceCollection').PresenceCollection.gadd(id, { silent: true }),
          contact: require('WAWebContactCollection').ContactCollection.gadd(id, { silent: true }),
          groupMetadata: id.isGroup() ? groups.gadd(id, { silent: true }) : undefined,
        },
        { silent: true },
      );
    }

    get formattedTitle() {
      const { id, name, contact, groupMetadata } = this.attributes;
      if (id.isGroup()) return groupMetadata.subject ?? name ?? '';
      return name ?? require('WAWebFrontendContactGetters').getFormattedName(contact);
    }
    set formattedTitle(title) {
      this.attributes.name = title;
    }
    get isParentGroup() {
      return Boolean(this.attributes.groupMetadata?.isParentGroup);
    }
    get kind() {
      const { id } = this.attributes;
      return id.isGroup() ? 'group' : id.isNewsletter() ? 'newsletter' : id.isBroadcast() ? 'broadcast' : 'chat';
    }
    setComposeContents(contents) {
      this.attributes.composeContents = contents;
    }
    getComposeContents() {
      return this.attributes.composeContents;
    }
    loadEarlierMsgs() {
      return require('WAWebChatLoadMessages').loadEarlierMsgs({ chat: this.proxy });
    }
  }
  Chat.prototype.proxyName = 'chat';
  exports.default = Chat;
  exports.Chat = Chat;
});

standinModule('WAWebChatGetters', (exports) => {
  exports.getIsNewsletter = (chat) => chat.id.isNewsletter();
  exports.getIsBroadcast = (chat) => chat.id.isBroadcast();
  exports.getShouldAppearInList = (chat) => !chat.id.isStatus();
  exports.getPreviewMessage = (chat) => chat.msgs.last();
  exports.getShowChangeNumberNotification = () => false;
  exports.getShouldShowUnreadDivider = (chat) => chat.unreadCount > 0;
  exports.getHasUnread = (chat) => chat.unreadCount !== 0;
});

standinModule('WAWebParticipantModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  class Participant extends BaseModel {
    static defaults = () => ({ isAdmin: false, isSuperAdmin: false });
    get contact() {
      return require('WAWebContactCollection').ContactCollection.gadd(this.attributes.id, { silent: true });
    }
  }
  Participant.prototype.proxyName = 'participant';
  exports.default = Participant;
});

standinModule('WAWebParticipantCollection', (exports, require) => {
  const Collection = require('WAWebBaseCollection').default;
  const me = require('WAWebUserPrefsMeUser');
  class Participants extends Collection {
    static model = require('WAWebParticipantModel').default;
    get self() {
      return this.findFirst((one) => me.isMeAccount(one.id));
    }
    iAmMember() {
      return Boolean(this.self);
    }
    iAmAdmin() {
      return Boolean(this.self?.isAdmin || this.self?.isSuperAdmin);
    }
    iAmSuperAdmin() {
      return Boolean(this.self?.isSuperAdmin);
    }
    iAmRestrictedMember() {
      return Boolean(this.parent.restrict) && !this.iAmAdmin();
    }
    canAdd() {
      return this.iAmAdmin() || this.parent.memberAddMode === 'all_member_add';
    }
    canPromote(one) {
      return this.iAmAdmin() && !one.isAdmin;
    }
    canDemote(one) {
      return this.iAmAdmin() && one.isAdmin && !one.isSuperAdmin;
    }
    canRemove(one) {
      return this.iAmAdmin() && !one.isSuperAdmin && !me.isMeAccount(one.id);
    }
    getAdmins() {
      return this.filter((one) => one.isAdmin);
    }
    getSuperAdmin() {
      return this.findFirst((one) => one.isSuperAdmin);
    }
  }
  exports.default = Participants;
});

standinModule('WAWebGroupMetadataModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  const Participants = require('WAWebParticipantCollection').default;
  class GroupMetadata extends BaseModel {
    static defaults = () => ({ stale: true, groupType: 'DEFAULT', isParentGroup: false, ephemeralDuration: 0 });
    constructor(attributes) {
      super(attributes);
      const collections = { participants: new Participants(null, { parent: this.proxy }) };
      collections.pastParticipants = new Participants(null, { parent: this.proxy });
      this.set(collections, { silent: true });
    }
    canSetDescription() {
      return this.attributes.participants.iAmMember() && !this.attributes.participants.iAmRestrictedMember();
    }
    canSetSubject() {
      return this.canSetDescription();
    }
    canSetGroupProperty() {
      return this.attributes.participants.iAmAdmin();
    }
    canSetEphemeralSetting() {
      return this.canSetDescription();
    }
    /** Takes in what the server says of the group. */
    take({ participants, pastParticipants = [], ...rest }) {
      const known = this.attributes.participants;
      const { createWid } = require('WAWebWidFactory');
      for (const one of known.toArray()) if (!participants.some(({ id }) => id === String(one.id))) known.remove(one);
      known.add(participants.map((one) => ({ ...one, id: createWid(one.id) })));
      this.attributes.pastParticipants.add(pastParticipants.map((one) => ({ ...one, id: createWid(one.id) })));
      this.set({ ...require('StandinWire').hydrateWid(rest), stale: false });
    }
  }
  GroupMetadata.prototype.proxyName = 'group_metadata';
  exports.default = GroupMetadata;
});
