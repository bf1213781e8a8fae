"""Messages and the events about them, as WAHA's engine WPP shows them.

``raw`` is a message as ``page/core.js`` copies it: WhatsApp Web's own names, ids as text, ``id`` as an object.
"""

from __future__ import annotations

from typing import Any

from waxbill.model.ids import kind
from waxbill.model.media import WAMedia
from waxbill.model.messages import ACK_NAMES

#: WhatsApp Web's words for what a client counts as a vote, a note or a call are left out by the page.
CIPHERED = "ciphertext"


def chat_of(raw: dict[str, Any]) -> str:
    return str(raw["id"]["remote"])


def from_me(raw: dict[str, Any]) -> bool:
    return bool(raw["id"]["fromMe"])


def note_key(key: dict[str, Any]) -> str:
    """What a message is remembered by, of its ``id``: its key, and whether it is ours."""
    return f"{'1' if key['fromMe'] else '0'}{key['id']}"


def body(raw: dict[str, Any]) -> str:
    """The text of a message: the caption of media, else what was written."""
    if raw.get("hasMedia"):
        return str(raw.get("caption") or "")
    if raw.get("type") == "poll_creation":
        return str(raw.get("pollName") or "")
    return str(raw.get("body") or raw.get("caption") or "")


def participant(raw: dict[str, Any]) -> str:
    """Who wrote it, in a chat of many; empty in a chat of two."""
    return str(raw.get("author") or raw["id"].get("participant") or "")


def acknowledged(raw: dict[str, Any]) -> dict[str, Any]:
    ack = raw.get("ack")
    if kind(chat_of(raw)) == "channel" and not from_me(raw):
        ack = None
    elif ack is None:
        ack = 0
    if ack not in ACK_NAMES:
        return {"ack": None, "ackName": "UNKNOWN"}
    return {"ack": ack, "ackName": ACK_NAMES[ack]}


def message(raw: dict[str, Any], me: str, *, ours: bool = False, media: WAMedia | None = None) -> dict[str, Any]:
    """A message as WAHA's WAMessage. ``ours`` says that this server sent it, ``media`` what is known of its file."""
    chat = chat_of(raw)
    mine = from_me(raw)
    has_media = bool(raw.get("hasMedia"))
    full_id = raw["id"]["_serialized"]
    shown: dict[str, Any] = {
        "id": full_id,
        "timestamp": int(raw.get("t") or 0),
        "from": me if mine else chat,
        "fromMe": mine,
        "source": "api" if mine and (ours or raw.get("ours")) else "app",
        "to": chat if mine else me,
        "participant": participant(raw) if kind(chat) in ("group", "status") else "",
        "body": body(raw),
        "hasMedia": has_media,
        "media": media,
        "mediaUrl": (media.url if media is not None and isinstance(media.url, str) else None) or "",
        **acknowledged(raw),
        "location": None,
        "vCards": None,
        "replyTo": reply_to(raw, me),
    }
    shown["_data"] = {
        **{name: value for name, value in raw.items() if name not in ("quoted", "ours", "hasMedia")},
        "id": full_id,
        "author": raw.get("author"),
    }
    return shown


def reply_to(raw: dict[str, Any], me: str) -> dict[str, Any] | None:
    """The message that is answered: with its full id, as this engine alone gives it."""
    quoted = raw.get("quoted")
    if not quoted:
        return None
    if "id" in quoted:
        full_id = quoted["id"]["_serialized"]
        who = me if from_me(quoted) else participant(quoted) or chat_of(quoted)
    else:  # the quoted message is not in the store; the reply names its key and its author
        who = quoted.get("participant") or ""
        mine = who == me
        full_id = f"{'true' if mine else 'false'}_{chat_of(raw)}_{quoted.get('key') or ''}"
    return {
        "id": full_id,
        "participant": who,
        "body": body(quoted),
        "hasMedia": bool(quoted.get("hasMedia")),
        "media": None,
        "_data": {"body": body(quoted), "type": quoted.get("type")},
    }


def is_told(raw: dict[str, Any]) -> bool:
    """Whether a message becomes an event: one that can't be read yet comes again when it can."""
    return raw.get("type") != CIPHERED


# -- events about a message


def ack_payload(key: dict[str, Any], chat: str, level: int, reader: str | None) -> dict[str, Any]:
    """The payload of message.ack, and of message.ack.group with its ``reader``."""
    return {
        "id": key["_serialized"],
        "from": chat,
        "to": chat,
        "participant": reader or key.get("participant") or "",
        "fromMe": bool(key["fromMe"]),
        "ack": level,
        "ackName": ACK_NAMES.get(level, "UNKNOWN"),
        "_data": {"id": key["_serialized"], "ack": level},
    }


def edited(raw: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """The payload of message.edited: the message as it is now, with the id of the edit."""
    edit = raw.get("latestEditMsgKey")
    edit_id = edit["_serialized"] if isinstance(edit, dict) else shown["id"]
    return {**shown, "id": edit_id, "editedMessageId": raw["id"]["id"]}


def revoked(data: dict[str, Any]) -> dict[str, Any]:
    """The payload of message.revoked: this engine gives keys in place of messages."""
    key = data["message"]
    parsed = {
        "id": key["id"],
        "fromMe": bool(key["fromMe"]),
        "remoteJid": key["remote"],
        "participant": key.get("participant") or data.get("author"),
    }
    return {"after": parsed, "before": parsed, "revokedMessageId": key["id"], "_data": data}


def reaction(data: dict[str, Any], me: str, mine: frozenset[str]) -> dict[str, Any]:
    """The payload of message.reaction; ``mine`` are the account's own ids."""
    sender = data.get("sender") or ""
    own = bool(data["id"]["fromMe"]) or sender in mine
    at = float(data.get("timestamp") or 0)
    return {
        "id": data["id"]["_serialized"],
        "timestamp": at / 1000 if at > 1e11 else at,
        "from": data["message"]["remote"],
        "fromMe": own,
        "source": "api" if data.get("ours") and own else "app",
        "to": me,
        "participant": me if own else sender,
        "reaction": {"text": data.get("text") or "", "messageId": data["message"]["_serialized"]},
        "_data": {
            "msgId": data["message"]["_serialized"],
            "reactionText": data.get("text") or "",
            "timestamp": data.get("timestamp"),
        },
    }


def vote(data: dict[str, Any], me: str, mine: frozenset[str]) -> dict[str, Any]:
    """The payload of poll.vote."""
    poll, chat = data["poll"], data["chat"] or data["poll"]["remote"]
    sender = data.get("sender") or ""
    own = sender in mine
    payload: dict[str, Any] = {
        "vote": {
            "id": poll["_serialized"],
            "from": me if own else sender,
            "to": chat,
            "fromMe": own,
            "selectedOptions": data["options"],
            "timestamp": data.get("timestamp") or 0,
        },
        "poll": {"id": poll["_serialized"], "from": chat, "to": chat, "fromMe": bool(poll["fromMe"])},
        "_data": data,
    }
    if kind(chat) == "group":
        payload["vote"]["participant"] = sender
        payload["poll"]["participant"] = me if poll["fromMe"] else poll.get("participant") or ""
    return payload
