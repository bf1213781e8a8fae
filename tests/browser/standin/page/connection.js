/* Being connected: registration, the QR code, link codes, the socket, the stream and what is lost at log-out. */
'use strict';

standinModule('WAWebSanitizedVersion', (exports) => {
  exports.SANITIZED_VERSION_STR = standinConfig.version;
});

standinModule('WAWebBuildConstants', (exports) => {
  const [primary, secondary, tertiary] = standinConfig.version.split('.');
  exports.VERSION_STR = standinConfig.version;
  exports.VERSION_BASE = standinConfig.version;
  exports.VERSION_PRIMARY = primary;
  exports.VERSION_SECONDARY = secondary;
  exports.VERSION_TERTIARY = tertiary;
});

standinModule('WAWebAuthLoggedIn', (exports, require) => {
  exports.isLoggedIn = () => require('WAWebRegistration').isRegistered();
});

standinModule('WAWebRegistration', (exports) => {
  exports.isRegistered = () => localStorage.getItem('last-wid-md') !== null;
});

standinModule('WAWebStreamModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  class Stream extends BaseModel {
    static defaults = () => ({ mode: undefined, info: 'OPENING', available: true, needsUpdate: false });
    markAvailable() {
      this.available = true;
      require('StandinWire').ask('presence', { available: true });
    }
    markUnavailable() {
      this.available = false;
      require('StandinWire').ask('presence', { available: false });
    }
  }
  exports.Stream = new Stream();
  exports.StreamMode = { QR: 'QR', MAIN: 'MAIN', SYNCING: 'SYNCING', OFFLINE: 'OFFLINE', CONFLICT: 'CONFLICT' };
  exports.StreamInfo = { OFFLINE: 'OFFLINE', OPENING: 'OPENING', PAIRING: 'PAIRING', SYNCING: 'SYNCING', NORMAL: 'NORMAL' };
});

standinModule('WAWebConnModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  class ConnImpl extends BaseModel {
    static defaults = () => ({ ref: undefined, refTTL: 0, connected: false, isSMB: false, platform: undefined });
  }
  exports.ConnImpl = ConnImpl;
  exports.Conn = new ConnImpl();
});

standinModule('WAWebSocketConstants', (exports) => {
  const named = (...names) => Object.fromEntries(names.map((name) => [name, name]));
  exports.SOCKET_STATE = named(
    'OPENING', 'PAIRING', 'UNPAIRED', 'UNPAIRED_IDLE', 'CONNECTED', 'TIMEOUT', 'CONFLICT', 'UNLAUNCHED',
    'PROXYBLOCK', 'TOS_BLOCK', 'SMB_TOS_BLOCK', 'DEPRECATED_VERSION',
  ); // prettier-ignore
  exports.SOCKET_STREAM = named('DISCONNECTED', 'SYNCING', 'RESUMING', 'CONNECTED');
  exports.WATCHED_SOCKET_STATE = named('OPEN', 'CLOSED');
});

standinModule('WAWebSocketModel', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  class Socket extends BaseModel {
    static defaults = () => ({ state: 'OPENING', stream: 'DISCONNECTED', hasSynced: false });
    logout() {
      return require('StandinSession').logout();
    }
    poke() {
      return require('StandinSession').nextRef();
    }
    takeover() {
      return require('StandinSession').takeOver();
    }
  }
  exports.Socket = new Socket();
});

standinModule('WAWebNetworkStatus', (exports, require) => {
  const { BaseModel } = require('WAWebBaseModel');
  class NetworkStatus extends BaseModel {
    static defaults = () => ({ online: navigator.onLine });
    checkOnline() {
      this.online = navigator.onLine;
    }
  }
  exports.default = new NetworkStatus();
  for (const event of ['online', 'offline']) window.addEventListener(event, () => exports.default.checkOnline());
});

standinModule('WAWebBackendEventBus', (exports, require) => {
  const EventEmitter = require('WAWebEventEmitter').default;
  exports.BackendEvent = {
    LOGOUT: 'logout',
    REFRESH_QR: 'refresh_qr',
    STARTING_LOGOUT: 'starting_logout',
    ON_INITIAL_CHAT_SYNCED: 'on_initial_chat_synced',
    INITIAL_LOAD_READY: 'initial_load_ready',
    MAIN_STREAM_MODE_READY: 'main_stream_mode_ready',
    OFFLINE_DELIVERY_END: 'offline_delivery_end',
  };
  exports.BackendEventBus = new EventEmitter();
});

standinModule('WAWebLogoutReason', (exports) => {
  exports.LogoutReason = {
    UserInitiated: 'user_initiated',
    UnknownCompanion: 'unknown_companion',
    ClientVersionOutdated: 'client_version_outdated',
    AccountLocked: 'account_locked',
    StorageQuotaExceeded: 'storage_quota_exceeded',
  };
  exports.LOGOUT_REASON_CODE = { CLIENT_FATAL: '0', SYNC_FAIL: '1', INITIAL_HISTORY_SYNC_TIMEOUT: '2', ACCOUNT_LOCKED: '3' };
  exports.getErrorCodeFromLogoutReason = (reason) => ({ account_locked: '3', client_version_outdated: '0' })[reason] ?? null;
  exports.getPrevLogoutReasonCode = () => new URLSearchParams(location.search).get('logout_reason');
  exports.setPrevLogoutReasonCode = () => {};
  exports.getPrevCustomLogoutMessage = () => null;
  exports.setPrevCustomLogoutMessage = () => {};
});

standinModule('WABase64', (exports) => {
  exports.encodeB64 = (data) => btoa(String.fromCharCode(...new Uint8Array(data)));
  exports.decodeB64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  exports.BASE64_DATA_URL_SCHEME = 'data:image/jpeg;base64,';
});

/* Keys of this browser, made once and kept in its profile (IndexedDB, as on the real page). A profile that has
 * them and is paired on the server needs no QR code; last-wid-md in localStorage repeats it for those who can't wait. */
standinModule('StandinKeys', (exports, require) => {
  const made = () => ({
    noise: crypto.getRandomValues(new Uint8Array(32)),
    identity: crypto.getRandomValues(new Uint8Array(32)),
    secret: crypto.getRandomValues(new Uint8Array(32)),
  });
  let kept = made();

  const answer = (request) =>
    new Promise((done, failed) => {
      request.onsuccess = () => done(request.result);
      request.onerror = () => failed(request.error);
    });

  const open = async () => {
    const request = indexedDB.open('signal-storage', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('keys');
    return answer(request);
  };

  exports.save = async (more = {}) => {
    Object.assign(kept, more);
    const database = await open();
    const change = database.transaction('keys', 'readwrite', { durability: 'strict' });
    const done = new Promise((ok, failed) => {
      change.oncomplete = ok;
      change.onabort = () => failed(change.error);
    });
    change.objectStore('keys').put(kept, 'own');
    await done;
    database.close();
  };

  exports.load = async () => {
    const database = await open();
    kept = (await answer(database.transaction('keys').objectStore('keys').get('own'))) ?? kept;
    database.close();
    if (kept.device) localStorage.setItem('last-wid-md', JSON.stringify(kept.device));
    await exports.save();
    require('StandinWire').setDevice(require('WABase64').encodeB64(kept.identity).replace(/[^A-Za-z0-9]/g, ''));
  };

  exports.noise = () => kept.noise.buffer;
  exports.identity = () => kept.identity.buffer;
  exports.secret = () => require('WABase64').encodeB64(kept.secret);
});

standinModule('WAWebSignalStoreApi', (exports, require) => {
  exports.waSignalStore = {
    getRegistrationInfo: async () => ({
      registrationId: 1,
      identityKeyPair: { pubKey: require('StandinKeys').identity(), privKey: new ArrayBuffer(32) },
    }),
  };
});

standinModule('WAWebUserPrefsInfoStore', (exports, require) => {
  exports.waNoiseInfo = {
    get: async () => ({ staticKeyPair: { pubKey: require('StandinKeys').noise(), privKey: new ArrayBuffer(32) } }),
  };
});

standinModule('WAWebUserPrefsMultiDevice', (exports, require) => {
  exports.getADVSecretKey = async () => require('StandinKeys').secret();
  exports.setADVSignedIdentity = () => {};
  exports.getADVEncodedIdentity = async () => new Uint8Array(8);
});

standinModule('WAWebAltDeviceLinkingApi', (exports, require) => {
  const wire = require('StandinWire');
  exports.initializeAltDeviceLinking = async () => {
    require('WAWebConnModel').Conn.set({ ref: undefined });
  };
  exports.genLinkDeviceCodeForPhoneNumber = (phone, push) => wire.ask('link-code', { phone, push });
  exports.startAltLinkingFlow = exports.genLinkDeviceCodeForPhoneNumber;
});

standinModule('WAWebLinkDeviceEvents', (exports, require) => {
  const EventEmitter = require('WAWebEventEmitter').default;
  exports.WAWebLinkDeviceEvents = new EventEmitter();
});

standinModule('WAWebCmd', (exports, require) => {
  const EventEmitter = require('WAWebEventEmitter').default;
  class CmdImpl extends EventEmitter {
    isMainLoaded = false;

    mainLoaded() {
      this.isMainLoaded = true;
      this.trigger('main_loaded');
    }
    refreshQR() {
      return require('StandinSession').nextRef();
    }
    archiveChat(chat, archive) {
      return require('WAWebSetArchiveChatAction').setArchive(chat, archive);
    }
    sendStarMsgs(chat, msgs) {
      return require('StandinMessages').star(chat, msgs, true);
    }
    sendUnstarMsgs(chat, msgs) {
      return require('StandinMessages').star(chat, msgs, false);
    }
    sendRevokeMsgs(chat, { list }) {
      return require('StandinMessages').revoke(chat, list);
    }
    sendDeleteMsgs(chat, { list }) {
      return require('StandinMessages').forget(chat, list);
    }
    setActiveFilter() {}
    openChatAt({ chat }) {
      return this.openChatBottom({ chat });
    }
    openChatFromUnread({ chat }) {
      return this.openChatBottom({ chat });
    }
    async openChatBottom({ chat }) {
      for (const one of require('WAWebChatCollection').ChatCollection.getModelsArray()) one.active = one === chat;
      return true;
    }
    closeChat(chat) {
      chat.active = false;
    }
  }
  exports.CmdImpl = CmdImpl;
  exports.Cmd = new CmdImpl();
});

/* The life of this device: unpaired with QR codes, paired, in conflict, logged out. */
standinModule('StandinSession', (exports, require) => {
  const wire = require('StandinWire');
  const { createWid } = require('WAWebWidFactory');
  const { Socket } = require('WAWebSocketModel');
  const { Stream } = require('WAWebStreamModel');
  const { Conn } = require('WAWebConnModel');
  const { Cmd } = require('WAWebCmd');
  const screen = (text) => (document.getElementById('screen').textContent = text);
  let timer = null;

  exports.nextRef = async () => {
    clearTimeout(timer);
    const { ref, seconds } = await wire.ask('ref');
    if (!ref) {
      Conn.set({ ref: undefined });
      Socket.state = 'UNPAIRED_IDLE';
      screen('Click to reload QR code');
      return;
    }
    Socket.state = 'UNPAIRED';
    Conn.set({ ref, refTTL: seconds });
    screen(`Scan to log in: ${ref}`);
    timer = setTimeout(exports.nextRef, seconds * 1000);
  };

  exports.showQr = async () => {
    Stream.set({ mode: 'QR', info: 'PAIRING' });
    await wire.ask('restart-refs');
    await exports.nextRef();
  };

  /** Paired, now or long ago: takes the account in and is connected. */
  exports.enter = async ({ me, lid, device, platform, business, snapshot }, fresh) => {
    clearTimeout(timer);
    localStorage.setItem('last-wid-md', JSON.stringify(device));
    await require('StandinKeys').save({ device });
    require('WAWebUserPrefsMeUser').standinSet({ pn: createWid(me), lid: createWid(lid), device: createWid(device) });
    Socket.set({ state: fresh ? 'PAIRING' : 'OPENING', stream: 'SYNCING' });
    Stream.set({ mode: 'SYNCING', info: 'SYNCING' });
    Conn.set({ ref: undefined, platform, isSMB: business, wid: createWid(me), pushname: snapshot.profile.pushname });
    await new Promise((done) => setTimeout(done, standinConfig.syncSeconds * 1000));
    require('StandinSync').take(snapshot);
    Conn.connected = true;
    Socket.set({ state: 'CONNECTED', stream: 'CONNECTED' });
    Stream.set({ mode: 'MAIN', info: 'NORMAL' });
    Cmd.mainLoaded();
    Socket.hasSynced = true;
    require('WAWebBackendEventBus').BackendEventBus.trigger('offline_delivery_end');
    screen('Chats');
  };

  exports.logout = async (reason = 'user_initiated') => {
    if (reason === 'user_initiated') await wire.ask('logout');
    exports.left(reason);
  };

  exports.left = async (reason) => {
    const code = require('WAWebLogoutReason').getErrorCodeFromLogoutReason(reason) ?? 0;
    localStorage.clear();
    Conn.connected = false;
    Cmd.trigger('logout');
    require('WAWebBackendEventBus').BackendEventBus.trigger('logout');
    for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name);
    setTimeout(() => location.replace(`/?post_logout=1&logout_reason=${code}`), 50);
  };

  exports.conflict = () => {
    Socket.state = 'CONFLICT';
    Stream.set({ mode: 'CONFLICT', info: 'OFFLINE' });
    screen('WhatsApp is open in another window. Click “Use Here” to use WhatsApp in this window.');
  };

  exports.takeOver = async () => {
    await wire.ask('take-over');
    Socket.state = 'CONNECTED';
    Stream.set({ mode: 'MAIN', info: 'NORMAL' });
    screen('Chats');
  };
});
