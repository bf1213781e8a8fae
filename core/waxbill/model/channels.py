"""Channels: following, publishing, and the search in WhatsApp's directory."""

from __future__ import annotations

from typing import Literal

from .media import File
from .messages import WAMessage
from .wire import Answer, Count, Request


class ChannelsQuery(Request):
    role: Literal["OWNER", "ADMIN", "SUBSCRIBER"] | None = None


class CreateChannelRequest(Request):
    name: str
    description: str | None = None
    picture: File | None = None


class ChannelPublicInfo(Answer):
    """A channel as the directory shows it; ``invite`` is a link."""

    id: str
    name: str
    invite: str
    preview: str | None = None
    picture: str | None = None
    description: str | None = None
    verified: bool
    subscribersCount: int | None


class Channel(ChannelPublicInfo):
    role: Literal["OWNER", "ADMIN", "SUBSCRIBER", "GUEST"]


class PreviewQuery(Request):
    downloadMedia: bool | None = False
    limit: Count | None = 10


class ChannelMessage(Answer):
    """``reactions`` maps an emoji to its count."""

    message: WAMessage
    reactions: dict[str, int]
    viewCount: int


class ChannelSearch(Request):
    """``startCursor`` is the ``endCursor`` of the page before."""

    categories: list[str] | None = None
    limit: Count | None = 50
    startCursor: str | None = ""


class ChannelSearchByView(ChannelSearch):
    """``countries`` are two-letter codes; None is the United States, as in WAHA."""

    view: str | None = "RECOMMENDED"
    countries: list[str] | None = None


class ChannelSearchByText(ChannelSearch):
    text: str


class ChannelPagination(Answer):
    startCursor: str | None
    endCursor: str | None
    hasNextPage: bool
    hasPreviousPage: bool


class ChannelListResult(Answer):
    page: ChannelPagination
    channels: list[ChannelPublicInfo]


class ChannelView(Answer):
    value: str
    name: str


class ChannelCountry(Answer):
    code: str
    name: str


class ChannelCategory(Answer):
    value: str
    name: str
