"""Chats: listed, read, archived, marked, deleted."""

from __future__ import annotations

from typing import Any

from waxbill.model import ids
from waxbill.model.chats import ChatPictureResponse, ChatsQuery, GetChatsOverviewParams, ReadMessagesQuery
from waxbill.model.errors import NotFound, NotImplementedByEngine
from waxbill.model.messages import ACK_LEVELS, MessagesQuery

from ..account.chats import Chat
from ..account.groups import Refused
from ..account.identity import person
from ..account.messages import Message, Page
from .base import STATUS, STATUS_MS
from .chatting import Chatting

_DAY_MS = 24 * 60 * 60 * 1000


class ChatOperations(Chatting):
    """The account's chats and what is in them."""

    # -- lists

    def get_chats(self, query: ChatsQuery) -> Any:
        db = self.host.store.read()
        found = self.chats.all(
            db,
            sort=query.sortBy or self._dialect.chats_sorted_by,
            ascending=query.sortOrder == "asc" if query.sortBy or query.sortOrder else self._dialect.chats_ascending,
            limit=query.limit,
            offset=query.offset or 0,
        )
        return [self._dialect.chat(self.me, self._named(chat), last) for chat, last in self._with_last(found)]

    def get_chats_overview(self, query: GetChatsOverviewParams, chats: list[str] | None) -> Any:
        wanted = None if chats is None else [person(chat) for chat in chats]
        found = self.chats.all(self.host.store.read(), chats=wanted, limit=query.limit, offset=query.offset or 0)
        return [
            {
                "id": chat.id,
                "name": self._named(chat).name,
                "picture": self._picture_of(chat.id) or "",
                "lastMessage": None if last is None else self._shown(last, media=False),
                "_chat": self._dialect.chat(self.me, chat, last),
            }
            for chat, last in self._with_last(found)
        ]

    def _with_last(self, chats: list[Chat]) -> list[tuple[Chat, Message | None]]:
        rows = [chat.last for chat in chats if chat.last]
        found = self.messages.last_of(self.host.store.read(), rows, self._now_ms()) if rows else {}
        return [(chat, found.get(chat.last)) for chat in chats]

    def _named(self, chat: Chat) -> Chat:
        """A chat with the name that the address book or the group gives it."""
        db = self.host.store.read()
        if ids.kind(chat.id) == "person":
            contact = self.contacts.get(db, chat.id)
            chat.name = (contact.shown_name if contact else None) or chat.name
        return chat

    def _picture_of(self, chat: str) -> str | None:
        db = self.host.store.read()
        where = ids.kind(chat)
        if where == "group":
            try:
                return self._picture_url(chat, self.groups.get(db, chat).picture)
            except Refused:
                return None
        if where == "channel":
            found = self.channels.get(db, chat)
            return self._picture_url(chat, found.picture) if found else None
        if person(chat) == self.me.own:
            return self._picture_url(chat, self.me.picture)
        contact = self.contacts.get(db, chat)
        return self._picture_url(chat, contact.picture) if contact else None

    def get_chat_picture(self, chat: str, *, refresh: bool = False) -> ChatPictureResponse:
        return ChatPictureResponse(url=self._picture_of(chat) or "")

    # -- messages

    def get_messages(self, chat: str, query: MessagesQuery) -> Any:
        if chat == "all" and not self._dialect.reads_all_chats:
            raise NotImplementedByEngine("get_chat_messages", self._dialect.engine, "The chat 'all' can't be read.")
        from_ms = None if query.timestamp_gte is None else int(query.timestamp_gte * 1000)
        if chat == STATUS:
            from_ms = max(from_ms or 0, self._now_ms() - STATUS_MS)
        page = Page(
            chat=None if chat == "all" else person(chat),
            limit=query.limit,
            offset=query.offset or 0,
            newest_first=query.sortOrder != "asc",
            from_ms=from_ms,
            to_ms=None if query.timestamp_lte is None else int(query.timestamp_lte * 1000) + 999,
            from_me=query.from_me,
            ack=None if query.ack is None else ACK_LEVELS[query.ack],
        )
        found = self.messages.page(self.host.store.read(), page, self._now_ms())
        return [self._shown(message, media=bool(query.downloadMedia)) for message in found]

    def get_message(self, chat: str, message: str, *, download_media: bool = True) -> Any:
        found = self._existing(message, None if chat == "all" else chat)
        if found.chat == STATUS and found.at_ms < self._now_ms() - STATUS_MS:
            raise NotFound(f"The status '{message[:120]}' is older than 24 hours and gone.")
        return self._shown(found, media=download_media)

    def read_messages(self, chat: str, query: ReadMessagesQuery) -> Any:
        chat = person(chat)
        most = query.messages or (100 if ids.kind(chat) == "group" else 30)
        since = self._now_ms() - int(query.days or 0) * _DAY_MS
        keys = self.messages.unread(self.host.store.read(), chat, since, int(most))
        shown = self._mark_read(chat, keys)
        return {"ids": shown if self._dialect.reads_by_id else None}

    def clear_messages(self, chat: str) -> Any:
        with self.host.store.write() as db:
            return self.chats.clear(db, self._known_chat(chat))

    # -- the chat itself

    def _known_chat(self, chat: str) -> str:
        """A chat's id as it is kept; raises NotFound for a chat that the account does not have."""
        if self.chats.get(self.host.store.read(), person(chat)) is None:
            raise NotFound(f"Chat '{chat}' not found.")
        return person(chat)

    def delete_chat(self, chat: str) -> Any:
        with self.host.store.write() as db:
            return self.chats.delete(db, self._known_chat(chat))

    def archive_chat(self, chat: str) -> Any:
        return self._archive(chat, True)

    def unarchive_chat(self, chat: str) -> Any:
        return self._archive(chat, False)

    def _archive(self, chat: str, archived: bool) -> Any:
        chat = self._known_chat(chat)
        now = self._now_ms()
        with self.host.store.write() as db:
            self.chats.set(db, chat, archived=archived)
            self._tell("chat.archive", {"id": chat, "archived": archived, "timestamp": now // 1000}, chat)
        return self._dialect.archived_answer(archived)

    def unread_chat(self, chat: str) -> Any:
        with self.host.store.write() as db:
            self.chats.set(db, self._known_chat(chat), unread=-1)
        return self._dialect.unread_answer()
