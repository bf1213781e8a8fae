"""Messages as WPP shows them."""

from __future__ import annotations

from typing import Any

from ...account.identity import Identity
from ...account.messages import Message
from ..dialect import Dialect


class Messages(Dialect):
    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        own = f"{me.phone}@c.us"
        shown = self._common(me, message)
        shown["from"], shown["to"] = (own, message.chat) if message.from_me else (message.chat, own)
        shown["participant"] = message.participant
        shown["mediaUrl"] = None
        reply = self._reply_to(me, quoted, {"body": quoted.body, "type": "chat"} if quoted else {})
        if reply is not None and quoted is not None:
            reply["id"] = self.message_id(me, quoted)  # this engine alone gives the full id
        shown["replyTo"] = reply
        shown["_data"] = {
            "id": shown["id"],
            "body": message.body,
            "type": "chat",
            "t": message.at_ms // 1000,
            "notifyName": me.push_name if message.from_me else message.push_name,
            "from": shown["from"],
            "to": shown["to"],
            "author": message.participant,
            "ack": message.ack,
        }
        return shown

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        return self.message(me, message, quoted)
