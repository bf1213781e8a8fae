"""Control: what others do to groups."""

from typing import Literal

from waxbill.api.operation import Call
from waxbill.model import ids
from waxbill.model.wire import Request

from .calling import account_of, control_area, recorded

area = control_area()


class OthersGroup(Request):
    """A group that ``creator`` makes; without ``withMe`` this account is no member and can join by the invite."""

    creator: str
    subject: str
    participants: list[str] | None = None
    withMe: bool | None = True
    id: str | None = None


class OthersMembers(Request):
    """People (this account may be one) who join, leave, are promoted or demoted."""

    type: Literal["join", "leave", "promote", "demote"]
    participants: list[str]


class OthersChange(Request):
    """What somebody else changes of a group."""

    subject: str | None = None
    description: str | None = None
    infoAdminsOnly: bool | None = None
    messagesAdminsOnly: bool | None = None
    membersCanAdd: bool | None = None
    approvalRequired: bool | None = None


class Applicant(Request, rename={"from_": "from"}):
    from_: str


_COLUMNS = {
    "subject": "subject",
    "description": "description",
    "infoAdminsOnly": "info_admins_only",
    "messagesAdminsOnly": "messages_admins_only",
    "membersCanAdd": "members_can_add",
    "approvalRequired": "approval",
}


@area.post("/groups")
@recorded("group", lambda account, answer, values: values.update(id=answer["id"]))
def create(call: Call, body: OthersGroup) -> dict[str, str]:
    """Let somebody make a group."""
    made = account_of(call).others_create_group(
        ids.person_id(body.creator, "creator"),
        body.subject,
        [ids.person_id(who, "participants") for who in body.participants or ()],
        with_me=bool(body.withMe),
        group=body.id and ids.group_id(body.id),
    )
    return {"id": made.id, "invite": made.invite}


@area.post("/groups/{id}/participants")
@recorded("members")
def change_members(call: Call, id: str, body: OthersMembers) -> dict[str, int]:
    """Let people join or leave a group, or make them admins."""
    people = [ids.person_id(who, "participants") for who in body.participants]
    return account_of(call).others_change_members(ids.group_id(id), body.type, people)


@area.put("/groups/{id}")
@recorded("change_group")
def change(call: Call, id: str, body: OthersChange) -> None:
    """Let somebody else change a group's name, description or settings."""
    values = {column: getattr(body, name) for name, column in _COLUMNS.items() if getattr(body, name) is not None}
    if values:
        account_of(call).others_change_group(ids.group_id(id), **values)


@area.post("/groups/{id}/join-requests")
@recorded("join_request")
def ask_to_join(call: Call, id: str, body: Applicant) -> None:
    """Let somebody ask to be let into a group."""
    account_of(call).others_ask_to_join(ids.group_id(id), ids.person_id(body.from_, "from"))
