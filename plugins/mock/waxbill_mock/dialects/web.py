"""What the engines on WhatsApp Web share: the web client's own message, and who is ``from`` and ``to``."""

from __future__ import annotations

from typing import Any

from waxbill.model.ids import kind

from ..account.groups import Group
from ..account.identity import Identity
from ..account.messages import Message
from .dialect import Dialect, is_admin

#: The web client's words for what a message is; those that it calls the same are left out.
_TYPES = {
    "text": "chat",
    "voice": "ptt",
    "poll": "poll_creation",
    "event": "event_creation",
    "buttons": "buttons",
    "button_reply": "buttons_response",
    "action": "chat",
}


def type_of(message: Message) -> str:
    if message.revoked:
        return "revoked"
    if message.kind == "contact":
        return "vcard" if message.content and len(message.content.vcards) == 1 else "multi_vcard"
    return _TYPES.get(message.kind, message.kind)


class Web(Dialect):
    """WEBJS and WPP."""

    has_screen = True

    def _ends(self, me: Identity, message: Message) -> dict[str, str]:
        """``from`` is who sent it and ``to`` the other side, so they change places for own messages."""
        if message.from_me:
            return {"from": me.own, "to": message.chat}
        return {"from": message.chat, "to": me.own}

    def _key(self, me: Identity, message: Message) -> dict[str, Any]:
        key: dict[str, Any] = {"fromMe": message.from_me, "remote": message.chat, "id": message.key}
        if kind(message.chat) in ("group", "status"):
            key["participant"] = self._author(me, message)
        key["_serialized"] = self.message_id(me, message)
        return key

    def _raw(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        """The web client's own message."""
        content = message.content
        raw: dict[str, Any] = {
            "id": self._key(me, message),
            "body": self.body(message),
            "type": type_of(message),
            "t": message.at_ms // 1000,
            "notifyName": me.push_name if message.from_me else message.push_name,
            **self._ends(me, message),
            "ack": message.ack,
            "isNewMsg": True,
            "star": message.starred,
            "mentionedJidList": content.mentions if content else [],
        }
        if message.participant is not None:
            raw["author"] = message.participant
        if message.reacted:
            raw["hasReaction"] = True
        if message.pinned_until_ms is not None:
            raw["pinnedUntil"] = message.pinned_until_ms // 1000
        if message.edited_ms is not None:
            raw["latestEditMsgKey"], raw["latestEditSenderTimestampMs"] = raw["id"], message.edited_ms
        if content is not None and not message.revoked:
            raw |= _content(message)
        if quoted is not None:
            raw["quotedMsg"] = {"type": type_of(quoted), "body": self.body(quoted)}
            raw["quotedStanzaID"] = quoted.key
            raw["quotedParticipant"] = self._author(me, quoted)
        return raw

    def _metadata(self, group: Group, without_members: bool) -> dict[str, Any]:
        """What the web client knows of a group."""
        shown: dict[str, Any] = {
            "id": group.id,
            "creation": group.created,
            "owner": group.owner,
            "subject": group.subject,
            "subjectTime": group.subject_at,
            "desc": group.description,
            "descId": group.description_id,
            "descTime": group.description_at,
            "descOwner": group.description_by,
            "restrict": group.info_admins_only,
            "announce": group.messages_admins_only,
            "noFrequentlyForwarded": False,
            "ephemeralDuration": 0,
            "size": len(group.members),
            "support": False,
            "suspended": False,
            "memberAddMode": group.members_can_add,
            "memberShareGroupHistoryMode": group.members_can_share,
            "membershipApprovalMode": group.approval,
            "isParentGroup": False,
            "defaultSubgroup": False,
        }
        if not without_members:
            shown |= {
                "participants": [
                    {
                        "id": self._wid(member.id),
                        "isAdmin": is_admin(member),
                        "isSuperAdmin": member.role == "superadmin",
                    }
                    for member in group.members
                ],
                "pendingParticipants": [],
                "pastParticipants": [],
                "membershipApprovalRequests": [],
            }
        return shown

    def _wid(self, text: str) -> Any:
        """An id as the engine's library shows it."""
        return text


def wid(text: str) -> dict[str, str]:
    user, _, server = text.partition("@")
    return {"server": server, "user": user, "_serialized": text}


def _content(message: Message) -> dict[str, Any]:
    content = message.content
    assert content is not None
    raw: dict[str, Any] = {}
    if content.media is not None:
        media = content.media
        raw |= {"mimetype": media.mimetype, "size": media.size, "caption": message.body, "isGif": media.animated}
        if media.filename and message.kind == "document":
            raw["filename"] = media.filename
        if media.seconds is not None:
            raw["duration"] = str(media.seconds)
        if media.note:
            raw["type"] = "ptv"
    if content.location is not None:
        place = content.location
        raw |= {"lat": place.latitude, "lng": place.longitude, "loc": place.name, "isLive": place.live}
    if content.vcards:
        raw["vcardList"] = [{"vcard": card} for card in content.vcards]
    if content.poll is not None:
        raw |= {
            "pollName": content.poll.name,
            "pollOptions": [{"name": name, "localId": i} for i, name in enumerate(content.poll.options)],
            "pollSelectableOptionsCount": content.poll.selectable,
            "allowMultipleAnswers": content.poll.selectable != 1,
            "pollInvalidated": False,
        }
    if content.event is not None:
        raw |= {"eventName": content.event.name, "eventStartTime": content.event.start}
    if content.interactive is not None:
        raw |= _interactive(message.kind, content.interactive)
    if content.preview is not None:
        raw |= {"title": content.preview.get("title"), "matchedText": content.preview.get("url")}
        raw["description"] = content.preview.get("description")
    if content.style is not None:
        raw |= content.style
    if content.forwarded:
        raw |= {"isForwarded": True, "forwardingScore": 1}
    return raw


def _interactive(kind_: str, content: dict[str, Any]) -> dict[str, Any]:
    if kind_ == "buttons":
        return {
            "isDynamicReplyButtonsMsg": True,
            "title": content.get("header"),
            "footer": content.get("footer"),
            "dynamicReplyButtons": [
                {"buttonId": button.get("id"), "buttonText": {"displayText": button["text"]}, "type": 1}
                for button in content["buttons"]
            ],
        }
    if kind_ == "button_reply":
        return {"selectedButtonId": content.get("selected")}
    if kind_ == "list_reply":
        return {"selectedRowId": content.get("selected"), "type": "list_response"}
    return {"list": content}
