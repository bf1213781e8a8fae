"""Presence: being online, typing, and seeing who else is."""

from typing import Any

from ..model import ids
from ..model.presence import WAHAChatPresences, WAHASessionPresence
from .operation import Area, Call

area = Area("✅ Presence", prefix="/api/{session}/presence")


@area.post("", capability="set_presence")
def set_presence(call: Call, body: WAHASessionPresence) -> Any:
    """Set the account's own presence."""
    return call.account.set_presence(body)


@area.get("", capability="get_presences")
def get_presences(call: Call) -> list[WAHAChatPresences]:
    """List the presences that are subscribed to."""
    return call.account.get_presences()


@area.get("/{chatId}", capability="get_presence")
def get_presence(call: Call, chatId: str) -> WAHAChatPresences:  # noqa: N803
    """Get the presence of a chat, and subscribe to it."""
    return call.account.get_presence(ids.chat_id(chatId))


@area.post("/{chatId}/subscribe", capability="subscribe_presence")
def subscribe_presence(call: Call, chatId: str) -> Any:  # noqa: N803
    """Subscribe to the presence of a chat."""
    return call.account.subscribe_presence(ids.chat_id(chatId))
