"""Messages as WEBJS shows them."""

from __future__ import annotations

from typing import Any

from waxbill.model.ids import kind

from ...account.identity import Identity
from ...account.messages import Message
from ..dialect import Dialect


class Messages(Dialect):
    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        own = f"{me.phone}@c.us"
        shown = self._common(me, message)
        shown["from"], shown["to"] = (own, message.chat) if message.from_me else (message.chat, own)
        if message.participant is not None:
            shown["participant"] = message.participant
        shown["vCards"] = []
        if quoted is not None:
            shown["replyTo"] = self._reply_to(me, quoted, {"body": quoted.body, "type": "chat"})
        shown["_data"] = self._raw(me, message, quoted)
        return shown

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        raw = self._raw(me, message, quoted)
        return {
            "_data": raw,
            "id": raw["id"],
            "ack": raw["ack"],
            "hasMedia": False,
            "body": message.body,
            "type": raw["type"],
            "timestamp": raw["t"],
            "from": raw["from"],
            "to": raw["to"],
            "author": message.participant,
            "deviceType": "web",
            "isForwarded": False,
            "forwardingScore": 0,
            "isStatus": message.chat == "status@broadcast",
            "isStarred": False,
            "broadcast": message.chat.endswith("@broadcast"),
            "fromMe": message.from_me,
            "hasQuotedMsg": quoted is not None,
            "hasReaction": False,
            "duration": None,
            "location": None,
            "vCards": [],
            "inviteV4": None,
            "mentionedIds": [],
            "groupMentions": [],
            "orderId": None,
            "token": None,
            "isGif": False,
            "isEphemeral": False,
            "links": [],
        }

    def _raw(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        """The web client's own message."""
        own = f"{me.phone}@c.us"
        key: dict[str, Any] = {"fromMe": message.from_me, "remote": message.chat, "id": message.key}
        if kind(message.chat) == "group":
            key["participant"] = message.participant or own
        key["_serialized"] = self.message_id(me, message)
        raw: dict[str, Any] = {
            "id": key,
            "body": message.body,
            "type": "chat",
            "t": message.at_ms // 1000,
            "notifyName": me.push_name if message.from_me else message.push_name,
            "from": own if message.from_me else message.chat,
            "to": message.chat if message.from_me else own,
            "ack": message.ack,
            "isNewMsg": True,
            "star": False,
            "mentionedJidList": [],
        }
        if message.participant is not None:
            raw["author"] = message.participant
        if quoted is not None:
            raw["quotedMsg"] = {"type": "chat", "body": quoted.body}
            raw["quotedStanzaID"] = quoted.key
            raw["quotedParticipant"] = own if quoted.from_me else quoted.participant or quoted.chat
        return raw
