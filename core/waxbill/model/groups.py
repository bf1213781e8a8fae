"""Groups: their members, names and settings."""

from __future__ import annotations

from typing import Literal

from . import ids
from .wire import Answer, Count, Request


class GroupsQuery(Request):
    """``exclude=participants`` leaves the members out."""

    sortBy: Literal["id", "subject"] | None = None
    sortOrder: Literal["asc", "desc"] | None = None
    limit: Count | None = None
    offset: Count | None = 0
    exclude: list[Literal["", "participants"]] | None = None


class Participant(Request):
    """A person to put into a group; ``id`` is canonical once it was read."""

    id: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.id = ids.person_id(self.id, "participants.id")


class CreateGroupRequest(Request):
    name: str
    participants: list[Participant]


class ParticipantsRequest(Request):
    participants: list[Participant]


class JoinGroupRequest(Request):
    """``code`` is an invite code or a whole invite link."""

    code: str


class JoinGroupResponse(Answer):
    id: str


class SubjectRequest(Request):
    subject: str


class DescriptionRequest(Request):
    description: str


class SettingsSecurityChangeInfo(Request):
    """Request and answer of the settings for admins."""

    adminsOnly: bool


class SettingsMemberAddMode(Request):
    membersCanAddNewMember: bool


class SettingsMemberShareHistoryMode(Request):
    membersCanShareHistory: bool


class SettingsMembershipApproval(Request):
    newMembersApprovalRequired: bool


Role = Literal["left", "participant", "admin", "superadmin"]


class GroupParticipant(Answer):
    """``id`` is a lid or a phone number's id; ``pn`` the latter where it is known."""

    id: str
    pn: str | None = None
    role: Role


class GroupJoinRequest(Answer):
    """Somebody who asks to be let in; ``timestamp`` in seconds."""

    requesterId: str
    requesterPn: str | None = None
    addedById: str
    parentGroupId: str
    requestMethod: str
    timestamp: int


class GroupJoinRequestResult(Answer):
    """``error`` is WhatsApp's code when the request could not be approved or rejected."""

    requesterId: str
    success: bool
    error: int | None = None
