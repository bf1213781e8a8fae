"""What the engines on the protocol share: its messages, in the spelling of Baileys (NOWEB) or of Go (GOWS)."""

from __future__ import annotations

from typing import Any, ClassVar

from ..account.content import Content, Media
from ..account.identity import Identity
from ..account.messages import Message
from .dialect import Dialect, protocol_id

_FILE_MESSAGES = {
    "image": "imageMessage",
    "video": "videoMessage",
    "audio": "audioMessage",
    "voice": "audioMessage",
    "document": "documentMessage",
    "sticker": "stickerMessage",
}


class Protocol(Dialect):
    """NOWEB and GOWS: ``from`` is always the chat."""

    reads_all_chats = True
    uses_given_keys = True
    reads_by_id = True
    status_takes_contacts = True
    group_time_unit_ms = 1
    #: How the engine writes names that Baileys writes otherwise.
    spelling: ClassVar[dict[str, str]] = {}

    def body(self, message: Message) -> str | None:
        return None if message.revoked or message.kind in ("poll", "event") else message.body

    def file_name(self, me: Identity, message: Message) -> str:
        return message.key

    def _content(self, me: Identity, message: Message, quoted: Message | None = None) -> dict[str, Any]:
        """The content of a message as the protocol has it."""
        found = self._spelled(_content(message))
        context: dict[str, Any] = {}
        content = message.content or Content()
        if quoted is not None:
            context |= {
                "stanzaId": quoted.key,
                "participant": protocol_id(self._author(me, quoted)),
                "quotedMessage": _content(quoted),
            }
        if content.mentions:
            context["mentionedJid"] = [protocol_id(who) for who in content.mentions]
        if content.forwarded:
            context |= {"isForwarded": True, "forwardingScore": 1}
        for name, part in found.items():
            if context:
                # A plain text has no place for a context; the extended form has.
                if not isinstance(part, dict):
                    return {"extendedTextMessage": {"text": part, "contextInfo": self._spelled(context)}}
                found[name] = {**part, "contextInfo": self._spelled(context)}
        return found

    def _spelled(self, value: Any) -> Any:
        if not self.spelling:
            return value
        if isinstance(value, dict):
            return {self.spelling.get(name, name): self._spelled(part) for name, part in value.items()}
        return [self._spelled(part) for part in value] if isinstance(value, list) else value

    def _wrapped(self, me: Identity, chat: Message, key: str, at_ms: int, content: dict[str, Any]) -> Any:
        """What the engine answers to an action that is a message of its own, such as a reaction."""
        raise NotImplementedError

    def _key_of(self, message: Message) -> dict[str, Any]:
        """The protocol's key of a message."""
        key: dict[str, Any] = {
            "remoteJid": protocol_id(message.chat),
            "fromMe": message.from_me,
            "id": message.key,
        }
        if message.participant is not None:
            key["participant"] = protocol_id(message.participant)
        return key

    def edited_answer(self, me: Identity, message: Message, key: str) -> Any:
        edit = {"type": "MESSAGE_EDIT", "key": self._key_of(message), "editedMessage": _content(message)}
        return self._wrapped(me, message, key, message.edited_ms or message.at_ms, {"protocolMessage": edit})

    def deleted_answer(self, me: Identity, message: Message, key: str, at_ms: int) -> Any:
        revocation = {"type": "REVOKE", "key": self._key_of(message)}
        return self._wrapped(me, message, key, at_ms, {"protocolMessage": revocation})

    def reacted_answer(self, me: Identity, message: Message, text: str, key: str, at_ms: int) -> Any:
        reaction = {"key": self._key_of(message), "text": text, "senderTimestampMs": str(at_ms)}
        return self._wrapped(me, message, key, at_ms, {"reactionMessage": reaction})


def _content(message: Message) -> dict[str, Any]:
    content = message.content or Content()
    if message.revoked:
        return {"protocolMessage": {"type": "REVOKE"}}
    if message.kind in _FILE_MESSAGES and content.media is not None:
        return _file(message, content.media)
    if content.location is not None:
        place = content.location
        where: dict[str, Any] = {"degreesLatitude": place.latitude, "degreesLongitude": place.longitude}
        if place.live:
            return {"liveLocationMessage": where}
        return {"locationMessage": {**where, "name": place.name, "address": place.address}}
    if content.vcards:
        cards = [{"displayName": _name(card), "vcard": card} for card in content.vcards]
        if len(cards) == 1:
            return {"contactMessage": cards[0]}
        return {"contactsArrayMessage": {"displayName": f"{len(cards)} contacts", "contacts": cards}}
    if content.poll is not None:
        return {
            "pollCreationMessageV3": {
                "name": content.poll.name,
                "options": [{"optionName": option} for option in content.poll.options],
                "selectableOptionsCount": content.poll.selectable,
            }
        }
    if content.event is not None:
        event = content.event
        return {
            "eventMessage": {
                "name": event.name,
                "description": event.description,
                "startTime": event.start,
                "endTime": event.end,
                "location": {"name": event.location} if event.location else None,
                "extraGuestsAllowed": event.extra_guests,
                "isCanceled": False,
            }
        }
    if content.interactive is not None:
        return _interactive(message, content.interactive)
    if content.preview is not None or content.style is not None:
        text: dict[str, Any] = {"text": message.body}
        if content.preview is not None:
            preview = content.preview
            text |= {"matchedText": preview.get("url"), "title": preview.get("title")}
            text["description"] = preview.get("description")
        if content.style is not None:
            text |= {"backgroundArgb": content.style["backgroundColor"], "font": content.style.get("font")}
        return {"extendedTextMessage": text}
    return {"conversation": message.body} if message.kind == "text" else {}


def _file(message: Message, media: Media) -> dict[str, Any]:
    shown: dict[str, Any] = {"url": None, "mimetype": media.mimetype, "fileLength": str(media.size)}
    if message.body is not None:
        shown["caption"] = message.body
    if message.kind == "document":
        shown |= {"fileName": media.filename, "title": media.filename}
    if message.kind == "voice":
        shown["ptt"] = True
    if media.seconds is not None:
        shown["seconds"] = media.seconds
    if media.animated:
        shown["gifPlayback"] = True
    return {"ptvMessage" if media.note else _FILE_MESSAGES[message.kind]: shown}


def _interactive(message: Message, content: dict[str, Any]) -> dict[str, Any]:
    if message.kind == "list":
        return {
            "listMessage": {
                "title": content["title"],
                "description": content.get("description"),
                "footerText": content.get("footer"),
                "buttonText": content["button"],
                "listType": "SINGLE_SELECT",
                "sections": content["sections"],
            }
        }
    if message.kind == "list_reply":
        return {
            "listResponseMessage": {
                "title": message.body,
                "listType": "SINGLE_SELECT",
                "singleSelectReply": {"selectedRowId": content.get("selected")},
            }
        }
    if message.kind == "button_reply":
        return {
            "templateButtonReplyMessage": {
                "selectedId": content.get("selected"),
                "selectedDisplayText": message.body,
            }
        }
    names = {"reply": "quick_reply", "url": "cta_url", "call": "cta_call", "copy": "cta_copy"}
    return {
        "interactiveMessage": {
            "header": {"title": content.get("header")},
            "body": {"text": message.body},
            "footer": {"text": content.get("footer")},
            "nativeFlowMessage": {
                "buttons": [
                    {"name": names[button["type"]], "buttonParamsJson": {**button}} for button in content["buttons"]
                ]
            },
        }
    }


def _name(card: str) -> str:
    return next((line[3:].strip() for line in card.splitlines() if line.startswith("FN:")), "")
