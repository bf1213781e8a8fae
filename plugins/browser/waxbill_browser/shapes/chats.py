"""Chats, contacts, groups, channels and labels, as WAHA's engine WPP shows them."""

from __future__ import annotations

from typing import Any

from waxbill.model.channels import Channel, ChannelPublicInfo
from waxbill.model.groups import GroupParticipant
from waxbill.model.ids import kind
from waxbill.model.labels import Label, color_hex
from waxbill.model.presence import Presence, WAHAChatPresences, WAHAPresenceData

#: WhatsApp's code for a member that was added or not, in this engine's words.
CODES = {200: "OK", 403: "Forbidden", 404: "NotFound", 408: "RecentlyLeft", 409: "AlreadyAMember", 419: "GroupFull"}


def chat(raw: dict[str, Any]) -> dict[str, Any]:
    """A chat: WhatsApp Web's own, with its id as text."""
    group = bool(raw.get("isGroup"))
    return {
        **{name: value for name, value in raw.items() if name not in ("last", "picture")},
        "t": int(raw.get("t") or 0),
        "unreadCount": int(raw.get("unreadCount") or 0),
        "archive": bool(raw.get("archive")),
        "isReadOnly": bool(raw.get("isReadOnly")),
        "isGroup": group,
        "isUser": kind(raw["id"]) == "person",
        "groupMetadata": raw.get("groupMetadata") or ({"id": raw["id"], "subject": raw.get("name")} if group else None),
        "msgs": None,
    }


def without_members(group: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        name: value
        for name, value in group["groupMetadata"].items()
        if name not in ("participants", "pendingParticipants", "pastParticipants", "membershipApprovalRequests")
    }
    return {**group, "groupMetadata": metadata}


def group(raw: dict[str, Any]) -> dict[str, Any]:
    metadata = dict(raw["groupMetadata"])
    if "participants" in metadata:
        metadata["participants"] = members(metadata["participants"])
    return {
        "id": raw["id"],
        "name": raw.get("name"),
        "isGroup": True,
        "t": int(raw.get("t") or 0),
        "groupMetadata": metadata,
    }


def members(raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": each["id"], "isAdmin": each["isAdmin"], "isSuperAdmin": each["isSuperAdmin"]} for each in raw]


def role(raw: dict[str, Any]) -> Any:
    return "superadmin" if raw["isSuperAdmin"] else "admin" if raw["isAdmin"] else "participant"


def participants(raw: list[dict[str, Any]]) -> list[GroupParticipant]:
    """Members in the one shape for all engines; this one never tells their numbers beside their ids."""
    return [GroupParticipant(id=each["id"], pn=None, role=role(each)) for each in raw]


def group_info(raw: dict[str, Any], invite: str | None = None) -> dict[str, Any]:
    """A group in the one shape for all engines, as group.v2 events have it."""
    data = raw["groupMetadata"]
    return {
        "id": raw["id"],
        "subject": data.get("subject") or raw.get("name") or "",
        "description": data.get("desc") or "",
        "invite": f"https://chat.whatsapp.com/{invite}" if invite else None,
        "membersCanAddNewMember": data.get("memberAddMode") in (True, "all_member_add"),
        "membersCanSendMessages": not data.get("announce"),
        "newMembersApprovalRequired": bool(data.get("membershipApprovalMode")),
        "participants": participants(data.get("participants") or []),
    }


def changed_members(answer: dict[str, Any] | None, people: list[str]) -> dict[str, Any]:
    """WhatsApp's code for each that was to be added; of those that it says nothing about, that it took them."""
    found = answer or {who: {"code": 200} for who in people}
    return {
        who: {
            "wid": who,
            "code": int(each.get("code") or 0),
            "message": CODES.get(int(each.get("code") or 0), each.get("message") or "UnknownError"),
            "invite_code": each.get("invite_code"),
            "invite_code_exp": each.get("invite_code_exp"),
        }
        for who, each in found.items()
    }


def channel(raw: dict[str, Any], *, listed: bool = False) -> Channel:
    """A channel; in lists this engine knows neither description, nor invite, nor subscribers."""
    return Channel(
        id=raw["id"],
        name=raw.get("name") or "",
        description=None if listed else raw.get("description"),
        invite="" if listed else invite_link(raw.get("invite")),
        picture=raw.get("picture"),
        preview=raw.get("picture"),
        verified=bool(raw.get("verified")),
        role="OWNER" if str(raw.get("membership") or "").upper() == "OWNER" else "SUBSCRIBER",
        subscribersCount=0 if listed else raw.get("subscribers"),
    )


def invite_link(invite: Any) -> str:
    text = str(invite or "")
    return text if not text or "/" in text else f"https://whatsapp.com/channel/{text}"


def found_channel(raw: dict[str, Any]) -> ChannelPublicInfo:
    """A channel as the directory shows it."""
    picture = raw.get("picture")
    picture = f"https://pps.whatsapp.net{picture}" if isinstance(picture, str) and picture.startswith("/") else None
    return ChannelPublicInfo(
        id=raw.get("idJid") or "",
        name=raw.get("name") or "",
        description=raw.get("description") or None,
        invite=invite_link(raw.get("inviteCode")),
        picture=picture,
        preview=picture,
        verified=raw.get("verification") == "VERIFIED",
        subscribersCount=raw.get("subscribersCount"),
    )


def label(raw: dict[str, Any]) -> Label:
    color = int(raw.get("color") or 0)
    return Label(id=str(raw["id"]), name=raw.get("name") or "", color=color, colorHex=color_hex(color))


_PRESENCES: dict[Any, Presence] = {
    "available": "online",
    "composing": "typing",
    "typing": "typing",
    "recording": "recording",
    "recording_audio": "recording",
    "paused": "paused",
    "unavailable": "offline",
}


def presences(raw: dict[str, Any]) -> WAHAChatPresences:
    """Who is online or typing in a chat; whom WhatsApp says nothing about is offline."""
    return WAHAChatPresences(
        id=raw["id"],
        presences=[
            WAHAPresenceData(
                participant=each["participant"],
                lastKnownPresence=_PRESENCES.get(each.get("state"), "online" if each.get("online") else "offline"),
                lastSeen=_seen(each),
            )
            for each in raw["people"]
        ],
    )


def _seen(person: dict[str, Any]) -> int | None:
    """When somebody who is not there was last seen, in seconds."""
    at = person.get("seen")
    if not isinstance(at, (int, float)) or at <= 0 or person.get("online"):
        return None
    return int(at / 1000 if at > 1e11 else at)
