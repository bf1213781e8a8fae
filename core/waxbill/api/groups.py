"""Groups: creating, joining, changing and leaving them; their members and settings."""

from typing import Any

from ..model import ids
from ..model.chats import ChatPictureResponse
from ..model.groups import (
    CreateGroupRequest,
    DescriptionRequest,
    GroupJoinRequest,
    GroupJoinRequestResult,
    GroupParticipant,
    GroupsQuery,
    JoinGroupRequest,
    JoinGroupResponse,
    ParticipantsRequest,
    SettingsMemberAddMode,
    SettingsMemberShareHistoryMode,
    SettingsMembershipApproval,
    SettingsSecurityChangeInfo,
    SubjectRequest,
)
from ..model.profile import ProfilePictureRequest
from ..model.wire import CountResponse, Request, Result
from .chats import PictureQuery
from .operation import Area, Call

area = Area("👥 Groups", prefix="/api/{session}/groups")


class CodeQuery(Request):
    code: str


@area.post("", capability="create_group")
def create_group(call: Call, body: CreateGroupRequest) -> Any:
    """Create a group."""
    return call.account.create_group(body)


@area.get("", capability="get_groups")
def get_groups(call: Call, query: GroupsQuery) -> Any:
    """List the groups, in the engine's own shape."""
    return call.account.get_groups(query)


@area.get("/join-info", capability="get_join_info")
def get_join_info(call: Call, query: CodeQuery) -> Any:
    """Get what a group's invite says about it."""
    return call.account.get_join_info(query.code)


@area.post("/join", capability="join_group", status=200)
def join_group(call: Call, body: JoinGroupRequest) -> JoinGroupResponse:
    """Join a group by its invite code or link."""
    return JoinGroupResponse(id=call.account.join_group(body.code))


@area.get("/count", capability="count_groups")
def count_groups(call: Call) -> CountResponse:
    """Get how many groups the account is in."""
    return CountResponse(count=call.account.count_groups())


@area.post("/refresh", capability="refresh_groups", status=200)
def refresh_groups(call: Call) -> Any:
    """Read the groups from WhatsApp again."""
    return call.account.refresh_groups()


@area.get("/{id}", capability="get_group")
def get_group(call: Call, id: str) -> Any:
    """Get one group, in the engine's own shape."""
    return call.account.get_group(ids.group_id(id))


@area.delete("/{id}", capability="delete_group", scope="delete")
def delete_group(call: Call, id: str) -> Any:
    """Delete a group."""
    return call.account.delete_group(ids.group_id(id))


@area.post("/{id}/leave", capability="leave_group", status=200)
def leave_group(call: Call, id: str) -> Any:
    """Leave a group."""
    return call.account.leave_group(ids.group_id(id))


@area.get("/{id}/picture", capability="get_chat_picture")
def get_group_picture(call: Call, id: str, query: PictureQuery) -> ChatPictureResponse:
    """Get a group's picture."""
    return call.account.get_chat_picture(ids.group_id(id), refresh=bool(query.refresh))


@area.put("/{id}/picture", capability="set_group_picture", waits=True)
def set_group_picture(call: Call, id: str, body: ProfilePictureRequest) -> Result:
    """Set a group's picture."""
    return call.account.set_group_picture(ids.group_id(id), body)


@area.delete("/{id}/picture", capability="delete_group_picture")
def delete_group_picture(call: Call, id: str) -> Result:
    """Take a group's picture away."""
    return call.account.delete_group_picture(ids.group_id(id))


@area.put("/{id}/description", capability="set_group_description")
def set_group_description(call: Call, id: str, body: DescriptionRequest) -> Any:
    """Set a group's description."""
    return call.account.set_group_description(ids.group_id(id), body.description)


@area.put("/{id}/subject", capability="set_group_subject")
def set_group_subject(call: Call, id: str, body: SubjectRequest) -> Any:
    """Set a group's name."""
    return call.account.set_group_subject(ids.group_id(id), body.subject)


@area.put("/{id}/settings/security/info-admin-only", capability="set_info_admins_only")
def set_info_admins_only(call: Call, id: str, body: SettingsSecurityChangeInfo) -> Any:
    """Set whether only admins may change name, picture and description."""
    return call.account.set_info_admins_only(ids.group_id(id), body.adminsOnly)


@area.get("/{id}/settings/security/info-admin-only", capability="get_info_admins_only")
def get_info_admins_only(call: Call, id: str) -> SettingsSecurityChangeInfo:
    """Get whether only admins may change name, picture and description."""
    return SettingsSecurityChangeInfo(adminsOnly=call.account.get_info_admins_only(ids.group_id(id)))


@area.put("/{id}/settings/security/messages-admin-only", capability="set_messages_admins_only")
def set_messages_admins_only(call: Call, id: str, body: SettingsSecurityChangeInfo) -> Any:
    """Set whether only admins may write."""
    return call.account.set_messages_admins_only(ids.group_id(id), body.adminsOnly)


@area.get("/{id}/settings/security/messages-admin-only", capability="get_messages_admins_only")
def get_messages_admins_only(call: Call, id: str) -> SettingsSecurityChangeInfo:
    """Get whether only admins may write."""
    return SettingsSecurityChangeInfo(adminsOnly=call.account.get_messages_admins_only(ids.group_id(id)))


@area.put("/{id}/settings/security/member-add-mode", capability="set_member_add_mode")
def set_member_add_mode(call: Call, id: str, body: SettingsMemberAddMode) -> Any:
    """Set whether members may add others."""
    return call.account.set_member_add_mode(ids.group_id(id), body.membersCanAddNewMember)


@area.get("/{id}/settings/security/member-add-mode", capability="get_member_add_mode")
def get_member_add_mode(call: Call, id: str) -> SettingsMemberAddMode:
    """Get whether members may add others."""
    return SettingsMemberAddMode(membersCanAddNewMember=call.account.get_member_add_mode(ids.group_id(id)))


@area.put("/{id}/settings/security/member-share-history-mode", capability="set_member_share_history_mode")
def set_member_share_history_mode(call: Call, id: str, body: SettingsMemberShareHistoryMode) -> Any:
    """Set whether members may share the history with new members."""
    return call.account.set_member_share_history_mode(ids.group_id(id), body.membersCanShareHistory)


@area.get("/{id}/settings/security/member-share-history-mode", capability="get_member_share_history_mode")
def get_member_share_history_mode(call: Call, id: str) -> SettingsMemberShareHistoryMode:
    """Get whether members may share the history with new members."""
    shared = call.account.get_member_share_history_mode(ids.group_id(id))
    return SettingsMemberShareHistoryMode(membersCanShareHistory=shared)


@area.put("/{id}/settings/security/membership-approval", capability="set_membership_approval")
def set_membership_approval(call: Call, id: str, body: SettingsMembershipApproval) -> Any:
    """Set whether admins must approve new members."""
    return call.account.set_membership_approval(ids.group_id(id), body.newMembersApprovalRequired)


@area.get("/{id}/settings/security/membership-approval", capability="get_membership_approval")
def get_membership_approval(call: Call, id: str) -> SettingsMembershipApproval:
    """Get whether admins must approve new members."""
    required = call.account.get_membership_approval(ids.group_id(id))
    return SettingsMembershipApproval(newMembersApprovalRequired=required)


@area.get("/{id}/invite-code", capability="get_invite_code")
def get_invite_code(call: Call, id: str) -> str:
    """Get a group's invite code."""
    return call.account.get_invite_code(ids.group_id(id))


@area.post("/{id}/invite-code/revoke", capability="revoke_invite_code", status=200)
def revoke_invite_code(call: Call, id: str) -> str:
    """Make a new invite code; the old one is worth nothing any more."""
    return call.account.revoke_invite_code(ids.group_id(id))


@area.get("/{id}/participants", capability="get_participants")
def get_participants(call: Call, id: str) -> Any:
    """List the members, in the engine's own shape."""
    return call.account.get_participants(ids.group_id(id))


@area.get("/{id}/participants/v2", capability="get_participants_v2")
def get_participants_v2(call: Call, id: str) -> list[GroupParticipant]:
    """List the members, in one shape for all engines."""
    return call.account.get_participants_v2(ids.group_id(id))


@area.post("/{id}/participants/add", capability="add_participants", status=200)
def add_participants(call: Call, id: str, body: ParticipantsRequest) -> Any:
    """Add members."""
    return call.account.add_participants(ids.group_id(id), body)


@area.post("/{id}/participants/remove", capability="remove_participants", status=200)
def remove_participants(call: Call, id: str, body: ParticipantsRequest) -> Any:
    """Remove members."""
    return call.account.remove_participants(ids.group_id(id), body)


@area.post("/{id}/admin/promote", capability="promote_participants", status=200)
def promote_participants(call: Call, id: str, body: ParticipantsRequest) -> Any:
    """Make members admins."""
    return call.account.promote_participants(ids.group_id(id), body)


@area.post("/{id}/admin/demote", capability="demote_participants", status=200)
def demote_participants(call: Call, id: str, body: ParticipantsRequest) -> Any:
    """Make admins plain members."""
    return call.account.demote_participants(ids.group_id(id), body)


@area.get("/{id}/participants/join-requests", capability="get_join_requests")
def get_join_requests(call: Call, id: str) -> list[GroupJoinRequest]:
    """List who asks to be let in."""
    return call.account.get_join_requests(ids.group_id(id))


@area.post("/{id}/participants/join-requests/approve", capability="approve_join_requests", status=200)
def approve_join_requests(call: Call, id: str, body: ParticipantsRequest) -> list[GroupJoinRequestResult]:
    """Let in those who ask."""
    return call.account.approve_join_requests(ids.group_id(id), body)


@area.post("/{id}/participants/join-requests/reject", capability="reject_join_requests", status=200)
def reject_join_requests(call: Call, id: str, body: ParticipantsRequest) -> list[GroupJoinRequestResult]:
    """Turn away those who ask."""
    return call.account.reject_join_requests(ids.group_id(id), body)
