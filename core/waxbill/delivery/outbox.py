"""The outbox: which event still has to reach which webhook, on disk. Only ``delivery`` and ``events`` use it.

A lane is one webhook of one session: its events leave in order, one after the other, and a lane that fails holds
back nobody else. A delivery is removed when the receiver has answered 2xx, never before; one whose attempts are used
up stays as a dead letter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from ..model.events import select
from ..model.sessions import WebhookConfig
from ..store import Store

SCHEMA = [
    """
    CREATE TABLE lane (
        id INTEGER PRIMARY KEY, session TEXT NOT NULL, url TEXT NOT NULL, nth INTEGER NOT NULL,
        webhook BLOB NOT NULL, retired INTEGER NOT NULL DEFAULT 0, UNIQUE (session, url, nth));
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, name TEXT NOT NULL, session TEXT NOT NULL,
        at INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE delivery (
        lane INTEGER NOT NULL, event INTEGER NOT NULL REFERENCES event (seq), failed INTEGER NOT NULL DEFAULT 0,
        due REAL NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0, error TEXT,
        PRIMARY KEY (lane, dead, event)) WITHOUT ROWID;
    CREATE INDEX delivery_by_event ON delivery (event)
    """
]


class Delivery(msgspec.Struct):
    """One event on its way to one webhook. ``failed`` counts the attempts so far, ``due`` is Unix seconds."""

    lane: int
    seq: int
    event_id: str
    event: str
    session: str
    body: bytes
    failed: int
    due: float
    webhook: WebhookConfig

    @property
    def request_id(self) -> str:
        """The same for every attempt of this delivery, another for every other delivery."""
        return f"{self.event_id.removeprefix('evt_')}-{self.lane}"


class WebhookRequest(msgspec.Struct):
    """What is about to be sent: plugins may change it."""

    url: str
    headers: dict[str, str]
    body: bytes
    timeout_seconds: float


class Outcome(msgspec.Struct, frozen=True):
    """How one attempt went. ``status`` is the HTTP status, 0 when there was none; ``error`` says what failed."""

    ok: bool
    status: int = 0
    error: str = ""
    seconds: float = 0.0


class Outbox:
    """The tables of lanes, events and deliveries. Any thread may call it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.migrate("outbox", SCHEMA)
        #: Called after the commit with the lanes that have something new.
        self.wake: Callable[[Iterable[int]], object] = lambda lanes: None

    def set_lanes(self, session: str, webhooks: list[WebhookConfig]) -> dict[str, tuple[int, ...]]:
        """Makes the session's lanes those of ``webhooks`` and says which lanes take which event.

        A webhook that is gone keeps its lane until what waits there is delivered or dead; one that only changed its
        key, headers or events keeps its place in line.
        """
        routes: dict[str, list[int]] = {}
        seen: dict[str, int] = {}
        with self._store.write() as db:
            db.execute("UPDATE lane SET retired = 1 WHERE session = ?", (session,))
            for webhook in webhooks:
                events, _ = select(webhook.events)
                if not (webhook.url and events):
                    continue
                nth = seen[webhook.url] = seen.get(webhook.url, -1) + 1
                (lane,) = db.execute(
                    "INSERT INTO lane (session, url, nth, webhook) VALUES (?, ?, ?, ?) ON CONFLICT (session, url, nth)"
                    " DO UPDATE SET webhook = excluded.webhook, retired = 0 RETURNING id",
                    (session, webhook.url, nth, msgspec.json.encode(webhook)),
                ).fetchone()
                for event in events:
                    routes.setdefault(event, []).append(lane)
            self._forget_empty_lanes(db)
        return {event: tuple(lanes) for event, lanes in routes.items()}

    @staticmethod
    def _forget_empty_lanes(db: Any) -> None:
        db.execute(
            "DELETE FROM lane WHERE retired AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.lane = lane.id)"
        )

    def put(self, event_id: str, event: str, session: str, body: bytes, lanes: tuple[int, ...]) -> None:
        """Keeps an event for its lanes, in the transaction of its cause."""
        with self._store.write() as db:
            seq = db.execute(
                "INSERT INTO event (id, name, session, at, body) VALUES (?, ?, ?, ?, ?)",
                (event_id, event, session, time.time_ns() // 1_000_000, body),
            ).lastrowid
            for lane in lanes:
                db.execute("INSERT INTO delivery (lane, event) VALUES (?, ?)", (lane, seq))
            self._store.after_commit(partial(self.wake, lanes))

    def waiting_lanes(self) -> list[int]:
        """The lanes that have something to deliver."""
        rows = self._store.read().execute("SELECT DISTINCT lane FROM delivery WHERE dead = 0")
        return [lane for (lane,) in rows]

    def head(self, lane: int, limit: int) -> list[Delivery]:
        """The next deliveries of a lane, in order."""
        rows = self._store.read().execute(
            "SELECT e.seq, e.id, e.name, e.body, d.failed, d.due, e.session, l.webhook FROM delivery d"
            " JOIN event e ON e.seq = d.event JOIN lane l ON l.id = d.lane"
            " WHERE d.lane = ? AND d.dead = 0 ORDER BY d.event LIMIT ?",
            (lane, limit),
        )
        found: list[Delivery] = []
        for seq, event_id, event, body, failed, due, session, config in rows:
            # One lane, one webhook: decoded once.
            webhook = found[0].webhook if found else msgspec.json.decode(config, type=WebhookConfig)
            found.append(Delivery(lane, seq, event_id, event, session, body, failed, due, webhook))
        return found

    def done(self, deliveries: list[Delivery]) -> None:
        """Removes what was delivered, and the events that nobody waits for any more."""
        if not deliveries:
            return
        with self._store.write() as db:
            db.executemany(
                "DELETE FROM delivery WHERE lane = ? AND dead = 0 AND event = ?",
                [(d.lane, d.seq) for d in deliveries],
            )
            db.executemany(
                "DELETE FROM event WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = seq)",
                [(d.seq,) for d in deliveries],
            )

    def failed(self, delivery: Delivery, error: str, delay_seconds: float | None) -> None:
        """Notes a failed attempt: due again after the delay, or a dead letter when there is none."""
        with self._store.write() as db:
            db.execute(
                "UPDATE delivery SET failed = failed + 1, due = ?, dead = ?, error = ?"
                " WHERE lane = ? AND dead = 0 AND event = ?",
                (
                    time.time() + (delay_seconds or 0),
                    delay_seconds is None,
                    error[:500],
                    delivery.lane,
                    delivery.seq,
                ),
            )

    def counts(self) -> dict[str, int]:
        """How many deliveries wait and how many are dead letters."""
        rows = dict(self._store.read().execute("SELECT dead, count(*) FROM delivery GROUP BY dead").fetchall())
        return {"pending": rows.get(0, 0), "dead": rows.get(1, 0)}
