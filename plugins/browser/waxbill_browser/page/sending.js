// Sends, and what is done to a message afterwards.

// A chat's model, made where there is none; its id may be the person's hidden id.
async function chatOf(chat) {
  if (chat.endsWith('@newsletter')) {
    const found = WPP.whatsapp.NewsletterStore.get(chat);
    if (!found) throw new Problem('chat_not_found', `Channel ${chat} is not among those of this account`);
    return found;
  }
  return WPP.chat.find(chat);
}

async function newKey(chatModel, wanted) {
  const made = await WPP.chat.generateMessageID(chatModel);
  if (!wanted) return made;
  const parts = id(made).split('_');
  parts[2] = wanted;
  return WPP.whatsapp.MsgKey.fromString(parts.join('_'));
}

// The message with an id, or with a bare key in a chat; raises msg_not_found.
async function messageOf(messageId, chat) {
  if (messageId.includes('_')) {
    const wanted = WPP.whatsapp.MsgKey.fromString(messageId);
    const near = attempt(() => WPP.whatsapp.MsgStore.get(wanted)) ?? byKey(wanted.id, id(wanted.remote));
    if (near) return near;
    return WPP.chat.getMessageById(messageId);
  }
  const found = byKey(messageId, chat);
  if (!found) throw new Problem('msg_not_found', `Message ${messageId} not found`);
  return found;
}

// By its key alone: one person's chat has two ids, so an id that a client kept may name the other.
function byKey(wanted, chat) {
  const models = WPP.whatsapp.MsgStore.getModelsArray();
  for (let at = models.length - 1; at >= 0; at--) {
    const model = models[at];
    if (model.id?.id === wanted && (!chat || sameChat(id(model.id.remote), chat))) return model;
  }
  return null;
}

function sameChat(one, other) {
  if (one === other) return true;
  const twin = attempt(() => {
    const wid = WPP.whatsapp.WidFactory.createWid(one);
    const cache = WPP.whatsapp.lidPnCache;
    return wid.isLid() ? cache.getPhoneNumber(wid) : cache.getCurrentLid(wid);
  });
  return twin !== null && id(twin) === other;
}

async function options(chatModel, { mentions, quotedId, key: wanted, linkPreview, preview }) {
  const made = await newKey(chatModel, wanted);
  remember(made.id);
  const found = {
    messageId: made,
    markIsRead: false,
    waitForAck: true,
    detectMentioned: false,
    linkPreview: preview ? await previewOf(preview) : (linkPreview ?? false),
  };
  if (mentions?.length) found.mentionedList = await mentioned(chatModel, mentions);
  if (quotedId) {
    // One that is not known is not quoted, as WhatsApp itself does.
    const model = await messageOf(quotedId, id(chatModel.id)).catch(() => null);
    if (model) found.quotedMsg = model;
  }
  return found;
}

// A preview of the caller's own, with a small picture as WhatsApp has it.
async function previewOf({ url, title, description, file }) {
  const shown = { title, description: description ?? '', canonicalUrl: url, matchedText: url, richPreviewType: 0, doNotPlayInline: true };
  if (!file) return shown;
  const picture = await createImageBitmap(takeFile(file), { resizeWidth: 140, resizeQuality: 'medium' });
  const canvas = new OffscreenCanvas(picture.width, Math.min(picture.height, 280));
  canvas.getContext('2d').drawImage(picture, 0, 0);
  picture.close();
  const dataUrl = await readWhole(await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.8 }));
  return { ...shown, thumbnail: dataUrl.slice(dataUrl.indexOf(',') + 1) };
}

async function mentioned(chatModel, people) {
  const all = [];
  for (const person of people) {
    if (person !== 'all') all.push(person);
    else if (chatModel.id.isGroup()) {
      all.push(...(await WPP.group.getParticipants(chatModel.id)).map((each) => id(each.id)));
    }
  }
  return [...new Set(all)];
}

async function send(given, how) {
  const chatModel = await chatOf(given.chat);
  const chosen = await options(chatModel, given);
  const result = await how(chatModel, chosen);
  const outcome = result?.sendMsgResult?.messageSendResult;
  if (outcome && outcome !== 'OK') throw new Problem(String(outcome), `WhatsApp did not take the message: ${outcome}`);
  const sent = attempt(() => WPP.whatsapp.MsgStore.get(chosen.messageId)) ?? (await messageOf(result.id, given.chat));
  return message(sent);
}

operations.sendText = (given) =>
  send(given, (chat, chosen) => WPP.chat.sendTextMessage(chat.id, given.text, chosen));

operations.sendLocation = (given) =>
  send(given, (chat, chosen) =>
    WPP.chat.sendLocationMessage(chat.id, { ...chosen, lat: given.latitude, lng: given.longitude, name: given.title ?? undefined }),
  );

operations.sendPoll = (given) =>
  send(given, (chat, chosen) =>
    WPP.chat.sendCreatePollMessage(chat.id, given.name, given.options, { ...chosen, selectableCount: given.selectable }),
  );

operations.sendList = (given) => send(given, (chat, chosen) => WPP.chat.sendListMessage(chat.id, { ...chosen, ...given.list }));

operations.sendEvent = (given) =>
  send(given, (chat, chosen) => WPP.chat.sendEventMessage(chat.id, { ...chosen, ...given.event }));

// Contact cards as they are: WA-JS makes them of contacts that it knows, and these need not be known.
operations.sendCards = (given) =>
  send(given, (chat, chosen) => {
    const cards = given.cards.map((card) => ({ displayName: card.name, vcard: card.vcard }));
    const raw =
      cards.length === 1
        ? { type: 'vcard', body: cards[0].vcard, vcardFormattedName: cards[0].displayName }
        : { type: 'multi_vcard', vcardList: cards };
    return WPP.chat.sendRawMessage(chat.id, raw, chosen);
  });

operations.sendFile = (given) =>
  send(given, (chat, chosen) => {
    const file = takeFile(given.file);
    return WPP.chat.sendFileMessage(chat.id, file, {
      ...chosen,
      ...given.as,
      filename: file.name,
      mimetype: file.type,
      ...(given.caption ? { caption: given.caption } : {}),
    });
  });

operations.forward = async ({ chat, messageId }) => {
  const found = await messageOf(messageId).catch((error) => {
    if (String(error?.code).endsWith('not_found')) return null;
    throw error;
  });
  if (!found) return false;
  const target = await chatOf(chat);
  // Its key is made inside; whatever appears there meanwhile and is from me is ours.
  const store = WPP.whatsapp.MsgStore;
  const mark = (model) => {
    if (model.id?.fromMe && id(model.id.remote) === id(target.id)) remember(model.id.id);
  };
  store.on('add', mark);
  try {
    await WPP.chat.forwardMessages(id(target.id), [found], { displayCaptionText: true });
  } finally {
    store.off('add', mark);
  }
  return true;
};

operations.edit = async ({ chat, messageId, text: words, mentions }) => {
  const found = await messageOf(messageId, chat);
  const chatModel = await chatOf(id(found.id.remote));
  const more = mentions?.length ? { mentionedList: await mentioned(chatModel, mentions) } : {};
  await WPP.chat.editMessage(id(found.id), words, { linkPreview: false, markIsRead: false, detectMentioned: false, ...more });
  return message(await messageOf(id(found.id), chat));
};

operations.revoke = async ({ chat, messageId }) => {
  const found = await messageOf(messageId, chat);
  const result = await WPP.chat.deleteMessage(id(found.id.remote), id(found.id), true, true);
  if (!result.isRevoked) {
    throw new Problem('not-allowed', 'Only the sender, or an admin of the group, can delete a message for everyone');
  }
  return true;
};

operations.react = async ({ messageId, reaction }) => {
  const found = await messageOf(messageId);
  reacting.set(id(found.id), Date.now());
  const result = await WPP.chat.sendReactionToMessage(found, reaction);
  return { sendMsgResult: plain(result.sendMsgResult) };
};

// WA-JS has no call for it: WhatsApp's own function, which takes the options by their numbers within the poll.
operations.vote = async ({ chat, messageId, options: wanted }) => {
  const sendVote = extra('vote');
  const poll = await messageOf(messageId, chat);
  if (poll.type !== 'poll_creation') throw new Problem('no_poll', `Message ${messageId} is not a poll`);
  const known = new Map(poll.pollOptions.map((option) => [option.name, option.localId]));
  const unknown = wanted.filter((name) => !known.has(name));
  if (unknown.length) throw new Problem('no_option', `The poll has no option '${unknown[0]}'; it has '${[...known.keys()].join("', '")}'`);
  const result = await sendVote(poll, new Set(wanted.map((name) => known.get(name))));
  const outcome = result?.messageSendResult;
  if (outcome && outcome !== 'OK') throw new Problem(String(outcome), `WhatsApp did not take the vote: ${outcome}`);
  return true;
};

// When this server reacted to which message, to mark the event of it.
const reacting = new Map();

operations.star = async ({ chat, messageId, star }) => {
  const found = await messageOf(messageId, chat);
  await WPP.chat.starMessage(id(found.id), star);
  return true;
};

operations.pin = async ({ chat, messageId, pin, duration }) => {
  const found = await messageOf(messageId, chat);
  const result = await WPP.chat.pinMsg(id(found.id), pin, duration);
  return result.pinned === pin;
};
