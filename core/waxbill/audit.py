"""The audit log: who did what, when, and how it ended; never what was said. Off by default, and bounded.

It is written in the transaction of its own request, so a change that is kept is in the log.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .model.errors import WahaError

if TYPE_CHECKING:
    from .api.operation import Call
    from .store import Store

_SCHEMA = [
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, caller TEXT NOT NULL, address TEXT NOT NULL,
        operation TEXT NOT NULL, session TEXT NOT NULL, status INTEGER NOT NULL)
    """
]
_COLUMNS = ("id", "at", "caller", "address", "operation", "session", "status")
# How many entries more than are kept may be there before the oldest go.
_SLACK = 100


class Audit:
    """The last ``keep`` entries. Any thread may call it."""

    def __init__(self, store: Store, keep: int) -> None:
        self._store = store
        self._keep = keep
        store.migrate("audit", _SCHEMA)

    def note(self, call: Call, status: int) -> None:
        """Keeps an entry about a call that was answered with a status."""
        env = call.request.env
        entry = (
            time.time_ns() // 1_000_000,
            env.get("waxbill.caller", ""),
            env.get("REMOTE_ADDR", ""),
            call.operation.name,
            call.session_name[:100],
            status,
        )
        with self._store.write() as db:
            row = db.execute(
                "INSERT INTO audit (at, caller, address, operation, session, status) VALUES (?, ?, ?, ?, ?, ?)", entry
            ).lastrowid
            assert row is not None
            if row % _SLACK == 0:
                db.execute("DELETE FROM audit WHERE id <= ?", (row - self._keep,))

    def failed(self, call: Call, error: WahaError) -> None:
        """Keeps an entry about a call that was refused. Who has no key at all leaves none: it would push out others."""
        if error.status != 401:
            self.note(call, error.status)

    def entries(
        self, *, limit: int, before: int | None, session: str | None, caller: str | None
    ) -> list[dict[str, Any]]:
        """Entries, the newest first; ``before`` is the id of one that was seen."""
        rows = self._store.read().execute(
            f"SELECT {', '.join(_COLUMNS)} FROM audit WHERE id < coalesce(?, id + 1) AND session = coalesce(?, session)"  # noqa: S608
            " AND caller = coalesce(?, caller) ORDER BY id DESC LIMIT ?",
            (before, session, caller, min(limit, self._keep)),
        )
        return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
