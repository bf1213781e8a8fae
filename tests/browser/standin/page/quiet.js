/* Modules that a script in the page looks up, wraps or reads, and that have nothing to do here: there is no encryption,
 * no protocol buffer and no experiment in this page. */
'use strict';

const nothing = (id, members) => standinModule(id, (exports) => Object.assign(exports, members));

nothing('WAWebABProps', { getABPropConfigValue: (key) => ({ link_preview_wait_time: 1 })[key] ?? false });
nothing('WAWebPrimaryFeatures', { primaryFeatureEnabled: () => false });
nothing('WAWebE2EProtoGenerator', { createMsgProtobuf: () => ({}) });
nothing('WAWebE2EProtoUtils', { typeAttributeFromProtobuf: () => 'text', mediaTypeFromProtobuf: () => null });
nothing('WAWebBackendJobsCommon', { encodeMaybeMediaType: (type) => type });
nothing('WAWap', { DROP_ATTR: Symbol('DROP_ATTR') });
nothing('WAWebSendMsgJob', { encryptAndSendMsg: async () => ({}), encryptAndSendStatusMsg: async () => {} });
nothing('WAWebSendMsgCreateFanoutStanza', { createFanoutMsgStanza: async () => ({ content: [] }) });
nothing('WAWebProcessRawMedia', { processRawMedia: async (data) => data, processRawSticker: async (data) => data });
nothing('WAWebMmsMediaUpload', { uploadMedia: async () => {} });
nothing('WAWebVideoUtils', { generateVideoThumbsAndDuration: async () => ({ duration: 0, thumbs: [] }) });
nothing('WAWebWebpUtils', { isAnimatedWebp: () => false });
nothing('WAWebCreateChat', { createChatRecord: async () => {} });
nothing('WAWebChatPinUtils', { getNumChatsPinned: () => 0 });
nothing('WAWebInboxFilters', { isFilterExcludedFromSearchTreatmentInInboxFlow: () => false });
nothing('WAWebLinkPreview', { getLinkPreview: async () => null });
nothing('WAWebMinimalLinkPreview', { genMinimalLinkPreview: async () => null });
const linksIn = (text) =>
  [...String(text ?? '').matchAll(/https?:\/\/\S+/g)].map(({ 0: url, index }) => ({ url, href: url, input: text, index, isHttp: true }));
nothing('WALinkify', {
  findLinks: linksIn,
  findLink: (text) => linksIn(text)[0] ?? null,
  findFirstWebLink: (text) => linksIn(text)[0],
});
nothing('WAWebCompanionRegClientUtils', { DEVICE_PLATFORM: '1' });
nothing('WAWebAdvSignatureApi', {});
nothing('WAWebOfflineHandler', { OfflineMessageHandler: { getOfflineDeliveryProgress: () => 100 } });
nothing('WAWebSyncGatingUtils', { isPlaceholderMessageResendEnabled: () => false });
nothing('WAWebNonJidMentionType', { default: { MENTION_ALL: 1 } });
nothing('WAWebOfficialClient', { isOfficialClient: true, isUnofficialStanzaId: () => false });
nothing('WAWebEnvironment', { default: { isWeb: true, isWindows: false, isGuest: false }, isWeb: true, isWindows: false });
nothing('WAWebVoipGatingUtils', {
  isCallingEnabled: () => false,
  isVoipDownloadEnabled: () => false,
  isUnsupportedBrowserForWebCalling: () => false,
  getUnsupportedBrowserReason: () => null,
});
nothing('WAWebCreateEventCallLink', {
  createEventCallLink: async (start, kind) => `https://call.whatsapp.com/${kind}/${start}`,
});
nothing('WAWebChatSearchQuery', { SearchQuery: class SearchQuery { updateLabelQuery() {} } });
nothing('WAWebMd5', { md5: (text) => text, md5ArrayBufferHex: () => '' });
nothing('WARandomHex', {
  randomHex: (size) => Array.from(crypto.getRandomValues(new Uint8Array(size)), (byte) => byte.toString(16).padStart(2, '0')).join('').toUpperCase(),
});
nothing('WAWebStatusPrivacy', { STATUS_JID: 'status@broadcast' });
nothing('WAWebOutwardTypes', {
  OUTWARD_TYPES: { IMAGE: 'image', VIDEO: 'video', AUDIO: 'audio', PTT: 'ptt', PTV: 'ptv', STICKER: 'sticker', DOCUMENT: 'document' },
});
nothing('WAWebHistorySyncProgressModel', { getHistorySyncProgressModel: () => ({ realProgress: 100 }) });
nothing('WAWebLruMediaStore', {
  LruMediaStore: { get: async () => null, put: async () => {}, del: async () => {}, clear: async () => {}, count: async () => 0, has: async () => false },
});
