"""Channels: public, so all accounts of a world see the same ones."""

from __future__ import annotations

import secrets
from typing import Any

from .world import Device, Record, Refused, World


class Channels:
    """The part of an account that has to do with channels."""

    world: World
    me: str

    def follows(self, channel: Record) -> bool:
        return self.me in channel["followers"]

    def shown_channel(self: Any, channel: Record) -> Record:
        shown = {name: value for name, value in channel.items() if name not in ("followers", "owner", "muted")}
        shown["membershipType"] = (
            "owner" if channel["owner"] == self.me else "subscriber" if self.follows(channel) else "guest"
        )
        shown["subscribersCount"] = len(channel["followers"])
        return {**shown, "muted": self.me in channel["muted"], "msgs": self.of_chat(channel["id"])[-15:]}

    def new_channel(self, name: str, owner: str, description: str | None = None, picture: str | None = None) -> Record:
        key = f"1203630{secrets.randbelow(10**11):011d}@newsletter"
        channel: Record = {
            "id": key,
            "name": name,
            "description": description,
            "picture": picture,
            "owner": owner,
            "followers": [owner],
            "muted": [],
            "verified": False,
            "inviteCode": secrets.token_urlsafe(12),
            "creationTime": self.world.time(),
            "t": self.world.time(),
        }
        self.world.channels[key] = channel
        return channel

    def own_channel(self, key: str, *, to_change: bool = False) -> Record:
        channel = self.world.channels.get(key)
        if channel is None:
            raise Refused(404, f"there is no channel {key}")
        if to_change and channel["owner"] != self.me:
            raise Refused(403, "only its owner changes a channel")
        return channel

    def ask_create_channel(self: Any, device: Device, parts: Record) -> Record:
        return self.shown_channel(self.new_channel(parts["name"], self.me, parts["description"], parts["picture"]))

    def ask_delete_channel(self, device: Device, parts: Record) -> None:
        del self.world.channels[self.own_channel(parts["id"], to_change=True)["id"]]

    def ask_edit_channel(self: Any, device: Device, parts: Record) -> Record:
        channel = self.own_channel(parts["id"], to_change=True)
        channel.update(parts["changes"])
        return self.shown_channel(channel)

    def ask_channel(self: Any, device: Device, parts: Record) -> Record:
        if "code" in parts:
            found = (one for one in self.world.channels.values() if one["inviteCode"] == parts["code"])
            parts["id"] = next((one["id"] for one in found), "")
        return self.shown_channel(self.own_channel(parts["id"]))

    def ask_follow_channel(self: Any, device: Device, parts: Record) -> Record:
        channel = self.own_channel(parts["id"])
        if parts["on"] and not self.follows(channel):
            channel["followers"].append(self.me)
        elif not parts["on"] and self.follows(channel):
            channel["followers"].remove(self.me)
        return self.shown_channel(channel)

    def ask_mute_channel(self: Any, device: Device, parts: Record) -> Record:
        channel = self.own_channel(parts["id"])
        channel["muted"] = [one for one in channel["muted"] if one != self.me] + ([self.me] if parts["on"] else [])
        return self.shown_channel(channel)

    def ask_search_channels(self: Any, device: Device, parts: Record) -> list[Record]:
        text = parts["text"].lower()
        found = [one for one in self.world.channels.values() if text in one["name"].lower()]
        return [self.shown_channel(one) for one in found[: parts["limit"]]]
