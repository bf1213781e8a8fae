"""Messages as GOWS shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ...account.identity import Identity
from ...account.messages import Message
from ..dialect import Dialect, protocol_id


class Messages(Dialect):
    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        shown = self._common(me, message)
        group = message.chat.endswith("@g.us")
        sender = message.participant or (f"{me.phone}@c.us" if message.from_me else None)
        shown["to"] = shown["participant"] = sender if group else None
        shown["replyTo"] = self._reply_to(me, quoted, {"conversation": quoted.body} if quoted else {})
        shown["_data"] = self._engine_message(me, message, quoted)
        return shown

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        return {"id": self.message_id(me, message), "_data": self._engine_message(me, message, quoted)}

    def ack(self, me: Identity, message: Message, level: int) -> dict[str, Any]:
        payload = super().ack(me, message, level)
        if not message.chat.endswith("@g.us"):
            payload["to"] = payload["participant"] = None
        return payload

    def _engine_message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        own = f"{me.phone}@s.whatsapp.net"
        content: dict[str, Any] = {"conversation": message.body}
        if quoted is not None:
            author = own if quoted.from_me else protocol_id(quoted.participant or quoted.chat)
            content = {
                "extendedTextMessage": {
                    "text": message.body,
                    "contextInfo": {
                        "stanzaID": quoted.key,
                        "participant": author,
                        "quotedMessage": {"conversation": quoted.body},
                    },
                }
            }
        return {
            "Info": {
                "Chat": protocol_id(message.chat),
                "Sender": own if message.from_me else protocol_id(message.participant or message.chat),
                "IsFromMe": message.from_me,
                "IsGroup": message.chat.endswith("@g.us"),
                "ID": message.key,
                "Type": "text",
                "PushName": me.push_name if message.from_me else message.push_name,
                "Timestamp": datetime.fromtimestamp(message.at_ms // 1000, UTC).isoformat().replace("+00:00", "Z"),
            },
            "Message": content,
        }
