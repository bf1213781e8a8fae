"""History: reading messages back."""

from __future__ import annotations

from typing import Any

from waxbill.model import ids
from waxbill.model.errors import NotFound, NotImplementedByEngine
from waxbill.model.messages import ACK_LEVELS, MessagesQuery

from ..account.messages import Page
from .base import Base


class History(Base):
    """Messages of the account's chats."""

    def get_messages(self, chat: str, query: MessagesQuery) -> Any:
        if chat == "all" and not self._dialect.reads_all_chats:
            raise NotImplementedByEngine("get_chat_messages", self._dialect.engine, "The chat 'all' can't be read.")
        page = Page(
            chat=None if chat == "all" else chat,
            limit=query.limit,
            offset=query.offset or 0,
            newest_first=query.sortOrder != "asc",
            from_ms=None if query.timestamp_gte is None else int(query.timestamp_gte * 1000),
            to_ms=None if query.timestamp_lte is None else int(query.timestamp_lte * 1000) + 999,
            from_me=query.from_me,
            ack=None if query.ack is None else ACK_LEVELS[query.ack],
        )
        found = self.messages.page(self.host.store.read(), page, self._now_ms())
        return [self._shown(message) for message in found]

    def get_message(self, chat: str, message: str, *, download_media: bool = True) -> Any:
        found = self.messages.get(self.host.store.read(), ids.message_key(message), self._now_ms())
        if found is None or (chat != "all" and found.chat != chat):
            raise NotFound(f"Message '{message[:120]}' not found in the chat {chat}.")
        return self._shown(found)
