// Chats and the messages in them.

const CHAT = [
  'name', 'formattedTitle', 't', 'unreadCount', 'archive', 'isReadOnly', 'pin', 'muteExpiration', 'isGroup', 'isUser',
  'isNewsletter', 'isBroadcast', 'notSpam', 'ephemeralDuration', 'labels', 'hasUnread',
];

function chat(model) {
  const found = { id: id(model.id), ...pick(model, CHAT) };
  found.name = text(model.name ?? model.formattedTitle ?? model.contact?.formattedName ?? null);
  found.isGroup = Boolean(model.id.isGroup?.() ?? found.id.endsWith('@g.us'));
  found.contact = model.contact ? contact(model.contact) : null;
  return found;
}

function lastOf(model) {
  const models = attempt(() => model.msgs?.getModelsArray()) ?? [];
  let last = null;
  for (const each of models) {
    if (isShown(each) && (!last || each.t >= last.t)) last = each;
  }
  return last ? message(last) : null;
}

// Notices and protocol messages are no messages for clients.
const HIDDEN = ['e2e_notification', 'notification', 'notification_template', 'gp2', 'protocol', 'reaction', 'reaction_enc', 'ciphertext_empty',
  'broadcast_notification', 'call_log', 'debug', 'newsletter_notification', 'pinned_message', 'poll_update', 'keep_in_chat', 'album'];
const isShown = (model) => Boolean(model?.id && model.type) && !HIDDEN.includes(model.type);

operations.chats = async ({ ids, withLast, onlyNewsletters }) => {
  let models = await WPP.chat.list({ ignoreGroupMetadata: true, ...(onlyNewsletters ? { onlyNewsletter: true } : {}) });
  models = models.filter((model) => onlyNewsletters || !id(model.id).endsWith('@newsletter'));
  if (ids) models = models.filter((model) => ids.some((each) => sameChat(id(model.id), each)));
  return models.map((model) => ({ ...chat(model), ...(withLast ? { last: lastOf(model) } : {}) }));
};

operations.overview = async ({ ids, offset, limit }) => {
  let models = await WPP.chat.list({ ignoreGroupMetadata: true });
  if (ids) models = models.filter((model) => ids.some((each) => sameChat(id(model.id), each)));
  models.sort((one, other) => (other.t ?? 0) - (one.t ?? 0));
  models = models.slice(offset, limit == null ? undefined : offset + limit);
  return Promise.all(
    models.map(async (model) => ({
      ...chat(model),
      last: lastOf(model) ?? (await newest(model)),
      picture: await pictureOf(id(model.id)),
    })),
  );
};

async function newest(model) {
  const found = await attemptAsync(() => WPP.chat.getMessages(id(model.id), { count: 5 }));
  const shown = (found ?? []).filter(isShown).sort((one, other) => other.t - one.t);
  return shown.length ? message(shown[0]) : null;
}

const knownChat = (chatId) => {
  const found = chatId.endsWith('@newsletter') ? WPP.whatsapp.NewsletterStore.get(chatId) : WPP.chat.get(chatId);
  if (found) return found;
  return WPP.whatsapp.ChatStore.getModelsArray().find((model) => sameChat(id(model.id), chatId)) ?? null;
};

function existingChat(chatId) {
  const found = knownChat(chatId);
  if (!found) throw new Problem('chat_not_found', `Chat '${chatId}' not found`);
  return found;
}

// The newest messages of a chat, `count` of them, newest first.
operations.messages = async ({ chat: chatId, count }) => {
  if (chatId === 'status@broadcast') return statuses(count);
  const model = knownChat(chatId);
  if (!model) return [];
  return newestFirst((await arrived(model, count)).filter(isShown))
    .slice(0, count < 0 ? undefined : count)
    .map((each) => message(each));
};

// The newest messages of a chat, at least `count` where there are so many, in the order of their arrival: those of the
// history that the page does not hold, then those that it holds.
async function arrived(model, count) {
  const held = model.msgs?.getModelsArray() ?? [];
  const known = new Set(held.map((each) => id(each.id)));
  return [...(await history(model, count)).filter((each) => !known.has(id(each.id))), ...held];
}

// Messages of one second are told apart by their order.
const newestFirst = (models) =>
  models
    .map((model, place) => ({ model, place }))
    .sort((one, other) => other.model.t - one.model.t || other.place - one.place)
    .map(({ model }) => model);

async function history(model, count) {
  if (!model.lastReceivedKey) return [];
  return WPP.chat.getMessages(id(model.id), { count: count < 0 ? -1 : count });
}

function statuses(count) {
  const models = WPP.whatsapp.StatusV3Store.getModelsArray().flatMap((each) => each.msgs.getModelsArray());
  models.sort((one, other) => other.t - one.t);
  return models.slice(0, count < 0 ? undefined : count).map((each) => message(each));
}

operations.message = async ({ chat: chatId, messageId }) => {
  const found = await messageOf(messageId, chatId === 'all' ? undefined : chatId);
  if (chatId && chatId !== 'all' && !sameChat(id(found.id.remote), chatId)) {
    throw new Problem('msg_not_found', `Message ${messageId} not found in ${chatId}`);
  }
  return message(found);
};

operations.markRead = async ({ chat: chatId }) => {
  await WPP.chat.markIsRead(id(existingChat(chatId).id));
};

operations.markUnread = async ({ chat: chatId }) => {
  await WPP.chat.markIsUnread(id(existingChat(chatId).id));
};

operations.archive = async ({ chat: chatId, archive }) => {
  const model = existingChat(chatId);
  if (Boolean(model.archive) !== archive) await WPP.chat.archive(id(model.id), archive);
};

operations.deleteChat = async ({ chat: chatId }) => {
  const result = await WPP.chat.delete(id(existingChat(chatId).id));
  return result.status === 200;
};

operations.clearChat = async ({ chat: chatId }) => {
  const result = await WPP.chat.clear(id(existingChat(chatId).id), false);
  return result.status === 200;
};

async function arrivedSince(model, since, most) {
  for (let count = 50; ; count *= 4) {
    const found = await arrived(model, count);
    const oldest = Math.min(...found.map((each) => each.t));
    if (found.length < count || oldest < since || count >= most) return found;
  }
}

// Messages since a moment (Unix seconds), newest chats first, bounded; in the order of time.
async function sinceThen(since, most) {
  const found = [];
  const models = WPP.whatsapp.ChatStore.getModelsArray()
    .filter((model) => (model.t ?? 0) >= since)
    .sort((one, other) => other.t - one.t);
  for (const model of models) {
    if (found.length >= most) break; // what is in chats that rested longer
    try {
      const inChat = await arrivedSince(model, since, most);
      found.push(...inChat.filter((each) => isShown(each) && each.t >= since));
    } catch (error) {
      tell('fault', { event: `missed in ${id(model.id)}`, ...problem(error) }); // the other chats' are told all the same
    }
  }
  found.sort((one, other) => one.t - other.t);
  return found.slice(-most);
}

// What arrived since a moment and may not have been told.
operations.missed = async ({ since, most }) => (await sinceThen(since, most)).map((each) => message(each));

// What may have happened to the messages since a moment: as they are now, `reacted` being keys that had reactions.
operations.changed = async ({ since, most, reacted }) => {
  const had = new Set(reacted);
  const models = await sinceThen(since, most);
  return Promise.all(models.map((model) => changes(model, model.hasReaction || had.has(model.id.id))));
};

async function changes(model, withReactions) {
  const found = { id: key(model.id), ...pick(model, ['type', 'ack', 'latestEditSenderTimestampMs']) };
  if (model.type === 'revoked') {
    found.revoked = { author: id(model.author ?? model.id.participant), from: id(model.from), to: id(model.to), type: model.subtype ?? null };
  }
  if (model.type === 'poll_creation') found.votes = (await attemptAsync(() => votes(model))) ?? [];
  if (withReactions) found.reactions = await attemptAsync(() => reactions(model));
  return found;
}

async function votes(model) {
  const found = await WPP.chat.getVotes(id(model.id));
  return found.votes.map(({ selectedOptions, sender, timestamp }) => ({
    poll: key(model.id),
    chat: id(found.chatId),
    sender: id(sender),
    who: person(sender),
    timestamp,
    options: optionNames(selectedOptions),
  }));
}

async function reactions(model) {
  const found = await WPP.chat.getReactions(id(model.id));
  return found.reactions.flatMap(({ senders }) =>
    senders.map((one) => ({
      id: key(one.id),
      message: key(model.id),
      text: text(one.reactionText ?? ''),
      sender: id(one.sender),
      who: person(one.sender),
      timestamp: one.timestamp,
      ours: false,
    })),
  );
}
