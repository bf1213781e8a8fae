"""Messages: what is sent, what is read back, and the acknowledgement levels."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from .wire import Answer, Request

#: Acknowledgement levels of a message: error, clock, one tick, two ticks, blue ticks, played.
ACK_NAMES = {-1: "ERROR", 0: "PENDING", 1: "SERVER", 2: "DEVICE", 3: "READ", 4: "PLAYED"}
ACK_LEVELS = {name: level for level, name in ACK_NAMES.items()}


class MessageTextRequest(Request):
    session: str
    chatId: str
    text: str
    id: str | None = None
    reply_to: str | None = None
    replyTo: str | None = None
    mentions: list[str] | None = None
    linkPreview: bool | None = True
    linkPreviewHighQuality: bool | None = False


class SendSeenRequest(Request):
    session: str
    chatId: str
    messageIds: list[str] | None = None
    messageId: str | None = None
    participant: str | None = None


class MessagesQuery(
    Request,
    rename={
        "timestamp_gte": "filter.timestamp.gte",
        "timestamp_lte": "filter.timestamp.lte",
        "from_me": "filter.fromMe",
        "ack": "filter.ack",
    },
):
    """Which messages of a chat to read; timestamps in seconds, both ends included."""

    limit: int | None = 10
    offset: int | None = 0
    sortBy: Literal["timestamp", "messageTimestamp"] | None = "timestamp"
    sortOrder: Literal["asc", "desc"] | None = "desc"
    downloadMedia: bool | None = True
    merge: bool | None = True
    timestamp_gte: float | None = None
    timestamp_lte: float | None = None
    from_me: bool | None = None
    ack: Literal["ERROR", "PENDING", "SERVER", "DEVICE", "READ", "PLAYED"] | None = None


class WAMedia(Answer):
    url: str | None = None
    mimetype: str | None = None
    filename: str | None = None
    error: dict[str, Any] | None = None


class WALocation(Answer):
    latitude: str
    longitude: str
    live: bool = False
    name: str | None = None
    address: str | None = None
    url: str | None = None
    description: str | None = None
    thumbnail: str | None = None


class ReplyToMessage(Answer):
    id: str
    hasMedia: bool = False
    participant: str | None = None
    body: str | None = None
    media: WAMedia | None = None
    data: dict[str, Any] = msgspec.field(name="_data", default_factory=dict)


class WAMessage(Answer):
    """A message as WAHA shows it; ``timestamp`` in seconds. Which members an engine sends, and what ``from``
    and ``to`` mean there, differs by engine: see the dialects of a driver."""

    id: str
    timestamp: int
    from_: str = msgspec.field(name="from")
    fromMe: bool
    source: Literal["api", "app"] | None = None
    to: str | UnsetType | None = UNSET
    participant: str | UnsetType | None = UNSET
    body: str | None = None
    hasMedia: bool = False
    media: WAMedia | None = None
    mediaUrl: str | UnsetType | None = UNSET
    ack: int | None = None
    ackName: str = "UNKNOWN"
    author: str | UnsetType | None = UNSET
    location: WALocation | None = None
    vCards: list[str] | None = None
    replyTo: ReplyToMessage | None = None
    data: Any = msgspec.field(name="_data", default_factory=dict)
