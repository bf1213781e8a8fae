/* Groups: made, joined, left and changed. The rules (who may) are the server's; what follows comes back from there. */
'use strict';

standinModule('WAWebGroupCreateJob', (exports, require) => {
  const { createWid } = require('WAWebWidFactory');
  exports.GroupAlreadyExistsError = class GroupAlreadyExistsError extends Error {};
  exports.createGroup = async ({ title, ephemeralDuration, parentGroupId }, participants) => {
    const ids = participants.map(({ phoneNumber }) => phoneNumber);
    const made = await require('StandinWire').ask('create-group', { title, ephemeralDuration, parentGroupId, participants: ids });
    return {
      wid: createWid(made.id),
      participants: made.participants.map(({ id, error, ...rest }) => ({ wid: createWid(id), error, ...rest })),
    };
  };
});

standinModule('WAWebGroupModifyParticipantsJob', (exports, require) => {
  const { createWid } = require('WAWebWidFactory');
  const modify = async (action, group, participants) => {
    const ids = participants.map((one) => one.lid ?? one.phoneNumber ?? one);
    const { status, participants: done } = await require('StandinWire').ask('group-participants', { id: group, action, participants: ids });
    return {
      status,
      participants: done.map(({ id, code, invite_code = null, invite_code_exp = null }) => ({
        userWid: createWid(id),
        code: String(code),
        invite_code,
        invite_code_exp,
      })),
    };
  };
  exports.addGroupParticipants = (group, participants) => modify('add', group, participants);
  exports.removeGroupParticipants = (group, participants) => modify('remove', group, participants);
  exports.promoteGroupParticipants = (group, participants) => modify('promote', group, participants);
  exports.demoteGroupParticipants = (group, participants) => modify('demote', group, participants);
});

standinModule('WAWebModifyParticipantsGroupAction', (exports, require) => {
  const job = (name) => async (chat, participants) => {
    const ids = participants.map((one) => one.id);
    await require('WAWebGroupModifyParticipantsJob')[`${name}GroupParticipants`](chat.id, ids);
  };
  exports.addParticipants = job('add');
  exports.removeParticipants = job('remove');
  exports.promoteParticipants = job('promote');
  exports.demoteParticipants = job('demote');
  exports.promoteCommunityParticipants = exports.promoteParticipants;
  exports.demoteCommunityParticipants = exports.demoteParticipants;
});

standinModule('WAWebGroupModifyInfoJob', (exports, require) => {
  const change = (id, changes) => require('StandinWire').ask('group-info', { id, changes });
  exports.setGroupSubject = (id, subject) => change(id, { subject });
  exports.setGroupDescription = (id, desc, descId) => change(id, { desc, descId });
  exports.setGroupProperty = (id, property, value) => change(id, { [property]: value });
});

standinModule('WAWebSetPropertyGroupAction', (exports, require) => {
  exports.setGroupProperty = (chat, property, value) =>
    require('WAWebGroupModifyInfoJob').setGroupProperty(chat.id, property, value);
});

standinModule('WAWebGroupInviteJob', (exports, require) => {
  const { createWid } = require('WAWebWidFactory');
  const ask = (question, parts) => require('StandinWire').ask(question, parts);
  exports.queryGroupInviteCode = (id) => ask('invite-code', { id });
  exports.resetGroupInviteCode = (id) => ask('invite-code', { id, reset: true });
  exports.joinGroupViaInvite = async (code) => ({ gid: createWid((await ask('join-group', { code })).id) });
  exports.sendQueryGroupInvite = async (code) => {
    const { participants, ...info } = await ask('invite-info', { code });
    const groupInfo = require('StandinWire').hydrateWid(info);
    groupInfo.participants = participants.map((one) => ({ ...one, id: createWid(one.id) }));
    return { status: 200, groupInfo };
  };
});

standinModule('WAWebMexFetchGroupInviteCodeJob', (exports, require) => {
  exports.fetchMexGroupInviteCode = async (id) => (await require('WAWebGroupInviteJob').queryGroupInviteCode(id)).code;
});

standinModule('WAWebExitGroupAction', (exports, require) => {
  exports.sendExitGroup = (chat) => require('StandinWire').ask('leave-group', { id: chat.id });
});

standinModule('WAWebGroupQueryAllJob', (exports, require) => {
  exports.queryAllGroups = async () => {
    const records = await require('StandinWire').ask('groups');
    return records.map(require('StandinWire').hydrateWid);
  };
});

standinModule('WAWebApiMembershipApprovalRequestStore', (exports, require) => {
  exports.getMembershipApprovalRequests = async (id) => {
    const { createWid } = require('WAWebWidFactory');
    const requests = await require('StandinWire').ask('join-requests', { id });
    return requests.map((one) => ({ ...one, id: createWid(one.id), addedBy: createWid(one.addedBy) }));
  };
});

standinModule('WAWebMembershipApprovalRequestAction', (exports, require) => {
  exports.membershipApprovalRequestAction = async (id, participants, decision) => {
    const { createWid } = require('WAWebWidFactory');
    const done = await require('StandinWire').ask('decide-requests', { id, participants, approve: decision === 'Approve' });
    return done.map(({ id: one, error = null }) => ({ wid: createWid(one), error }));
  };
});

standinModule('WAWebApiParticipantStore', (exports, require) => {
  exports.addParticipants = async () => {};
  exports.getParticipants = async (id) => {
    const group = await require('WAWebGroupMetadataCollection').default.find(id);
    return { groupId: String(id), participants: group.participants.map((one) => String(one.id)), senderKey: new Map() };
  };
  exports.updateParticipants = ({ group, participants }) =>
    require('StandinWire').ask('status-audience', { group, participants: participants.map((one) => one.id) });
});

standinModule('WAWebDBUpdateForGroupAction', (exports) => {
  /** Called for everything that happens in a group, after the group itself was brought up to date. */
  exports.updateDBForGroupAction = () => {};
});

standinModule('WAWebGroupConstants', (exports) => {
  exports.GROUP_SETTING_TYPE = {
    ANNOUNCEMENT: 'announcement',
    RESTRICT: 'restrict',
    NO_FREQUENTLY_FORWARDED: 'no_frequently_forwarded',
    EPHEMERAL: 'ephemeral',
  };
  exports.getGroupSizeLimit = () => 1024;
});
