"""Chat ids, message ids and event ids: their forms, how they are made and how they are read.

Forms as in WAHA's documentation: ``49301234567@c.us`` (person), ``123@lid`` (hidden person), ``120363@g.us``
(group), ``120363@newsletter`` (channel), ``status@broadcast``, ``5@broadcast`` (list).
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import NamedTuple

from .errors import Unprocessable, ValidationFailed

_USER = re.compile(r"\+?[0-9]{5,20}")
_CHAT = re.compile(
    r"[0-9]{1,20}(:[0-9]{1,3})?@(c\.us|s\.whatsapp\.net|lid)"
    r"|[0-9]{1,25}(-[0-9]{1,15})?@g\.us"
    r"|[0-9]{1,25}@newsletter|status@broadcast|[0-9]{1,25}@broadcast|[0-9a-z]{1,40}@meta\.ai"
)
_KEY = re.compile(r"[0-9A-Za-z.]{1,64}")
_INVITE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_PHONE_MARKS = str.maketrans("", "", "+ -().")


def chat_id(text: str, field: str = "chatId") -> str:
    """The canonical form of a chat id that came from a client.

    A bare phone number gets ``@c.us``; a protocol id (``@s.whatsapp.net``) becomes ``@c.us``; a device part is dropped.
    Raises ValidationFailed for text that cannot name a chat.

    >>> chat_id("49301234567")
    '49301234567@c.us'
    """
    if "@" not in text:
        if _USER.fullmatch(text):
            return text.lstrip("+") + "@c.us"
    elif _CHAT.fullmatch(text):
        user, _, server = text.partition("@")
        if server == "c.us" and ":" not in user:
            return text
        if server in ("c.us", "s.whatsapp.net", "lid"):
            return user.partition(":")[0] + "@" + ("lid" if server == "lid" else "c.us")
        return text
    raise ValidationFailed(
        f"{field} must be a chat id such as 49301234567@c.us, 120363000000000001@g.us or a phone number in digits, "
        f"not {text[:80]!r}"
    )


def group_id(text: str, field: str = "id") -> str:
    """The id of a group that came from a client; raises ValidationFailed for anything else."""
    if text.endswith("@g.us") and _CHAT.fullmatch(text):
        return text
    raise ValidationFailed(f"{field} must be a group id such as 120363000000000001@g.us, not {text[:80]!r}")


def channel_id(text: str, field: str = "id") -> str:
    """The id of a channel that came from a client; raises ValidationFailed for anything else."""
    if text.endswith("@newsletter") and _CHAT.fullmatch(text):
        return text
    raise ValidationFailed(f"{field} must be a channel id such as 120363000000000009@newsletter, not {text[:80]!r}")


def channel_or_invite(text: str, field: str = "id") -> str:
    """A channel's id, or the code at the end of an invite link; raises ValidationFailed for anything else.

    >>> channel_or_invite("https://whatsapp.com/channel/0029VaAbCdEf")
    '0029VaAbCdEf'
    """
    if "@" in text:
        return channel_id(text, field)
    code = text.rstrip("/").rpartition("/")[2]
    if _INVITE.fullmatch(code):
        return code
    raise ValidationFailed(
        f"{field} must be a channel id such as 120363000000000009@newsletter or an invite code, not {text[:80]!r}"
    )


def person_id(text: str, field: str = "contactId") -> str:
    """The canonical id of a person (``@c.us`` or ``@lid``); a bare phone number gets ``@c.us``."""
    if "@" not in text or text.endswith(("@c.us", "@s.whatsapp.net", "@lid")):
        return chat_id(text, field)
    raise ValidationFailed(
        f"{field} must be a phone number in digits, 49301234567@c.us or 8812345678901@lid, not {text[:80]!r}"
    )


def phone(text: str, field: str = "phone") -> str:
    """The digits of a phone number; ``+``, spaces, dashes, brackets and ``@c.us`` around them are dropped.

    >>> phone("+49 (30) 123-4567")
    '49301234567'
    """
    digits = text.partition("@")[0] if text.endswith(("@c.us", "@s.whatsapp.net")) else text
    digits = digits.translate(_PHONE_MARKS)
    if _USER.fullmatch(digits):
        return digits
    raise ValidationFailed(f"{field} must be an international phone number such as 49301234567, not {text[:80]!r}")


def lid(text: str) -> str:
    """A hidden id with its suffix; raises Unprocessable for another kind of id, as WAHA does.

    >>> lid("8812345678901")
    '8812345678901@lid'
    """
    user, _, server = text.partition("@")
    user = user.partition(":")[0]
    if server in ("", "lid") and user.isascii() and user.isdigit():
        return f"{user}@lid"
    raise Unprocessable(f"lid must be a hidden id such as 8812345678901@lid, not {text[:80]!r}")


def kind(chat: str) -> str:
    """What a canonical chat id names: ``person``, ``group``, ``channel``, ``status`` or ``broadcast``."""
    server = chat.partition("@")[2]
    if server == "broadcast":
        return "status" if chat == "status@broadcast" else "broadcast"
    return {"g.us": "group", "newsletter": "channel"}.get(server, "person")


class MessageId(NamedTuple):
    """A message id taken apart: ``{true|false}_{chat}_{key}[_{participant}]``."""

    from_me: bool
    chat: str
    key: str
    participant: str | None = None

    def __str__(self) -> str:
        text = f"{'true' if self.from_me else 'false'}_{self.chat}_{self.key}"
        return text if self.participant is None else f"{text}_{self.participant}"


def message_key(text: str, field: str = "messageId") -> str:
    """The key inside a message id in its full form, or the text itself when it is a bare key.

    >>> message_key("true_49301234567@c.us_3EB0AA11")
    '3EB0AA11'
    """
    parts = text.split("_")
    key = parts[2] if len(parts) in (3, 4) else text
    if not _KEY.fullmatch(key):
        raise ValidationFailed(
            f"{field} must be a message id such as true_49301234567@c.us_3EB0AA11BB22CC33DD44EE or its last part, "
            f"not {text[:120]!r}"
        )
    return key


def new_message_key(prefix: str = "3EB0") -> str:
    """A fresh message key: a prefix, 11 hex digits of the time in ms and 7 random ones, upper case.

    WhatsApp's own keys are random throughout. Time first keeps the store's unique index growing at one end,
    which is what makes a send cost the same in an account of 100 and of 100,000 messages.
    """
    return f"{prefix}{time.time_ns() // 1_000_000:011X}{os.urandom(4).hex()[1:].upper()}"


_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class EventIds:
    """Makes ``evt_`` + lower-case ULID, strictly rising within this process. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> str:
        with self._lock:
            value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big") >> 1
            self._last = value = max(value, self._last + 1)
        return "evt_" + "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


new_event_id = EventIds()
