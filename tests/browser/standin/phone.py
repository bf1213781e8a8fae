"""The other side, as a test plays it: the phone of the account, the people who write to it, and what goes wrong."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .world import Device, Record, lid_of, new_id, wid

if TYPE_CHECKING:
    from .account import Account

#: How long a test waits for what a page does; pages are slow on machines that have much to do.
PATIENCE_SECONDS = 60.0


class Phone:
    """One account's phone. Methods that need a page's doing wait for it; the others are done when they return."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.world = account.world

    @property
    def number(self) -> str:
        return self.account.number

    @property
    def me(self) -> str:
        return self.account.me

    @property
    def lid(self) -> str:
        return self.account.lid

    # -- devices

    def waiting(self, seconds: float = PATIENCE_SECONDS) -> Device:
        """The device that shows a QR code."""

        def found() -> Device | None:
            showing = [one for one in self.world.devices.values() if one.ref and one.listening and not one.account]
            return showing[-1] if showing else None

        return self.world.wait(found, seconds, "page with a QR code")

    def scan(self, qr: str | None = None, seconds: float = PATIENCE_SECONDS) -> None:
        """Scans the QR code with this text, or the one that is shown; waits until the page is there again, paired."""
        if qr is None:
            device = self.waiting(seconds)
        else:
            ref = qr.partition(",")[0]
            device = next((one for one in self.world.devices.values() if one.ref == ref), None)  # type: ignore[assignment]
            if device is None:
                raise ValueError("no page shows this code now; it may have been replaced")
        with self.world.changed:
            self.account.pair(device)
            device.ref = ""
            self.world.changed.notify_all()

    def enter_code(self, code: str) -> None:
        """Enters the code of eight letters that a device shows."""
        plain = code.replace("-", "")
        with self.world.changed:
            device = next((one for one in self.world.devices.values() if one.link_code == plain), None)
            if device is None:
                raise ValueError(f"no page shows the code {code}")
            self.account.pair(device)
            device.link_code = device.ref = ""
            self.world.changed.notify_all()

    def paired(self) -> bool:
        return bool(self.account.devices)

    def wait_for_page(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Until a paired page listens."""
        self.world.wait(lambda: any(one.listening for one in self.account.devices), seconds, "paired page")

    def wait_without_page(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Until no page listens any more."""
        self.world.wait(lambda: not any(one.listening for one in self.account.devices), seconds, "end of all pages")

    def log_out(self, reason: str = "unknown_companion") -> None:
        """Unlinks all devices on the phone."""
        with self.world.changed:
            for device in self.account.devices:
                self.account.unpair(device, reason)
            self.world.changed.notify_all()

    def tell(self, type: str, **more: Any) -> None:
        """Something that happens to all pages: ``conflict`` ("use here"), ``update`` (a new version is there),
        ``outdated`` (this version is no longer served), ``offline`` with offline=True or False, ``reload``."""
        with self.world.changed:
            self.account.tell(type=type, **more)
            self.world.changed.notify_all()

    # -- what the account did, as its devices did it

    @property
    def sent(self) -> list[Record]:
        """Messages that devices sent, oldest first."""
        with self.world.changed:
            return list(self.account.sent)

    def wait_for_sent(self, fits: Callable[[Record], Any] = bool, seconds: float = PATIENCE_SECONDS) -> Record:
        """The first sent message that fits."""

        def found() -> Record | None:
            return next((message for message in self.account.sent if fits(message)), None)

        return dict(self.world.wait(found, seconds, "such message sent"))

    def asked(self, question: str) -> list[Record]:
        """What devices asked the server, such as ``typing`` or ``chat``."""
        with self.world.changed:
            return [parts for name, parts in self.account.asked if name == question]

    def wait_for_asked(
        self, question: str, fits: Callable[[Record], Any] = lambda _: True, seconds: float = PATIENCE_SECONDS
    ) -> Record:
        def found() -> list[Record]:
            return [parts for name, parts in self.account.asked if name == question and fits(parts)]

        return dict(self.world.wait(found, seconds, f"question {question}")[0])

    def message(self, key: str) -> Record:
        """A message as the server has it now."""
        with self.world.changed:
            return dict(self.account.messages[key])

    def fail_next_send(self, result: str = "ERROR_NETWORK") -> None:
        with self.world.changed:
            self.account.failures.append(result)

    # -- people

    def knows(self, number: str, name: str | None = None, **more: Any) -> str:
        """Somebody in the address book (with a name) or only seen; answers the id."""
        with self.world.changed:
            short = {"shortName": name.split()[0]} if name else {}
            key = str(self.account.contact(number, name=name, **short, **more)["id"])
            self.world.changed.notify_all()
            return key

    def lid_of(self, number: str) -> str:
        return lid_of(number.partition("@")[0])

    def picture(self, who: str, content: bytes) -> None:
        with self.world.changed:
            key = who if "@" in who else wid(who)
            self.account.picture(key, base64.b64encode(content).decode())
            self.account.tell(type="picture", id=key)
            self.world.changed.notify_all()

    def presence(
        self, who: str, *, group: str | None = None, typing: str = "available", seen: int | None = None
    ) -> None:
        """Somebody is ``available``, ``unavailable``, ``composing`` or ``recording``."""
        with self.world.changed:
            online = typing != "unavailable"
            by = lid_of(who.partition("@")[0]) if group else None
            told = {"state": typing, "online": online, "seen": seen, "by": by}
            self.account.tell(type="presence", id=group or wid(who), **told)
            self.world.changed.notify_all()

    # -- messages

    def receive(
        self,
        sender: str,
        text: str | None = None,
        *,
        group: str | None = None,
        lid: bool | None = None,
        name: str | None = None,
        reply_to: str | None = None,
        mentions: list[str] | None = None,
        **more: Any,
    ) -> str:
        """A message comes in; answers its key. ``lid``: in the chat that is addressed by LID."""
        with self.world.changed:
            account = self.account
            number = account.phone_of(sender).partition("@")[0]
            account.contact(number, **({"pushname": name} if name else {}))
            by_lid = account.world.options.lids if lid is None else lid
            person = lid_of(number) if by_lid or group else wid(number)
            chat = group or person
            record: Record = {
                "id": f"false_{chat}_{new_id()}" + (f"_{person}" if group else ""),
                "type": "chat",
                "body": text,
                "t": account.world.time(),
                "from": chat,
                "to": account.me,
                "ack": 1,
                "notifyName": account.contacts[wid(number)].get("pushname", ""),
                **({"author": person} if group else {}),
                **({"mentionedJidList": mentions} if mentions else {}),
                **(self._quote(reply_to) if reply_to else {}),
                **more,
            }
            key = account.take(record)
            self.world.changed.notify_all()
            return key

    def _quote(self, key: str) -> Record:
        quoted = self.account.messages[key]
        sender = quoted.get("author") or quoted["from"]
        return {
            "quotedMsg": {"type": quoted["type"], "body": quoted.get("body")},
            "quotedStanzaID": key.split("_")[2],
            "quotedParticipant": sender,
        }

    def receive_media(
        self,
        sender: str,
        content: bytes,
        mimetype: str = "image/jpeg",
        *,
        type: str | None = None,
        caption: str | None = None,
        filename: str | None = None,
        **more: Any,
    ) -> str:
        """A file comes in; its content stays on the server until a page downloads it."""
        kind = type or mimetype.partition("/")[0]
        if kind not in ("image", "video", "audio", "ptt", "sticker"):
            kind = "document"
        if kind == "document" and filename is None:
            filename = "file" + (mimetypes.guess_extension(mimetype) or "")
        with self.world.changed:
            filehash = self.world.keep(content)
        parts = {"filehash": filehash, "directPath": f"/v/{filehash}", "size": len(content), "mimetype": mimetype}
        parts |= {"mediaKey": filehash, "caption": caption, "filename": filename, "type": kind}
        return self.receive(sender, **parts, **more)

    def write(self, to: str, text: str, **more: Any) -> str:
        """The account's owner writes on the phone; devices see the message."""
        with self.world.changed:
            account = self.account
            key = f"true_{wid(to)}_{new_id()}" + (f"_{account.lid}" if to.endswith("@g.us") else "")
            record: Record = {"id": key, "type": "chat", "body": text, "t": account.world.time(), "ack": 1}
            account.take({**record, "from": account.me, "to": wid(to), **more})
            self.world.changed.notify_all()
            return key

    def acknowledge(self, key: str, ack: int, by: str | None = None) -> None:
        """A message that a device sent is delivered (2), read (3) or played (4)."""
        with self.world.changed:
            self.account.acknowledge(key, ack, by)
            self.world.changed.notify_all()

    def edit(self, key: str, text: str) -> None:
        """The sender changes a message."""
        self._protocol(key, "message_edit", {"body": text})

    def revoke(self, key: str, kind: str = "sender_revoke") -> None:
        """The sender takes a message back for everyone."""
        self._protocol(key, kind, {})

    def _protocol(self, key: str, subtype: str, more: Record) -> None:
        with self.world.changed:
            account = self.account
            message = account.messages[key]
            fromme, chat, _, *participant = key.split("_")
            edit = "_".join([fromme, chat, new_id(), *participant])
            t = account.world.time()
            if subtype == "message_edit":
                message.update(body=more["body"], latestEditMsgKey=edit, latestEditSenderTimestampMs=t * 1000)
            else:
                account.take_back(message)
            raw: Record = {"id": edit, "type": "protocol", "subtype": subtype, "protocolMessageKey": key, "t": t}
            raw |= {"from": message["from"], "to": message["to"], "author": message.get("author"), **more}
            account.tell(type="message", chat=chat, message=raw)
            self.world.changed.notify_all()

    def react(self, key: str, by: str, reaction: str) -> None:
        """Somebody reacts to a message; an empty reaction takes it back."""
        with self.world.changed:
            carrier = self.account.react(key, wid(by), reaction)
            told = {"key": carrier, "parent": key, "reaction": reaction, "by": wid(by)}
            self.account.tell(type="reaction", **told, t=self.world.time())
            self.world.changed.notify_all()

    def vote(self, key: str, by: str, *options: int) -> None:
        """Somebody votes in a poll, by the numbers of its options."""
        with self.world.changed:
            self.account.tell(type="vote", vote=self.account.vote(key, wid(by), list(options)))
            self.world.changed.notify_all()

    # -- groups

    def group(self, subject: str, *members: str, owner: str | None = None, admin: bool = False) -> str:
        """A group that the account is in, made by somebody else where ``owner`` is given; answers its id."""
        with self.world.changed:
            account = self.account
            others = [wid(one) for one in members]
            for one in [*others, *([wid(owner)] if owner else [])]:
                account.contact(one)
            made_by = wid(owner) if owner else account.me
            group = account.new_group(subject, made_by, others if owner is None else [account.me, *others])
            if admin and owner:
                mine = account.participant(group, account.lid)
                assert mine is not None
                mine["isAdmin"] = True
            account.group_action(group, made_by, "create", [one["id"] for one in group["participants"]], value=subject)
            self.world.changed.notify_all()
            return str(group["id"])

    def group_change(self, group: str, author: str, action: str, *participants: str, **more: Any) -> None:
        """Somebody adds, removes, promotes or demotes participants."""
        with self.world.changed:
            for one in participants:
                self.account.contact(one)
            self.account.change_members(self.account.groups[group], wid(author), action, list(participants), **more)
            self.world.changed.notify_all()

    def group_info(self, group: str, author: str, **changes: Any) -> None:
        """Somebody changes subject, desc, announcement, restrict ..."""
        with self.world.changed:
            self.account.change_group(self.account.groups[group], wid(author), changes)
            self.world.changed.notify_all()

    def ask_to_join(self, group: str, who: str) -> None:
        with self.world.changed:
            self.account.contact(who)
            self.account.groups[group]["requests"].append(lid_of(who))

    # -- channels, statuses, calls, labels

    def channel(self, name: str, owner: str = "49999999999", *, followed: bool = False, **more: Any) -> str:
        """A channel of somebody else's; answers its id."""
        with self.world.changed:
            channel = self.account.new_channel(name, wid(owner), **more)
            if followed:
                channel["followers"].append(self.account.me)
                self.account.tell(type="channel", channel=self.account.shown_channel(channel))
            self.world.changed.notify_all()
            return str(channel["id"])

    def channel_post(self, channel: str, text: str) -> str:
        with self.world.changed:
            key = f"false_{channel}_{new_id()}"
            number = len(self.account.of_chat(channel)) + 100
            record: Record = {"id": key, "type": "chat", "body": text, "t": self.world.time(), "serverId": number}
            record |= {"from": channel, "to": self.account.me, "ack": 1}
            self.account.messages[key] = record
            self.account.tell(type="message", chat=channel, message=record)
            self.world.changed.notify_all()
            return key

    def status(self, who: str, text: str) -> str:
        """Somebody posts a status."""
        with self.world.changed:
            author = wid(who)
            self.account.contact(author)
            key = f"false_status@broadcast_{new_id()}_{author}"
            record: Record = {"id": key, "type": "chat", "body": text, "t": self.world.time(), "ack": 1}
            record |= {"from": "status@broadcast", "to": self.account.me, "author": author}
            self.account.messages[key] = record
            self.account.statuses.append(key)
            self.account.tell(type="status", message=record)
            self.world.changed.notify_all()
            return key

    def call(self, who: str, *, video: bool = False, group: bool = False) -> str:
        """Somebody calls; answers the call's id."""
        with self.world.changed:
            call = {"id": new_id(), "peerJid": wid(who), "isVideo": video, "isGroup": group}
            call["offerTime"] = self.world.time()
            self.account.calls[str(call["id"])] = {**call, "state": "ringing"}
            self.account.tell(type="call", call=call)
            self.world.changed.notify_all()
            return str(call["id"])

    def hang_up(self, call: str) -> None:
        with self.world.changed:
            self.account.calls[call]["state"] = "ended"
            self.account.tell(type="call-ended", id=call)
            self.world.changed.notify_all()

    def label(self, name: str, color: int = 1) -> str:
        """A label made on the phone."""
        with self.world.changed:
            key = self.account.ask_next_label(Device(""), {})
            self.account.labels[key] = {"id": key, "name": name, "colorIndex": color, "chats": [], "type": 0}
            self.account.tell(type="label", label=self.account.labels[key])
            self.world.changed.notify_all()
            return key

    def label_chat(self, label: str, chat: str, *, on: bool = True) -> None:
        with self.world.changed:
            self.account.ask_label_chat(Device(""), {"id": label, "chat": chat, "on": on})
            self.account.tell(type="labelled", id=label, chat=chat, on=on)
            self.world.changed.notify_all()
