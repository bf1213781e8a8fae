"""Messages and chats of one account: kept, found, read, acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from waxbill.store import NO_LIMIT, Database

from .content import Content, decode, encode
from .reactions import Reaction

#: Acknowledgement levels, as WhatsApp counts them.
SERVER, DEVICE, READ = 1, 2, 3

_COLUMNS = (
    "id, chat, key, from_me, participant, at_ms, kind, body, {ack}, source, quoted, push_name, content, edited_ms,"
    " revoked, starred, pinned_until_ms, reacted"
)
# What was sent is acknowledged by the passing of time, unless it is further already: nothing is written for it.
_ACK = (
    "CASE WHEN from_me = 0 OR ack >= 3 THEN ack WHEN at_ms <= :read_before THEN 3"
    " WHEN at_ms <= :device_before THEN 2 ELSE ack END"
)
_FROM = f"SELECT {_COLUMNS.format(ack=_ACK)} FROM mock_message"  # noqa: S608
_SELECT = f"{_FROM} WHERE account = :account"


class Message(msgspec.Struct):
    """A message as this account has it. Times in Unix ms; ``participant`` is who wrote it in a group.

    ``kind`` is text, image, video, audio, voice, document, sticker, location, contact, poll, list, buttons or event.
    """

    id: int
    chat: str
    key: str
    from_me: bool
    participant: str | None
    at_ms: int
    kind: str
    body: str | None
    ack: int
    source: str
    quoted: str | None = None
    push_name: str | None = None
    content: Content | None = None
    edited_ms: int | None = None
    revoked: bool = False
    starred: bool = False
    pinned_until_ms: int | None = None
    reacted: bool = False
    #: What clients are told of its file, and the reactions to it; not kept, but found when it is shown.
    media: Any = None
    reactions: list[Reaction] = []


class Page(msgspec.Struct, kw_only=True):
    """Which messages to read: of one chat or of all, filtered, sorted by time, a window of them."""

    chat: str | None
    limit: int | None = None
    offset: int = 0
    newest_first: bool = True
    from_ms: int | None = None
    to_ms: int | None = None
    from_me: bool | None = None
    ack: int | None = None


class Messages:
    """The messages of one account. ``device_ms`` and ``read_ms``: when a sent one reaches the phone and is read."""

    device_ms = read_ms = 0

    def __init__(self, account: int) -> None:
        self.account = account

    def _parameters(self, now_ms: int, **more: Any) -> dict[str, Any]:
        return {
            "account": self.account,
            "device_before": now_ms - self.device_ms,
            "read_before": now_ms - self.read_ms,
            **more,
        }

    def add(self, db: Database, message: Message) -> Message:
        """Keeps a new message, moves its chat to the top and counts it as unread if it came in."""
        message.id = (
            db.execute(
                "INSERT INTO mock_message (account, chat, key, from_me, participant, at_ms, kind, body, ack, source,"
                " quoted, push_name, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self.account,
                    message.chat,
                    message.key,
                    message.from_me,
                    message.participant,
                    message.at_ms,
                    message.kind,
                    message.body,
                    message.ack,
                    message.source,
                    message.quoted,
                    message.push_name,
                    encode(message.content),
                ),
            ).lastrowid
            or 0
        )
        unread = 0 if message.from_me else 1
        chat_name = None if message.participant else message.push_name  # a group's name is no member's
        db.executemany(
            "INSERT INTO mock_chat (account, id, name, last, at_ms, unread) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (account, id) DO UPDATE SET last = excluded.last, at_ms = excluded.at_ms,"
            " unread = CASE WHEN mock_chat.unread > 0 THEN mock_chat.unread ELSE 0 END + excluded.unread,"
            " name = coalesce(excluded.name, mock_chat.name)",
            [(self.account, message.chat, chat_name, message.id, message.at_ms, unread)],
        )
        return message

    def get(self, db: Database, key: str, now_ms: int) -> Message | None:
        row = db.execute(f"{_SELECT} AND key = :key", self._parameters(now_ms, key=key)).fetchone()
        return None if row is None else _message(row)

    def page(self, db: Database, page: Page, now_ms: int) -> list[Message]:
        where, parameters = "", self._parameters(now_ms)
        for name, condition in (
            ("chat", "chat = :chat"),
            ("from_ms", "at_ms >= :from_ms"),
            ("to_ms", "at_ms <= :to_ms"),
            ("from_me", "from_me = :from_me"),
            ("ack", f"({_ACK}) = :ack"),
        ):
            value = getattr(page, name)
            if value is not None:
                where += f" AND {condition}"
                parameters[name] = value
        order = "DESC" if page.newest_first else "ASC"
        parameters |= {"limit": NO_LIMIT if page.limit is None else page.limit, "offset": page.offset}
        rows = db.execute(
            f"{_SELECT}{where} ORDER BY at_ms {order}, id {order} LIMIT :limit OFFSET :offset", parameters
        )
        return [_message(row) for row in rows]

    def mark_read(self, db: Database, chat: str, keys: list[str] | None) -> list[str]:
        """Marks incoming messages of a chat as read (all, or those of the keys) and says which changed."""
        condition, parameters = "", [self.account, chat]
        if keys is not None:
            condition = f" AND key IN ({', '.join('?' * len(keys))})"
            parameters += keys
        rows = db.execute(
            "UPDATE mock_message SET ack = 3 WHERE account = ? AND chat = ? AND from_me = 0 AND ack < 3"  # noqa: S608
            f"{condition} RETURNING key",
            parameters,
        ).fetchall()
        db.execute(
            "UPDATE mock_chat SET unread = CASE WHEN unread > ? THEN unread - ? ELSE 0 END"
            " WHERE account = ? AND id = ?",
            (len(rows), len(rows), self.account, chat),
        )
        return [key for (key,) in rows]

    def unread(self, db: Database, chat: str, since_ms: int, limit: int) -> list[str]:
        """The keys of incoming messages of a chat that were not read, those since a moment, the newest of them."""
        rows = db.execute(
            "SELECT key FROM mock_message WHERE account = ? AND chat = ? AND from_me = 0 AND ack < 3 AND at_ms >= ?"
            " ORDER BY at_ms DESC, id DESC LIMIT ?",
            (self.account, chat, since_ms, limit),
        )
        return [key for (key,) in rows]

    def set(self, db: Database, message: int, **values: Any) -> None:
        """Sets columns of a message."""
        columns = ", ".join(f"{name} = ?" for name in values)
        db.execute(f"UPDATE mock_message SET {columns} WHERE id = ?", (*values.values(), message))  # noqa: S608

    @staticmethod
    def sent(
        db: Database, session: str | None, chat: str | None, kind: str | None, after: int, limit: int
    ) -> Iterator[tuple[str, Message]]:
        """What clients of the API sent in a session (in all), with its session, the newest first."""
        rows = db.execute(
            f"SELECT a.session, {_COLUMNS.format(ack='ack')} FROM mock_message m"  # noqa: S608
            " JOIN (SELECT id AS of, session FROM mock_account) a ON a.of = m.account"
            " WHERE m.from_me = 1 AND m.source = 'api' AND m.id > :after AND (:session IS NULL OR a.session = :session)"
            " AND (:chat IS NULL OR m.chat = :chat) AND (:kind IS NULL OR m.kind = :kind)"
            " ORDER BY m.id DESC LIMIT :limit",
            {"session": session, "chat": chat, "kind": kind, "after": after, "limit": limit},
        )
        return ((row[0], _message(row[1:])) for row in rows)

    def last_of(self, db: Database, rows: list[int], now_ms: int) -> dict[int, Message]:
        """Messages by their row ids, where they are still there."""
        found = db.execute(
            # By row id: the planner would rather read all messages of the account.
            f"{_FROM} NOT INDEXED WHERE id IN ({', '.join(map(str, rows))}) AND account = :account",
            self._parameters(now_ms),
        )
        return {row[0]: _message(row) for row in found}

    def settle_acks(self, db: Database, now_ms: int) -> None:
        """Writes down how far what was sent is acknowledged by now: other delays are about to count."""
        db.execute(
            f"UPDATE mock_message SET ack = {_ACK} WHERE account = :account AND from_me = 1 AND ack < 3",  # noqa: S608
            self._parameters(now_ms),
        )

    def due(self, db: Database, after: int, before_ms: int, level: int, limit: int) -> list[Message]:
        """Sent messages after an id that were sent before a moment, oldest first: the acknowledgement of a level is due
        for them, unless it was given by hand."""
        rows = db.execute(
            # By row id, from where the last look ended: no index of an account's messages has that order.
            f"{_FROM} NOT INDEXED WHERE id > :after AND account = :account AND from_me = 1 AND at_ms <= :before"
            " AND ack < :level ORDER BY id LIMIT :limit",
            self._parameters(0, after=after, before=before_ms, level=level, limit=limit),
        )
        return [_message(row) for row in rows]

    @staticmethod
    def last_id(db: Database) -> int:
        """A row id that no message is beyond; 0 when there are none."""
        (found,) = db.execute("SELECT max(id) FROM mock_message").fetchone()
        return found or 0


def _message(row: tuple[Any, ...]) -> Message:
    message = Message(*row)
    message.from_me, message.revoked, message.starred = bool(row[3]), bool(row[14]), bool(row[15])
    message.reacted = bool(row[17])
    message.content = decode(row[12])
    return message
