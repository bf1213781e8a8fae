"""What a message carries beside its text: media, places, contact cards, polls and the like."""

from __future__ import annotations

from typing import Any

import msgspec


class Media(msgspec.Struct, omit_defaults=True):
    """A file: ``path`` below the media folder, ``size`` in bytes, ``seconds`` for what plays, ``note`` for a round
    video, ``animated`` for a video that plays like a GIF."""

    mimetype: str
    path: str
    size: int
    filename: str | None = None
    seconds: int | None = None
    note: bool = False
    animated: bool = False


class Location(msgspec.Struct, omit_defaults=True):
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None
    live: bool = False


class Poll(msgspec.Struct, omit_defaults=True):
    """A question with its options; ``selectable`` is how many may be chosen, 0 for any number."""

    name: str
    options: list[str]
    selectable: int = 1


class CalendarEvent(msgspec.Struct, omit_defaults=True):
    """An event to answer to; times in Unix seconds."""

    name: str
    start: int
    end: int | None = None
    description: str | None = None
    location: str | None = None
    extra_guests: bool = False


class Content(msgspec.Struct, omit_defaults=True):
    """Everything that a message may carry; which member is set follows from the message's kind."""

    media: Media | None = None
    location: Location | None = None
    vcards: list[str] = []
    poll: Poll | None = None
    event: CalendarEvent | None = None
    #: A list, buttons or an answer to them, in the request's own shape.
    interactive: dict[str, Any] | None = None
    #: Title, description and picture of a link in the text.
    preview: dict[str, Any] | None = None
    mentions: list[str] = []
    forwarded: bool = False
    #: Background and font of a text status.
    style: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(Content)


def encode(content: Content | None) -> bytes | None:
    """A content for the store; None when there is nothing in it."""
    return None if content is None else msgspec.json.encode(content)


def decode(text: bytes | None) -> Content | None:
    return None if text is None else _decoder.decode(text)
