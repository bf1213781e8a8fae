// Groups, channels and statuses.

const GROUP = [
  'creation', 'owner', 'subject', 'subjectTime', 'subjectOwner', 'desc', 'descId', 'descTime', 'descOwner', 'restrict', 'announce',
  'noFrequentlyForwarded', 'ephemeralDuration', 'size', 'support', 'suspended', 'memberAddMode', 'memberShareGroupHistoryMode',
  'membershipApprovalMode', 'isParentGroup', 'defaultSubgroup', 'parentGroup', 'groupType', 'isLidAddressingMode',
];

const member = (model) => ({
  id: id(model.id),
  isAdmin: Boolean(model.isAdmin || model.isSuperAdmin),
  isSuperAdmin: Boolean(model.isSuperAdmin),
  pn: String(id(model.id)).endsWith('@lid') ? id(phoneOf(model.id)) : id(model.id),
});

function metadata(model, withMembers) {
  const found = { id: id(model.id), ...pick(model, GROUP) };
  if (withMembers) {
    found.participants = (model.participants?.getModelsArray?.() ?? []).map(member);
    found.pendingParticipants = [];
    found.pastParticipants = [];
    found.membershipApprovalRequests = [];
  }
  return found;
}

async function group(groupId, { withMembers = true, refresh = false } = {}) {
  const model = knownChat(groupId);
  if (!model) throw new Problem('group_not_found', `Group '${groupId}' not found`);
  const store = WPP.whatsapp.GroupMetadataStore;
  if (refresh) await attemptAsync(() => store.update(model.id));
  const data = await store.find(model.id);
  return {
    ...chat(model),
    name: text(model.formattedTitle ?? model.name ?? data.subject ?? null),
    groupMetadata: metadata(data, withMembers),
  };
}

operations.groups = async ({ withMembers }) => {
  const models = await WPP.chat.list({ onlyGroups: true, ignoreGroupMetadata: true });
  return Promise.all(models.map((model) => group(id(model.id), { withMembers })));
};
operations.group = ({ group: groupId }) => group(groupId);
operations.refreshGroups = async () => {
  for (const model of await WPP.chat.list({ onlyGroups: true, ignoreGroupMetadata: true })) {
    await attemptAsync(() => WPP.whatsapp.GroupMetadataStore.update(model.id));
  }
  return true;
};
operations.createGroup = async ({ name, people }) => {
  // WA-JS makes no group when one of them has no WhatsApp; WhatsApp itself makes it of the others.
  const there = [];
  const absent = {};
  for (const who of people) {
    if (await WPP.contact.queryExists(who)) there.push(who);
    else absent[who] = { code: 404 };
  }
  const made = await WPP.group.create(name, there);
  return { gid: id(made.gid), participants: { ...plain(made.participants, 4), ...absent } };
};
operations.inviteInfo = async ({ code }) => plain(await WPP.group.getGroupInfoFromInviteCode(code), 5);
operations.join = async ({ code }) => plain(await WPP.group.join(code));
operations.leave = async ({ group: groupId }) => {
  existingGroup(groupId);
  await WPP.group.leave(groupId);
};
operations.deleteGroup = async ({ group: groupId }) => {
  existingGroup(groupId);
  if (await attemptAsync(() => WPP.group.iAmMember(groupId))) await WPP.group.leave(groupId);
  const result = await WPP.chat.delete(groupId);
  return result.status === 200;
};
operations.setSubject = async ({ group: groupId, subject }) => {
  existingGroup(groupId);
  return WPP.group.setSubject(groupId, subject);
};
operations.setDescription = async ({ group: groupId, description }) => {
  existingGroup(groupId);
  return WPP.group.setDescription(groupId, description);
};
operations.setProperty = async ({ group: groupId, property, value }) => {
  existingGroup(groupId);
  return WPP.group.setProperty(groupId, property, value);
};
// WA-JS has no call for it: WhatsApp's own function, which WA-JS's goes by as well.
operations.setMemberAddMode = async ({ group: groupId, everybody }) => {
  const model = existingGroup(groupId);
  await extra('groupProperty')(model, 'member_add_mode', everybody ? 1 : 0);
  const data = attempt(() => model.groupMetadata);
  if (data) data.memberAddMode = everybody ? 'all_member_add' : 'admin_add'; // the page hears of it later
  return true;
};
operations.invite = async ({ group: groupId, revoke }) => {
  existingGroup(groupId);
  const code = await (revoke ? WPP.group.revokeInviteCode(groupId) : WPP.group.getInviteCode(groupId));
  return typeof code === 'object' ? code?.code ?? null : code;
};
operations.members = async ({ group: groupId }) => {
  existingGroup(groupId);
  return (await WPP.group.getParticipants(groupId)).map(member);
};
operations.changeMembers = async ({ group: groupId, people, change }) => {
  existingGroup(groupId);
  const how = { add: 'addParticipants', remove: 'removeParticipants', promote: 'promoteParticipants', demote: 'demoteParticipants' };
  return plain(await WPP.group[how[change]](groupId, people), 4);
};
operations.joinRequests = async ({ group: groupId }) => {
  existingGroup(groupId);
  return plain(await WPP.group.getMembershipRequests(groupId), 4);
};
operations.answerRequests = async ({ group: groupId, people, approve }) => {
  existingGroup(groupId);
  return plain(await (approve ? WPP.group.approve(groupId, people) : WPP.group.reject(groupId, people)), 4);
};
operations.setGroupPicture = async ({ group: groupId, file }) => {
  const handed = takeFile(file);
  existingGroup(groupId);
  await WPP.group.setIcon(groupId, handed);
};
operations.removeGroupPicture = async ({ group: groupId }) => {
  existingGroup(groupId);
  return WPP.group.removeIcon(groupId);
};

function existingGroup(groupId) {
  const found = knownChat(groupId);
  if (!found) throw new Problem('group_not_found', `Group '${groupId}' not found`);
  return found;
}

// -- channels

function channel(model) {
  const data = model.newsletterMetadata ?? {};
  const read = (name) => attempt(() => data[name]) ?? attempt(() => model[name]);
  return {
    id: id(model.id),
    name: text(read('name') ?? model.formattedTitle ?? ''),
    description: text(read('description')) ?? null,
    invite: read('inviteLink') ?? read('inviteCode') ?? null,
    picture: webAddress(attempt(() => WPP.whatsapp.ProfilePicThumbStore.get(model.id)?.imgFull)),
    verified: Boolean(read('verified')) || read('verification') === 'VERIFIED',
    membership: read('membershipType') ?? null,
    subscribers: read('size') ?? read('subscribersCount') ?? null,
    muted: Boolean(attempt(() => model.mute?.isMuted)),
  };
}

operations.channels = async () => (await WPP.chat.list({ onlyNewsletter: true, ignoreGroupMetadata: true })).map(channel);
operations.channel = async ({ channel: channelId }) => {
  const found = WPP.whatsapp.NewsletterStore.get(channelId);
  return found ? channel(found) : null;
};
operations.createChannel = async ({ name, description, file }) => {
  const picture64 = file ? await readWhole(takeFile(file)) : undefined;
  return plain(await WPP.newsletter.create(name, { description: description ?? undefined, picture: picture64 }), 3);
};
operations.deleteChannel = ({ channel: channelId }) => WPP.newsletter.destroy(channelId);
operations.follow = async ({ channel: channelId, follow }) => {
  await (follow ? WPP.newsletter.follow(channelId) : WPP.newsletter.unfollow(channelId));
};
operations.mute = async ({ channel: channelId, mute }) => {
  await WPP.newsletter.mute(channelId, mute);
};
operations.searchChannels = async ({ text: words, categories, limit, cursor }) => {
  const found = await WPP.newsletter.search(words, { categories: categories ?? [], limit, cursorToken: cursor || undefined });
  return { page: plain(found.pageInfo ?? {}), channels: found.newsletters.map(({ _raw, ...each }) => plain(each)) };
};

function readWhole(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

// -- statuses

async function sendStatus(how) {
  const before = new Set(WPP.whatsapp.MsgStore.getModelsArray().map((model) => model.id.id));
  const mark = (model) => {
    if (model.id?.fromMe && id(model.id.remote) === 'status@broadcast') remember(model.id.id);
  };
  WPP.whatsapp.MsgStore.on('add', mark);
  try {
    const result = await how();
    const found = attempt(() => WPP.whatsapp.MsgStore.get(result.id)) ?? (await messageOf(id(result.id)));
    if (!before.has(found.id.id)) remember(found.id.id);
    return message(found);
  } finally {
    WPP.whatsapp.MsgStore.off('add', mark);
  }
}

operations.sendTextStatus = ({ text: words, color, font }) =>
  sendStatus(() => WPP.status.sendTextStatus(words, { backgroundColor: color, font, waitForAck: true }));
operations.sendFileStatus = ({ file, as, caption }) => {
  const handed = takeFile(file);
  const more = { waitForAck: true, ...(caption ? { caption } : {}) };
  if (as.type === 'image') return sendStatus(() => WPP.status.sendImageStatus(handed, more));
  if (as.type === 'video') return sendStatus(() => WPP.status.sendVideoStatus(handed, more));
  return sendStatus(() => WPP.chat.sendFileMessage('status@broadcast', handed, { ...as, ...more }));
};
operations.deleteStatus = async ({ messageId }) => {
  const found = messageId.includes('_') ? messageId : id((byKey(messageId, 'status@broadcast') ?? {}).id);
  if (!found) throw new Problem('msg_not_found', `Status ${messageId} not found`);
  return WPP.status.remove(found);
};
