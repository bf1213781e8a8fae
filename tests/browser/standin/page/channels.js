/* Channels, which the page calls newsletters, and statuses. */
'use strict';

standinModule('WAWebNewsletterMetadataModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  class NewsletterMetadata extends BaseModel {
    iAmAdminOrOwner() {
      return ['owner', 'admin'].includes(this.attributes.membershipType);
    }
  }
  NewsletterMetadata.prototype.proxyName = 'newsletter_metadata';
  exports.default = NewsletterMetadata;
});

standinModule('WAWebNewsletterCollection', (exports, require) => {
  const { ChatCollectionImpl } = require('WAWebChatCollection');
  class NewsletterCollection extends ChatCollectionImpl {
    own(id) {
      return id == null ? undefined : this._index[String(id.id ?? id)];
    }
    get(id) {
      return this.own(id);
    }
  }
  exports.default = new NewsletterCollection();
});

standinModule('StandinChannels', (exports, require) => {
  const wire = require('StandinWire');
  const { createWid } = require('WAWebWidFactory');
  const newsletters = require('WAWebNewsletterCollection').default;

  exports.take = ({ id, msgs = [], muted, t, ...metadata }) => {
    const wid = createWid(id);
    const Metadata = require('WAWebNewsletterMetadataModel').default;
    const attributes = { id: wid, t, name: metadata.name, isNewsletter: true, muteExpiration: muted ? -1 : 0 };
    const chat = newsletters.add(attributes);
    chat.set({ ...attributes, newsletterMetadata: new Metadata({ id: wid, ...metadata, muted }) });
    chat.mute.expiration = muted ? -1 : 0;
    for (const raw of msgs) require('StandinMessages').takeIn(wid, { ...wire.hydrate(raw), isNewMsg: false });
    return chat;
  };

  /** Metadata in the many layers in which the server sends it. */
  exports.mixins = ({ id, name, description, inviteCode, subscribersCount, creationTime, membershipType, picture }) => ({
    idJid: id,
    newsletterInviteLinkMetadataMixin: { inviteCode },
    newsletterNameMetadataMixin: { nameElementValue: name },
    newsletterStateMetadataMixin: { stateType: 'active' },
    newsletterSubscribersMetadataMixin: { subscribersCount },
    newsletterCreationTimeMetadataMixin: { creationTimeValue: creationTime },
    newsletterDescriptionMetadataMixin: { descriptionQueryDescriptionResponseMixin: { elementValue: description } },
    newsletterPictureMetadataMixin: picture ? { picture: [{ queryPictureDirectPathOrMatchedOrEmptyResponseMixinGroup: { value: { directPath: picture } } }] } : undefined,
    membershipType,
  });
});

standinModule('WAWebNewsletterCreateQueryJob', (exports, require) => {
  exports.createNewsletterQuery = async (parts) => {
    const channel = await require('StandinWire').ask('create-channel', parts);
    require('StandinChannels').take(channel);
    return require('StandinChannels').mixins(channel);
  };
});

standinModule('WAWebNewsletterDeleteAction', (exports, require) => {
  exports.deleteNewsletter = async (id) => {
    await require('StandinWire').ask('delete-channel', { id });
    require('WAWebNewsletterCollection').default.remove(id);
    return true;
  };
});

standinModule('WAWebEditNewsletterMetadataAction', (exports, require) => {
  exports.editNewsletterMetadataAction = async (chat, which, changes) => {
    const kept = {};
    if (which.editName) kept.name = changes.name;
    if (which.editDescription) kept.description = changes.description;
    if (which.editPicture) kept.picture = changes.picture;
    require('StandinChannels').take(await require('StandinWire').ask('edit-channel', { id: chat.id, changes: kept }));
  };
});

standinModule('WAWebNewsletterMetadataQueryJob', (exports, require) => {
  exports.queryNewsletterMetadataByJid = async (id) =>
    require('StandinChannels').mixins(await require('StandinWire').ask('channel', { id }));
  exports.queryNewsletterMetadataByInviteCode = async (code) =>
    require('StandinChannels').mixins(await require('StandinWire').ask('channel', { code }));
});

standinModule('WAWebMexJoinNewsletterJob', (exports, require) => {
  exports.mexJoinNewsletter = async (id) =>
    require('StandinChannels').take(await require('StandinWire').ask('follow-channel', { id, on: true }));
});

standinModule('WAWebMexLeaveNewsletterJob', (exports, require) => {
  exports.mexLeaveNewsletter = async (id) => {
    await require('StandinWire').ask('follow-channel', { id, on: false });
    require('WAWebNewsletterCollection').default.remove(id);
  };
});

standinModule('WAWebNewsletterToggleMuteStateAction', (exports, require) => {
  exports.toggleNewsletterAdminActivityMuteStateAction = async (id, muteExpiration) => {
    require('StandinChannels').take(await require('StandinWire').ask('mute-channel', { id, on: muteExpiration !== 0 }));
  };
  exports.CHANNEL_EVENT_SURFACE = { CHANNEL_UPDATES_HOME: 1 };
});

standinModule('WAWebMexFetchNewsletterDirectorySearchResultsJob', (exports, require) => {
  exports.mexFetchNewsletterDirectorySearchResults = async ({ searchText, limit }) => {
    const found = await require('StandinWire').ask('search-channels', { text: searchText, limit });
    const result = found.map((channel) => ({
      id: channel.id,
      thread_metadata: {
        name: { text: channel.name },
        description: { text: channel.description },
        subscribers_count: String(channel.subscribersCount),
        creation_time: String(channel.creationTime),
        verification: channel.verified ? 'VERIFIED' : 'UNVERIFIED',
        invite: channel.inviteCode,
        picture: channel.picture ? { direct_path: channel.picture } : undefined,
      },
    }));
    return { xwa2_newsletters_directory_search: { result, page_info: { has_next_page: false, end_cursor: null } } };
  };
});

standinModule('WAWebNewsletterSendMessageJob', (exports, require) => {
  exports.sendNewsletterMessageJob = async ({ msg }) => {
    const { t, serverId } = await require('StandinWire').ask('send', { message: msg.serialize() });
    return { success: true, ack: { t }, serverId };
  };
});

standinModule('WAWebNewsletterMsgRecords', (exports, require) => {
  exports.addNewsletterMsgsRecords = async () => {};
  exports.updateNewsletterMsgRecord = async (msg) => {
    require('WAWebMsgCollection').MsgCollection.add(msg);
  };
  exports.msgDataFromMsgModel = async (msg) => msg.serialize();
});

standinModule('WAWebStatusCollection', (exports, require) => {
  const { BaseCollection } = require('WAWebBaseCollection');
  const { BaseModel } = require('WAWebBaseModel');
  const { ChatMsgsCollection } = require('WAWebMsgCollection');
  const me = require('WAWebUserPrefsMeUser');

  /** The statuses of one person. */
  class Status extends BaseModel {
    constructor(attributes) {
      super(attributes);
      this.set({ msgs: new ChatMsgsCollection(null, { parent: this.proxy }), unreadCount: 0 }, { silent: true });
    }
    async sendReadStatus(msg) {
      await require('StandinWire').ask('read-status', { id: msg.id });
    }
  }
  Status.prototype.proxyName = 'status_v3';

  class StatusCollectionImpl extends BaseCollection {
    static model = Status;
    getMyStatus() {
      return this.gadd(me.getMaybeMePnUser());
    }
    take(raw) {
      const author = me.isMeAccount(raw.author ?? raw.from) ? me.getMaybeMePnUser() : raw.author;
      const status = this.gadd(author);
      const msg = require('WAWebMsgCollection').MsgCollection.add(raw, { merge: false });
      status.msgs.add(msg);
      status.set({ t: raw.t, lastReceivedKey: msg.id });
      return msg;
    }
    own(msg) {
      const status = this.getMyStatus();
      status.msgs.add(msg);
      status.set({ t: msg.t, lastReceivedKey: msg.id });
    }
    addStatusMessages() {}
    handleUpdate() {}
    async sync() {
      this.trigger('sync');
    }
  }
  exports.StatusCollectionImpl = StatusCollectionImpl;
  exports.StatusCollection = new StatusCollectionImpl();
});

standinModule('WAWebRevokeStatusAction', (exports, require) => {
  exports.sendStatusRevokeMsgAction = async (status, msg) => {
    await require('StandinWire').ask('revoke', { id: msg.id });
    status.msgs.remove(msg);
    msg.set({ type: 'revoked', body: undefined, caption: undefined });
  };
});
