/* Who and what: ids of users, chats and messages; which phone number belongs to which LID. */
'use strict';

standinModule('WAWebWid', (exports) => {
  const user = (server) => server === 'c.us' || server === 'lid';
  class Wid {
    constructor(serialized) {
      const [name, server] = String(serialized).replace('@s.whatsapp.net', '@c.us').split('@');
      const [account, device] = name.split(':');
      this.user = account;
      this.server = server;
      if (device !== undefined) this.device = Number(device);
      this._serialized = `${name}@${server}`;
    }

    toString() {
      return this._serialized;
    }

    toJSON() {
      return this._serialized;
    }

    toJid() {
      return this._serialized.replace('@c.us', '@s.whatsapp.net');
    }

    equals(other) {
      return other instanceof Wid && other._serialized === this._serialized;
    }

    isSameAccount(other) {
      return other instanceof Wid && other.user === this.user && other.server === this.server;
    }

    getDeviceId() {
      return this.device ?? 0;
    }

    isLessThan(other) {
      return this._serialized < String(other);
    }

    isGreaterThan(other) {
      return this._serialized > String(other);
    }
  }
  const kinds = {
    isUser: (wid) => user(wid.server),
    isLid: (wid) => wid.server === 'lid',
    isGroup: (wid) => wid.server === 'g.us',
    isNewsletter: (wid) => wid.server === 'newsletter',
    isBroadcast: (wid) => wid.server === 'broadcast',
    isStatus: (wid) => wid._serialized === 'status@broadcast',
    isBot: (wid) => wid.server === 'bot',
    isPSA: (wid) => wid._serialized === '0@c.us',
    isServer: (wid) => wid._serialized === 'server@c.us',
    isGroupCall: (wid) => wid.server === 'call',
    isCompanion: (wid) => Boolean(wid.device),
    isOfficialBizAccount: () => false,
  };
  const parsed = (wid) => (wid instanceof Wid ? wid : new Wid(wid?._serialized ?? wid));
  for (const [name, test] of Object.entries(kinds)) {
    Wid.prototype[name] = function () {
      return test(this);
    };
    Wid[name] = (wid) => wid != null && test(parsed(wid));
  }
  Wid.prototype.isUserNotPSA = function () {
    return this.isUser() && !this.isPSA();
  };
  Wid.isXWid = (server, wid) => wid != null && parsed(wid).server === server;
  Wid.isWid = (wid) => /^[^@\s]+@(c\.us|s\.whatsapp\.net|lid|g\.us|broadcast|newsletter|bot|call)$/.test(String(wid));
  Wid.equals = (one, other) => String(one) === String(other);
  Wid.user = (wid) => parsed(wid).user;
  exports.default = Wid;
});

standinModule('WAWebWidFactory', (exports, require) => {
  const Wid = require('WAWebWid').default;
  const lids = require('WAWebLidPnCache').lidPnCache;
  exports.createWid = (id) => {
    if (id instanceof Wid) return id;
    if (!Wid.isWid(id)) throw new Error(`wid error: invalid wid ${id}`);
    return new Wid(id);
  };
  exports.isWidlike = (id) =>
    id instanceof Wid || (typeof id === 'object' && id !== null && Wid.isWid(id._serialized));
  exports.createWidFromWidLike = (id) => exports.createWid(id instanceof Wid ? id : (id._serialized ?? id));
  exports.createUserWidOrThrow = (id, server = 'c.us') =>
    exports.createWid(String(id).includes('@') ? String(id) : `${id}@${server}`);
  exports.createUserWid = exports.createUserWidOrThrow;
  exports.createDeviceWid = exports.createWid;
  exports.createDeviceWidFromUserAndDevice = (id, server, device) => exports.createWid(`${id}:${device}@${server}`);
  exports.toUserWid = (wid) => exports.createWid(`${wid.user}@${wid.server}`);
  exports.toUserWidOrThrow = exports.toUserWid;
  exports.toChatWid = (wid) => wid;
  exports.toGroupWid = (wid) => wid;
  exports.asUserWidOrThrow = (wid) => wid;
  exports.toUserLidOrThrow = (wid) => {
    const lid = wid.isLid() ? wid : lids.getCurrentLid(wid);
    if (!lid) throw new Error(`no lid for ${wid}`);
    return lid;
  };
});

standinModule('WAWebMsgKey', (exports, require) => {
  const { createWid } = require('WAWebWidFactory');
  const me = require('WAWebUserPrefsMeUser');
  /** Where the text is kept: releases of WhatsApp differ, and scripts in the page have to bear it. */
  const MEMBER = standinConfig.plainKeys ? '_serialized' : '$1';

  class MsgKey {
    constructor(obj) {
      if (!obj) throw new Error('MsgKey error: obj is null/undefined');
      const own = obj.selfDir ? obj.selfDir === 'out' : obj.fromMe;
      this.fromMe = Boolean(own);
      this.remote = createWid(String(obj.remote ?? (own ? obj.to : obj.from)));
      this.id = obj.id;
      if (obj.participant) this.participant = createWid(String(obj.participant));
      this[MEMBER] = [this.fromMe, this.remote, this.id, ...(this.participant ? [this.participant] : [])].join('_');
    }

    toString() {
      return this.$1;
    }

    clone() {
      return new MsgKey(this);
    }

    equals(other) {
      return other instanceof MsgKey && other.toString() === this.toString();
    }

    static fromString(text) {
      const [fromMe, remote, id, participant] = String(text).split('_');
      if (!['true', 'false'].includes(fromMe) || !remote || !id) throw new Error(`MsgKey error: fromString of ${text}`);
      return new MsgKey({ fromMe: fromMe === 'true', remote, id, participant });
    }

    static async newId() {
      const bytes = crypto.getRandomValues(new Uint8Array(9));
      return '3EB0' + Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('');
    }

    static from(key) {
      return key instanceof MsgKey ? key : MsgKey.fromString(key);
    }

    static ofMine(remote, id) {
      const participant = remote.isGroup() ? me.getMaybeMeLidUser() : undefined;
      return new MsgKey({ fromMe: true, remote, id, participant });
    }
  }
  if (standinConfig.plainKeys) {
    MsgKey.prototype.toString = function () {
      return this._serialized;
    };
  }
  exports.default = MsgKey;
});

standinModule('WAWebLidPnCache', (exports) => {
  const byLid = new Map();
  const byPhone = new Map();
  exports.lidPnCache = {
    getPhoneNumber: (lid) => byLid.get(String(lid))?.phoneNumber,
    getCurrentLid: (phone) => byPhone.get(String(phone)),
    getLidEntry: (lid) => byLid.get(String(lid)),
    getAllLids: () => [...byLid.values()].map((entry) => entry.lid),
    add(lid, entry) {
      byLid.set(String(lid), entry);
      byPhone.set(String(entry.phoneNumber), entry.lid);
    },
    remove(lid) {
      byPhone.delete(String(byLid.get(String(lid))?.phoneNumber));
      byLid.delete(String(lid));
    },
    clear() {
      byLid.clear();
      byPhone.clear();
    },
  };
});

standinModule('WAWebApiContact', (exports, require) => {
  const lids = require('WAWebLidPnCache').lidPnCache;
  exports.getCurrentLid = (wid) => (wid.isLid() ? wid : lids.getCurrentLid(wid));
  exports.getLatestLid = exports.getCurrentLid;
  exports.getPhoneNumber = (wid) => (wid.isLid() ? lids.getPhoneNumber(wid) : wid);
  exports.getAlternateUserWid = (wid) => (wid.isLid() ? lids.getPhoneNumber(wid) : lids.getCurrentLid(wid)) ?? null;
  exports.getAllLidContacts = lids.getAllLids;
  exports.hasLidMapping = (wid) => Boolean(exports.getAlternateUserWid(wid));
});

standinModule('WAWebDBCreateLidPnMappings', (exports, require) => {
  const lids = require('WAWebLidPnCache').lidPnCache;
  exports.createLidPnMappings = async ({ mappings }) => {
    for (const { lid, pn } of mappings) lids.add(lid, { lid, phoneNumber: pn, phoneNumberCreatedAt: 0 });
  };
});

standinModule('WAWebLidMigrationUtils', (exports, require) => {
  const { getCurrentLid } = require('WAWebApiContact');
  exports.toUserLid = (wid) => getCurrentLid(wid);
  exports.toUserLidOrThrow = (wid) => require('WAWebWidFactory').toUserLidOrThrow(wid);
  exports.toLid = exports.toUserLid;
  exports.shouldHaveAccountLid = (wid) => wid.isUser();
});

standinModule('WAWebLid1X1MigrationGating', (exports) => {
  exports.Lid1X1MigrationUtils = {
    isLidMigrated: () => Boolean(window.standinConfig.lids),
    isSyncdSessionMigrated: () => Boolean(window.standinConfig.lids),
    shouldApplyNonMigratedMessagingRules: () => false,
    setIsLidMigrated() {},
  };
});

standinModule('WAWebUserPrefsMeUser', (exports) => {
  let me = null; // {pn, lid, device}
  exports.standinSet = (found) => (me = found);
  exports.getMaybeMePnUser = () => me?.pn;
  exports.getMaybeMeLidUser = () => me?.lid;
  exports.getMePnUserOrThrow = () => me.pn;
  exports.getMeLidUserOrThrow = () => {
    if (!me) throw new Error('nobody is logged in');
    return me.lid;
  };
  exports.getMe = () => me?.device;
  exports.getMaybeMeDevicePn = () => me?.device;
  exports.isMeAccount = (wid) => Boolean(me) && (me.pn.isSameAccount(wid) || me.lid.isSameAccount(wid));
  exports.isMeUser = exports.isMeAccount;
  exports.isSerializedWidMe = (wid) => Boolean(me) && [String(me.pn), String(me.lid)].includes(wid);
});
