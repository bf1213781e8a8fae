"""WPP (wppconnect): sends answer with WAHA's own message, whose ``id`` is a string."""

from __future__ import annotations

from typing import Any, ClassVar

from waxbill.model.errors import EngineFailure
from waxbill.model.groups import GroupParticipant

from ..account.chats import Chat
from ..account.contacts import Contact
from ..account.groups import Group, Member
from ..account.identity import Identity
from ..account.messages import Message
from ..account.reactions import Vote
from .dialect import Dialect
from .web import Web, type_of, wid

_WORDS = {200: "OK", 404: "NotFound", 409: "AlreadyAMember", 419: "GroupFull"}


class Wpp(Web):
    """The engine's shapes."""

    engine = "WPP"
    refuses = frozenset(
        {
            "send_link_custom_preview", "send_link_preview", "send_list", "send_buttons", "send_buttons_reply",
            "send_poll_vote", "send_event", "new_message_id", "delete_status", "clear_messages", "pin_message",
            "unpin_message", "update_contact", "search_channels_by_view", "passkey_challenge", "passkey_assertion",
            "passkey_confirmation", "passkey_confirm",
        }
    )  # fmt: skip
    silent = frozenset(
        {
            "message.waiting", "chat.archive", "group.join", "group.leave", "poll.vote.failed", "event.response",
            "event.response.failed", "label.upsert", "label.deleted", "call.accepted", "call.rejected",
        }
    )  # fmt: skip
    connected_event: ClassVar[tuple[str, Any]] = ("onStateChange", {"state": "CONNECTED"})
    message_event = "onAnyMessage"
    finds_channels_by_invite = False
    repeats_own_joins = False

    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        shown = self._common(me, message)
        shown |= self._ends(me, message)
        shown["location"] = shown["vCards"] = None
        shown["mediaUrl"] = (message.media.url if message.media is not None else None) or ""
        if quoted is not None:
            reply = self._reply_to(me, quoted, {"body": self.body(quoted), "type": type_of(quoted)})
            assert reply is not None
            shown["replyTo"] = {**reply, "id": self.message_id(me, quoted)}  # this engine alone gives the full id
        shown["_data"] = {**self._raw(me, message, quoted), "id": shown["id"], "author": message.participant}
        return shown

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        return self.message(me, message, quoted)

    def forwarded(self, me: Identity, message: Message) -> Any:
        return {"sent": True}

    def not_forwarded(self, message: str) -> Any:
        return {"sent": False}

    def edited_answer(self, me: Identity, message: Message, key: str) -> Any:
        return self.message(me, message, None)

    def deleted_answer(self, me: Identity, message: Message, key: str, at_ms: int) -> Any:
        return True

    def reacted_answer(self, me: Identity, message: Message, text: str, key: str, at_ms: int) -> Any:
        return {"sendMsgResult": {"messageSendResult": "OK", "t": at_ms // 1000}}

    def revoked(
        self, me: Identity, before: dict[str, Any], after: dict[str, Any], message: Message, key: str
    ) -> dict[str, Any]:
        parsed = {
            "id": message.key,
            "fromMe": message.from_me,
            "remoteJid": message.chat,
            "participant": message.participant,
        }
        return {"after": parsed, "before": parsed, "revokedMessageId": message.key}

    def reaction(self, me: Identity, action: Message, message: Message, text: str) -> dict[str, Any]:
        payload = super().reaction(me, action, message, text)
        data = {"msgId": payload["reaction"]["messageId"], "reactionText": text, "timestamp": action.at_ms}
        return {**payload, "_data": data}

    def vote(self, me: Identity, action: Message, poll: Message, vote: Vote, *, readable: bool) -> dict[str, Any]:
        payload = super().vote(me, action, poll, vote, readable=readable)
        payload["vote"] |= {"id": payload["poll"]["id"], "from": self._author(me, action), "to": poll.chat}
        payload["poll"] |= {"from": poll.chat, "to": poll.chat}
        return payload

    def chat(self, me: Identity, chat: Chat, last: Message | None) -> dict[str, Any]:
        group = chat.id.endswith("@g.us")
        return {
            "id": chat.id,
            "name": chat.name,
            "t": chat.at_ms // 1000,
            "unreadCount": chat.unread,
            "archive": chat.archived,
            "isReadOnly": False,
            "isGroup": group,
            "isUser": not group,
            "contact": {"id": chat.id, "name": chat.name},
            "groupMetadata": {"id": chat.id, "subject": chat.name} if group else None,
            "msgs": None,
        }

    def archived_answer(self, archived: bool) -> Any:
        return True

    def unread_answer(self) -> Any:
        return True

    def contact(self, me: Identity, contact: Contact, picture: str | None) -> dict[str, Any]:
        return {
            "id": contact.id,
            "name": contact.name,
            "pushname": contact.push_name,
            "formattedName": contact.shown_name or f"+{contact.id.partition('@')[0]}",
            "shortName": (contact.name or "").partition(" ")[0] or None,
            "isMe": contact.id == me.own,
            "isMyContact": contact.name is not None,
            "isBusiness": False,
            "isUser": not contact.id.endswith("@g.us"),
            "isWAContact": True,
            "isContactBlocked": contact.blocked,
            "profilePicThumbObj": {"eurl": picture, "img": picture, "imgFull": picture},
        }

    def group(self, me: Identity, group: Group, without_members: bool) -> dict[str, Any]:
        return {
            "id": group.id,
            "name": group.subject,
            "isGroup": True,
            "t": group.created,
            "groupMetadata": self._metadata(group, without_members),
        }

    def created_group(self, me: Identity, group: Group, absent: list[str]) -> Any:
        codes = {member.id: 200 for member in group.members} | dict.fromkeys(absent, 404)
        return {"gid": wid(group.id), "participants": self._results(codes)}

    def _results(self, codes: dict[str, int]) -> dict[str, Any]:
        return {
            who: {"wid": who, "code": code, "message": _WORDS[code], "invite_code": None, "invite_code_exp": None}
            for who, code in codes.items()
        }

    def members(self, me: Identity, members: list[Member]) -> Any:
        return [
            {"id": each.id, "isAdmin": each.role != "participant", "isSuperAdmin": each.role == "superadmin"}
            for each in members
        ]

    def participant(self, member: Member, *, event: str = "") -> GroupParticipant:
        return GroupParticipant(id=member.id, pn=None, role=member.role)  # type: ignore[arg-type]

    def members_changed(self, me: Identity, result: dict[str, int], change: str) -> Any:
        return self._results(result) if change == "add" else True

    def group_changed(self) -> Any:
        return True

    def group_refused(self, refusal: EngineFailure) -> Any:
        raise refusal

    def joined_can_send(self, group: Group) -> bool:
        return not group.messages_admins_only

    def group_update(self, info: dict[str, Any], changed: set[str]) -> dict[str, Any] | None:
        told = changed & {"subject", "description"}
        return super().group_update(info, told) if told else None

    def listed_channel(self, channel: Any) -> Any:
        channel.subscribersCount, channel.description, channel.invite = 0, None, ""
        return channel


DIALECT: Dialect = Wpp()
