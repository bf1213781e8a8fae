"""What a dialect is: how one engine writes messages, answers to sends, and acknowledgements."""

from __future__ import annotations

from typing import Any

from waxbill.model.ids import MessageId, kind
from waxbill.model.messages import ACK_NAMES

from ..account.identity import Identity
from ..account.messages import Message


class Dialect:
    """One engine's shapes. ``refuses`` are the operations (methods of Account) that it answers with 501."""

    engine = ""
    refuses: frozenset[str] = frozenset()
    #: ``all`` as a chat id reads every chat.
    reads_all_chats = False
    #: ``reply_to`` and the like accept a bare key.
    accepts_bare_key = False
    #: sendSeen and messages/read answer with the ids that changed.
    tells_read_ids = False
    #: Acknowledgement levels that are told as events.
    ack_events: tuple[int, ...] = (1, 2, 3)

    def message_id(self, me: Identity, message: Message) -> str:
        """The id on the wire; with the sender as its fourth part where the chat has many."""
        participant = message.participant
        if participant is None and message.from_me and kind(message.chat) in ("group", "status"):
            participant = f"{me.phone}@c.us"
        return str(MessageId(message.from_me, message.chat, message.key, participant))

    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        """The message as WAHA's WAMessage."""
        raise NotImplementedError

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        """The answer to a send."""
        raise NotImplementedError

    def ack(self, me: Identity, message: Message, level: int) -> dict[str, Any]:
        """The payload of message.ack."""
        return {
            "id": self.message_id(me, message),
            "from": message.chat,
            "to": message.chat,
            "participant": message.participant,
            "fromMe": message.from_me,
            "ack": level,
            "ackName": ACK_NAMES[level],
        }

    def seen(self, me: Identity, messages: list[str], *, asked_for_ids: bool) -> Any:
        """The answer to sendSeen; ``messages`` are the ids that changed."""
        if asked_for_ids:
            return None
        return {"ids": messages if self.tells_read_ids else None}

    def _common(self, me: Identity, message: Message) -> dict[str, Any]:
        """The members that every engine sends alike."""
        return {
            "id": self.message_id(me, message),
            "timestamp": message.at_ms // 1000,
            "from": message.chat,
            "fromMe": message.from_me,
            "source": message.source,
            "body": message.body,
            "hasMedia": False,
            "media": None,
            "ack": message.ack,
            "ackName": ACK_NAMES[message.ack],
            "location": None,
            "vCards": None,
            "replyTo": None,
        }

    def _reply_to(self, me: Identity, quoted: Message | None, raw: dict[str, Any]) -> dict[str, Any] | None:
        if quoted is None:
            return None
        author = f"{me.phone}@c.us" if quoted.from_me else quoted.participant or quoted.chat
        return {
            "id": quoted.key,
            "participant": author,
            "body": quoted.body,
            "hasMedia": False,
            "media": None,
            "_data": raw,
        }


def protocol_id(chat: str) -> str:
    """A chat id as the protocol writes it: ``@s.whatsapp.net`` for a person."""
    return chat.replace("@c.us", "@s.whatsapp.net")
