"""The rules that a test or a person sets for one simulated account: what goes wrong, who answers what, how messages are
acknowledged. Kept in the store, one row a session; the types are those of the control operations."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from waxbill.model.errors import ValidationFailed
from waxbill.model.wire import Count, Request
from waxbill.store import Database

from .operations.base import BY_HAND
from .settings import MockSettings

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d)?")
_YEAR_SECONDS = 366 * 86400

#: A share of cases, from 0 (never) to 1 (always).
Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]
#: Seconds, or a text with a unit: ``500ms``, ``5s``, ``2m``, ``1h``, ``3d``.
Duration = float | str


def seconds(duration: Duration, field: str, most: float = _YEAR_SECONDS) -> float:
    """A duration in seconds; raises ValidationFailed for what is none, and for more than ``most``.

    >>> seconds("500ms", "after")
    0.5
    """
    found = None
    if isinstance(duration, str):
        match = _DURATION.fullmatch(duration.strip())
        if match:
            found = float(match[1]) * _UNITS[match[2] or "s"]
    else:
        found = float(duration)
    if found is None or not 0 <= found <= most:
        raise ValidationFailed(
            f"{field} must be a duration such as 500ms, 5s or 2m (or a number of seconds), at most {most:g} s, "
            f"not {duration!r}"
        )
    return found


class OperationFault(Request):
    """What goes wrong with operations: ``operation`` is one such as sendText, or * for all; ``latency`` delays it;
    ``errorRate`` of the calls fail, with ``status`` and ``message``; ``times`` is how many calls it concerns."""

    operation: str = "*"
    latency: Duration | None = 0.0
    errorRate: Rate | None = 0.0
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = 500
    message: str | None = "Simulated fault."
    times: Count | None = None


class Faults(Request):
    """What goes wrong in a session. What is left out goes well."""

    operations: list[OperationFault] | None = None
    #: Nobody scans the QR code by itself.
    qrNeverScanned: bool | None = False
    #: WhatsApp has banned the number: the session fails, and pairing it anew does not help.
    banned: bool | None = False
    #: Media of messages that come in can't be downloaded.
    incomingMediaFails: bool | None = False
    #: Files that the bot gives by URL can't be fetched.
    outgoingMediaFails: bool | None = False
    #: Events that are told twice, and events that are told after the one that follows.
    duplicateEvents: Rate | None = 0.0
    shuffledEvents: Rate | None = 0.0


class When(Request):
    """Which sent messages a rule answers; all that is given must fit."""

    text: str | None = None
    contains: str | None = None
    regex: str | None = None
    type: str | None = None
    chatId: str | None = None


class Reply(Request):
    """Somebody answers what the bot sends: with a text, a place, a reaction or a vote, ``after`` a while, showing that
    they type when ``typing``; at most ``times`` times. ``participant`` says who, in a group."""

    when: When
    after: Duration | None = 0.0
    typing: bool | None = False
    text: str | None = None
    reaction: str | None = None
    votes: list[str] | None = None
    participant: str | None = None
    quote: bool | None = False
    times: Count | None = None


class Acks(Request):
    """When what the bot sends reaches the phone and is read, after the send; ``hand``: by the control call only."""

    device: Duration | Literal["hand"] | None = None
    read: Duration | Literal["hand"] | None = None


class Rules(msgspec.Struct):
    """All rules of a session."""

    faults: Faults = msgspec.field(default_factory=Faults)
    replies: list[Reply] = []
    acks: Acks = msgspec.field(default_factory=Acks)


def load(db: Database, session: str) -> Rules:
    """The rules of a session; those of one that has none let everything go well."""
    row = db.execute("SELECT value FROM mock_rules WHERE session = ?", (session,)).fetchone()
    return Rules() if row is None else msgspec.json.decode(row[0], type=Rules)


def save(db: Database, session: str, rules: Rules) -> None:
    if rules == Rules():
        db.execute("DELETE FROM mock_rules WHERE session = ?", (session,))
    else:
        db.execute(
            "INSERT INTO mock_rules VALUES (?, ?) ON CONFLICT (session) DO UPDATE SET value = excluded.value",
            (session, msgspec.json.encode(rules)),
        )


def check_reply(reply: Reply) -> None:
    """Raises ValidationFailed for a rule that can't work."""
    given = [name for name in ("text", "reaction", "votes") if getattr(reply, name) is not None]
    if len(given) != 1:
        raise ValidationFailed("a reply has one of text, reaction and votes")
    seconds(reply.after or 0, "after")
    pattern(reply.when)


def pattern(when: When) -> re.Pattern[str] | None:
    """The compiled pattern of a rule; raises ValidationFailed for one that is none."""
    if when.regex is None:
        return None
    if len(when.regex) > 1000:
        raise ValidationFailed("when.regex must have at most 1000 letters")
    try:
        return re.compile(when.regex, re.IGNORECASE)
    except re.error as error:
        raise ValidationFailed(f"when.regex {when.regex!r} is no pattern: {error}") from None


def fits(when: When, kind: str, text: str | None, chat: str) -> bool:
    """Whether a sent message is one that a rule answers. Texts are compared without regard to case."""
    said = (text or "")[:4096]
    return (
        (when.text is None or said.strip().lower() == when.text.strip().lower())
        and (when.contains is None or when.contains.lower() in said.lower())
        and (when.type is None or when.type == kind)
        and (when.chatId is None or when.chatId == chat)
        and (when.regex is None or bool(compiled(when.regex).search(said)))
    )


def compiled(regex: str) -> re.Pattern[str]:
    """``re`` keeps what it compiled."""
    return re.compile(regex, re.IGNORECASE)


def to_wire(value: Any) -> Any:
    """A rule as clients see it: what is not set is left out."""
    return {name: found for name, found in msgspec.to_builtins(value).items() if found is not None}


def delays(acks: Acks, settings: MockSettings) -> tuple[float, float]:
    """When what is sent reaches the phone and is read, in seconds: by the rules, else by the settings."""
    given = (acks.device, settings.device_seconds, "device"), (acks.read, settings.read_seconds, "read")
    device, read = (
        default if value is None else BY_HAND if value == "hand" else seconds(value, name)
        for value, default, name in given
    )
    return device, read
