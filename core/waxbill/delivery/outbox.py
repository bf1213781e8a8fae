"""The outbox: the journal of events, and which of them still has to reach which webhook, on disk.

A lane is one webhook of one session: its events leave in order, one after the other, and a lane that fails holds
back nobody else. A delivery is done when the receiver has answered 2xx, never before; one whose attempts are used
up stays as a dead letter. A lane whose deliveries keep dying is paused: what comes waits, and a probe wakes it.

Events stay in the journal for a while after that (WAXBILL_EVENTS_KEEP_*), for replay and for clients of streams that
come back; so does the log of attempts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import takewhile
from typing import Any

import msgspec

from ..model.events import select
from ..model.sessions import WebhookConfig
from ..store import Store

SCHEMA = [
    """
    CREATE TABLE lane (
        id INTEGER PRIMARY KEY, session TEXT NOT NULL, url TEXT NOT NULL, nth INTEGER NOT NULL,
        webhook BLOB NOT NULL, retired INTEGER NOT NULL DEFAULT 0, paused TEXT NOT NULL DEFAULT '',
        strikes INTEGER NOT NULL DEFAULT 0, probe_at REAL NOT NULL DEFAULT 0, UNIQUE (session, url, nth));
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, name TEXT NOT NULL, session TEXT NOT NULL,
        at INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE delivery (
        lane INTEGER NOT NULL, event INTEGER NOT NULL REFERENCES event (seq), failed INTEGER NOT NULL DEFAULT 0,
        due REAL NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0, error TEXT,
        PRIMARY KEY (lane, dead, event)) WITHOUT ROWID;
    CREATE INDEX delivery_by_event ON delivery (event);
    CREATE INDEX event_by_id ON event (id);
    CREATE TABLE attempt (
        id INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL, lane INTEGER NOT NULL, n INTEGER NOT NULL,
        at INTEGER NOT NULL, ok INTEGER NOT NULL, status INTEGER NOT NULL, ms REAL NOT NULL, answer TEXT NOT NULL);
    CREATE INDEX attempt_by_event ON attempt (event)
    """,
    "CREATE TABLE pruned (upto INTEGER NOT NULL); INSERT INTO pruned SELECT coalesce(min(seq) - 1, 0) FROM event",
]


#: As many rows of a table one call of ``Outbox.prune`` removes at most: writers wait for that.
PORTION = 500
# What is kept of an answer in the log.
_ANSWER_LETTERS = 500


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
    """How one attempt went. ``status`` is the HTTP status, 0 when there was none; ``error`` says what failed, and
    ``answer`` how the receiver's answer begins."""

    ok: bool
    status: int = 0
    error: str = ""
    seconds: float = 0.0
    answer: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """An attempt for the log: ``n`` counts from 1, ``at`` is Unix ms."""

    delivery: Delivery
    n: int
    at: int
    outcome: Outcome


class LaneState(msgspec.Struct, frozen=True, kw_only=True):
    """What a lane is doing: ``paused`` says why it waits (``hand`` or ``failing``), empty when it does not."""

    id: int
    session: str
    url: str
    paused: str
    strikes: int
    probe_at: float
    retired: bool
    pending: int
    dead: int
    last_error: str | None


class Found(msgspec.Struct, frozen=True):
    """A delivery for operators; times in Unix ms, ``state`` is pending, dead or done."""

    event_id: str
    event: str
    session: str
    lane: int
    url: str
    state: str
    at: int
    attempts: int
    error: str | None


def _storable(said: str) -> str:
    """How something begins that a receiver said, without what PostgreSQL can't keep: or it is asked again for ever."""
    return said[:_ANSWER_LETTERS].replace("\0", "\N{REPLACEMENT CHARACTER}")


class Outbox:
    """The tables of lanes, events and deliveries. Any thread may call it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.migrate("outbox", SCHEMA)
        #: Called after the commit with the lanes that have something new.
        self.wake: Callable[[Iterable[int]], object] = lambda lanes: None
        #: Since this start.
        self.delivered = self.failures = 0

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
            "DELETE FROM lane WHERE retired = 1 AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.lane = lane.id)"
        )

    def put(self, event_id: str, event: str, session: str, body: bytes, lanes: tuple[int, ...]) -> None:
        """Keeps an event for its lanes, in the transaction of its cause."""
        with self._store.write() as db:
            seq = db.execute(
                "INSERT INTO event (id, name, session, at, body) VALUES (?, ?, ?, ?, ?)",
                (event_id, event, session, time.time_ns() // 1_000_000, body),
            ).lastrowid
            db.executemany("INSERT INTO delivery (lane, event) VALUES (?, ?)", [(lane, seq) for lane in lanes])
            self._store.after_commit(partial(self._tell, lanes))

    def _tell(self, lanes: tuple[int, ...]) -> None:
        self.wake(lanes)
        self._store.announce()

    @property
    def shared(self) -> bool:
        """Whether other processes deliver from it, too."""
        return self._store.shared

    def listen(self, heard: Callable[[], object]) -> None:
        """Calls ``heard``, in any thread, when another process put something in or may have."""
        self._store.listen(heard)

    def claim(self, lane: int) -> bool:
        """Takes a lane for this process, which alone delivers from it then; False when another has it."""
        return self._store.claim("lane", lane)

    def release(self, lane: int) -> None:
        self._store.release("lane", lane)

    def waiting_lanes(self) -> list[int]:
        """The lanes that have something to deliver."""
        rows = self._store.read().execute("SELECT DISTINCT lane FROM delivery WHERE dead = 0")
        return [lane for (lane,) in rows]

    def url_of(self, lane: int) -> str:
        row = self._store.read().execute("SELECT url FROM lane WHERE id = ?", (lane,)).fetchone()
        return row[0] if row else ""

    def head(self, lane: int, limit: int, after: int = 0) -> list[Delivery]:
        """The next deliveries of a lane, in order: its first ones, or those of later events than ``after`` while it is
        not paused."""
        rows = self._store.read().execute(
            "SELECT e.seq, e.id, e.name, e.body, d.failed, d.due, e.session, l.webhook FROM delivery d"
            " JOIN event e ON e.seq = d.event JOIN lane l ON l.id = d.lane"
            " WHERE d.lane = ? AND d.dead = 0 AND d.event > ? AND (? = 0 OR l.paused = '') ORDER BY d.event LIMIT ?",
            (lane, after, after, limit),
        )
        found: list[Delivery] = []
        for seq, event_id, event, body, failed, due, session, config in rows:
            # One lane, one webhook: decoded once.
            webhook = found[0].webhook if found else msgspec.json.decode(config, type=WebhookConfig)
            found.append(Delivery(lane, seq, event_id, event, session, body, failed, due, webhook))
        return found

    def done(self, attempts: list[Attempt]) -> None:
        """Notes what one lane's receiver has taken."""
        if not attempts:
            return
        with self._store.write() as db:
            db.executemany(
                "DELETE FROM delivery WHERE lane = ? AND dead = 0 AND event = ? AND due = ?",  # not what was replayed
                [(attempt.delivery.lane, attempt.delivery.seq, attempt.delivery.due) for attempt in attempts],
            )
            self._log(db, attempts)
            db.execute("UPDATE lane SET strikes = 0 WHERE id = ? AND strikes > 0", (attempts[0].delivery.lane,))
        self.delivered += len(attempts)

    @staticmethod
    def _log(db: Any, attempts: list[Attempt]) -> None:
        db.executemany(
            "INSERT INTO attempt (event, lane, n, at, ok, status, ms, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    attempt.delivery.seq,
                    attempt.delivery.lane,
                    attempt.n,
                    attempt.at,
                    attempt.outcome.ok,
                    attempt.outcome.status,
                    round(attempt.outcome.seconds * 1000, 1),
                    _storable(attempt.outcome.answer if attempt.outcome.status else attempt.outcome.error),
                )
                for attempt in attempts
            ],
        )

    def failed(self, attempt: Attempt, delay_seconds: float | None) -> int:
        """Notes a failed attempt: due again after the delay, or a dead letter when there is none.

        Answers how many deliveries of the lane died one after the other.
        """
        delivery, error = attempt.delivery, attempt.outcome.error
        with self._store.write() as db:
            self._log(db, [attempt])
            (strikes,) = db.execute(
                "UPDATE lane SET strikes = strikes + ? WHERE id = ? RETURNING strikes",
                (delay_seconds is None, delivery.lane),
            ).fetchone() or (0,)
            self.failures += 1
            db.execute(
                "UPDATE delivery SET failed = failed + 1, due = ?, dead = ?, error = ?"
                " WHERE lane = ? AND dead = 0 AND event = ?",
                (
                    time.time() + (delay_seconds or 0),
                    delay_seconds is None,
                    _storable(error),
                    delivery.lane,
                    delivery.seq,
                ),
            )
        return int(strikes)

    # -- pausing

    def pause(self, lane: int, why: str, probe_at: float = 0.0) -> None:
        """Keeps a lane from delivering: by ``hand`` until it is resumed, or ``failing`` until a probe."""
        with self._store.write() as db:
            db.execute("UPDATE lane SET paused = ?, probe_at = ? WHERE id = ?", (why, probe_at, lane))

    def resume(self, lane: int) -> None:
        """Lets a lane deliver again, beginning with what waits."""
        with self._store.write() as db:
            db.execute("UPDATE lane SET paused = '', strikes = 0, probe_at = 0 WHERE id = ?", (lane,))
            self._store.after_commit(partial(self.wake, [lane]))

    def pause_of(self, lane: int) -> tuple[str, float]:
        """Why a lane is paused (empty when it is not), and when it is to be probed, in Unix seconds."""
        row = self._store.read().execute("SELECT paused, probe_at FROM lane WHERE id = ?", (lane,)).fetchone()
        return row or ("", 0.0)

    # -- for operators

    def lanes(self, session: str | None = None) -> list[LaneState]:
        """Every webhook of every session, or of one."""
        rows = self._store.read().execute(
            "SELECT id, session, url, paused, strikes, probe_at, retired,"
            " (SELECT count(*) FROM delivery WHERE lane = l.id AND dead = 0),"
            " (SELECT count(*) FROM delivery WHERE lane = l.id AND dead = 1),"
            " (SELECT error FROM delivery WHERE lane = l.id AND error IS NOT NULL ORDER BY dead, event LIMIT 1)"
            " FROM lane l WHERE ? IS NULL OR session = ? ORDER BY session, id",
            (session, session),
        )
        names = LaneState.__struct_fields__
        return [LaneState(**{**dict(zip(names, row, strict=True)), "retired": bool(row[6])}) for row in rows]

    def find(
        self, *, state: str | None, session: str | None, event_id: str | None = None, limit: int, offset: int
    ) -> list[Found]:
        """Deliveries, the newest first: those that wait, dead letters, or done ones (as far as the journal reaches)."""
        parts = []
        for name, dead in (("pending", 0), ("dead", 1)):
            if state in (None, name):
                parts.append(
                    f"SELECT e.seq, e.id, e.name, e.session, d.lane, l.url, '{name}', e.at, d.failed, d.error"  # noqa: S608
                    f" FROM delivery d JOIN event e ON e.seq = d.event LEFT JOIN lane l ON l.id = d.lane"
                    f" WHERE d.dead = {dead}"
                )
        if state in (None, "done"):
            parts.append(
                "SELECT e.seq, e.id, e.name, e.session, a.lane, l.url, 'done', e.at, a.n, NULL FROM attempt a"
                " JOIN event e ON e.seq = a.event LEFT JOIN lane l ON l.id = a.lane WHERE a.ok = 1"
            )
        rows = self._store.read().execute(
            f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS found WHERE (:session IS NULL OR session = :session)"  # noqa: S608
            " AND (:id IS NULL OR id = :id) ORDER BY seq DESC, lane LIMIT :limit OFFSET :offset",
            {"session": session, "id": event_id, "limit": limit, "offset": offset},
        )
        return [Found(row[1], row[2], row[3], row[4], row[5] or "", *row[6:]) for row in rows]

    def body(self, event_id: str) -> bytes | None:
        """An event of the journal, as it was or will be sent."""
        row = self._store.read().execute("SELECT body FROM event WHERE id = ?", (event_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def log(self, *, session: str | None, event_id: str | None, limit: int, offset: int) -> list[dict[str, Any]]:
        """The log of attempts, the newest first."""
        rows = self._store.read().execute(
            "SELECT e.id, e.name, e.session, a.lane, l.url, a.n, a.at, a.ok, a.status, a.ms, a.answer FROM attempt a"
            " JOIN event e ON e.seq = a.event LEFT JOIN lane l ON l.id = a.lane"
            " WHERE (:session IS NULL OR e.session = :session) AND (:id IS NULL OR e.id = :id)"
            " ORDER BY a.id DESC LIMIT :limit OFFSET :offset",
            {"session": session, "id": event_id, "limit": limit, "offset": offset},
        )
        names = ("eventId", "event", "session", "webhook", "url", "attempt", "at", "ok", "status", "ms", "answer")
        return [{**dict(zip(names, row, strict=True)), "ok": bool(row[7])} for row in rows]

    def replay(
        self,
        *,
        session: str | None = None,
        event_ids: list[str] | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        dead_only: bool = False,
    ) -> int:
        """Puts events of the journal in line again, for the webhooks that take them now; says how many deliveries."""
        conditions, parameters = ["1 = 1"], dict[str, Any]()
        if session is not None:
            conditions.append("e.session = :session")
            parameters["session"] = session
        if since_ms is not None:
            conditions.append("e.at >= :since")
            parameters["since"] = since_ms
        if until_ms is not None:
            conditions.append("e.at <= :until")
            parameters["until"] = until_ms
        if event_ids is not None:
            conditions.append("e.id IN (SELECT value FROM json_each(:ids))")
            parameters["ids"] = msgspec.json.encode(event_ids).decode()
        where = " AND ".join(conditions)
        with self._store.write() as db:
            if dead_only:
                chosen = db.execute(
                    "SELECT d.lane, d.event FROM delivery d JOIN event e ON e.seq = d.event"  # noqa: S608
                    f" WHERE d.dead = 1 AND {where}",
                    parameters,
                ).fetchall()
            else:
                takers = self._takers(db)
                events = db.execute(f"SELECT e.seq, e.session, e.name FROM event e WHERE {where}", parameters)  # noqa: S608
                chosen = [(lane, seq) for seq, of, name in events for lane in takers.get((of, name), ())]
            db.executemany("DELETE FROM delivery WHERE lane = ? AND dead = 1 AND event = ?", chosen)
            now = time.time()
            db.executemany(
                "INSERT INTO delivery (lane, event, due) VALUES (?, ?, ?)"
                " ON CONFLICT (lane, dead, event) DO UPDATE SET due = excluded.due",
                [(lane, seq, now) for lane, seq in chosen],
            )
            lanes = sorted({lane for lane, _ in chosen})
            for lane in lanes:
                db.execute("UPDATE lane SET strikes = 0 WHERE id = ?", (lane,))
            self._store.after_commit(partial(self.wake, lanes))
        return len(chosen)

    @staticmethod
    def _takers(db: Any) -> dict[tuple[str, str], list[int]]:
        """The lanes in use that take an event, by session and event."""
        found: dict[tuple[str, str], list[int]] = {}
        for lane, session, webhook in db.execute("SELECT id, session, webhook FROM lane WHERE retired = 0"):
            for event in select(msgspec.json.decode(webhook, type=WebhookConfig).events)[0]:
                found.setdefault((session, event), []).append(lane)
        return found

    def forget_dead(self, session: str | None, event_ids: list[str] | None) -> int:
        """Drops dead letters, all of them or those of a session or of events; says how many."""
        with self._store.write() as db:
            gone = db.execute(
                "DELETE FROM delivery WHERE dead = 1 AND event IN (SELECT seq FROM event"
                " WHERE (:session IS NULL OR session = :session)"
                " AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids))))",
                {"session": session, "ids": None if event_ids is None else msgspec.json.encode(event_ids).decode()},
            )
        return int(gone.rowcount)

    # -- the journal's end

    def prune(self, keep_seconds: float, keep_events: int, after: int = 0) -> int | None:
        """Removes events that are too old or too many and that nobody waits for, with their log: a portion of those
        with keys above ``after``. Answers after which one to go on, so that others can write between; None at the end.
        """
        oldest = int((time.time() - keep_seconds) * 1000)
        with self._store.write() as db:
            (last,) = db.execute("SELECT max(seq) FROM event").fetchone()
            rows = db.execute(
                "SELECT seq, at FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (after, PORTION)
            ).fetchall()
            gone = list(takewhile(lambda row: row[1] < oldest or row[0] <= last - keep_events, rows))
            if gone:
                between = (after, gone[-1][0])
                logged = db.execute(
                    "DELETE FROM attempt WHERE id IN"
                    " (SELECT id FROM attempt WHERE event > ? AND event <= ? ORDER BY event LIMIT ?)",
                    (*between, PORTION),
                ).rowcount
                if logged == PORTION:  # there may be more of them
                    return after
                removed = db.execute(
                    "DELETE FROM event WHERE seq > ? AND seq <= ?"
                    " AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = seq)",
                    between,
                ).rowcount
                if removed:
                    db.execute("UPDATE pruned SET upto = ? WHERE upto < ?", (between[1], between[1]))
            if len(gone) == PORTION:
                return int(gone[-1][0])
            self._forget_empty_lanes(db)
        return None

    def counts(self) -> dict[str, int]:
        """How many deliveries wait and are dead letters; how many arrived and how many attempts failed since the
        start."""
        rows = dict(self._store.read().execute("SELECT dead, count(*) FROM delivery GROUP BY dead").fetchall())
        return {
            "pending": rows.get(0, 0),
            "dead": rows.get(1, 0),
            "delivered": self.delivered,
            "failed_attempts": self.failures,
        }
