"""What the page tells, as events of the contract. In the life's thread, which must not wait here: what needs the page
again (media, what a group is now) is given back, to be done beside it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from waxbill.model.ids import kind

from ..shapes import chats, messages
from .base import Base

log = logging.getLogger("waxbill.browser.events")

#: Most messages that are looked for after a pause; those of one night on a busy account.
_MOST_MISSED = 5000

More = Callable[[], object] | None


class Events(Base):
    """From the page into the outbox."""

    def on_tell(self, event: str, data: Any) -> More:
        found: Callable[[Any], More] | None = getattr(self, f"_on_{event}", None)
        if found is None:
            log.warning("The page tells of '%s', which is not known here", event)
            return None
        return found(data)

    def on_identity(self, me: dict[str, Any], *, first: bool) -> None:
        self.host.set_me(self._identify(me))

    def on_working(self, *, first: bool) -> More:
        if first:
            self.host.emit("state.change", "CONNECTED")
            self._on_engine({"event": "onStateChange", "data": {"state": "CONNECTED"}})
        with self.host.store.write() as db:
            since = self.seen.since(db)
            self.seen.pair(db)
            self.seen.prune(db)
        return lambda: self._catch_up(since)

    def _catch_up(self, since: int | None) -> None:
        """Tells what arrived while no page was there to tell it; nothing after the first pairing."""
        self.run("settle")
        if since is None:
            return
        found = self.run("missed", since=since, most=_MOST_MISSED)
        told = sum(self._tell_message(raw) for raw in found if messages.is_told(raw))
        if told:
            log.info("Session '%s': %d message(s) that arrived meanwhile", self.host.name, told)

    # -- messages

    def _on_message(self, raw: dict[str, Any]) -> More:
        if not messages.is_told(raw):
            return None
        if raw.get("hasMedia") and self.host.files.wanted(str(raw.get("mimetype") or "")) and self._wanted(raw):
            return lambda: self._tell_message(raw)
        self._tell_message(raw)
        return None

    def _wanted(self, raw: dict[str, Any]) -> bool:
        """Whether anyone listens to what this message becomes."""
        return self.host.wants("message.any") or (not messages.from_me(raw) and self.host.wants("message"))

    def _tell_message(self, raw: dict[str, Any]) -> bool:
        """Tells a message, once and for all; False when it was told before."""
        key, at, chat = messages.note_key(raw), int(raw.get("t") or time.time()), messages.chat_of(raw)
        wanted = self._wanted(raw)
        media = None
        if wanted and raw.get("hasMedia"):
            if self.seen.told(self.host.store.read(), key):
                return False
            media = self.fetched(raw)
        with self.host.store.write() as db:
            if not self.seen.tell(db, key, at, ours=bool(raw.get("ours"))):
                return False
            if wanted:
                ours = messages.from_me(raw) and self.seen.ours(db, key)
                payload = messages.message(raw, self.me, ours=ours, media=media)
                self.host.emit("message.any", payload, chat=chat)
                if not messages.from_me(raw):
                    self.host.emit("message", payload, chat=chat)
        return True

    def _on_ack(self, data: dict[str, Any]) -> More:
        chat = data["chat"] or data["ids"][0]["remote"]
        event = "message.ack" if kind(chat) == "person" else "message.ack.group"
        if self.host.wants(event):
            for key in data["ids"]:
                payload = messages.ack_payload(key, chat, int(data["ack"]), data.get("sender"))
                self.host.emit(event, payload, chat=chat)
        return None

    def _on_edited(self, raw: dict[str, Any]) -> More:
        if self.host.wants("message.edited"):
            self.host.emit("message.edited", messages.edited(raw, self.shown(raw)), chat=messages.chat_of(raw))
        return None

    def _on_revoked(self, data: dict[str, Any]) -> More:
        self.host.emit("message.revoked", messages.revoked(data), chat=data["message"]["remote"])
        return None

    def _on_reaction(self, data: dict[str, Any]) -> More:
        self.host.emit("message.reaction", messages.reaction(data, self.me, self.mine), chat=data["message"]["remote"])
        return None

    def _on_vote(self, data: dict[str, Any]) -> More:
        self.host.emit("poll.vote", messages.vote(data, self.me, self.mine), chat=data["poll"]["remote"])
        return None

    # -- people and groups

    def _on_presence(self, data: dict[str, Any]) -> More:
        if self.host.wants("presence.update"):
            self.host.emit("presence.update", chats.presences(data), chat=data["id"])
        return None

    def _on_label(self, data: dict[str, Any]) -> More:
        event = "label.chat.added" if data["type"] == "add" else "label.chat.deleted"
        known = {label["id"]: chats.label(label) for label in data["labels"]}
        for label in data["ids"]:
            payload = {"labelId": label, "chatId": data["chat"], "label": known.get(label)}
            self.host.emit(event, payload, chat=data["chat"])
        return None

    def _on_members(self, data: dict[str, Any]) -> More:
        """Members joined, left, became admins or are none any more; this engine does not repeat what the account
        itself did as a change of members."""
        group, kinds = data["group"], {"add": "join", "remove": "leave", "promote": "promote", "demote": "demote"}
        what = kinds[data["operation"]]
        me = [who for who in data["people"] if who in self.mine]
        others = [who for who in data["people"] if who not in self.mine or what in ("promote", "demote")]
        if others:
            self._tell_members(group, what, others, data)
        if me and what == "leave":
            self._tell_group("group.v2.leave", group, {"group": {"id": group}, "_data": data})
        if me and what == "join" and self.host.wants("group.v2.join"):
            return lambda: self._tell_joined(group)
        return None

    def _tell_members(self, group: str, what: str, people: list[str], data: dict[str, Any]) -> None:
        roles = {"join": "participant", "leave": "left", "promote": "admin", "demote": "participant"}
        payload = {
            "type": what,
            "group": {"id": group},
            "participants": [{"id": who, "pn": None, "role": roles[what]} for who in people],
            "_data": data,
        }
        self._tell_group("group.v2.participants", group, payload)

    def _tell_joined(self, group: str) -> None:
        raw = self.run("groupNow", group=group)
        self._tell_group("group.v2.join", group, {"group": chats.group_info(raw), "_data": chats.group(raw)})

    def _on_group_notice(self, data: dict[str, Any]) -> More:
        """A group's name or description changed: of settings this engine tells nothing."""
        group = data["group"]
        if data["subtype"] not in ("subject", "description") or not self.host.wants("group.v2.update"):
            return None
        if data["subtype"] == "subject" and data.get("body"):
            changed = {"id": group, "subject": data["body"]}
            self._tell_group("group.v2.update", group, {"group": changed, "_data": data})
            return None
        return lambda: self._tell_update(group, data)

    def _tell_update(self, group: str, data: dict[str, Any]) -> None:
        info = chats.group_info(self.run("groupNow", group=group))
        changed = {"id": group, data["subtype"]: info[data["subtype"]]}
        self._tell_group("group.v2.update", group, {"group": changed, "_data": data})

    def _tell_group(self, event: str, group: str, payload: dict[str, Any]) -> None:
        self.host.emit(event, {"timestamp": int(time.time()), **payload}, chat=group)

    def _on_call(self, data: dict[str, Any]) -> More:
        at = float(data.get("at") or 0)
        payload = {
            "id": data["id"],
            "from": data["from"],
            "timestamp": int(at / 1000 if at > 1e11 else at),
            "isVideo": data["isVideo"],
            "isGroup": data["isGroup"],
            "_data": data,
        }
        self.host.emit("call.received", payload, chat=data["from"])
        return None

    # -- the engine itself

    def _on_engine(self, data: dict[str, Any]) -> More:
        if self.host.wants("engine.event"):
            self.host.emit("engine.event", data)
        return None

    def _on_logout_reason(self, data: dict[str, Any]) -> More:
        log.warning("Session '%s': WhatsApp logs it out: %s", self.host.name, data.get("reason"))
        return self._on_engine({"event": "onLogoutReason", "data": data})
