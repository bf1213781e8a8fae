"""Workers: several processes on one store that share the sessions. Loaded only where the store can be shared.

A session belongs to one worker: by a claim in the store (which ends with the worker's connection) and by a row that
says whose it is. Every worker beats: it counts up a row once a second, as long as it holds its claims.

- One that could not beat for ``FENCE_SECONDS`` stops its sessions itself, whatever the reason.
- One whose beat was not seen to change for ``DEAD_SECONDS`` is dead to the others. They share its sessions out, each of
  them by the same rule; the claim says who really gets it.

As the first is shorter than the second, no session is with two. Who has not heard from the store lately declares nobody
dead. Clocks of machines are never compared.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from . import forwarding
from .at_once import at_once
from .forwarding import HOP
from .model.errors import Unavailable
from .model.server import WorkerState
from .model.sessions import App
from .store import Database, StoreError

if TYPE_CHECKING:
    import falcon

    from .app import Server

log = logging.getLogger("waxbill.workers")

BEAT_SECONDS = 1.0
FENCE_SECONDS = 6.0
DEAD_SECONDS = 10.0
#: How long a start waits for the claims of the process before it, where that did not end well.
_START_SECONDS = 20.0

SCHEMA = [
    """
    CREATE TABLE worker (
        id TEXT PRIMARY KEY, address TEXT NOT NULL, beat INTEGER NOT NULL, free_mb REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE ownership (id INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE, worker TEXT NOT NULL DEFAULT '');
    CREATE TABLE ownership_journal (
        n INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, worker TEXT NOT NULL, what TEXT NOT NULL,
        at_ms INTEGER NOT NULL)
    """
]


class Worker(msgspec.Struct, frozen=True):
    """A worker as its row has it."""

    id: str
    address: str
    beat: int
    free_mb: float


class Workers:
    """This worker among the others. Any thread may call it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._store = server.store
        self._sessions = server.sessions
        self.id = server.settings.core.worker_id or "waxbill"
        self._take_over = server.settings.core.take_over
        #: Where the other workers reach this one.
        self.address = ""
        self._store.migrate("workers", SCHEMA)
        #: The sessions of this worker and the keys of their claims.
        self._mine: dict[str, int] = {}
        self._beaten = time.monotonic()
        #: The last beat of each worker, and since when it is that one.
        self._seen: dict[str, tuple[int, float]] = {}
        self._live: dict[str, Worker] = {}
        self._wanted = threading.Event()
        self._closing = False
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sessions.on_create.append(self._created)
        self._sessions.on_delete.append(self._deleted)
        self._claim_name()

    def _claim_name(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while not self._store.claim("worker", zlib.crc32(self.id.encode())):
            if not self._held_by_the_dead(end):
                raise StoreError(
                    f"A worker named '{self.id}' uses the store {self._store.name} already. Stop that one, or give "
                    "each its own WAHA_WORKER_ID."
                )

    def _held_by_the_dead(self, end: float) -> bool:
        """Waits a moment; False when the worker of this name lives, or time is up."""
        before = self._beat_of(self.id)
        time.sleep(1.5 * BEAT_SECONDS)  # a beat of the other one is what is waited for
        return self._beat_of(self.id) == before and time.monotonic() < end

    def _beat_of(self, worker: str) -> int | None:
        row = self._store.read().execute("SELECT beat FROM worker WHERE id = ?", (worker,)).fetchone()
        return row[0] if row else None

    # -- life

    def start(self) -> None:
        """Takes up its sessions, and begins to beat."""
        self._beat()
        with self._store.write() as db:
            db.execute("INSERT OR IGNORE INTO ownership (session) SELECT name FROM session")
        self._look_around()
        self._adopt()
        self._start_named()
        self._store.listen(self._wanted.set)
        for run in (self._run_beat, self._run_fence, self._run_adopt):
            thread = threading.Thread(target=run, name=run.__name__.removeprefix("_run_"), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _start_named(self) -> None:
        """Creates and starts the sessions of WHATSAPP_START_SESSION."""
        from .model.sessions import SessionConfig

        for name in self._server.settings.core.start_sessions:
            if self._sessions.has(name):
                self._sessions.start(name)
            elif self._row_of(name) is None:
                self._sessions.create(name, SessionConfig())
                self._sessions.start(name)

    def close(self) -> None:
        """Hands the sessions over; they are stopped already."""
        self._closing = True
        self._end.set()
        self._wanted.set()
        for thread in self._threads:
            thread.join()
        try:
            with self._store.write() as db:
                for name in self._mine if self._take_over else ():
                    self._note(db, name, "leave")
                    db.execute("UPDATE ownership SET worker = '' WHERE session = ?", (name,))
                db.execute("DELETE FROM worker WHERE id = ?", (self.id,))
                self._store.after_commit(self._store.announce)
        except self._store.errors as error:
            log.error("The sessions could not be handed over, they will be taken over: %s", error)
        for key in self._mine.values():
            self._store.release("session", key)

    # -- the beat

    def _run_beat(self) -> None:
        while not self._closing:
            try:
                self._beat()
                self._look_around()
            except self._store.errors as error:
                log.warning("No beat: %s", error)
                self._seen.clear()
            self._end.wait(BEAT_SECONDS)

    def _beat(self) -> None:
        at = time.monotonic()
        held = self._store.held("session")
        if not self._store.claim("worker", zlib.crc32(self.id.encode())):
            log.error("Another process took the name '%s'", self.id)
            return
        mine = list(self._mine.items())
        self._lose([name for name, key in mine if key not in held and not self._store.claim("session", key)])
        free = self._server.read_memory().available_mb
        with self._store.write() as db:
            db.execute(
                "INSERT INTO worker VALUES (?, ?, 1, ?) ON CONFLICT (id) DO UPDATE SET beat = worker.beat + 1,"
                " address = excluded.address, free_mb = excluded.free_mb",
                (self.id, self.address, free),
            )
        self._beaten = at

    def _look_around(self) -> None:
        """Who lives: whose beat changed lately."""
        now = time.monotonic()
        rows: list[tuple[str, str, int, float]] = (
            self._store.read().execute("SELECT id, address, beat, free_mb FROM worker").fetchall()
        )
        live: dict[str, Worker] = {}
        for row in rows:
            worker = Worker(*row)
            beat, since = self._seen.get(worker.id, (None, now))
            if beat != worker.beat:
                since = now
            self._seen[worker.id] = (worker.beat, since)
            if now - since < DEAD_SECONDS:
                live[worker.id] = worker
            elif worker.id in self._live:
                log.warning("Worker '%s' is dead", worker.id)
        if live.keys() != self._live.keys():
            self._wanted.set()
        self._live = live

    def _run_fence(self) -> None:
        while not self._closing:
            self._end.wait(0.5)
            if self._mine and not self._closing and time.monotonic() - self._beaten > FENCE_SECONDS:
                log.error("No beat for %.0f s: this worker stops its sessions, for others to take over", FENCE_SECONDS)
                self._lose(list(self._mine))

    def _lose(self, names: list[str]) -> None:
        """Lets go of sessions at once, without the store: their claims have ended, or are taken up again later."""
        for name in names:
            self._mine.pop(name, None)
        taken = [self._sessions.take_out(name) for name in names]
        at_once(self._sessions.abandon, filter(None, taken))

    # -- taking sessions over

    def _run_adopt(self) -> None:
        while not self._closing:
            self._wanted.wait(BEAT_SECONDS)
            self._wanted.clear()
            if self._closing:
                return
            try:
                self._adopt()
            except self._store.errors as error:
                log.warning("Sessions could not be taken over: %s", error)

    def _adopt(self) -> None:
        """Takes the sessions that belong to nobody who lives, as far as they are this worker's by the common rule."""
        live = [each for each in self._live if each != self.id]
        others = f"worker NOT IN ({', '.join('?' * len(live))})" if live else "1 = 1"
        found = self._store.read().execute(
            f"SELECT id, session, worker FROM ownership WHERE {others} ORDER BY id",  # noqa: S608
            live,
        )
        rows: list[tuple[int, str, str]] = found.fetchall()
        for key, name, owner in rows:
            if self._closing or time.monotonic() - self._beaten > FENCE_SECONDS / 2:
                return
            ours = owner == self.id and name not in self._mine
            orphan = owner != self.id and owner not in self._live and (self._take_over or not owner)
            if ours or (orphan and self._chosen(name) == self.id):
                self._take(key, name, owner)

    def _chosen(self, name: str) -> str:
        """Which worker a session goes to: one of those with room for it, as often as they have memory, and the same
        one by everybody's reckoning (weighted rendezvous hashing)."""
        need = self._server.spec.need_mb if self._server.spec else 0.0
        live = list(self._live.values())
        fits = [worker for worker in live if worker.free_mb >= need] or live
        return max(fits, key=partial(_weight, name)).id if fits else ""

    def _take(self, key: int, name: str, owner: str) -> None:
        if not self._store.claim("session", key):
            return
        with self._store.write() as db:
            changed = db.execute(
                "UPDATE ownership SET worker = ? WHERE id = ? AND worker = ?", (self.id, key, owner)
            ).rowcount
            if changed:
                self._note(db, name, "take")
        if not changed:
            self._store.release("session", key)
            return
        self._mine[name] = key
        if owner and owner != self.id:
            log.warning("Session '%s' of worker '%s' is taken over", name, owner)
        try:
            self._sessions.adopt(name)
        except self._store.errors:
            self._lose([name])  # it is this worker's by the store: the next look starts it
            raise
        if name not in self._mine:  # lost meanwhile
            self._lose([name])

    def _created(self, db: Database, name: str) -> None:
        """A new session is this worker's; in the transaction that creates it."""
        key = db.execute("INSERT INTO ownership (session, worker) VALUES (?, ?)", (name, self.id)).lastrowid
        assert key is not None
        if not self._store.claim("session", key):
            raise Unavailable("The session could not be claimed; try again.", 1)
        self._note(db, name, "take")
        self._store.after_commit(partial(self._mine.__setitem__, name, key))

    def _deleted(self, name: str) -> None:
        with self._store.write() as db:
            self._note(db, name, "leave")
            db.execute("DELETE FROM ownership WHERE session = ?", (name,))
            key = self._mine.pop(name, None)
            if key is not None:
                self._store.after_commit(partial(self._store.release, "session", key))

    def _note(self, db: Database, name: str, what: str) -> None:
        db.execute(
            "INSERT INTO ownership_journal (session, worker, what, at_ms) VALUES (?, ?, ?, ?)",
            (name, self.id, what, time.time_ns() // 1_000_000),
        )

    # -- requests for sessions that live elsewhere

    def _row_of(self, name: str) -> tuple[str, str | None] | None:
        row: tuple[str, str | None] | None = (
            self._store.read()
            .execute(
                "SELECT o.worker, w.address FROM ownership o LEFT JOIN worker w ON w.id = o.worker WHERE o.session = ?",
                (name,),
            )
            .fetchone()
        )
        return row

    def address_of(self, name: str) -> str | None:
        """Where the worker of a session is; None when this one answers, also for a session that there is not.

        Raises Unavailable for a session that is on its way from one to another.
        """
        row = self._row_of(name)
        if row is None or self._sessions.has(name):
            return None
        if row[0] == self.id or row[0] not in self._live or not row[1]:
            raise Unavailable(f"{self._absence(name, row[0])}; nothing was done. Try again.", 1)
        return row[1]

    def _absence(self, name: str, owner: str) -> str:
        if self._take_over or not owner:
            return f"Session '{name}' is moving to another worker"
        return f"Session '{name}' waits for its worker '{owner}' to come back (WAXBILL_TAKE_OVER)"

    def session_of_app(self, app_id: str) -> str:
        """The session that has an app; empty when none has."""
        rows = self._store.read().execute("SELECT name, apps FROM session WHERE apps IS NOT NULL").fetchall()
        for name, apps in rows:
            if any(app.id == app_id for app in msgspec.json.decode(apps, type=list[App])):
                return str(name)
        return ""

    def place(self, request: falcon.Request, name: str | None) -> str | None:
        """Where a new session goes: None for here, else another worker's address."""
        if request.get_header(HOP) or (name and self._sessions.has(name)):
            return None
        if name and (address := self.address_of(name)):
            return address  # who has it says that it exists
        chosen = self._live.get(self._chosen(name or os.urandom(8).hex()))
        return chosen.address or None if chosen is not None and chosen.id != self.id else None

    def forward(self, address: str, request: falcon.Request, response: falcon.Response) -> None:
        """Lets another worker answer."""
        forwarding.forward(address, request, response, self.id)

    def gather(self, request: falcon.Request) -> list[Any]:
        """The lists that the other workers answer a request with, together; of one that does not answer, nothing."""
        if request.get_header(HOP):
            return []
        found: list[Any] = []
        for worker in list(self._live.values()):
            if worker.id == self.id or not worker.address:
                continue
            try:
                found += msgspec.json.decode(forwarding.fetch(worker.address, request, self.id))
            except (Unavailable, msgspec.DecodeError) as error:
                log.warning("Worker '%s' does not say what it has: %s", worker.id, error)
        return found

    def table(self) -> list[WorkerState]:
        """All workers, for operators."""
        counts = dict(self._store.read().execute("SELECT worker, count(*) FROM ownership GROUP BY worker").fetchall())
        rows = self._store.read().execute("SELECT id, address, free_mb FROM worker ORDER BY id").fetchall()
        return [
            WorkerState(
                id=row[0],
                address=row[1],
                alive=row[0] in self._live,
                freeMb=round(row[2], 1),
                sessions=counts.get(row[0], 0),
                self_=row[0] == self.id,
            )
            for row in rows
        ]


def _weight(session: str, worker: Worker) -> float:
    """How much a session is drawn to a worker."""
    import hashlib

    drawn = int.from_bytes(hashlib.blake2b(f"{worker.id} {session}".encode(), digest_size=6).digest(), "big")
    chance = (drawn + 1) / (2**48 + 1)
    return max(worker.free_mb, 1.0) / -math.log(chance)
