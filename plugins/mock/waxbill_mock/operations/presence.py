"""Presence: whether the account and the people that it asked about are online or typing."""

from __future__ import annotations

from typing import Any

from waxbill.model.messages import ChatRequest
from waxbill.model.presence import Presence, WAHAChatPresences, WAHAPresenceData, WAHASessionPresence

from ..account.identity import person
from .base import Base


class PresenceOperations(Base):
    """What is known of people now. It is not kept: after a restart WhatsApp tells it anew."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._own_presence: Presence = "online"
        #: Chats that were asked about, and what their members last showed.
        self._presences: dict[str, dict[str, WAHAPresenceData]] = {}

    def presence(self) -> str | None:
        return self._own_presence if self.me.paired else None

    def set_presence(self, request: WAHASessionPresence) -> Any:
        if request.chatId is None:
            self._own_presence = request.presence

    def start_typing(self, request: ChatRequest) -> Any:
        self._own_presence = "online"
        return {"result": True}

    def stop_typing(self, request: ChatRequest) -> Any:
        return {"result": True}

    def get_presences(self) -> list[WAHAChatPresences]:
        return [self._known_presence(chat) for chat in self._presences]

    def get_presence(self, chat: str) -> WAHAChatPresences:
        self.subscribe_presence(chat)
        return self._known_presence(person(chat))

    def subscribe_presence(self, chat: str) -> Any:
        self._presences.setdefault(person(chat), {})
        return self._dialect.subscribed_answer()

    def _known_presence(self, chat: str) -> WAHAChatPresences:
        return WAHAChatPresences(id=chat, presences=list(self._presences[chat].values()))

    def others_presence(self, chat: str, who: str, presence: Presence) -> None:
        """Somebody is online or typing; it is told when the account asked about that chat."""
        chat, who = person(chat), person(who)
        now = self._now_ms() // 1000
        seen = now if presence == "offline" else None
        change = WAHAPresenceData(participant=who, lastKnownPresence=presence, lastSeen=seen)
        if chat in self._presences:
            self._presences[chat][who] = change
            payload = WAHAChatPresences(id=chat, presences=[change])
            self._tell("presence.update", payload, chat)

    def _stops_typing(self, chat: str, who: str) -> None:
        """A message has come from somebody who typed: WhatsApp's clients see them stop."""
        shown = self._presences.get(chat, {}).get(who)
        if shown is not None and shown.lastKnownPresence in ("typing", "recording"):
            self.others_presence(chat, who, self._dialect.after_typing)
