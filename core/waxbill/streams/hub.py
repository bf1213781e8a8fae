"""The hub: one thread that feeds all streams from the journal of events.

Whoever emits only says that there is something new; the hub reads the journal, in the order of commits, and so does a
client that comes back with the last event id that it saw. The thread starts with the first client and stays.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from ..store import Store
from .connection import REFILL_BELOW, Connection

log = logging.getLogger("waxbill.streams")

SCHEMA = [
    """
    CREATE TABLE stream_interest (
        session TEXT NOT NULL, event TEXT NOT NULL, until_seconds INTEGER NOT NULL,
        PRIMARY KEY (session, event)) WITHOUT ROWID
    """
]
# WAHA pings every 60 s and drops who has not answered by then; half of that suits proxies that cut at 60.
PING_SECONDS = 30.0
_BATCH = 200
_BYE_SECONDS = 2.0
# Before the store is asked again when it failed.
_AGAIN_SECONDS = 1.0

# Close codes of RFC 6455 section 7.4.1 and its registry.
GOING_AWAY, POLICY, TRY_AGAIN = 1001, 1008, 1013
#: Reasons, in WAHA's words.
UNAUTHORIZED, FORBIDDEN = "Unauthorized", "Forbidden"
#: What follows in the journal was removed (WAXBILL_EVENTS_KEEP) before the client could be given it.
FELL_BEHIND = "Fell behind what is kept"


class Hub:
    """All streams of a server. ``add``, ``wake`` and ``interested`` may be called by any thread."""

    def __init__(self, store: Store, kept_seconds: float) -> None:
        self._store = store
        self._kept_seconds = kept_seconds
        store.migrate("streams", SCHEMA)
        self._new: deque[Connection] = deque()
        self._connections: dict[int, Connection] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._bell = -1
        self._rung = False
        self._stopping = False
        #: How far the journal was read; before the first look, not at all.
        self._seq = -1
        #: Events that a client listens to, or listened to a while ago and may come back for, by session or ``*``.
        self._interest: dict[str, dict[str, float]] = {}
        self._read_interest()
        if store.shared:
            store.listen(self._look)

    def _read_interest(self) -> None:
        found: dict[str, dict[str, float]] = {}
        rows = self._store.read().execute("SELECT session, event, until_seconds FROM stream_interest")
        for session, event, until in rows:
            found.setdefault(session, {})[event] = until
        self._interest = found

    def _look(self) -> None:
        """Another process has something new: events, or a client that listens."""
        self._read_interest()
        self.wake()

    @property
    def count(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def interested(self, session: str, event: str) -> bool:
        """Whether an event has to be kept for a client that is connected, or was a while ago."""
        if not self._interest:
            return False
        now = time.time()
        return any(self._interest.get(name, {}).get(event, 0) > now for name in ("*", session))

    def add(self, connection: Connection) -> None:
        """Takes over a client's socket."""
        connection.socket.setblocking(False)
        self._remember(connection)
        with self._starting:
            if self._thread is None:
                self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
                self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
                self._thread.start()
        self._new.append(connection)
        self._ring()

    def wake(self) -> None:
        """Says that the journal has something new."""
        if self._connections and not self._rung:
            self._ring()

    def _ring(self) -> None:
        self._rung = True
        os.eventfd_write(self._bell, 1)

    def _remember(self, connection: Connection) -> None:
        """Keeps events for this kind of client from now on, and for a while after it has gone."""
        until = time.time() + max(self._kept_seconds, 3 * PING_SECONDS)
        with self._store.write() as db:
            db.executemany(
                "INSERT INTO stream_interest VALUES (?, ?, ?) ON CONFLICT (session, event)"
                " DO UPDATE SET until_seconds = excluded.until_seconds"
                " WHERE stream_interest.until_seconds < excluded.until_seconds",
                [(connection.session, event, int(until)) for event in connection.events],
            )
            self._store.after_commit(self._store.announce)
        known = dict(self._interest.get(connection.session, {}))
        known.update(dict.fromkeys(connection.events, until))
        self._interest = {**self._interest, connection.session: known}

    # -- the thread

    def _run(self) -> None:
        poll = select.epoll()
        poll.register(self._bell, select.EPOLLIN)
        next_ping = time.monotonic() + PING_SECONDS
        failing = False
        while not self._stopping:
            wait = max(0.0, next_ping - time.monotonic())
            for fd, happened in poll.poll(min(wait, _AGAIN_SECONDS) if failing else wait):
                if fd == self._bell:
                    self._rung = False
                    os.eventfd_read(self._bell)
                elif fd in self._connections:
                    self._serve(poll, self._connections[fd], happened)
            try:
                self._admit(poll)
                self._pump(poll)
                if time.monotonic() >= next_ping:
                    next_ping = time.monotonic() + PING_SECONDS
                    self._ping_all(poll)
                failing = False
            except self._store.errors as error:
                if not failing:
                    log.error("Streams wait for the store: %s", error)
                failing = True
        self._leave(poll)

    def _admit(self, poll: select.epoll) -> None:
        if self._seq < 0:
            self._seq = self._store.settled("event")
        while self._new:
            connection = self._new[0]
            if connection.last_event_id:
                connection.seq = self._seq_of(connection.last_event_id)
            self._new.popleft()
            self._connections[connection.socket.fileno()] = connection
            poll.register(connection.socket.fileno(), select.EPOLLIN)
            if connection.seq is None:
                connection.seq, connection.live = self._seq, True
            self._act(poll, connection)

    def _seq_of(self, event_id: str) -> int | None:
        """Where an event is in the journal; of one that has gone, where it would be: ids are in order of time."""
        db = self._store.read()
        row = db.execute("SELECT seq FROM event WHERE id = ?", (event_id,)).fetchone()
        if row is None:
            row = db.execute("SELECT min(seq) - 1 FROM event WHERE id > ?", (event_id,)).fetchone()
        return None if row is None else row[0]

    def _pruned(self, after: int) -> bool:
        """Whether events after a place in the journal were removed. A gap alone is none: a key can stay unused."""
        row = self._store.read().execute("SELECT upto FROM pruned").fetchone()
        return row is not None and row[0] > after

    def _pump(self, poll: select.epoll) -> None:
        """Gives what is new to those who are up to date, then lets the others catch up."""
        upto = self._store.settled("event")
        while self._seq < upto:
            rows = (
                self._store.read()
                .execute(
                    "SELECT seq, id, name, session, body FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                    (self._seq, upto, _BATCH),
                )
                .fetchall()
            )
            live = [connection for connection in self._connections.values() if connection.live]
            if (not rows or rows[0][0] > self._seq + 1) and self._pruned(self._seq):
                for connection in live:
                    connection.end(TRY_AGAIN, FELL_BEHIND)
            if not rows:
                self._seq = upto
            for seq, event_id, name, session, body in rows:
                self._seq = seq
                made: dict[str, bytes] = {}
                for connection in live:
                    if connection.wants(session, name) and not connection.closing and seq > (connection.seq or 0):
                        data = made.get(connection.form.name)
                        if data is None:
                            data = made[connection.form.name] = connection.form.event(event_id, name, body)
                        if not connection.push(data):
                            connection.end(TRY_AGAIN, "Too slow")
            for connection in live:
                self._act(poll, connection)
        for connection in list(self._connections.values()):
            if not (connection.live or connection.closing) and connection.waiting < REFILL_BELOW:
                self._act(poll, connection, lambda connection=connection: self._catch_up(connection))  # type: ignore[misc]

    def _catch_up(self, connection: Connection) -> None:
        """Gives a client the next piece of what it missed."""
        rows = (
            self._store.read()
            .execute(
                "SELECT seq, id, name, session, body FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (connection.seq, self._seq, _BATCH),
            )
            .fetchall()
        )
        seen = connection.seq or 0
        if self._seq > seen and (not rows or rows[0][0] > seen + 1) and self._pruned(seen):
            connection.end(TRY_AGAIN, FELL_BEHIND)
            return
        for seq, event_id, name, session, body in rows:
            if connection.waiting > REFILL_BELOW:
                break
            connection.seq = seq
            if connection.wants(session, name):
                connection.push(connection.form.event(event_id, name, body))
        else:
            connection.live = len(rows) < _BATCH
        connection.flush()
        if not connection.live and not connection.waiting:
            self._ring()

    def _serve(self, poll: select.epoll, connection: Connection, happened: int) -> None:
        if happened & (select.EPOLLHUP | select.EPOLLERR):
            self._drop(poll, connection)
        elif happened & select.EPOLLIN:
            self._act(poll, connection, connection.read)
        else:
            self._act(poll, connection)

    def _act(self, poll: select.epoll, connection: Connection, action: Callable[[], object] = lambda: None) -> None:
        """Does something with a client and sends what waits; one that is gone is dropped, one with a full socket is
        watched for room."""
        try:
            with contextlib.suppress(BlockingIOError):
                action()
            connection.flush()
            connection.finish()
        except OSError:
            connection.left = True
        if connection.left:
            self._drop(poll, connection)
            return
        room = select.EPOLLOUT if connection.waiting else 0
        poll.modify(connection.socket.fileno(), select.EPOLLIN | room)

    def _drop(self, poll: select.epoll, connection: Connection) -> None:
        fd = connection.socket.fileno()
        if self._connections.pop(fd, None) is not None:
            poll.unregister(fd)
            connection.socket.close()

    def _ping_all(self, poll: select.epoll) -> None:
        for connection in list(self._connections.values()):
            if connection.closing or not connection.answered:
                self._drop(poll, connection)
                continue
            connection.answered = not connection.form.answers
            connection.push(connection.form.ping())
            self._act(poll, connection)
        for connection in {c.session: c for c in self._connections.values()}.values():
            self._remember(connection)

    def _leave(self, poll: select.epoll) -> None:
        """Says goodbye to all and gives them a moment to take it."""
        for connection in list(self._connections.values()):
            connection.end(GOING_AWAY, "Server is stopping")
            self._act(poll, connection)
        end = time.monotonic() + _BYE_SECONDS
        while self._connections and time.monotonic() < end:
            for fd, happened in poll.poll(0.1):
                if fd in self._connections:
                    self._serve(poll, self._connections[fd], happened)
        for connection in list(self._connections.values()):
            self._drop(poll, connection)
        poll.close()

    def close(self) -> None:
        """Ends all streams with 1001."""
        self._stopping = True
        if self._thread is not None:
            self._ring()
            self._thread.join()
            os.close(self._bell)


def refuse(sock: socket.socket, answer: bytes) -> None:
    """Tells a client why it may not stay, and lets it go."""
    with contextlib.suppress(OSError):  # who has gone already does not get the reason
        sock.send(answer)
    sock.close()
