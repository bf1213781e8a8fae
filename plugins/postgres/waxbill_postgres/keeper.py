"""What a process holds beside other processes: its claims, and an ear for what they announce.

Claims are advisory locks of one connection that is used for nothing else. They end with that connection, so those of a
process that was killed are free at once; a process whose connection broke has lost its claims and learns so at the next
``claim()``.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
import uuid
import zlib
from collections.abc import Callable
from typing import Any

import psycopg

from .connection import FREE_AFTER, Connection

log = logging.getLogger("waxbill.postgres")

#: How often it is looked for what nobody announced.
POLL_SECONDS = 2.0
#: At most one announcement in this time: each takes a lock that all of the database's commits wait for.
_ANNOUNCE_SECONDS = 0.02
_CHANNEL = "waxbill"
#: How long an answer is waited for. Whoever has had none for so long is to let go of what it claimed in any case.
_ANSWER_SECONDS = 6.0
#: How long nobody asks again after that: those who queue up would each wait as long.
_AWAY_SECONDS = 0.5


class Keeper:
    """The claims of this process, and its announcements. Any thread may call it."""

    def __init__(self, options: dict[str, Any], name: str) -> None:
        self._options, self._name = options, name
        self._id = uuid.uuid4().hex
        self._locks: Connection | None = None
        self._held: set[tuple[str, int]] = set()
        self._claiming = threading.Lock()
        self._away_until = 0.0
        self._heard: list[Callable[[], object]] = []
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._announces = self._looks = self._closing = False
        self._thread: threading.Thread | None = None

    # -- claims

    def claim(self, kind: str, key: int) -> bool:
        with self._claiming:
            self._connected()
            if (kind, key) in self._held:  # advisory locks count; ours don't
                return True
            row = self._ask("SELECT pg_try_advisory_lock(%s::int, %s::int)", _lock(kind, key)).fetchone()
            taken = row is not None and bool(row[0])
            if taken:
                self._held.add((kind, key))
            return taken

    def held(self, kind: str) -> set[int]:
        with self._claiming:
            self._ask("SELECT 1")
            return {key for of, key in self._held if of == kind}

    def _ask(self, said: str, values: tuple[int, int] | tuple[()] = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        """Asks by the connection of the claims. The lock is held."""
        connection = self._connected()
        try:
            return connection.execute(said, values)
        finally:
            if connection.closed:
                self._away_until = time.monotonic() + _AWAY_SECONDS

    def _connected(self) -> Connection:
        """The connection of the claims; a new one has none. The lock is held."""
        if self._locks is None or self._locks.closed:
            self._held.clear()
            if time.monotonic() < self._away_until:
                raise psycopg.OperationalError(f"{self._name} does not answer")
            try:
                self._locks = self._connect()
                self._locks.execute(FREE_AFTER)
            except psycopg.Error:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                raise
        return self._locks

    def _connect(self) -> Connection:
        connection = Connection.connect(**self._options, autocommit=True)
        connection.limit_seconds = _ANSWER_SECONDS
        return connection

    def release(self, kind: str, key: int) -> None:
        with self._claiming:
            if (kind, key) in self._held and self._locks is not None:
                self._held.discard((kind, key))
                try:
                    self._locks.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", _lock(kind, key))
                except psycopg.OperationalError as error:  # then the claims have ended with their connection
                    log.warning("The claims of this process are lost: %s", str(error).strip())

    # -- announcements

    def announce(self) -> None:
        if not self._announces:
            self._announces = True
            os.eventfd_write(self._bell, 1)

    def look_again(self) -> None:
        """Calls those who listen again in a moment."""
        if not self._looks:
            self._looks = True
            os.eventfd_write(self._bell, 1)

    def listen(self, heard: Callable[[], object]) -> None:
        self._heard.append(heard)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="announcements", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closing:
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._attend(connection)
            except psycopg.Error as error:
                log.warning("Announcements of other workers don't arrive: %s", str(error).strip())
                self._wait(None, POLL_SECONDS)

    def _attend(self, connection: Connection) -> None:
        """Announces and listens until the connection breaks or the end."""
        self._tell()  # what was missed
        polled = time.monotonic()
        while not self._closing:
            self._wait(connection, max(0.0, polled + POLL_SECONDS - time.monotonic()))
            news = [notice for notice in connection.notifies(timeout=0) if notice.payload != self._id]
            looks, self._looks = self._looks, False
            if self._announces:
                self._announces = False
                connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, self._id))
            if news or looks or time.monotonic() >= polled + POLL_SECONDS:
                polled = time.monotonic()
                self._tell()
            if not self._closing:
                time.sleep(_ANNOUNCE_SECONDS)  # what is announced meanwhile goes out together

    def _wait(self, connection: Connection | None, seconds: float) -> None:
        watched = [self._bell, *([connection.fileno()] if connection else ())]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._bell in ready:
            os.eventfd_read(self._bell)

    def _tell(self) -> None:
        for heard in self._heard:
            try:
                heard()
            except psycopg.Error as error:
                log.warning("What other workers announced could not be read: %s", str(error).strip())

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        os.eventfd_write(self._bell, 1)
        if self._thread is not None:
            self._thread.join()
        if self._locks is not None:
            self._locks.close()
        os.close(self._bell)


def _lock(kind: str, key: int) -> tuple[int, int]:
    """Two signed numbers of 32 bits: the kind's and the key's."""
    return zlib.crc32(kind.encode()) - 2**31, key % 2**32 - 2**31
