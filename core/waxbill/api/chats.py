"""Chats: reading messages back."""

from ..model import ids
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


@area.get("/{session}/chats/{chatId}/messages", capability="get_messages")
def get_chat_messages(call: Call, chatId: str, query: MessagesQuery) -> list[WAMessage]:  # noqa: N803
    """Get messages of a chat, newest first unless told otherwise."""
    return call.account.get_messages(_chat(chatId), query)


@area.get("/{session}/chats/{chatId}/messages/{messageId}", capability="get_message")
def get_chat_message(call: Call, chatId: str, messageId: str, query: MessageQuery) -> WAMessage:  # noqa: N803
    """Get one message of a chat."""
    return call.account.get_message(_chat(chatId), messageId, download_media=bool(query.downloadMedia))


@area.get("/messages", capability="get_messages", deprecated=True)
def get_messages(call: Call, query: ChatMessagesQuery) -> list[WAMessage]:
    """Get messages of a chat."""
    return call.account.get_messages(_chat(query.chatId), query)


def _chat(text: str) -> str:
    return text if text == "all" else ids.chat_id(text)
