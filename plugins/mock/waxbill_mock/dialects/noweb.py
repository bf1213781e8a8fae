"""NOWEB (Baileys): sends answer with the protocol's message, without an ``id`` of their own."""

from __future__ import annotations

from typing import Any, ClassVar

from waxbill.model.groups import GroupParticipant
from waxbill.model.messages import ACK_NAMES

from ..account.chats import Chat
from ..account.contacts import Contact
from ..account.groups import Group, Member
from ..account.identity import Identity, lid_of
from ..account.messages import Message
from .dialect import Dialect, protocol_id
from .protocol import Protocol


class Noweb(Protocol):
    """The engine's shapes."""

    engine = "NOWEB"
    refuses = frozenset(
        {
            "send_buttons_reply", "send_poll_vote", "send_event", "delete_chat", "clear_messages", "get_about",
            "block_contact", "unblock_contact", "delete_group", "follow_channel", "unfollow_channel", "mute_channel",
            "unmute_channel", "passkey_challenge", "passkey_assertion", "passkey_confirmation", "passkey_confirm",
        }
    )  # fmt: skip
    silent = frozenset({"message.waiting", "chat.archive", "group.leave", "event.response", "event.response.failed"})

    connected: ClassVar[Any] = {"connection": "open", "isOnline": True}
    connected_event: ClassVar[tuple[str, Any]] = ("connection.update", {"connection": "open"})
    message_event = "messages.upsert"

    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        shown = self._common(me, message)
        if message.chat.endswith("@g.us"):
            shown["to"] = message.chat
        if quoted is not None:
            shown["replyTo"] = self._reply_to(me, quoted, self._content(me, quoted))
        shown["_data"] = {
            **self._protocol(me, message, quoted),
            "pushName": me.push_name if message.from_me else message.push_name,
            "broadcast": message.chat.endswith("@broadcast"),
            "status": message.ack + 1,
        }
        if message.starred:
            shown["_data"]["starred"] = True
        if message.reactions:
            shown["_data"]["reactions"] = [
                {
                    "key": {"remoteJid": protocol_id(message.chat), "participant": protocol_id(each.who)},
                    "text": each.text,
                    "senderTimestampMs": each.at_ms,
                }
                for each in message.reactions
            ]
        return shown

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        if message.kind == "poll":
            return self.message(me, message, quoted)
        answer = self._protocol(me, message, quoted)
        if list(answer["message"]) == ["conversation"]:
            answer["message"] = {"extendedTextMessage": {"text": message.body}}
        answer["messageTimestamp"] = str(answer["messageTimestamp"])
        answer["status"] = "PENDING"
        if message.chat.endswith("@g.us"):
            answer["participant"] = protocol_id(me.own)
        return answer

    def _protocol(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        return {
            "key": self._key_of(message),
            "message": self._content(me, message, quoted),
            "messageTimestamp": message.at_ms // 1000,
        }

    def _wrapped(self, me: Identity, chat: Message, key: str, at_ms: int, content: dict[str, Any]) -> Any:
        return {
            "key": {"remoteJid": protocol_id(chat.chat), "fromMe": True, "id": key},
            "message": content,
            "messageTimestamp": str(at_ms // 1000),
            "status": "PENDING",
        }

    def forwarded(self, me: Identity, message: Message) -> Any:
        return self.message(me, message, None)

    def ack(self, me: Identity, message: Message, level: int, *, reader: str | None = None) -> dict[str, Any]:
        payload = super().ack(me, message, level, reader=reader)
        if reader is not None and ACK_NAMES[level] == "DEVICE":
            payload |= {"ack": 1, "ackName": "SERVER"}  # what this engine calls a delivery in a group
        return payload

    def chat(self, me: Identity, chat: Chat, last: Message | None) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": protocol_id(chat.id),
            "name": chat.name,
            "conversationTimestamp": chat.at_ms // 1000,
        }
        if chat.archived:
            shown["archived"] = True
        if chat.muted_until_ms is not None:
            shown["muteEndTime"] = chat.muted_until_ms // 1000
        return shown

    def contact(self, me: Identity, contact: Contact, picture: str | None) -> dict[str, Any]:
        shown: dict[str, Any] = {"id": contact.id}
        for name, value in (
            ("name", contact.name),
            ("pushname", contact.push_name),
            ("lid", f"{lid_of(contact.id.partition('@')[0])}@lid"),
            ("imgUrl", picture),
            ("status", contact.about),
        ):
            if value is not None:
                shown[name] = value
        return shown

    def group(self, me: Identity, group: Group, without_members: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": group.id,
            "addressingMode": "lid",
            "subject": group.subject,
            "subjectOwner": protocol_id(group.subject_by),
            "subjectTime": group.subject_at,
            "size": len(group.members),
            "creation": group.created,
            "owner": protocol_id(group.owner),
            "desc": group.description or None,
            "descId": group.description_id,
            "restrict": group.info_admins_only,
            "announce": group.messages_admins_only,
            "isCommunity": False,
            "isCommunityAnnounce": False,
            "joinApprovalMode": group.approval,
            "memberAddMode": group.members_can_add,
        }
        if not without_members:
            shown["participants"] = self.members(me, group.members)
        return shown

    def group_list(self, groups: list[tuple[str, dict[str, Any]]]) -> Any:
        return dict(groups)

    def members(self, me: Identity, members: list[Member]) -> Any:
        return [
            {
                "id": f"{lid_of(each.id.partition('@')[0])}@lid",
                "phoneNumber": protocol_id(each.id),
                "admin": None if each.role == "participant" else each.role,
            }
            for each in members
        ]

    def participant(self, member: Member, *, event: str = "") -> GroupParticipant:
        shown = super().participant(member, event=event)
        if event == "demote":
            shown.role = "admin"  # this engine tells the role that was lost
        return shown

    def members_changed(self, me: Identity, result: dict[str, int], change: str) -> Any:
        return [{"status": str(code), "jid": protocol_id(who), "content": {}} for who, code in result.items()]


DIALECT: Dialect = Noweb()
