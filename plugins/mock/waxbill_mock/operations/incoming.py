"""Incoming: what people write to the account."""

from __future__ import annotations

from typing import Any

from waxbill.model import ids

from .base import Base


class Incoming(Base):
    """What people write."""

    def receive(self, sender: str, text: str, *, push_name: str | None = None, reply_to: str | None = None) -> Any:
        """Somebody writes to this account; answers the message as its events show it."""
        message = self._message(sender, text, from_me=False, source="app")
        message.push_name = push_name
        quoted = self._quoted(ids.message_key(reply_to, "reply_to")) if reply_to else None
        message.quoted = quoted.key if quoted else None
        with self.host.store.write() as db:
            self.messages.add(db, message)
            shown = self._shown(message, quoted)
            for event in ("message", "message.any"):
                self.host.emit(event, shown, chat=sender)
        return shown
