"""One WhatsApp account as its server and its phone know it: people, chats, messages; groups and channels are beside."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .channels import Channels
from .groups import Groups
from .labels import Labels
from .people import People
from .world import Device, Record, Refused, World, lid_of, new_id, wid

MEDIA = ("image", "video", "audio", "ptt", "sticker", "document")
#: Messages of a chat that a page gets when it starts; it asks for older ones.
RECENT = 15


class Account(People, Groups, Channels, Labels):
    """State, and the answers to a device's questions: ``ask_X`` answers what the page asks as ``X``."""

    def __init__(self, world: World, number: str, name: str) -> None:
        self.world = world
        self.number = number
        self.me = wid(number)
        self.lid = lid_of(number)
        self.profile: Record = {"pushname": name, "about": "Hey there! I am using WhatsApp."}
        self.contacts: dict[str, Record] = {}
        self.chats: dict[str, Record] = {}
        self.messages: dict[str, Record] = {}
        self.groups: dict[str, Record] = {}
        self.statuses: list[str] = []
        self.status_audience: list[str] = []
        self.labels: dict[str, Record] = {}
        self.blocked: set[str] = set()
        self.pictures: dict[str, Record] = {}
        self.calls: dict[str, Record] = {}
        self.pins: dict[str, Record] = {}
        self.receipts: dict[str, list[tuple[str, int, int]]] = {}
        self.reactions: dict[str, dict[str, tuple[str, int]]] = {}
        self.votes: dict[str, dict[str, tuple[list[int], int]]] = {}
        #: Messages that devices sent, and everything that they asked: (question, parts).
        self.sent: list[Record] = []
        self.asked: list[tuple[str, Record]] = []
        #: Answers of the next sends when they shall fail: names of WhatsApp's SendMsgResult.
        self.failures: list[str] = []
        self.unseen: list[str] = []
        world.accounts.append(self)
        self.contact(self.me, pushname=name)

    # -- devices

    @property
    def devices(self) -> list[Device]:
        return [device for device in self.world.devices.values() if device.account is self]

    def tell(self, **happened: Any) -> None:
        for device in self.devices:
            device.tell(**happened)

    def pair(self, device: Device) -> None:
        device.account = self
        device.number = max((one.number for one in self.devices), default=0) + 1
        device.tell(type="paired", account=self.whole(device))

    def unpair(self, device: Device, reason: str | None) -> None:
        device.account = None
        device.ref = device.link_code = ""
        if reason:
            device.tell(type="logout", reason=reason)

    def whole(self, device: Device, without: Collection[str] = ()) -> Record:
        """The account as a page takes it in when it starts; messages ``without`` which it will be told later."""
        options = self.world.options
        chats = {key: [one for one in self.of_chat(key) if one["id"] not in without] for key in self.chats}
        return {
            "me": self.me,
            "lid": self.lid,
            "device": f"{self.number}:{device.number}@c.us",
            "platform": "android",
            "business": options.business,
            "snapshot": {
                "profile": self.profile,
                "contacts": list(self.contacts.values()),
                "chats": [{**chat, "msgs": chats[chat["id"]][-RECENT:]} for chat in self.chats.values()],
                "groups": [self.shown_group(group) for group in self.groups.values()],
                "channels": [self.shown_channel(one) for one in self.world.channels.values() if self.follows(one)],
                "labels": list(self.labels.values()),
                "statuses": [self.messages[key] for key in self.statuses],
                "blocked": sorted(self.blocked),
                "pins": list(self.pins.values()),
            },
        }

    # -- people and chats

    def contact(self, who: str, **changes: Any) -> Record:
        """A contact, made where there is none; devices hear of it when something changes."""
        key = self.phone_of(who)
        known = self.contacts.get(key)
        record = self.contacts[key] = {"id": key, "lid": lid_of(key.partition("@")[0]), **(known or {}), **changes}
        if record != known:
            self.tell(type="contact", contact=record)
        return record

    def phone_of(self, who: str) -> str:
        if who.endswith("@lid"):
            return next((one["id"] for one in self.contacts.values() if one.get("lid") == who), who)
        return wid(who)

    def chat(self, key: str, **changes: Any) -> Record:
        record = self.chats.setdefault(key, {"id": key, "t": self.world.time(), "unreadCount": 0})
        record.update(changes)
        return record

    def is_me(self, who: str) -> bool:
        return who.partition(":")[0].partition("@")[0] in (self.number, self.lid.partition("@")[0])

    def of_chat(self, key: str) -> list[Record]:
        return [message for message in self.messages.values() if message["id"].split("_")[1] == key]

    def ask_open_chat(self, device: Device, parts: Record) -> Record:
        key = parts["id"]
        if key not in self.chats:
            if key.endswith("@g.us") or (key.endswith("@c.us") and not self.world.exists(key)):
                raise Refused(404, f"there is no chat {key}")
            if key.endswith("@c.us"):
                self.contact(key)
        return self.chat(key)

    def ask_chat(self, device: Device, parts: Record) -> None:
        seen = parts.pop("seen", None)
        chat = self.chat(parts["id"], **parts)
        if seen:
            for message in self.of_chat(chat["id"]):
                if not message["id"].startswith("true_"):
                    message["ack"] = 3
        self.tell_others(device, type="chat", chat=chat)

    def tell_others(self, device: Device, **happened: Any) -> None:
        for other in self.devices:
            if other is not device:
                other.tell(**happened)

    def ask_clear(self, device: Device, parts: Record) -> None:
        for message in self.of_chat(parts["id"]):
            if not (parts["keepStarred"] and message.get("star")):
                del self.messages[message["id"]]

    def ask_delete_chat(self, device: Device, parts: Record) -> None:
        for message in self.of_chat(parts["id"]):
            del self.messages[message["id"]]
        self.chats.pop(parts["id"], None)
        self.tell_others(device, type="chat-gone", id=parts["id"])

    def ask_subscribe(self, device: Device, parts: Record) -> None:
        return None

    ask_presence = ask_typing = ask_subscribe

    # -- messages

    def take(self, message: Record, *, new: bool = True) -> str:
        """A message that came in, or that another device sent: into the history, and to the pages."""
        key = message["id"]
        chat_key = key.split("_")[1]
        self.messages[key] = message
        chat = self.chat(chat_key, t=message["t"])
        if new and not key.startswith("true_") and message["type"] not in ("gp2", "protocol"):
            chat["unreadCount"] = max(0, chat["unreadCount"]) + 1
        if not any(device.listening for device in self.devices):
            self.unseen.append(key)
        self.tell(type="message", chat=chat_key, message=message)
        self.tell(type="chat", chat=chat)
        return str(key)

    def ask_send(self, device: Device, parts: Record) -> Record:
        message: Record = parts["message"]
        if self.failures:
            raise Refused(500, self.failures.pop(0))
        chat_key = message["id"].split("_")[1]
        self.may_send(chat_key)
        message = {**message, "t": self.world.time(), "ack": 1, "isNewMsg": False}
        if chat_key.endswith("@newsletter"):
            message["serverId"] = len(self.of_chat(chat_key)) + 100
        self.messages[message["id"]] = message
        self.sent.append(message)
        if chat_key == "status@broadcast":
            self.statuses.append(message["id"])
        else:
            self.chat(chat_key, t=message["t"])
        self.tell_others(device, type="message", chat=chat_key, message=message)
        for other in self.world.accounts:
            if other is not self and other.me == chat_key:
                other.arrive(self.me, message)
        if self.world.options.reads and not chat_key.endswith(("@newsletter", "@broadcast")):
            for ack in (2, 3):
                self.acknowledge(message["id"], ack, None)
        return {"t": message["t"], "ack": 1, "serverId": message.get("serverId")}

    def arrive(self, sender: str, message: Record) -> None:
        """A message of another account of this world."""
        kept = {
            name: value for name, value in message.items() if name not in ("id", "self", "ack", "isNewMsg", "local")
        }
        name = next((one.profile["pushname"] for one in self.world.accounts if one.me == sender), "")
        self.contact(sender, pushname=name)
        key = f"false_{sender}_{message['id'].split('_')[2]}"
        self.take({**kept, "id": key, "from": sender, "to": self.me, "ack": 1, "notifyName": name})

    def acknowledge(self, key: str, ack: int, by: str | None) -> None:
        message = self.messages[key]
        chat_key = key.split("_")[1]
        self.receipts.setdefault(key, []).append((by or chat_key, ack, self.world.time()))
        message["ack"] = max(message["ack"], ack)
        self.tell(type="receipt", chat=chat_key, ids=[key.split("_")[2]], ack=ack, by=by)

    def may_send(self, chat_key: str) -> None:
        group = self.groups.get(chat_key)
        if group is not None:
            mine = self.participant(group, self.lid)
            if mine is None:
                raise Refused(403, "not a member of the group")
            if group["announce"] and not mine["isAdmin"]:
                raise Refused(403, "only admins send in this group")
        elif chat_key.endswith("@g.us"):
            raise Refused(404, "there is no such group")

    def ask_message(self, device: Device, parts: Record) -> Record | None:
        return self.messages.get(parts["id"])

    def ask_find(self, device: Device, parts: Record) -> list[Record]:
        """Messages of a chat before or after one, oldest first; ``count`` None (the page's Infinity) is all."""
        question, anchor, count = parts["question"], parts.get("anchor"), parts.get("count")
        chat_key = anchor.split("_")[1] if anchor else parts.get("chat") or parts.get("remote")
        found = self.of_chat(chat_key) if chat_key else list(self.messages.values())
        if question in ("before", "after") and anchor:
            place = next((i for i, message in enumerate(found) if message["id"] == anchor), len(found))
            found = found[:place] if question == "before" else found[place + 1 :]
        fits = {
            "media": lambda one: one["type"] in (("document",) if parts.get("mediaType") == "allDocs" else MEDIA),
            "calls": lambda one: one["type"] == "call_log",
            "events": lambda one: one["type"] == "event_creation",
            "starred": lambda one: one.get("star"),
            "search": lambda one: parts["searchTerm"].lower() in str(one.get("body") or "").lower(),
        }.get(question)
        if fits:
            found = [message for message in found if fits(message)]
        if count is None:
            return found
        return found[:count] if question == "after" else found[max(0, len(found) - count) :]

    def known(self, key: str) -> Record:
        if key not in self.messages:
            raise Refused(404, f"there is no message {key}")
        return self.messages[key]

    def ask_edit(self, device: Device, parts: Record) -> Record:
        message = self.known(parts["id"])
        t = self.world.time()
        changes = {
            "caption" if message["type"] in MEDIA else "body": parts["body"],
            "latestEditMsgKey": parts["edit"],
            "latestEditSenderTimestampMs": t * 1000,
        }
        message.update(changes)
        self.tell_others(device, type="changed", id=parts["id"], changes=changes)
        return {"t": t}

    def ask_revoke(self, device: Device, parts: Record) -> None:
        message = self.known(parts["id"])
        group = self.groups.get(parts["id"].split("_")[1])
        if not parts["id"].startswith("true_") and not (group and self.is_admin(group, self.lid)):
            raise Refused(403, "only one's own messages can be taken back")
        self.take_back(message)

    def take_back(self, message: Record) -> None:
        for name in ("body", "caption", "filehash", "directPath"):
            message.pop(name, None)
        message["type"] = "revoked"
        if message["id"] in self.statuses:
            self.statuses.remove(message["id"])

    def ask_forget(self, device: Device, parts: Record) -> None:
        self.known(parts["id"])
        del self.messages[parts["id"]]

    def ask_star(self, device: Device, parts: Record) -> None:
        for key in parts["ids"]:
            self.known(key)["star"] = parts["star"]
            self.tell_others(device, type="changed", id=key, changes={"star": parts["star"]})

    def ask_pin(self, device: Device, parts: Record) -> Record:
        self.known(parts["id"])
        t = self.world.time()
        self.pins[parts["id"]] = {"id": parts["id"], "pinType": 1 if parts["pin"] else 2, "t": t}
        return {"t": t}

    def ask_played(self, device: Device, parts: Record) -> None:
        self.known(parts["id"])["ack"] = 4

    def ask_receipts(self, device: Device, parts: Record) -> Record:
        told = self.receipts.get(parts["id"], [])
        kinds = {"delivery": 2, "read": 3, "played": 4}
        found: Record = {
            kind: [{"by": by, "t": t} for by, ack, t in told if ack == number] for kind, number in kinds.items()
        }
        return {**found, "deliveryRemaining": 0, "readRemaining": 0, "playedRemaining": 0}

    def ask_react(self, device: Device, parts: Record) -> Record:
        self.known(parts["id"])
        return {"key": self.react(parts["id"], self.me, parts["reaction"])}

    def react(self, key: str, by: str, reaction: str) -> str:
        """Keeps a reaction (empty takes it back) and answers the key of the message that carries it."""
        kept = self.reactions.setdefault(key, {})
        if reaction:
            kept[by] = (reaction, self.world.time())
        else:
            kept.pop(by, None)
        self.messages[key]["hasReaction"] = bool(kept)
        chat_key = key.split("_")[1]
        mine = by == self.me
        participant = f"_{lid_of(by.partition('@')[0])}" if chat_key.endswith("@g.us") else ""
        return f"{str(mine).lower()}_{chat_key}_{new_id()}{participant}"

    def ask_reactions(self, device: Device, parts: Record) -> Record:
        groups: dict[str, Record] = {}
        mine = None
        for by, (emoji, t) in self.reactions.get(parts["id"], {}).items():
            one = {
                "msgKey": f"{str(by == self.me).lower()}_{parts['id'].split('_')[1]}_REACTION",
                "parentMsgKey": parts["id"],
                "reactionText": emoji,
                "senderUserJid": by,
                "timestamp": t,
                "read": False,
                "orphan": 0,
            }
            group = groups.setdefault(emoji, {"aggregateEmoji": emoji, "hasReactionByMe": False, "senders": []})
            group["senders"].append(one)
            if by == self.me:
                mine, group["hasReactionByMe"] = one, True
        return {"reactions": list(groups.values()), "mine": mine}

    def ask_vote(self, device: Device, parts: Record) -> None:
        self.vote(parts["id"], self.me, [int(one) for one in parts["selected"]])

    def vote(self, key: str, by: str, selected: list[int]) -> Record:
        self.votes.setdefault(key, {})[by] = (selected, self.world.time() * 1000)
        return self.shown_vote(key, by)

    def shown_vote(self, key: str, by: str) -> Record:
        selected, t = self.votes[key][by]
        return {
            "parentMsgKey": key,
            "sender": by,
            "selectedOptionLocalIds": selected,
            "senderTimestampMs": t + 999,
            "ack": 1,
        }

    def ask_votes(self, device: Device, parts: Record) -> list[Record]:
        return [self.shown_vote(parts["id"], by) for by in self.votes.get(parts["id"], {})]

    def ask_read_status(self, device: Device, parts: Record) -> None:
        self.known(parts["id"])["ack"] = 3

    def ask_status_audience(self, device: Device, parts: Record) -> None:
        self.status_audience = parts["participants"]
