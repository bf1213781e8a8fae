"""Chatting: sending, and what goes with it."""

from typing import Any

from ..model.messages import MessageTextRequest, SendSeenRequest, WAMessage
from ..model.wire import Request
from .operation import Area, Call

area = Area("📤 Chatting", prefix="/api")


class SendTextQuery(Request):
    phone: str
    text: str
    session: str = "default"


@area.post("/sendText", capability="send_text")
def send_text(call: Call, body: MessageTextRequest) -> WAMessage | Any:
    """Send a text message."""
    return call.account.send_text(body)


@area.get("/sendText", capability="send_text", scope="send", deprecated=True)
def send_text_get(call: Call, query: SendTextQuery) -> WAMessage | Any:
    """Send a text message by GET."""
    return call.account.send_text(MessageTextRequest(session=query.session, chatId=query.phone, text=query.text))


@area.post("/sendSeen", capability="send_seen")
def send_seen(call: Call, body: SendSeenRequest) -> Any:
    """Mark messages of a chat as read."""
    return call.account.send_seen(body)
