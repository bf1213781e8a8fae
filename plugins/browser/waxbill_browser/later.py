"""What was told of messages after they were told themselves: acknowledgements, edits, deletions, reactions, votes.

Kept in the store, and noted in the transaction that puts an event into the outbox. After a crash or a pause each recent
message is compared with what is noted here, and what changed meanwhile is told, once.
"""

from __future__ import annotations

import time

from waxbill.store import Database

from .seen import KEPT_SECONDS

#: Most notes that are kept of one session, some 100 bytes each; the oldest go first.
MOST_NOTES = 20_000


class Later:
    """The notes of one session: for a message, what is told and by whom, the last value. Used inside transactions.

    ``what`` is ``ack`` (its level; ``shown``: the one that the message was told with), ``edit`` (when, in ms),
    ``revoke``, ``reaction`` (its text), ``vote`` (the options).
    """

    def __init__(self, session: str) -> None:
        self._session = session

    def tell(self, db: Database, key: str, what: str, value: str, who: str = "") -> bool:
        """Notes that something is told now; False when it was told before, or a higher acknowledgement was."""
        known = self.known(db, key, what, who)
        if known == value or (what == "ack" and known is not None and int(value) < int(known)):
            return False
        db.execute(
            "INSERT INTO browser_later VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session, key, what, who)"
            " DO UPDATE SET value = excluded.value, noted = excluded.noted",
            (self._session, key, what, who, value, int(time.time())),
        )
        return True

    def known(self, db: Database, key: str, what: str, who: str = "") -> str | None:
        """What was told last; None for nothing."""
        row = db.execute(
            "SELECT value FROM browser_later WHERE session = ? AND key = ? AND what = ? AND who = ?",
            (self._session, key, what, who),
        ).fetchone()
        return None if row is None else str(row[0])

    def reacted(self, db: Database, key: str) -> list[str]:
        """Who has reacted to a message, as far as it was told."""
        rows = db.execute(
            "SELECT who FROM browser_later WHERE session = ? AND key = ? AND what = 'reaction' AND value <> ''",
            (self._session, key),
        )
        return [str(who) for (who,) in rows]

    def prune(self, db: Database) -> None:
        """Forgets what is too old to matter, and what is too much."""
        db.execute(
            "DELETE FROM browser_later WHERE session = ? AND noted < ?",
            (self._session, int(time.time()) - KEPT_SECONDS),
        )
        row = db.execute(
            "SELECT noted FROM browser_later WHERE session = ? ORDER BY noted DESC LIMIT 1 OFFSET ?",
            (self._session, MOST_NOTES),
        ).fetchone()
        if row is not None:
            db.execute("DELETE FROM browser_later WHERE session = ? AND noted <= ?", (self._session, row[0]))

    def forget(self, db: Database) -> None:
        """Forgets everything: the account is not paired any more."""
        db.execute("DELETE FROM browser_later WHERE session = ?", (self._session,))
