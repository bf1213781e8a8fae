// Contacts, pictures, presence, hidden ids, labels, calls and the own profile.

const CONTACT = [
  'name', 'pushname', 'formattedName', 'shortName', 'verifiedName', 'type', 'isMe', 'isMyContact', 'isBusiness', 'isEnterprise',
  'isUser', 'isGroup', 'isWAContact', 'isContactBlocked', 'labels', 'displayName',
];

function contact(model) {
  const found = { id: id(model.id), name: null, pushname: null };
  for (const name of CONTACT) {
    const value = attempt(() => model[name]);
    if (value !== null) found[name] = plain(value);
  }
  found.profilePicThumbObj = picture(attempt(() => model.profilePicThumb ?? WPP.whatsapp.ProfilePicThumbStore.get(model.id)));
  return found;
}

const picture = (thumb) =>
  thumb ? { eurl: plain(thumb.eurl), img: plain(thumb.img), imgFull: plain(thumb.imgFull), tag: plain(thumb.tag) } : null;

async function pictureOf(who) {
  const known = attempt(() => WPP.whatsapp.ProfilePicThumbStore.get(who));
  return known ? webAddress(known.imgFull ?? known.eurl ?? known.img) : null;
}

const webAddress = (value) => (typeof value === 'string' && /^https?:/.test(value) ? value : null);

operations.contacts = async () => (await WPP.contact.list()).map(contact);

operations.contact = async ({ contact: who }) => {
  const found = await WPP.contact.get(who);
  return found ? contact(found) : null;
};

operations.exists = async ({ phone }) => {
  const found = await WPP.contact.queryExists(`${phone}@c.us`);
  return found ? { id: id(found.wid), lid: id(found.lid) } : null;
};

operations.about = async ({ contact: who }) => text(await WPP.contact.getStatus(who)) ?? null;

operations.picture = async ({ contact: who, refresh }) => {
  const store = WPP.whatsapp.ProfilePicThumbStore;
  if (refresh) attempt(() => store.remove(store.get(who)));
  const found = await store.find(WPP.whatsapp.WidFactory.createWid(who)).catch(() => null);
  return found ? webAddress(found.imgFull ?? found.eurl ?? found.img) : null;
};

operations.block = async ({ contact: who, block }) => {
  if (WPP.blocklist.isBlocked(who) === block) return;
  await (block ? WPP.blocklist.blockContact(who) : WPP.blocklist.unblockContact(who));
};

operations.saveContact = async ({ contact: who, firstName, lastName }) => {
  await WPP.contact.save(who, firstName, { lastName, syncAddressBook: true });
};

// -- hidden ids

const lidOf = (wid) => attempt(() => WPP.whatsapp.lidPnCache.getCurrentLid(wid));
const phoneOf = (wid) => attempt(() => WPP.whatsapp.lidPnCache.getPhoneNumber(wid));

operations.lids = async () => {
  const pairs = new Map();
  for (const model of await WPP.contact.list()) {
    const wid = model.id;
    const server = id(wid).split('@')[1];
    if (server === 'lid') {
      const phone = id(phoneOf(wid));
      if (phone) pairs.set(id(wid), phone);
    } else if (server === 'c.us') {
      const lid = id(lidOf(wid));
      if (lid) pairs.set(lid, id(wid));
    }
  }
  return [...pairs].map(([lid, pn]) => ({ lid: withoutDevice(lid), pn: withoutDevice(pn) }));
};

operations.pair = async ({ who }) => {
  const found = await WPP.contact.getPnLidEntry(who);
  return { lid: id(found.lid), pn: id(found.phoneNumber) };
};

// -- presence

function presence(model) {
  const one = (who, state, online, seen) => ({ participant: who, state: state ?? null, online: Boolean(online), seen: seen ?? null });
  const chatId = id(model.id);
  if (model.isGroup) {
    const members = attempt(() => model.chatstates.getModelsArray()) ?? [];
    return { id: chatId, people: members.filter((each) => each.type).map((each) => one(id(each.id), each.type, false, each.t)) };
  }
  const state = model.chatstate;
  return { id: chatId, people: model.hasData ? [one(chatId, state?.type, model.isOnline, state?.t)] : [] };
}

operations.subscribe = async ({ chat: chatId }) => {
  await WPP.contact.subscribePresence(chatId);
};

operations.presence = async ({ chat: chatId }) => {
  await WPP.contact.subscribePresence(chatId);
  const model = WPP.whatsapp.PresenceStore.get(chatId);
  return model ? presence(model) : { id: chatId, people: [] };
};

operations.presences = async () =>
  WPP.whatsapp.PresenceStore.getModelsArray()
    .filter((model) => model.isSubscribed !== false)
    .map(presence);

operations.online = async ({ online }) => {
  await (online ? WPP.conn.markAvailable() : WPP.conn.markUnavailable());
};

operations.typing = async ({ chat: chatId, what }) => {
  const wid = id((await chatOf(chatId)).id);
  if (what === 'typing') await WPP.chat.markIsComposing(wid);
  else if (what === 'recording') await WPP.chat.markIsRecording(wid);
  else await WPP.chat.markIsPaused(wid);
};

// -- profile

operations.profile = async () => {
  const own = me();
  const found = await attemptAsync(() => WPP.profile.getMyProfilePicture());
  return { ...own, picture: found ? webAddress(found.imgFull ?? found.eurl ?? found.img) : null };
};

operations.setName = ({ name }) => WPP.profile.setMyProfileName(name);
operations.setAbout = ({ about }) => WPP.profile.setMyStatus(about);
operations.setPicture = async ({ file }) => {
  await WPP.profile.setMyProfilePicture(takeFile(file));
};
operations.removePicture = () => WPP.profile.removeMyProfilePicture();

// -- labels

const label = (found) => ({ id: String(found.id), name: text(found.name), color: found.colorIndex ?? 0 });

operations.labels = async () => (await WPP.labels.getAllLabels()).map(label);
operations.addLabel = async ({ name, color }) => {
  const made = await WPP.labels.addNewLabel(name, { labelColor: color || '0' });
  return label(made);
};
operations.editLabel = async ({ label: which, name, color }) =>
  label(await WPP.labels.editLabel(which, { name, labelColor: color || '0' }));
operations.deleteLabel = async ({ label: which }) => {
  const result = await WPP.labels.deleteLabel(which);
  return Boolean(result.deleteLabelResult);
};

operations.chatLabels = async ({ chat: chatId }) => {
  const model = knownChat(chatId);
  return (model?.labels ?? []).map(String);
};

operations.setChatLabels = async ({ chat: chatId, add, remove }) => {
  const model = existingChat(chatId);
  const changes = [
    ...add.map((labelId) => ({ labelId, type: 'add' })),
    ...remove.map((labelId) => ({ labelId, type: 'remove' })),
  ];
  if (changes.length) await WPP.labels.addOrRemoveLabels([id(model.id)], changes);
};

operations.labelChats = async ({ label: which }) =>
  WPP.whatsapp.ChatStore.getModelsArray()
    .filter((model) => (model.labels ?? []).map(String).includes(which))
    .map(chat);

// -- calls

operations.rejectCall = async ({ call }) => WPP.call.reject(call);
