"""Chats: listing them, and what is done to a chat or to a message in it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from . import ids
from .messages import WAMessage, mentioned
from .wire import Answer, Count, Request, Whole


class ChatsQuery(Request):
    """Which chats to list; all of them without ``limit``, in the engine's own order without ``sortBy``."""

    sortBy: Literal["conversationTimestamp", "messageTimestamp", "id", "name"] | None = None
    sortOrder: Literal["asc", "desc"] | None = None
    merge: bool | None = True
    limit: Count | None = None
    offset: Count | None = 0


class GetChatsOverviewParams(Request):
    merge: bool | None = True
    limit: Count | None = 20
    offset: Count | None = 0


class OverviewFilter(Request):
    """``ids`` are canonical once they were read; None is every chat."""

    ids: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ids = self.ids and [ids.chat_id(text, "ids") for text in self.ids]


class OverviewBodyRequest(Request):
    pagination: GetChatsOverviewParams
    filter: OverviewFilter | None = None


class ChatSummary(Answer):
    """``lastMessage`` never has media; ``_chat`` is the chat in the engine's own shape."""

    id: str
    name: str | None
    picture: str | None
    lastMessage: WAMessage | None
    chat: Any = msgspec.field(name="_chat")


class ChatPictureResponse(Answer):
    url: str | None


class ReadMessagesQuery(Request):
    """Which incoming messages to mark as read: those of the last ``days``, the newest ``messages`` of them.

    Without ``messages`` the engines take 30 in a chat with one person and 100 in a group.
    """

    messages: Count | None = None
    days: Count | None = 7


class ReadMessagesBody(Request):
    """The same in a body: clients send it, although the document has it in the query."""

    messages: Count | None = None
    days: Count | None = None


class ReadChatMessagesResponse(Answer):
    ids: list[str] | None = None


class EditMessageRequest(Request):
    """The new text, or the new caption of media."""

    text: str
    mentions: list[str] | None = None
    linkPreview: bool | None = True
    linkPreviewHighQuality: bool | None = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mentions = mentioned(self.mentions)


class PinMessageRequest(Request):
    """``duration`` in seconds: a day (86400), a week (604800) or 30 days (2592000)."""

    duration: Whole
