"""GOWS (whatsmeow): sends answer with ``id`` and the engine's message, nothing more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from waxbill.model.contacts import WANumberExistResult
from waxbill.model.ids import MessageId
from waxbill.model.presence import Presence

from ..account.chats import Chat
from ..account.contacts import Contact
from ..account.groups import Group, Member
from ..account.identity import Identity, lid_of
from ..account.messages import Message
from ..account.reactions import Vote
from .dialect import Dialect, is_admin, protocol_id
from .protocol import Protocol


class Gows(Protocol):
    """The engine's shapes."""

    engine = "GOWS"
    refuses = frozenset(
        {
            "set_star", "send_link_preview", "send_buttons", "send_buttons_reply", "forward_message", "archive_chat",
            "unarchive_chat", "delete_chat", "clear_messages", "pin_message", "unpin_message", "get_about",
            "block_contact", "unblock_contact", "delete_group", "delete_channel",
        }
    )  # fmt: skip
    silent = frozenset({"message.waiting", "chat.archive", "group.join", "group.leave"})
    connected: ClassVar[Any] = {"state": "Connected"}
    connected_event: ClassVar[tuple[str, Any]] = ("gows.ConnectedEventData", {})
    message_event = "gows.MessageEventData"
    chats_sorted_by = "id"
    chats_ascending = True
    after_typing: Presence = "paused"
    spelling: ClassVar[dict[str, str]] = {
        "url": "URL",
        "ptt": "PTT",
        "id": "ID",
        "remoteJid": "remoteJID",
        "stanzaId": "stanzaID",
        "mentionedJid": "mentionedJID",
        "rowId": "rowID",
        "selectedRowId": "selectedRowID",
        "selectedId": "selectedID",
    }

    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        shown = self._common(me, message)
        group = message.chat.endswith("@g.us")
        sender = self._author(me, message)
        shown["to"] = shown["participant"] = sender if group else ""
        if quoted is not None:
            shown["replyTo"] = self._reply_to(me, quoted, self._content(me, quoted))
        shown["_data"] = self._engine_message(me, message, quoted)
        return shown

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        return {"id": self.message_id(me, message), "_data": self._engine_message(me, message, quoted)}

    def _engine_message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        return {
            "Info": {
                "Chat": protocol_id(message.chat),
                "Sender": protocol_id(self._author(me, message)),
                "IsFromMe": message.from_me,
                "IsGroup": message.chat.endswith("@g.us"),
                "ID": message.key,
                "Type": "media" if message.media is not None else "poll" if message.kind == "poll" else "text",
                "PushName": me.push_name if message.from_me else message.push_name,
                "Timestamp": _iso(message.at_ms // 1000),
                **({"ServerID": message.id} if message.chat.endswith("@newsletter") else {}),
            },
            "Message": self._content(me, message, quoted),
            "IsEdit": message.edited_ms is not None,
        }

    def _wrapped(self, me: Identity, chat: Message, key: str, at_ms: int, content: dict[str, Any]) -> Any:
        part = me.own if chat.chat.endswith(("@g.us", "@broadcast")) else None
        return {
            "id": str(MessageId(True, chat.chat, key, part)),
            "_data": {
                "Info": {
                    "Chat": protocol_id(chat.chat),
                    "Sender": protocol_id(me.own),
                    "IsFromMe": True,
                    "IsGroup": chat.chat.endswith("@g.us"),
                    "ID": key,
                    "Timestamp": _iso(at_ms // 1000),
                },
                "Message": self._spelled(content),
            },
        }

    def voted_answer(self, me: Identity, action: Message, poll: Message, chosen: list[str]) -> Any:
        update = {"pollCreationMessageKey": self._key_of(poll), "vote": {"selectedOptions": chosen}}
        return self._wrapped(me, poll, action.key, action.at_ms, {"pollUpdateMessage": update})

    def ack(self, me: Identity, message: Message, level: int, *, reader: str | None = None) -> dict[str, Any]:
        payload = super().ack(me, message, level, reader=reader)
        if reader is None:
            payload["to"] = payload["participant"] = ""
        return {**payload, "_data": {"MessageIDs": [message.key], "Chat": protocol_id(message.chat)}}

    def vote(self, me: Identity, action: Message, poll: Message, vote: Vote, *, readable: bool) -> dict[str, Any]:
        payload = super().vote(me, action, poll, vote, readable=readable)
        voter = self._author(me, action)
        payload["vote"] |= {"from": poll.chat, "to": voter, "participant": voter}
        if not readable:
            payload["vote"]["selectedOptions"] = None
        return payload

    def chat(self, me: Identity, chat: Chat, last: Message | None) -> dict[str, Any]:
        return {"id": chat.id, "name": chat.name or "", "conversationTimestamp": chat.at_ms // 1000}

    def labelled_chat(self, me: Identity, chat: Chat, last: Message | None) -> dict[str, Any]:
        return {"id": chat.id}

    def unread_answer(self) -> Any:
        return {"success": True}

    def contact(self, me: Identity, contact: Contact, picture: str | None) -> dict[str, Any]:
        return {"id": contact.id, "name": contact.name or "", "pushname": contact.push_name or ""}

    def unknown_contact(self, me: Identity, contact: str) -> Any:
        return self.contact(me, Contact(contact), None)

    def no_number(self) -> WANumberExistResult:
        return WANumberExistResult(numberExists=False, chatId=None)

    def subscribed_answer(self) -> Any:
        return {}

    def group(self, me: Identity, group: Group, without_members: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "JID": group.id,
            "OwnerJID": f"{lid_of(group.owner.partition('@')[0])}@lid",
            "OwnerPN": protocol_id(group.owner),
            "Name": group.subject,
            "NameSetAt": _iso(group.subject_at),
            "NameSetBy": protocol_id(group.subject_by),
            "Topic": group.description,
            "TopicID": group.description_id or "",
            "TopicSetAt": _iso(group.description_at or 0),
            "TopicSetBy": protocol_id(group.description_by or ""),
            "TopicDeleted": False,
            "IsLocked": group.info_admins_only,
            "IsAnnounce": group.messages_admins_only,
            "AnnounceVersionID": "",
            "IsEphemeral": False,
            "DisappearingTimer": 0,
            "IsIncognito": False,
            "IsParent": False,
            "LinkedParentJID": "",
            "IsDefaultSubGroup": False,
            "IsJoinApprovalRequired": group.approval,
            "GroupCreated": _iso(group.created),
            "CreatorCountryCode": "",
            "ParticipantVersionID": "",
            "MemberAddMode": "all_member_add" if group.members_can_add else "admin_add",
        }
        if not without_members:
            shown["Participants"] = self.members(me, group.members)
        return shown

    def members(self, me: Identity, members: list[Member]) -> Any:
        return [_member(each.id, is_admin(each), each.role == "superadmin") for each in members]

    def members_changed(self, me: Identity, result: dict[str, int], change: str) -> Any:
        return [
            {**_member(who, change == "promote", False), "Error": 0 if code == 200 else code}
            for who, code in result.items()
        ]


def _member(who: str, admin: bool, superadmin: bool) -> dict[str, Any]:
    return {
        "JID": f"{lid_of(who.partition('@')[0])}@lid",
        "PhoneNumber": protocol_id(who),
        "LID": f"{lid_of(who.partition('@')[0])}@lid",
        "IsAdmin": admin,
        "IsSuperAdmin": superadmin,
        "DisplayName": "",
        "Error": 0,
        "AddRequest": None,
    }


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


DIALECT: Dialect = Gows()
