// What happens in WhatsApp, told to the server. Each listener copies what it needs at once: models change.

const listening = (event, listener) =>
  WPP.on(event, (...given) => {
    try {
      listener(...given);
    } catch (error) {
      tell('fault', { event, ...problem(error) });
    }
  });

function followEvents() {
  listening('chat.new_message', (model) => {
    if (model.type === 'gp2') return tell('group_notice', notice(model));
    if (model.type === 'ciphertext' || isShown(model)) tell('message', message(model));
    return undefined;
  });
  listening('chat.msg_ack_change', ({ ack, chat: chatId, sender, ids }) =>
    tell('ack', { ack, chat: id(chatId), sender: id(sender), ids: ids.map(key) }),
  );
  listening('chat.msg_edited', ({ msg }) => tell('edited', message(msg)));
  listening('chat.msg_revoke', ({ author, from, id: own, refId, to, type }) =>
    tell('revoked', { author: id(author), from: id(from), to: id(to), type, id: key(own), message: key(refId) }),
  );
  listening('chat.new_reaction', ({ id: own, msgId, reactionText, sender, timestamp }) =>
    tell('reaction', {
      id: key(own),
      message: key(msgId),
      text: text(reactionText ?? ''),
      sender: id(sender),
      who: person(sender),
      timestamp,
      ours: recently(reacting, id(msgId)),
    }),
  );
  listening('chat.poll_response', ({ msgId, chatId, selectedOptions, sender, timestamp }) =>
    tell('vote', {
      poll: key(msgId),
      chat: id(chatId),
      sender: id(sender),
      who: person(sender),
      timestamp,
      options: optionNames(selectedOptions),
    }),
  );
  listening('chat.presence_change', ({ id: who }) => {
    const model = WPP.whatsapp.PresenceStore.get(who);
    if (model) tell('presence', presence(model));
  });
  listening('chat.update_label', ({ chat: model, ids, labels, type }) =>
    tell('label', { chat: id(model?.id), ids: ids.map(String), labels: labels.map(label), type }),
  );
  listening('group.participant_changed', ({ author, groupId, action, operation, participants }) =>
    tell('members', { group: groupId, author: author ?? null, action, operation, people: participants.map(id) }),
  );
  listening('call.incoming_call', (call) =>
    tell('call', {
      id: call.id,
      from: id(call.sender ?? call.peerJid),
      at: call.offerTime,
      isVideo: Boolean(call.isVideo),
      isGroup: Boolean(call.isGroup),
    }),
  );
  listening('conn.stream_mode_changed', (mode) => tell('engine', { event: 'onStreamModeChanged', data: { mode: String(mode) } }));
  listening('conn.online', (online) => tell('engine', { event: 'onOnline', data: { online: Boolean(online) } }));
}

// Whoever has two ids, always by the same: events and history don't agree on which they name.
function person(wid) {
  const own = withoutDevice(id(wid) ?? '');
  return own.endsWith('@lid') ? withoutDevice(id(phoneOf(wid)) ?? own) : own;
}

const optionNames = (options) => [...options].filter(Boolean).map((option) => text(option.name ?? String(option)));

const recently = (times, name) => Date.now() - (times.get(name) ?? 0) < 60000;

// A change of a group, as the message in the chat tells it.
function notice(model) {
  return {
    group: id(model.id.remote),
    subtype: model.subtype ?? null,
    author: id(model.author),
    people: (model.recipients ?? []).map(id),
    body: text(model.body ?? null),
    t: model.t,
    id: key(model.id),
  };
}

// A group that was just joined is told of before its chat is there.
operations.groupNow = async ({ group: groupId }) => {
  for (let waited = 0; waited < 10000 && !knownChat(groupId); waited += 100) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return group(groupId);
};
