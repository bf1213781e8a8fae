// WhatsApp's own modules, found by their names instead of by WA-JS: for the little that a session can't be without (state,
// QR code, log-out, new messages) when WA-JS does not start, and for the check of what a page still offers.

// What is used, in the order in which a session needs it: module, member, and the methods that it must have. Where
// several are named, the first that is there is taken.
const BY_NAME = {
  stream: { at: [['WAWebStreamModel', 'Stream']], methods: ['on'] },
  socket: { at: [['WAWebSocketModel', 'Socket']], methods: ['on', 'logout'] },
  connection: { at: [['WAWebConnModel', 'Conn']], methods: ['on'] },
  keys: { at: [['WAWebSignalStoreApi', 'waSignalStore']], methods: ['getRegistrationInfo'] },
  noise: { at: [['WAWebUserPrefsInfoStore', 'waNoiseInfo']], methods: ['get'] },
  secret: { at: [['WAWebUserPrefsMultiDevice', 'getADVSecretKey']], methods: [] },
  base64: { at: [['WABase64', 'encodeB64']], methods: [] },
  me: { at: [['WAWebUserPrefsMeUser', 'getMaybeMePnUser']], methods: [] },
  commands: { at: [['WAWebCmd', 'Cmd']], methods: ['on'] },
  messages: { at: [['WAWebMsgCollection', 'MsgCollection'], ['WAWebCollections', 'Msg']], methods: ['on', 'get'] },
  chats: { at: [['WAWebChatCollection', 'ChatCollection'], ['WAWebCollections', 'Chat']], methods: ['get', 'getModelsArray'] },
}; // prettier-ignore

// What single operations use by name, and what answers with an error where the page does not have it.
const EXTRAS = {
  vote: { at: ['WAWebPollsSendVoteMsgAction', 'sendVote'], for: 'votes in polls' },
  groupProperty: { at: ['WAWebSetPropertyGroupAction', 'setGroupProperty'], for: 'who may add members to a group' },
};

function extra(what) {
  const [id, member] = EXTRAS[what].at;
  const found = moduleNamed(id)?.[member];
  if (typeof found !== 'function') throw new Problem('module_missing', `WhatsApp's page has no ${id}.${member}`);
  return found;
}

// What the adapter needs WA-JS to find, under the names that WA-JS has for it.
const WAJS_FINDS = [
  'Stream', 'Socket', 'Conn', 'Cmd', 'ChatStore', 'MsgStore', 'ContactStore', 'GroupMetadataStore', 'PresenceStore',
  'BlocklistStore', 'ProfilePicThumbStore', 'StatusStore', 'StatusV3Store', 'NewsletterStore', 'CallStore', 'LabelStore',
  'PinInChatStore', 'MsgInfoStore', 'MsgModel', 'ChatModel', 'ContactModel', 'ParticipantModel', 'Wid', 'WidFactory',
  'MsgKey', 'UserPrefs', 'ApiContact', 'lidPnCache', 'ChatPresence', 'OpaqueData', 'MediaPrep', 'VCard',
  'functions.isAuthenticated', 'functions.findOrCreateLatestChat', 'functions.addAndSendMsgToChat', 'functions.sendSeen',
  'functions.addAndSendMessageEdit', 'functions.sendReactionToMsg', 'functions.msgFindByDirection',
  'functions.handleChatSimpleReceipt', 'functions.handleGroupSimpleReceipt', 'functions.createOrUpdateReactions',
  'functions.upsertVotes', 'functions.updateDBForGroupAction', 'functions.queryWidExists', 'functions.forwardMessages',
  'functions.sendCreateGroup', 'functions.sendAddParticipants', 'functions.sendSetGroupSubject', 'functions.queryAllGroups',
  'functions.sendExitGroup', 'functions.getMembershipApprovalRequests', 'functions.sendSetPicture', 'functions.setPushname',
  'functions.blockContact', 'functions.genLinkDeviceCodeForPhoneNumber', 'functions.createNewsletterQuery',
  'functions.mexJoinNewsletter', 'functions.encryptAndSendStatusMsg', 'functions.revokeStatus', 'functions.labelAddAction',
]; // prettier-ignore

function moduleNamed(id) {
  if (!(id in window.require('__debug').modulesMap)) return null;
  try {
    window.ErrorGuard?.skipGuardGlobal?.(true);
    return window.importNamespace(id);
  } catch {
    return null; // it can't be evaluated: as good as not there
  }
}

function named(what) {
  for (const [id, member] of BY_NAME[what].at) {
    const found = moduleNamed(id)?.[member];
    if (found) return found;
  }
  throw new Problem('module_missing', `WhatsApp's page has no ${BY_NAME[what].at[0].join('.')}`);
}

async function codeByName() {
  const { ref } = named('connection');
  if (!ref) return null;
  const encode = named('base64');
  const [{ staticKeyPair }, { identityKeyPair }, secret] = await Promise.all([
    named('noise').get(),
    named('keys').getRegistrationInfo(),
    named('secret')(),
  ]);
  return [ref, encode(staticKeyPair.pubKey), encode(identityKeyPair.pubKey), secret].join(',');
}

// As `state` in session.js tells it.
async function stateByName() {
  const stream = named('stream');
  const socket = named('socket');
  const own = named('me')();
  const authenticated = Boolean(own) && !['UNPAIRED', 'UNPAIRED_IDLE'].includes(socket.state);
  return {
    authenticated,
    mode: stream.mode ?? null,
    info: stream.info ?? null,
    socket: socket.state ?? null,
    needsUpdate: Boolean(stream.needsUpdate),
    ready: true,
    code: authenticated ? null : await codeByName(),
    ...(authenticated ? { me: { id: withoutDevice(id(own)), lid: null, name: null, device: null } } : {}),
  };
}

function followByName(changed) {
  named('connection').on('change:ref', changed);
  named('socket').on('change:state', changed);
  named('stream').on('change:mode change:info change:needsUpdate', changed);
  named('commands').on('logout', () => tell('logout', {}));
  named('messages').on('add', (model) => {
    if (model.isNewMsg) tell('message', message(model));
  });
}

const stands = (what) => {
  try {
    const found = named(what);
    return BY_NAME[what].methods.filter((method) => typeof found[method] !== 'function');
  } catch {
    return null;
  }
};

// What the page offers: everything that is used by name, then what WA-JS finds. `missing` is null where nothing is.
operations.probe = () => {
  const byName = Object.keys(BY_NAME).map((what) => {
    const [id, member] = BY_NAME[what].at[0];
    const lacks = stands(what);
    return { name: `${id}.${member}`, missing: lacks === null ? `${id}.${member}` : (lacks[0] ?? null) };
  });
  const wajs = typeof WPP !== 'undefined' && WPP.isInjected ? WAJS_FINDS.map(foundByWaJs) : [];
  const extras = Object.entries(EXTRAS).map(([what, { at, for: use }]) => ({
    for: use,
    missing: attempt(() => extra(what)) ? null : at.join('.'),
  }));
  return {
    extras,
    page: window.Debug?.VERSION ?? null,
    wajs: typeof WPP === 'undefined' ? null : { version: WPP.version, injected: WPP.isInjected, ready: WPP.isReady, fullReady: WPP.isFullReady },
    modules: Object.keys(window.require('__debug').modulesMap).length,
    byName,
    byWaJs: wajs,
  };
};

function foundByWaJs(path) {
  const found = attempt(() => path.split('.').reduce((value, name) => value?.[name], WPP.whatsapp));
  return { name: path, missing: found ? null : path };
}
