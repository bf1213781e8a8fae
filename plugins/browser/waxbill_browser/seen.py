"""Which messages were told, and which were sent by this server: kept in the store, so that each is told once.

A message is noted in the transaction that puts its event into the outbox. After a crash or a pause, what arrived
meanwhile is read from WhatsApp's own history and told, unless it is noted here.
"""

from __future__ import annotations

import time

from waxbill.store import Database

SCHEMA = [
    """
    CREATE TABLE browser_message (
        session TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, told INTEGER NOT NULL, ours INTEGER NOT NULL,
        PRIMARY KEY (session, key)) WITHOUT ROWID;
    CREATE INDEX browser_message_at ON browser_message (session, at);
    CREATE TABLE browser_session (session TEXT PRIMARY KEY, paired_at INTEGER NOT NULL) WITHOUT ROWID
    """,
    # Which proxy of the list a session has; see look.py.
    "CREATE TABLE browser_proxy (session TEXT PRIMARY KEY, server TEXT NOT NULL) WITHOUT ROWID",
    # What was told of messages afterwards; see later.py.
    """
    CREATE TABLE browser_later (
        session TEXT NOT NULL, key TEXT NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL, value TEXT NOT NULL,
        noted INTEGER NOT NULL, PRIMARY KEY (session, key, what, who)) WITHOUT ROWID;
    CREATE INDEX browser_later_noted ON browser_later (session, noted)
    """,
    # Copies of profiles; see copies.py.
    """
    CREATE TABLE browser_profile (
        session TEXT PRIMARY KEY, holder TEXT NOT NULL, number INTEGER NOT NULL, run TEXT NOT NULL,
        pieces INTEGER NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE browser_profile_piece (
        session TEXT NOT NULL, run TEXT NOT NULL, n INTEGER NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (session, run, n))
    """,
]

#: How long a message is remembered: nobody's phone delivers later than WhatsApp keeps what is on its way.
KEPT_SECONDS = 14 * 24 * 3600
#: How far before the newest message that was told others may have arrived late.
LATE_SECONDS = 3600


class Seen:
    """The notes of one session. Used inside transactions of the store."""

    def __init__(self, session: str) -> None:
        self._session = session

    def paired(self, db: Database) -> int | None:
        """When the account was paired, in Unix seconds; None before that."""
        row = db.execute("SELECT paired_at FROM browser_session WHERE session = ?", (self._session,)).fetchone()
        return None if row is None else int(row[0])

    def pair(self, db: Database) -> None:
        db.execute(
            "INSERT INTO browser_session VALUES (?, ?) ON CONFLICT DO NOTHING", (self._session, int(time.time()))
        )

    def tell(self, db: Database, key: str, at: int, *, ours: bool) -> bool:
        """Notes that a message is told now; False when it was told before."""
        changed = db.execute(
            "INSERT INTO browser_message VALUES (?, ?, ?, 1, ?)"
            " ON CONFLICT (session, key) DO UPDATE SET told = 1, ours = browser_message.ours | excluded.ours"
            " WHERE browser_message.told = 0",
            (self._session, key, at, ours),
        )
        return changed.rowcount > 0

    def told(self, db: Database, key: str) -> bool:
        """Whether a message was told."""
        row = db.execute(
            "SELECT told FROM browser_message WHERE session = ? AND key = ?", (self._session, key)
        ).fetchone()
        return bool(row and row[0])

    def sent(self, db: Database, key: str, at: int) -> None:
        """Notes that this server sent a message."""
        db.execute(
            "INSERT INTO browser_message VALUES (?, ?, ?, 0, 1) ON CONFLICT (session, key) DO UPDATE SET ours = 1",
            (self._session, key, at),
        )

    def ours(self, db: Database, key: str) -> bool:
        """Whether this server sent a message."""
        row = db.execute(
            "SELECT ours FROM browser_message WHERE session = ? AND key = ?", (self._session, key)
        ).fetchone()
        return bool(row and row[0])

    def since(self, db: Database) -> int | None:
        """From when on messages may have been missed, in Unix seconds; None for an account that is not paired."""
        paired = self.paired(db)
        if paired is None:
            return None
        (newest,) = db.execute(
            "SELECT max(at) FROM browser_message WHERE session = ? AND told = 1", (self._session,)
        ).fetchone()
        return max(paired, (newest or paired) - LATE_SECONDS)

    def prune(self, db: Database) -> None:
        """Forgets what is too old to matter."""
        db.execute(
            "DELETE FROM browser_message WHERE session = ? AND at < ?", (self._session, int(time.time()) - KEPT_SECONDS)
        )

    def forget(self, db: Database) -> None:
        """Forgets everything: the account is not paired any more."""
        db.execute("DELETE FROM browser_message WHERE session = ?", (self._session,))
        db.execute("DELETE FROM browser_session WHERE session = ?", (self._session,))
