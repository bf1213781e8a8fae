"""Control: who the other people are, whether they are online, and their calls."""

from typing import Any

from waxbill.api.operation import Call, NeedsThread
from waxbill.model import ids
from waxbill.model.media import File
from waxbill.model.presence import Presence
from waxbill.model.wire import Request

from ..driver import MockAccount
from .calling import account_of, control_area, recorded

area = control_area()


class Person(Request):
    """Somebody that the account may know; ``name`` is from the address book, ``pushName`` their own."""

    id: str
    name: str | None = None
    pushName: str | None = None
    about: str | None = None
    picture: File | None = None


class OthersPresence(Request):
    """``participant`` is who, in a group."""

    chatId: str
    participant: str | None = None
    presence: Presence


class IncomingCall(Request, rename={"from_": "from"}):
    from_: str
    id: str | None = None
    isVideo: bool | None = False
    isGroup: bool | None = False


@area.post("/contacts")
@recorded("contact", lambda account, answer, values: _kept_picture(account, values))
def put_contact(call: Call, body: Person) -> None:
    """Make somebody known to the account, or change what is known."""
    if body.picture is not None and call.server.in_loop():
        raise NeedsThread
    account_of(call).know(
        ids.person_id(body.id, "id"),
        name=body.name,
        push_name=body.pushName,
        about=body.about,
        picture=body.picture,
    )


@area.post("/presence")
@recorded("presence")
def show_presence(call: Call, body: OthersPresence) -> None:
    """Let somebody be online, offline, typing or recording."""
    chat = ids.chat_id(body.chatId)
    who = ids.person_id(body.participant, "participant") if body.participant else chat
    account_of(call).others_presence(chat, who, body.presence)


@area.post("/calls")
@recorded("call", lambda account, answer, values: values.update(id=answer["id"]))
def ring(call: Call, body: IncomingCall) -> Any:
    """Let somebody call."""
    caller = ids.chat_id(body.from_, "from")
    return account_of(call).ring(caller, video=bool(body.isVideo), group=bool(body.isGroup), call_id=body.id)


@area.post("/calls/{id}/accept")
@recorded("accept_call")
def accept_call(call: Call, id: str) -> None:
    """Take a call on the account's own phone."""
    account_of(call).end_call(id, "call.accepted")


@area.post("/calls/{id}/reject")
@recorded("reject_call")
def reject_call(call: Call, id: str) -> None:
    """Reject a call on the account's own phone, or let the caller give up."""
    account_of(call).end_call(id, "call.rejected")


def _kept_picture(account: MockAccount, values: dict[str, Any]) -> None:
    """A picture is noted by the file that the account keeps."""
    if "picture" in values:
        known = account.contacts.get(account.host.store.read(), values["id"])
        values["picture"] = {"stored": known.picture if known else None}
