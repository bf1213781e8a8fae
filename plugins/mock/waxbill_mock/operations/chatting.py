"""Chatting: sending, marking as read, and the acknowledgements that follow a send."""

from __future__ import annotations

import sqlite3
from typing import Any

from waxbill.model import ids
from waxbill.model.errors import Unprocessable
from waxbill.model.messages import MessageTextRequest, SendSeenRequest

from ..account.messages import DEVICE, READ
from .pairing import Pairing

# How many acknowledgements are told in one transaction: the loop goes on with requests in between.
_ACKS_AT_ONCE = 200


class Chatting(Pairing):
    """What the account sends."""

    def send_text(self, request: MessageTextRequest) -> Any:
        chat = ids.chat_id(request.chatId)
        if ids.kind(chat) == "status":
            raise Unprocessable("A status is sent with POST /api/{session}/status/text, not with sendText.")
        reply_to = request.reply_to or request.replyTo
        message = self._message(chat, request.text, from_me=True, source="api")
        with self.host.store.write() as db:
            quoted = self._quoted(ids.message_key(reply_to, "reply_to")) if reply_to else None
            message.quoted = quoted.key if quoted else None
            self.messages.add(db, message)
            if self.host.wants("message.any"):
                self.host.emit("message.any", self._shown(message, quoted), chat=chat)
        if self.me.listening and "acks" not in self._timers:
            self._later("acks", self._settings.device_seconds, self._tell_acks)
        return self._dialect.sent(self.me, message, quoted)

    def send_seen(self, request: SendSeenRequest) -> Any:
        asked = request.messageIds or ([request.messageId] if request.messageId else None)
        keys = [ids.message_key(text) for text in asked] if asked else None
        chat = ids.chat_id(request.chatId)
        with self.host.store.write() as db:
            changed = self.messages.mark_read(db, chat, keys)
        shown = [str(ids.MessageId(False, chat, key)) for key in changed]
        return self._dialect.seen(self.me, shown, asked_for_ids=asked is not None)

    # -- acknowledgements: told in order of sending, from where the last run stopped

    def _working(self) -> None:
        """Begins or ends telling acknowledgements; what was sent while nobody listened is not told later."""
        wanted = self.host.wants("message.ack")
        if wanted != self.me.listening:
            with self.host.store.write() as db:
                last = self.messages.last_id(db)
                self.me.listening = wanted
                self.me.device_upto = self.me.read_upto = last
                self._save_cursors(db)
        if wanted:
            self._later("acks", 0, self._tell_acks)

    def _save_cursors(self, db: sqlite3.Connection) -> None:
        db.execute(
            "UPDATE mock_account SET listening = ?, device_upto = ?, read_upto = ? WHERE id = ?",
            (self.me.listening, self.me.device_upto, self.me.read_upto, self.me.id),
        )

    def _tell_acks(self) -> None:
        now = self._now_ms()
        settings = self._settings
        with self.host.store.write() as db:
            device = self.messages.due(
                db, self.me.device_upto, now - int(settings.device_seconds * 1000), _ACKS_AT_ONCE
            )
            read = self.messages.due(db, self.me.read_upto, now - int(settings.read_seconds * 1000), _ACKS_AT_ONCE)
            for level, due in ((DEVICE, device), (READ, read)):
                for message in due:
                    self.host.emit("message.ack", self._dialect.ack(self.me, message, level), chat=message.chat)
            self.me.device_upto = device[-1].id if device else self.me.device_upto
            self.me.read_upto = read[-1].id if read else self.me.read_upto
            if device or read:
                self._save_cursors(db)
            left = self.messages.due(db, self.me.read_upto, now + 1, 1)
            last = self.messages.due(db, self.me.device_upto, now + 1, 1)
        if not left:
            return
        waiting = [(left[0].at_ms, settings.read_seconds)] + (
            [(last[0].at_ms, settings.device_seconds)] if last else []
        )
        next_ms = min(at + delay * 1000 for at, delay in waiting)
        self._later("acks", max(0.0, (next_ms - now) / 1000), self._tell_acks)
