"""Messages and what happens to them, told once: as they happen, and after a pause what happened meanwhile."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable
from typing import Any

from waxbill import SessionHost
from waxbill.model.ids import kind
from waxbill.store import Database

from ..later import Later
from ..settings import BrowserSettings
from ..shapes import messages
from .base import Base

log = logging.getLogger("waxbill.browser.events")

#: Most messages that are looked for after a pause; those of one night on a busy account.
_MOST_MISSED = 5000
#: Most messages, the newest, that are looked at for what happened to them, and how old they may be.
_MOST_CHANGED = 500
_CHANGED_SECONDS = 24 * 3600
_PRUNE_SECONDS = 3600.0


class Telling(Base):
    """Events about messages. In the life's thread, or beside it; the store's transactions keep them apart."""

    def __init__(self, host: SessionHost, settings: BrowserSettings) -> None:
        super().__init__(host, settings)
        self.later = Later(host.name)
        self._prune_at = 0.0

    def forget(self, db: Database) -> None:
        self.seen.forget(db)
        self.later.forget(db)

    def prune(self, db: Database) -> None:
        """Keeps what is remembered of messages small; at most once an hour."""
        now = time.monotonic()
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_SECONDS
            self.seen.prune(db)
            self.later.prune(db)

    def catch_up(self, since: int | None) -> None:
        """Tells what happened while no page was there to tell it; nothing after the first pairing."""
        self.run("settle")
        if since is None:
            return
        found = self.run("missed", since=since, most=_MOST_MISSED)
        told = sum(self.tell_message(raw, missed=True) for raw in found if messages.is_told(raw))
        if told:
            log.info("Session '%s': %d message(s) that arrived meanwhile", self.host.name, told)
        found = self.run("changed", since=since - _CHANGED_SECONDS, most=_MOST_CHANGED, reacted=self._reacted_to())
        told = sum(self._tell_changes(raw) for raw in found)
        if told:
            log.info("Session '%s': %d event(s) about older messages that happened meanwhile", self.host.name, told)

    # -- messages

    def wanted(self, raw: dict[str, Any]) -> bool:
        """Whether anyone listens to what this message becomes."""
        return self.host.wants("message.any") or (not messages.from_me(raw) and self.host.wants("message"))

    def tell_message(self, raw: dict[str, Any], *, missed: bool = False) -> bool:
        """Tells a message, once and for all; False when it was told before. Of one that was ``missed`` the page has no
        further events of what it shows already."""
        key, at, chat = messages.note_key(raw["id"]), int(raw.get("t") or time.time()), messages.chat_of(raw)
        wanted = self.wanted(raw)
        media = None
        if wanted and raw.get("hasMedia"):
            if self.seen.told(self.host.store.read(), key):
                return False
            media = self.fetched(raw)
        with self.host.store.write() as db:
            if not self.seen.tell(db, key, at, ours=bool(raw.get("ours"))):
                return False
            self._note(db, key, raw, missed=missed)
            self.prune(db)
            if wanted:
                ours = messages.from_me(raw) and self.seen.ours(db, key)
                payload = messages.message(raw, self.me, ours=ours, media=media)
                self.host.emit("message.any", payload, chat=chat)
                if not messages.from_me(raw):
                    self.host.emit("message", payload, chat=chat)
        return True

    def _note(self, db: Database, key: str, raw: dict[str, Any], *, missed: bool) -> None:
        """What is told with the message itself needs no event of its own after a pause."""
        if messages.from_me(raw):
            self.later.tell(db, key, "shown", str(int(raw.get("ack") or 0)))
        if missed and raw.get("latestEditSenderTimestampMs"):
            self.later.tell(db, key, "edit", str(raw["latestEditSenderTimestampMs"]))
        if missed and raw.get("type") == "revoked":
            self.later.tell(db, key, "revoke", "1")

    # -- what happens to them; each answers whether it is news

    def tell_ack(self, key: dict[str, Any], chat: str, level: int, reader: str | None) -> bool:
        """In a group each reader's is told, and the message's own level noted."""
        event = "message.ack" if kind(chat) == "person" else "message.ack.group"
        with self.host.store.write() as db:
            news = self.later.tell(db, messages.note_key(key), "ack", str(level))
            if not news and (event == "message.ack" or reader is None):
                return False
            if self.host.wants(event):
                self.host.emit(event, messages.ack_payload(key, chat, level, reader), chat=chat)
        return True

    def tell_edited(self, raw: dict[str, Any]) -> bool:
        payload = messages.edited(raw, self.shown(raw)) if self.host.wants("message.edited") else None
        with self.host.store.write() as db:
            at = str(raw.get("latestEditSenderTimestampMs") or raw.get("t"))
            if not self.later.tell(db, messages.note_key(raw["id"]), "edit", at):
                return False
            if payload is not None:
                self.host.emit("message.edited", payload, chat=messages.chat_of(raw))
        return True

    def tell_revoked(self, data: dict[str, Any]) -> bool:
        with self.host.store.write() as db:
            if not self.later.tell(db, messages.note_key(data["message"]), "revoke", "1"):
                return False
            self.host.emit("message.revoked", messages.revoked(data), chat=data["message"]["remote"])
        return True

    def tell_reaction(self, data: dict[str, Any]) -> bool:
        who, message = data.get("who") or "", data["message"]
        with self.host.store.write() as db:
            if not self.later.tell(db, messages.note_key(message), "reaction", data.get("text") or "", who):
                return False
            self.host.emit("message.reaction", messages.reaction(data, self.me, self.mine), chat=message["remote"])
        return True

    def tell_vote(self, data: dict[str, Any]) -> bool:
        who, poll = data.get("who") or "", data["poll"]
        options = json.dumps(sorted(data["options"]), ensure_ascii=False)
        with self.host.store.write() as db:
            if not self.later.tell(db, messages.note_key(poll), "vote", options, who):
                return False
            self.host.emit("poll.vote", messages.vote(data, self.me, self.mine), chat=poll["remote"])
        return True

    # -- after a pause

    def _reacted_to(self) -> list[str]:
        """The keys of messages that had reactions when they were last told: these may be gone."""
        rows = self.host.store.read().execute(
            "SELECT key FROM browser_later WHERE session = ? AND what = 'reaction' AND value <> ''"
            " GROUP BY key ORDER BY max(noted) DESC LIMIT ?",
            (self.host.name, _MOST_CHANGED),
        )
        return [str(key)[1:] for (key,) in rows]

    def _tell_changes(self, raw: dict[str, Any]) -> int:
        """Tells what is new about a message that was told before; answers how many events that is."""
        key, id_ = messages.note_key(raw["id"]), raw["id"]
        db = self.host.store.read()
        if not self.seen.told(db, key):
            return 0
        if raw["type"] == "revoked":
            return self.tell_revoked({**raw["revoked"], "id": id_, "message": id_})
        told = 0
        level = int(raw.get("ack") or 0)
        levels = [int(known) for what in ("shown", "ack") if (known := self.later.known(db, key, what)) is not None]
        if messages.from_me(raw) and levels and level > max(levels):
            told += self.tell_ack(id_, id_["remote"], level, None)
        edited = raw.get("latestEditSenderTimestampMs")
        if edited and self.later.known(db, key, "edit") != str(edited):
            told += self.tell_edited(self.run("message", chat="all", messageId=id_["_serialized"]))
        told += sum(self.tell_vote(vote) for vote in raw.get("votes") or ())
        if raw.get("reactions") is not None:
            told += sum(self.tell_reaction(one) for one in raw["reactions"])
            told += self._tell_gone(raw, {one["who"] for one in raw["reactions"]})
        return told

    def _tell_gone(self, raw: dict[str, Any], there: Iterable[str]) -> int:
        """Reactions that were told and are not there any more."""
        gone = set(self.later.reacted(self.host.store.read(), messages.note_key(raw["id"]))) - set(there)
        return sum(
            self.tell_reaction(
                {
                    # WhatsApp keeps nothing of it, so it goes by the message's own key.
                    "id": {**raw["id"], "fromMe": who in self.mine},
                    "message": raw["id"],
                    "text": "",
                    "sender": who,
                    "who": who,
                    "timestamp": int(time.time()),
                }
            )
            for who in sorted(gone)
        )
