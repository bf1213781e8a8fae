"""Presence: who is online, who is typing."""

from __future__ import annotations

from typing import Literal

from . import ids
from .errors import BadPresence
from .wire import Answer, Request

Presence = Literal["offline", "online", "typing", "recording", "paused"]


class WAHASessionPresence(Request):
    """``online`` and ``offline`` are for everybody, the others for one chat; ``chatId`` is canonical once read."""

    chatId: str | None = None
    presence: Presence

    def __post_init__(self) -> None:
        super().__post_init__()
        for_all = self.presence in ("online", "offline")
        if for_all and self.chatId:
            raise BadPresence(f"'{self.presence}' is told to everybody: leave chatId out")
        if not for_all and not self.chatId:
            raise BadPresence(f"'{self.presence}' is told to one chat: chatId is required")
        self.chatId = ids.chat_id(self.chatId) if self.chatId else None


class WAHAPresenceData(Answer):
    """``lastSeen`` in seconds, None when not known."""

    participant: str
    lastKnownPresence: Presence
    lastSeen: int | None = None


class WAHAChatPresences(Answer):
    id: str
    presences: list[WAHAPresenceData]
