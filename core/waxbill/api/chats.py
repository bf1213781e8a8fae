"""Chats: listing them, reading messages back, and changes to chats and to messages in them."""

from typing import Any

from ..model import ids
from ..model.chats import (
    ChatPictureResponse,
    ChatsQuery,
    ChatSummary,
    EditMessageRequest,
    GetChatsOverviewParams,
    OverviewBodyRequest,
    PinMessageRequest,
    ReadChatMessagesResponse,
    ReadMessagesBody,
    ReadMessagesQuery,
)
from ..model.messages import MessagesQuery, WAMessage
from ..model.wire import Request
from .operation import Area, Call

area = Area("💬 Chats", prefix="/api")


class MessageQuery(Request):
    downloadMedia: bool | None = True
    merge: bool | None = True


class ChatMessagesQuery(MessagesQuery, kw_only=True):
    session: str = "default"
    chatId: str


class OverviewQuery(GetChatsOverviewParams):
    ids: list[str] | None = None


class PictureQuery(Request):
    refresh: bool | None = False


@area.get("/{session}/chats", capability="get_chats")
def get_chats(call: Call, query: ChatsQuery) -> list[Any]:
    """List the chats, in the engine's own shape."""
    return call.account.get_chats(query)


@area.get("/{session}/chats/overview", capability="get_chats_overview")
def get_chats_overview(call: Call, query: OverviewQuery) -> list[ChatSummary]:
    """List the chats with name, picture and last message, the latest first."""
    chats = [ids.chat_id(text, "ids") for text in query.ids or ()] or None
    return call.account.get_chats_overview(query, chats)


@area.post("/{session}/chats/overview", capability="get_chats_overview", scope="read")
def post_chats_overview(call: Call, body: OverviewBodyRequest) -> list[ChatSummary]:
    """List the chats with name, picture and last message; for many ids."""
    return call.account.get_chats_overview(body.pagination, body.filter.ids if body.filter else None)


@area.delete("/{session}/chats/{chatId}", capability="delete_chat", scope="delete")
def delete_chat(call: Call, chatId: str) -> Any:  # noqa: N803
    """Delete a chat with its messages."""
    return call.account.delete_chat(ids.chat_id(chatId))


@area.get("/{session}/chats/{chatId}/picture", capability="get_chat_picture")
def get_chat_picture(call: Call, chatId: str, query: PictureQuery) -> ChatPictureResponse:  # noqa: N803
    """Get the picture of a chat."""
    return call.account.get_chat_picture(ids.chat_id(chatId), refresh=bool(query.refresh))


@area.get("/{session}/chats/{chatId}/messages", capability="get_messages")
def get_chat_messages(call: Call, chatId: str, query: MessagesQuery) -> list[WAMessage]:  # noqa: N803
    """Get messages of a chat, newest first unless told otherwise."""
    return call.account.get_messages(_chat(chatId), query)


@area.delete("/{session}/chats/{chatId}/messages", capability="clear_messages", scope="delete")
def clear_messages(call: Call, chatId: str) -> Any:  # noqa: N803
    """Delete all messages of a chat."""
    return call.account.clear_messages(ids.chat_id(chatId))


@area.post("/{session}/chats/{chatId}/messages/read", capability="read_messages")
def read_chat_messages(
    call: Call,
    chatId: str,  # noqa: N803
    query: ReadMessagesQuery,
    body: ReadMessagesBody,
) -> ReadChatMessagesResponse:
    """Mark the unread messages of a chat as read."""
    asked = ReadMessagesQuery(
        messages=query.messages if body.messages is None else body.messages,
        days=query.days if body.days is None else body.days,
    )
    return call.account.read_messages(ids.chat_id(chatId), asked)


@area.get("/{session}/chats/{chatId}/messages/{messageId}", capability="get_message")
def get_chat_message(call: Call, chatId: str, messageId: str, query: MessageQuery) -> WAMessage:  # noqa: N803
    """Get one message of a chat."""
    return call.account.get_message(_chat(chatId), messageId, download_media=bool(query.downloadMedia))


@area.delete("/{session}/chats/{chatId}/messages/{messageId}", capability="delete_message")
def delete_message(call: Call, chatId: str, messageId: str) -> Any:  # noqa: N803
    """Take a message back, for everyone."""
    return call.account.delete_message(ids.chat_id(chatId), messageId)


@area.put("/{session}/chats/{chatId}/messages/{messageId}", capability="edit_message")
def edit_message(call: Call, chatId: str, messageId: str, body: EditMessageRequest) -> Any:  # noqa: N803
    """Change the text or the caption of an own message."""
    return call.account.edit_message(ids.chat_id(chatId), messageId, body)


@area.post("/{session}/chats/{chatId}/messages/{messageId}/pin", capability="pin_message")
def pin_message(call: Call, chatId: str, messageId: str, body: PinMessageRequest) -> Any:  # noqa: N803
    """Pin a message in its chat for a day, a week or 30 days."""
    return call.account.pin_message(ids.chat_id(chatId), messageId, body)


@area.post("/{session}/chats/{chatId}/messages/{messageId}/unpin", capability="unpin_message")
def unpin_message(call: Call, chatId: str, messageId: str) -> Any:  # noqa: N803
    """Unpin a message."""
    return call.account.unpin_message(ids.chat_id(chatId), messageId)


@area.post("/{session}/chats/{chatId}/archive", capability="archive_chat")
def archive_chat(call: Call, chatId: str) -> Any:  # noqa: N803
    """Archive a chat."""
    return call.account.archive_chat(ids.chat_id(chatId))


@area.post("/{session}/chats/{chatId}/unarchive", capability="unarchive_chat")
def unarchive_chat(call: Call, chatId: str) -> Any:  # noqa: N803
    """Take a chat out of the archive."""
    return call.account.unarchive_chat(ids.chat_id(chatId))


@area.post("/{session}/chats/{chatId}/unread", capability="unread_chat")
def unread_chat(call: Call, chatId: str) -> Any:  # noqa: N803
    """Mark a chat as unread."""
    return call.account.unread_chat(ids.chat_id(chatId))


@area.get("/messages", capability="get_messages", deprecated=True)
def get_messages(call: Call, query: ChatMessagesQuery) -> list[WAMessage]:
    """Get messages of a chat."""
    return call.account.get_messages(_chat(query.chatId), query)


def _chat(text: str) -> str:
    return text if text == "all" else ids.chat_id(text)
