"""What the page tells, as events of the contract. In the life's thread, which must not wait here: what needs the page
again (media, what a group is now) is given back, to be done beside it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from ..shapes import chats, messages
from .telling import Telling

log = logging.getLogger("waxbill.browser.events")

More = Callable[[], object] | None


class Events(Telling):
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
            self.prune(db)
        return lambda: self.catch_up(since)

    # -- messages

    def _on_message(self, raw: dict[str, Any]) -> More:
        if not messages.is_told(raw):
            return None
        if raw.get("hasMedia") and self.host.files.wanted(str(raw.get("mimetype") or "")) and self.wanted(raw):
            return lambda: self.tell_message(raw)
        self.tell_message(raw)
        return None

    def _on_ack(self, data: dict[str, Any]) -> More:
        chat = data["chat"] or data["ids"][0]["remote"]
        for key in data["ids"]:
            self.tell_ack(key, chat, int(data["ack"]), data.get("sender"))
        return None

    def _on_edited(self, raw: dict[str, Any]) -> More:
        self.tell_edited(raw)
        return None

    def _on_revoked(self, data: dict[str, Any]) -> More:
        self.tell_revoked(data)
        return None

    def _on_reaction(self, data: dict[str, Any]) -> More:
        self.tell_reaction(data)
        return None

    def _on_vote(self, data: dict[str, Any]) -> More:
        self.tell_vote(data)
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
