"""Chats and the messages in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waxbill.model.chats import ChatPictureResponse, ChatSummary
from waxbill.model.errors import NotImplementedByEngine
from waxbill.model.messages import ACK_LEVELS

from ..shapes import chats as shapes
from .base import Base, matches

if TYPE_CHECKING:
    from waxbill.model.chats import ChatsQuery, GetChatsOverviewParams, ReadMessagesQuery
    from waxbill.model.messages import MessagesQuery, SendSeenRequest

#: How many messages are looked through for a page of them where a filter leaves some out.
_WINDOW = 1000


class Chats(Base):
    """The account's chats."""

    def get_chats(self, query: ChatsQuery) -> Any:
        found = [shapes.chat(raw) for raw in self.run("chats", ids=None, withLast=False)]
        if query.sortBy == "id":
            found.sort(key=lambda chat: chat["id"], reverse=query.sortOrder == "desc")
        elif query.sortBy == "name":
            found.sort(key=lambda chat: (chat["name"] or "").casefold(), reverse=query.sortOrder == "desc")
        else:
            found.sort(key=lambda chat: chat["t"], reverse=query.sortOrder != "asc")
        return found[query.offset or 0 :][: query.limit]

    def get_chats_overview(self, query: GetChatsOverviewParams, chats: list[str] | None) -> Any:
        found = self.run("overview", ids=chats, offset=query.offset or 0, limit=query.limit)
        return [
            ChatSummary(
                id=raw["id"],
                name=raw.get("name") or "",
                picture=raw.get("picture") or "",
                lastMessage={**self.shown(raw["last"]), "media": None} if raw.get("last") else None,  # type: ignore[arg-type]
                chat=shapes.chat(raw),
            )
            for raw in found
        ]

    def get_chat_picture(self, chat: str, *, refresh: bool = False) -> ChatPictureResponse:
        return ChatPictureResponse(url=self.run("picture", contact=chat, refresh=refresh) or "")

    def get_messages(self, chat: str, query: MessagesQuery) -> Any:
        if chat == "all":
            raise NotImplementedByEngine("get_chat_messages", "WPP", "The chat 'all' can't be read.")
        offset, limit = query.offset or 0, query.limit
        filtered = any(
            each is not None for each in (query.timestamp_gte, query.timestamp_lte, query.from_me, query.ack)
        )
        ascending = query.sortOrder == "asc"
        count = -1 if limit is None or ascending else max(offset + limit, _WINDOW if filtered else 0)
        ack = None if query.ack is None else ACK_LEVELS[query.ack]
        found = [raw for raw in self.run("messages", chat=chat, count=count) if matches(raw, query, ack)]
        if ascending:
            found.reverse()
        wanted = found[offset:] if limit is None else found[offset : offset + limit]
        return [self.shown(raw, media=bool(query.downloadMedia)) for raw in wanted]

    def get_message(self, chat: str, message: str, *, download_media: bool = True) -> Any:
        return self.shown(self.run("message", chat=chat, messageId=message), media=download_media)

    def read_messages(self, chat: str, query: ReadMessagesQuery) -> Any:
        self.run("markRead", chat=chat)
        return {"ids": None}

    def send_seen(self, request: SendSeenRequest) -> Any:
        """This engine marks the whole chat, whatever ids are given."""
        self.run("markRead", chat=request.chatId)
        return None if request.messageIds or request.messageId else {"ids": None}

    def unread_chat(self, chat: str) -> Any:
        self.run("markUnread", chat=chat)
        return True

    def archive_chat(self, chat: str) -> Any:
        self.run("archive", chat=chat, archive=True)
        return True

    def unarchive_chat(self, chat: str) -> Any:
        self.run("archive", chat=chat, archive=False)
        return True

    def delete_chat(self, chat: str) -> Any:
        return self.run("deleteChat", chat=chat)

    def clear_messages(self, chat: str) -> Any:
        return self.run("clearChat", chat=chat)
