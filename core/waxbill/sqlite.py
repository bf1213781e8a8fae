"""The store that the core brings: one SQLite file, for one process.

A write is on disk when its transaction ends: the write-ahead log keeps it through a kill of the process.
``WAXBILL_STORE_SYNC=full`` also keeps it through a power cut, at the price of an fsync for every transaction.

Threads: each thread has a connection of its own; writers take turns by one lock, readers never wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .sqlstore import Local, SqlStore
from .store import StoreError

log = logging.getLogger("waxbill.store")

# The log is copied into the file beside the writers when it has grown by this much ...
_CHECKPOINT_BYTES = 4 * 1024 * 1024
# ... and begun anew from this size on, for which writers wait: some ms, until the last of it is copied.
_LOG_BYTES = 32 * 1024 * 1024
# SQLite's usual page.
_PAGE_BYTES = 4096
# How many transactions pass between two looks at the log's size.
_LOOK_EVERY = 64

#: A file up to this size is checked whole when it is opened (about 2 ms per MB).
_CHECK_UP_TO_BYTES = 16 * 1024 * 1024


class _Local(Local):
    """What one thread knows, with its connection."""

    db: sqlite3.Connection | None = None


class _Write:
    """The context manager behind ``SqliteStore.write``; a class, because a generator costs three times as much."""

    __slots__ = ("_mark", "_store")

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._mark = 0

    def __enter__(self) -> sqlite3.Connection:
        local = self._store.local
        db = local.db or self._store._connect()
        if local.depth == 0:
            if not local.open:
                self._store._begin(db)
                local.open = True
            if local.grouping:
                if not db.in_transaction:  # SQLite undid it all, as it does when the disk is full
                    raise sqlite3.OperationalError("an earlier write of the same group failed")
                db.execute("SAVEPOINT call")
            self._mark = len(local.committed)
        local.depth += 1
        return db

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        local = self._store.local
        local.depth -= 1
        if local.depth:
            return
        db = local.db
        assert db is not None
        if local.grouping:
            if kind is not None:
                del local.committed[self._mark :]
                if not db.in_transaction:
                    return  # SQLite undid the whole group; its commit will say so
                db.execute("ROLLBACK TO call")
            db.execute("RELEASE call")
        else:
            self._store.end(commit=kind is None)


class SqliteStore(SqlStore):
    """A SQLite file opened for this process alone.

    Raises StoreError when the file is damaged, can't be written or is in use by another process.
    """

    errors = (sqlite3.Error,)
    local: _Local

    def __init__(self, path: Path, *, full_sync: bool = False) -> None:
        self.path = path
        self.name = str(path)
        self._full_sync = full_sync
        self.local = _Local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._checkpoints = _Checkpoints(self)
        self._own = self._claim()
        try:
            self._open()
        except sqlite3.Error as error:
            self.close()
            raise StoreError(
                f"The store {path} can't be used: {error}. Restore it from a backup, or move it away to start empty."
            ) from error

    def _claim(self) -> IO[str]:
        """Makes folder and file private to this user and takes the lock that keeps a second server out."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            with contextlib.suppress(PermissionError):  # somebody else's file, that they let us write
                # It may be there already, from before or from a backup; SQLite's other files follow it.
                os.fchmod(file, 0o600)
            os.close(file)
            own = open(f"{self.path}.lock", "w", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
        except OSError as error:
            raise StoreError(
                f"The store {self.path} can't be opened for writing: {error.strerror}. "
                "Set WAHA_LOCAL_STORE_BASE_DIR to a folder that this user can write."
            ) from error
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            own.close()
            raise StoreError(
                f"The store {self.path} is in use by another waxbill. Stop that one, "
                "or set WAHA_LOCAL_STORE_BASE_DIR to another folder."
            ) from error
        return own

    def _open(self) -> None:
        db = self._connect()
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":  # SQLite says no more than that
            self.close()
            raise StoreError(
                f"The store {self.path} can't have a write-ahead log: its file system lets programs share no memory, "
                "as some of networks don't. Set WAHA_LOCAL_STORE_BASE_DIR to a folder on a disk."
            )
        if self.path.stat().st_size <= _CHECK_UP_TO_BYTES:
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(f"it is damaged ({found})")
        db.execute("CREATE TABLE IF NOT EXISTS part (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID")
        with self.write() as writable:
            writable.execute("INSERT INTO part VALUES ('store', 1) ON CONFLICT (name) DO NOTHING")
            writable.execute(
                "CREATE TABLE IF NOT EXISTS part_script (part TEXT, n INTEGER, script TEXT, PRIMARY KEY (part, n))"
            )
        self._checkpoints.opened()

    def _connect(self) -> sqlite3.Connection:
        """This thread's connection, opened on first use. Autocommit: transactions are ours alone to begin."""
        # check_same_thread is off only for close(), which runs when the other threads have ended.
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=256)
        db.execute(f"PRAGMA synchronous = {'FULL' if self._full_sync else 'NORMAL'}")
        db.execute("PRAGMA cache_size = -1024")  # KiB; the kernel's page cache does the rest for free
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA busy_timeout = 5000")
        db.execute("PRAGMA wal_autocheckpoint = 0")  # see _Checkpoints
        self.local.db = db
        self._connections.append(db)
        return db

    def _begin(self, db: sqlite3.Connection) -> None:
        self._lock.acquire()
        try:
            db.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise

    def end(self, *, commit: bool) -> None:
        local = self.local
        db = local.db
        assert db is not None
        waiting, local.committed = local.committed, []
        local.open = False
        try:
            if commit:
                db.execute("COMMIT")
        finally:
            if db.in_transaction:  # not committed, or the commit failed (a full disk)
                db.execute("ROLLBACK")
            self._lock.release()
        if commit:
            self._checkpoints.committed()
            for then in waiting:
                then()

    def read(self) -> sqlite3.Connection:
        return self.local.db or self._connect()

    def write(self) -> _Write:
        return _Write(self)

    def settled(self, table: str) -> int:
        # Writers take turns: below the last key nothing appears.
        row = self.read().execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return row[0] if row else 0

    def shrink(self) -> int:
        connections = list(self._connections)
        for db in connections:
            db.execute("PRAGMA shrink_memory")  # SQLite takes turns by itself: any thread may ask
        return len(connections)

    def health(self) -> dict[str, Any]:
        return {"status": "up", "path": str(self.path)}

    def tables(self) -> dict[str, list[str]]:
        # In the order in which they were made: a table can only refer to one that was there.
        rows = self.read().execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            " AND name NOT IN ('part', 'part_script') ORDER BY rowid"
        )
        return {
            name: [column for (column,) in self.read().execute("SELECT name FROM pragma_table_info(?)", (name,))]
            for (name,) in rows.fetchall()
        }

    def dump(self, table: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        yield from self.read().execute(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608

    def given_out(self, keys: dict[str, int] | None = None) -> dict[str, int]:
        with self.write() as db:
            made = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"
            counted = {name for (name,) in db.execute(made)}
            for table, key in (keys or {}).items():
                if table not in counted:
                    continue
                db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ? AND seq < ?", (key, table, key))
                db.execute(
                    "INSERT INTO sqlite_sequence SELECT ?, ? WHERE NOT EXISTS"
                    " (SELECT 1 FROM sqlite_sequence WHERE name = ?)",
                    (table, key, table),
                )
        try:
            return dict(self.read().execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        except sqlite3.OperationalError:  # SQLite makes that table with the first that needs it
            return {}

    def close(self) -> None:
        self._checkpoints.close()
        for db in self._connections:
            db.close()
        self._connections.clear()
        self._checkpoints.closed()
        self.local = _Local()
        self._own.close()


class _Checkpoints:
    """Copies the write-ahead log into the file. Left to SQLite, a writer would wait for the disk every 1000 pages:
    the slowest percent of all requests. A thread does it instead, started by the first load that needs it.

    SQLite begins the log anew when all of it is copied, which never happens while writers go on; so the last of it
    is copied with their lock. The log is written over then: to cut it off and let it grow again takes far longer.
    """

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._index: int | None = None
        self._count = 0
        self._done_bytes = 0
        self._wanted = threading.Event()
        #: Not set while writers wait for the thread: it would not get their lock from one that never pauses.
        self._let_write = threading.Event()
        self._let_write.set()
        self._thread: threading.Thread | None = None
        self._closing = False

    def opened(self) -> None:
        """SQLite has opened its files. The log's index must be open for as long as it is SQLite's: to close a file ends
        all locks that the process has on it."""
        self._index = os.open(f"{self._store.path}-shm", os.O_RDONLY)

    def committed(self) -> None:
        """Called by a writer after each commit, outside the lock."""
        if not self._let_write.is_set():
            self._let_write.wait()
        self._count += 1
        if self._count % _LOOK_EVERY:
            return
        used = self._used()
        if used < self._done_bytes:
            self._done_bytes = 0
        if used - self._done_bytes >= _CHECKPOINT_BYTES:
            self._done_bytes = used
            if used >= 2 * _LOG_BYTES:  # the disk does not keep up
                self._let_write.clear()
            self._wanted.set()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="checkpoint", daemon=True)
        try:
            thread.start()
            self._thread = thread
        except RuntimeError as error:  # no memory for its stack; tried again when the log has grown
            log.error("The thread that copies the log of the store can't be started: %s", error)
            self._let_write.set()

    def _used(self) -> int:
        """How many bytes of pages the log has: the file says only how many it had at most."""
        assert self._index is not None
        # mxFrame of the header (sqlite.org/walformat.html, 2.1)
        return int.from_bytes(os.pread(self._index, 4, 16), sys.byteorder) * _PAGE_BYTES

    def _work(self) -> None:
        db = self._store.read()
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closing:
                return
            try:
                self._copy(db)
            except sqlite3.Error as error:  # a full disk; what is in the log is safe there
                log.error("The log of the store could not be copied into it: %s", error)
            finally:
                self._let_write.set()

    def _copy(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if self._used() >= _LOG_BYTES:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")  # so that less is left for the next
            self._let_write.clear()
            with self._store._lock:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self._closing = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def closed(self) -> None:
        """SQLite has closed its files."""
        if self._index is not None:
            os.close(self._index)
            self._index = None
