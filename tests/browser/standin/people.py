"""People: who exists, the address book, the block list, profiles and pictures."""

from __future__ import annotations

import secrets
from typing import Any

from .world import Device, Record, lid_of


class People:
    """The part of an account that has to do with people."""

    def ask_exists(self: Any, device: Device, parts: Record) -> Record | None:
        key = self.phone_of(parts["id"])
        if not key.endswith("@c.us") or not self.world.exists(key):
            return None
        return {
            "wid": key,
            "lid": lid_of(key.partition("@")[0]),
            "biz": bool(self.contacts.get(key, {}).get("isBusiness")),
        }

    def ask_contact(self: Any, device: Device, parts: Record) -> None:
        self.contact(parts.pop("id"), **parts)

    def ask_block(self: Any, device: Device, parts: Record) -> None:
        if parts["on"]:
            self.blocked.add(parts["id"])
        else:
            self.blocked.discard(parts["id"])
        self.tell_others(device, type="blocked", **parts)

    def ask_profile(self: Any, device: Device, parts: Record) -> None:
        self.profile.update(parts)
        self.tell(type="profile", profile=self.profile)

    def ask_about(self: Any, device: Device, parts: Record) -> str | None:
        if self.is_me(parts["id"]):
            return str(self.profile["about"])
        return self.contacts.get(self.phone_of(parts["id"]), {}).get("about")

    def ask_picture(self: Any, device: Device, parts: Record) -> Record | None:
        return self.pictures.get(parts["id"]) or self.pictures.get(self.phone_of(parts["id"]))

    def ask_set_picture(self: Any, device: Device, parts: Record) -> Record:
        self.picture(parts["id"], parts["picture"])
        return {"eurl": self.pictures.get(parts["id"], {}).get("url")}

    def picture(self: Any, key: str, content: str | None) -> None:
        if content is None:
            self.pictures.pop(key, None)
        else:
            tag = secrets.token_hex(4)
            url = f"https://web.whatsapp.com/-/picture/{key}?tag={tag}"
            self.pictures[key] = {"url": url, "tag": tag, "content": content}
