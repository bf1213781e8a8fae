"""Messages as NOWEB shows them."""

from __future__ import annotations

from typing import Any

from ...account.identity import Identity
from ...account.messages import Message
from ..dialect import Dialect, protocol_id

_STATUS = {0: "PENDING", 1: "SERVER_ACK", 2: "DELIVERY_ACK", 3: "READ", 4: "PLAYED"}


class Messages(Dialect):
    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        shown = self._common(me, message)
        if message.participant is not None:
            shown["participant"] = message.participant
        if message.chat.endswith("@g.us"):
            shown["to"] = message.chat
        shown["replyTo"] = self._reply_to(me, quoted, {"conversation": quoted.body} if quoted else {})
        shown["_data"] = {
            **self._protocol(me, message, quoted),
            "pushName": me.push_name if message.from_me else message.push_name,
            "broadcast": message.chat.endswith("@broadcast"),
            "status": message.ack + 1,
        }
        return shown

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        answer = self._protocol(me, message, quoted)
        answer["messageTimestamp"] = str(answer["messageTimestamp"])
        answer["status"] = "PENDING"
        if message.chat.endswith("@g.us"):
            answer["participant"] = f"{me.phone}@s.whatsapp.net"
        return answer

    def _protocol(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        key: dict[str, Any] = {
            "remoteJid": protocol_id(message.chat),
            "fromMe": message.from_me,
            "id": message.key,
        }
        if message.participant is not None:
            key["participant"] = protocol_id(message.participant)
        content: dict[str, Any] = {"extendedTextMessage": {"text": message.body}}
        if quoted is not None:
            author = f"{me.phone}@c.us" if quoted.from_me else quoted.participant or quoted.chat
            content["extendedTextMessage"]["contextInfo"] = {
                "stanzaId": quoted.key,
                "participant": protocol_id(author),
                "quotedMessage": {"conversation": quoted.body},
            }
        return {"key": key, "message": content, "messageTimestamp": message.at_ms // 1000}
