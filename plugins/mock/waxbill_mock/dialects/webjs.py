"""WEBJS (whatsapp-web.js): sends answer with the library's message, whose ``id`` is an object."""

from __future__ import annotations

from typing import Any

from waxbill.model.errors import EngineFailure
from waxbill.model.groups import GroupParticipant

from ..account.chats import Chat
from ..account.contacts import Contact
from ..account.groups import Group, Member
from ..account.identity import Identity
from ..account.messages import Message
from ..account.reactions import Vote
from .dialect import FILES, Dialect
from .web import Web, type_of, wid

_WORDS = {
    200: "The participant was added successfully",
    404: "The phone number is not registered on WhatsApp",
    409: "The participant is already a group member",
    419: "The participant can't be added because the group is full",
}


class Webjs(Web):
    """The engine's shapes."""

    engine = "WEBJS"
    refuses = frozenset(
        {
            "send_link_custom_preview", "send_link_preview", "send_list", "send_buttons", "send_event",
            "new_message_id", "delete_status", "get_presences", "create_channel", "delete_channel", "follow_channel",
            "unfollow_channel", "mute_channel", "unmute_channel", "passkey_challenge", "passkey_assertion",
            "passkey_confirmation", "passkey_confirm",
        }
    )  # fmt: skip
    silent = frozenset(
        {
            "event.response", "event.response.failed", "label.upsert", "label.deleted", "label.chat.added",
            "label.chat.deleted", "call.accepted",
        }
    )  # fmt: skip
    told_with_tags = frozenset({"presence.update", "message.ack.group"})
    calls_told_when_ours = frozenset({"call.rejected"})

    def body(self, message: Message) -> str | None:
        content = message.content
        if message.revoked:
            return ""
        if content is not None and content.vcards:
            return content.vcards[0]
        return message.body if message.body is not None else ""

    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        shown = self._common(me, message)
        shown |= self._ends(me, message)
        shown["vCards"] = shown["vCards"] or []
        if quoted is not None:
            shown["replyTo"] = self._reply_to(me, quoted, {"body": self.body(quoted), "type": type_of(quoted)})
        shown["_data"] = self._raw(me, message, quoted)
        return shown

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        raw = self._raw(me, message, quoted)
        content = message.content
        answer = {
            "_data": raw,
            "id": raw["id"],
            "ack": raw["ack"],
            "hasMedia": message.kind in FILES,
            "body": raw["body"],
            "type": raw["type"],
            "timestamp": raw["t"],
            "from": raw["from"],
            "to": raw["to"],
            "author": message.participant,
            "deviceType": "web",
            "isForwarded": bool(content and content.forwarded),
            "forwardingScore": 1 if content and content.forwarded else 0,
            "isStatus": message.chat == "status@broadcast",
            "isStarred": message.starred,
            "broadcast": message.chat.endswith("@broadcast"),
            "fromMe": message.from_me,
            "hasQuotedMsg": quoted is not None,
            "hasReaction": message.reacted,
            "duration": raw.get("duration"),
            "location": self._location(message),
            "vCards": content.vcards if content else [],
            "inviteV4": None,
            "mentionedIds": raw["mentionedJidList"],
            "groupMentions": [],
            "orderId": None,
            "token": None,
            "isGif": raw.get("isGif", False),
            "isEphemeral": False,
            "links": [],
        }
        if content is not None and content.poll is not None:
            poll = ("pollName", "pollOptions", "allowMultipleAnswers", "pollInvalidated")
            answer |= {name: raw[name] for name in poll}
        return answer

    def forwarded(self, me: Identity, message: Message) -> Any:
        return {"sent": True}

    def not_forwarded(self, message: str) -> Any:
        return {"sent": False}

    def not_editable(self, message: str) -> Any:
        return None

    def edited_answer(self, me: Identity, message: Message, key: str) -> Any:
        return self.sent(me, message, None)

    def deleted_answer(self, me: Identity, message: Message, key: str, at_ms: int) -> Any:
        return None

    def reacted_answer(self, me: Identity, message: Message, text: str, key: str, at_ms: int) -> Any:
        return None

    def voted_answer(self, me: Identity, action: Message, poll: Message, chosen: list[str]) -> Any:
        return None

    def ack(self, me: Identity, message: Message, level: int, *, reader: str | None = None) -> dict[str, Any]:
        if reader is not None:
            return {**super().ack(me, message, level, reader=reader), "from": me.own}
        # The library tells the whole message with its new level.
        return {
            **self.message(me, message, None),
            **super().ack(me, message, level),
            "from": me.own,
        }

    def edited(self, me: Identity, shown: dict[str, Any], message: Message, key: str) -> dict[str, Any]:
        return {**shown, "editedMessageId": message.key}

    def revoked(
        self, me: Identity, before: dict[str, Any], after: dict[str, Any], message: Message, key: str
    ) -> dict[str, Any]:
        return {"after": after, "before": before, "revokedMessageId": message.key}

    def reaction(self, me: Identity, action: Message, message: Message, text: str) -> dict[str, Any]:
        who = self._author(me, action)
        return {**super().reaction(me, action, message, text), "from": who, "participant": who, "to": action.chat}

    def vote(self, me: Identity, action: Message, poll: Message, vote: Vote, *, readable: bool) -> dict[str, Any]:
        payload = super().vote(me, action, poll, vote, readable=readable)
        for part in (payload["vote"], payload["poll"]):
            for end in ("from", "to"):
                part[end] = me.own if part[end] == "me" else part[end]
        payload["vote"]["timestamp"] = vote.at_ms // 1000
        return payload

    def chat(self, me: Identity, chat: Chat, last: Message | None) -> dict[str, Any]:
        return {
            "id": wid(chat.id),
            "name": chat.name or chat.id.partition("@")[0],
            "isGroup": chat.id.endswith("@g.us"),
            "isReadOnly": False,
            "unreadCount": chat.unread,
            "timestamp": chat.at_ms // 1000,
            "archived": chat.archived,
            "pinned": chat.pinned,
            "isLocked": False,
            "isMuted": chat.muted_until_ms is not None,
            "muteExpiration": (chat.muted_until_ms or 0) // 1000,
            "lastMessage": None if last is None else self.sent(me, last, None),
        }

    def archived_answer(self, archived: bool) -> Any:
        return archived

    def unread_answer(self) -> Any:
        return True

    def contact(self, me: Identity, contact: Contact, picture: str | None) -> dict[str, Any]:
        number, _, server = contact.id.partition("@")
        return {
            "id": contact.id,
            "number": number,
            "name": contact.name,
            "pushname": contact.push_name,
            "shortName": (contact.name or "").partition(" ")[0] or None,
            "type": "in",
            "isBusiness": False,
            "isEnterprise": False,
            "isMe": contact.id == me.own,
            "isUser": server != "g.us",
            "isGroup": server == "g.us",
            "isWAContact": True,
            "isMyContact": contact.name is not None,
            "isBlocked": contact.blocked,
            "labels": [],
            "statusMute": False,
            "verifiedLevel": 0,
            "verifiedName": None,
        }

    def unknown_contact(self, me: Identity, contact: str) -> Any:
        return self.contact(me, Contact(contact), None)

    def _wid(self, text: str) -> Any:
        return wid(text)

    def group(self, me: Identity, group: Group, without_members: bool) -> dict[str, Any]:
        metadata = self._metadata(group, without_members)
        metadata["id"] = wid(group.id)
        metadata["owner"] = wid(group.owner)
        return {
            "id": wid(group.id),
            "name": group.subject,
            "isGroup": True,
            "isReadOnly": False,
            "timestamp": group.created,
            "groupMetadata": metadata,
        }

    def created_group(self, me: Identity, group: Group, absent: list[str]) -> Any:
        codes = {member.id: 200 for member in group.members} | dict.fromkeys(absent, 404)
        return {
            "title": group.subject,
            "gid": wid(group.id),
            "participants": {
                who: {
                    "statusCode": code,
                    "message": _WORDS[code],
                    "isGroupCreator": who == me.own,
                    "isInviteV4Sent": False,
                }
                for who, code in codes.items()
            },
        }

    def members(self, me: Identity, members: list[Member]) -> Any:
        return [
            {"id": wid(each.id), "isAdmin": each.role != "participant", "isSuperAdmin": each.role == "superadmin"}
            for each in members
        ]

    def participant(self, member: Member, *, event: str = "") -> GroupParticipant:
        shown = super().participant(member, event=event)
        shown.pn = None  # not known where the id is a hidden one
        return shown

    def members_changed(self, me: Identity, result: dict[str, int], change: str) -> Any:
        if change != "add":
            return {"status": 200}
        return {who: {"code": code, "message": _WORDS[code], "isInviteV4Sent": False} for who, code in result.items()}

    def members_refused(self, refusal: EngineFailure) -> Any:
        return f"AddParticipantsError: {refusal}"

    def group_changed(self) -> Any:
        return True

    def group_refused(self, refusal: EngineFailure) -> Any:
        if refusal.name == "item-not-found":
            raise refusal
        return False

    def group_update(self, info: dict[str, Any], changed: set[str]) -> dict[str, Any] | None:
        return info

    def listed_channel(self, channel: Any) -> Any:
        channel.subscribersCount = None
        return channel

    def call(
        self, call: str, caller: str, at_ms: int, *, video: bool, group: bool, ours: bool = False
    ) -> dict[str, Any]:
        if not ours:
            return super().call(call, caller, at_ms, video=video, group=group)
        return {
            "id": call, "from": caller, "timestamp": at_ms // 1000, "isVideo": False, "isGroup": group,
            "_data": {"api": True},
        }  # fmt: skip


DIALECT: Dialect = Webjs()
