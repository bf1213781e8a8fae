"""Labels of a business account, and calls."""

from __future__ import annotations

from typing import Any

from .world import Device, Record, Refused


class Labels:
    """The part of an account that has to do with labels and calls."""

    def ask_label(self: Any, device: Device, parts: Record) -> Record | None:
        if parts.get("gone"):
            self.labels.pop(parts["id"], None)
            self.tell_others(device, type="label-gone", id=parts["id"])
            return None
        key = parts.get("id") or self.ask_next_label(device, {})
        label = self.labels.setdefault(key, {"id": key, "chats": [], "type": 0})
        label.update(name=parts["name"], colorIndex=parts["colorIndex"])
        self.tell_others(device, type="label", label=label)
        return label

    def ask_next_label(self: Any, device: Device, parts: Record) -> str:
        return str(max((int(key) for key in self.labels), default=0) + 1)

    def ask_label_chat(self: Any, device: Device, parts: Record) -> None:
        chats = self.labels[str(parts["id"])]["chats"]
        if parts["on"] and parts["chat"] not in chats:
            chats.append(parts["chat"])
        elif not parts["on"] and parts["chat"] in chats:
            chats.remove(parts["chat"])

    def ask_reject_call(self: Any, device: Device, parts: Record) -> None:
        if parts["id"] not in self.calls:
            raise Refused(404, "there is no such call")
        self.calls[parts["id"]]["state"] = "rejected"
        self.tell(type="call-ended", id=parts["id"])

    def ask_accept_call(self: Any, device: Device, parts: Record) -> None:
        self.calls[parts["id"]]["state"] = "accepted"

    def ask_stanza(self: Any, device: Device, parts: Record) -> None:
        if parts["child"] == "reject":
            self.ask_reject_call(device, {"id": parts["childAttrs"]["call-id"]})
