"""Control: the phone scans; people and the own phone write, edit, delete, react, vote and answer."""

from typing import Any, Literal

from waxbill.api.operation import Call, NeedsThread
from waxbill.model import ids
from waxbill.model.errors import ValidationFailed
from waxbill.model.media import File
from waxbill.model.messages import ACK_LEVELS, EventMessage, MessagePoll
from waxbill.model.sessions import SCAN_QR_CODE
from waxbill.model.wire import Answer, Request, Whole

from ..account.content import CalendarEvent, Content, Location, Poll
from ..driver import MockAccount
from .calling import account_of, control_area, recorded

area = control_area()


class Place(Request):
    """A place; degrees."""

    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None
    live: bool | None = False


class Carrying(Request):
    """What a message carries: ``text``, and one of the other members. ``id`` is its key, where that matters."""

    text: str | None = None
    id: str | None = None
    reply_to: str | None = None
    file: File | None = None
    type: Literal["image", "video", "audio", "voice", "document", "sticker"] | None = None
    location: Place | None = None
    vcards: list[str] | None = None
    poll: MessagePoll | None = None
    event: EventMessage | None = None
    selectedRowId: str | None = None
    selectedButtonId: str | None = None
    mentions: list[str] | None = None


class IncomingMessage(Carrying, rename={"from_": "from"}):
    """A message from somebody: ``from`` is the chat, ``participant`` who writes in a group or a status, and
    ``pushName`` the name that they go by. One that is ``waiting`` can't be read yet."""

    from_: str
    participant: str | None = None
    pushName: str | None = None
    waiting: bool | None = False


class PhoneMessage(Carrying):
    """A message from the account's own phone."""

    chatId: str


class PhoneChat(Request):
    chatId: str


class NewText(Request):
    text: str


class OthersReaction(Request, rename={"from_": "from"}):
    """An empty ``reaction`` takes it back."""

    from_: str
    reaction: str


class OthersVote(Request, rename={"from_": "from"}):
    """``readable`` false is a vote whose secret this device has not got."""

    from_: str
    votes: list[str]
    readable: bool | None = True


class OthersResponse(Request, rename={"from_": "from"}):
    from_: str
    response: Literal["GOING", "NOT_GOING", "MAYBE"]
    extraGuestCount: Whole | None = 0
    readable: bool | None = True


class OptionTally(Answer):
    """An option of a poll, and who chose it."""

    name: str
    voters: list[str]


class Ack(Request):
    ack: Literal["ERROR", "SERVER", "DEVICE", "READ", "PLAYED"]


class PasskeyDemand(Request):
    confirm: bool | None = False


def _text(body: Carrying, content: Content | None) -> str | None:
    """The text of a message; that of a poll is its question."""
    return body.text if body.text is not None else content.poll.name if content and content.poll else None


def _kept(account: MockAccount, answer: Any, values: dict[str, Any]) -> None:
    """A message is noted with the key that it got, its file by the one that the account keeps."""
    values["id"] = ids.message_key(answer["id"])
    if "file" in values:
        found = account._find(values["id"])
        media = found.content.media if found and found.content else None
        if media is not None:
            values["file"] = {"stored": media.path, "mimetype": media.mimetype, "filename": media.filename}


def _carried(account: MockAccount, body: Carrying) -> tuple[str, Content | None]:
    """The kind of a message, and what it carries beside its text."""
    given = [
        name
        for name in ("file", "location", "vcards", "poll", "event", "selectedRowId", "selectedButtonId")
        if getattr(body, name) is not None
    ]
    if len(given) > 1:
        raise ValidationFailed(f"a message carries one thing, not {' and '.join(given)}")
    content = Content(mentions=[ids.person_id(who, "mentions") for who in body.mentions or ()])
    kind = "text"
    if body.file is not None:
        file = body.file
        content.media = account.media_content(file.url, file.data, file.mimetype, file.filename)
        kind = body.type or _kind_of(content.media.mimetype)
    elif body.location is not None:
        place = body.location
        content.location = Location(place.latitude, place.longitude, place.name, place.address, bool(place.live))
        kind = "location"
    elif body.vcards:
        content.vcards, kind = body.vcards, "contact"
    elif body.poll is not None:
        content.poll = Poll(body.poll.name, body.poll.options, 0 if body.poll.multipleAnswers else 1)
        kind = "poll"
    elif body.event is not None:
        event = body.event
        content.event = CalendarEvent(
            name=event.name, start=int(event.startTime), extra_guests=bool(event.extraGuestsAllowed)
        )
        kind = "event"
    elif body.selectedRowId is not None:
        content.interactive, kind = {"selected": body.selectedRowId}, "list_reply"
    elif body.selectedButtonId is not None:
        content.interactive, kind = {"selected": body.selectedButtonId}, "button_reply"
    elif body.text is None:
        raise ValidationFailed("text is required where the message carries nothing else")
    return kind, content if kind != "text" or content.mentions else None


def _kind_of(mimetype: str) -> str:
    kind = mimetype.partition("/")[0]
    return kind if kind in ("image", "video", "audio") else "document"


@area.post("/scan", scope="control", needs=(SCAN_QR_CODE,), waits=True)
def scan(call: Call) -> None:
    """Scan the QR code with the simulated phone."""
    account_of(call).scan()


@area.post("/passkey", scope="control", needs=(SCAN_QR_CODE,), waits=True)
def ask_for_passkey(call: Call, body: PasskeyDemand) -> None:
    """Scan the QR code, and let WhatsApp ask for a passkey (GOWS)."""
    account_of(call).ask_for_passkey(confirm=bool(body.confirm))


@area.post("/messages")
@recorded("message", _kept)
def receive(call: Call, body: IncomingMessage) -> Any:
    """Let somebody write to the account."""
    if body.file is not None and call.server.in_loop():
        raise NeedsThread
    account = account_of(call)
    chat = ids.chat_id(body.from_, "from")
    kind, content = _carried(account, body)
    return account.receive(
        chat,
        kind,
        _text(body, content),
        sender=body.participant and ids.person_id(body.participant, "participant"),
        push_name=body.pushName,
        reply_to=body.reply_to,
        content=content,
        waiting=bool(body.waiting),
        key=body.id and ids.message_key(body.id, "id"),
    )


@area.put("/messages/{messageId}")
@recorded("edit")
def edit(call: Call, messageId: str, body: NewText) -> None:  # noqa: N803
    """Let the sender edit a message, or the own phone an own one."""
    account_of(call).others_edit(messageId, body.text)


@area.delete("/messages/{messageId}")
@recorded("delete")
def revoke(call: Call, messageId: str) -> None:  # noqa: N803
    """Let the sender delete a message for everyone, or the own phone an own one."""
    account_of(call).others_revoke(messageId)


@area.post("/messages/{messageId}/reactions")
@recorded("react")
def react(call: Call, messageId: str, body: OthersReaction) -> None:  # noqa: N803
    """Let somebody react to a message."""
    account_of(call).others_react(messageId, ids.person_id(body.from_, "from"), body.reaction)


@area.post("/messages/{messageId}/votes")
@recorded("vote")
def vote(call: Call, messageId: str, body: OthersVote) -> None:  # noqa: N803
    """Let somebody vote in a poll."""
    who = ids.person_id(body.from_, "from")
    account_of(call).others_vote(messageId, who, body.votes, readable=bool(body.readable))


@area.get("/messages/{messageId}/votes")
def tally(call: Call, messageId: str) -> list[OptionTally]:  # noqa: N803
    """See who chose what in a poll."""
    return [OptionTally(name=name, voters=voters) for name, voters in account_of(call).tally(messageId).items()]


@area.post("/messages/{messageId}/responses")
@recorded("respond")
def respond(call: Call, messageId: str, body: OthersResponse) -> None:  # noqa: N803
    """Let somebody say whether they come to an event."""
    account_of(call).others_answer_event(
        messageId,
        ids.person_id(body.from_, "from"),
        body.response,
        extra_guests=int(body.extraGuestCount or 0),
        readable=bool(body.readable),
    )


@area.post("/messages/{messageId}/ack")
@recorded("ack")
def acknowledge(call: Call, messageId: str, body: Ack) -> None:  # noqa: N803
    """Let a sent message reach the phone, be read, be played, or fail."""
    account_of(call).acknowledge(messageId, ACK_LEVELS[body.ack])


@area.post("/phone/messages")
@recorded("phone_message", _kept)
def write_on_phone(call: Call, body: PhoneMessage) -> Any:
    """Send a message from the account's own phone."""
    if body.file is not None and call.server.in_loop():
        raise NeedsThread
    account = account_of(call)
    kind, content = _carried(account, body)
    return account.write_on_phone(
        ids.chat_id(body.chatId),
        kind,
        _text(body, content),
        reply_to=body.reply_to,
        content=content,
        key=body.id and ids.message_key(body.id, "id"),
    )


@area.post("/phone/read")
@recorded("phone_read")
def read_on_phone(call: Call, body: PhoneChat) -> None:
    """Read a chat on the account's own phone."""
    account_of(call).read_on_phone(ids.chat_id(body.chatId))


@area.post("/phone/logout", scope="control", waits=True)
@recorded("phone_logout")
def log_out_on_phone(call: Call) -> None:
    """Log this device out on the account's own phone."""
    account_of(call).unlink()
