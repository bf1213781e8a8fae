"""Chats of one account: listed, archived, marked, deleted."""

from __future__ import annotations

from typing import Any

import msgspec

from waxbill.store import NO_LIMIT, Database

_ORDERS = {
    "conversationTimestamp": "at_ms",
    "messageTimestamp": "at_ms",
    "id": "id",
    "name": "lower(coalesce(name, ''))",
}


class Chat(msgspec.Struct):
    """A chat; ``last`` is the row of its newest message, ``unread`` -1 where it was marked as unread by hand."""

    id: str
    name: str | None
    last: int
    at_ms: int
    unread: int
    archived: bool
    pinned: bool
    muted_until_ms: int | None


class Chats:
    """The chats of one account."""

    def __init__(self, account: int) -> None:
        self.account = account

    def all(
        self,
        db: Database,
        *,
        chats: list[str] | None = None,
        sort: str = "conversationTimestamp",
        ascending: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Chat]:
        """The chats (of these ids), a window of them in an order."""
        condition = ""
        parameters: list[Any] = [self.account]
        if chats is not None:
            condition = f" AND id IN ({', '.join('?' * len(chats))})"
            parameters += chats
        direction = "ASC" if ascending else "DESC"  # the same for all, so that an index has the order
        rows = db.execute(
            "SELECT id, name, last, at_ms, unread, archived, pinned, muted_until_ms FROM mock_chat"  # noqa: S608
            f" WHERE account = ?{condition} ORDER BY {_ORDERS[sort]} {direction}, last {direction}, id {direction}"
            " LIMIT ? OFFSET ?",
            (*parameters, NO_LIMIT if limit is None else limit, offset),
        )
        return [_chat(row) for row in rows]

    def get(self, db: Database, chat: str) -> Chat | None:
        return next(iter(self.all(db, chats=[chat])), None)

    def set(self, db: Database, chat: str, **values: Any) -> bool:
        """Sets columns of a chat; False when there is no such chat."""
        columns = ", ".join(f"{name} = ?" for name in values)
        changed = db.execute(
            f"UPDATE mock_chat SET {columns} WHERE account = ? AND id = ?",  # noqa: S608
            (*values.values(), self.account, chat),
        )
        return changed.rowcount > 0

    def touch(self, db: Database, chat: str, name: str | None, at_ms: int) -> None:
        """Makes a chat that has no message yet, such as that of a new group, or moves it to the top."""
        db.execute(
            "INSERT INTO mock_chat (account, id, name, last, at_ms) VALUES (?, ?, ?, 0, ?)"
            " ON CONFLICT (account, id) DO UPDATE SET name = coalesce(excluded.name, mock_chat.name),"
            " at_ms = excluded.at_ms",
            (self.account, chat, name, at_ms),
        )

    def clear(self, db: Database, chat: str) -> bool:
        """Deletes all messages of a chat; False when there is no such chat."""
        for table in ("mock_reaction", "mock_vote"):
            db.execute(
                f"DELETE FROM {table} WHERE account = ? AND message IN"  # noqa: S608
                " (SELECT id FROM mock_message WHERE account = ? AND chat = ?)",
                (self.account, self.account, chat),
            )
        db.execute("DELETE FROM mock_message WHERE account = ? AND chat = ?", (self.account, chat))
        return self.set(db, chat, last=0, unread=0)

    def delete(self, db: Database, chat: str) -> bool:
        """Deletes a chat with its messages; False when there is none."""
        found = self.clear(db, chat)
        db.execute("DELETE FROM mock_chat WHERE account = ? AND id = ?", (self.account, chat))
        db.execute("DELETE FROM mock_label_chat WHERE account = ? AND chat = ?", (self.account, chat))
        return found


def _chat(row: tuple[Any, ...]) -> Chat:
    found = Chat(*row)
    found.archived, found.pinned = bool(row[5]), bool(row[6])
    return found
