"""A PostgreSQL as the place where published media lives: in pieces, so that no file is ever whole in memory.

A file is there when its row is: the pieces are written before, each in a transaction of its own, since one that lasted
as long as an upload would hold back vacuum and the events of all workers (``Store.settled``). Pieces whose file never
came are removed after an hour.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import psycopg
from psycopg_pool import ConnectionPool

from waxbill.media.storage import MediaStorage, Published, StorageError, Stored
from waxbill.settings import SettingError

from .connection import FREE_AFTER, Connection, options
from .store import MIGRATION_LOCK

log = logging.getLogger("waxbill.postgres")

PIECE_BYTES = 64 * 1024
#: How long an upload may take before its pieces count as left over.
_UPLOAD_SECONDS = 3600
_LOOK_SECONDS = 60.0
#: As many files go with one statement.
_PORTION = 20

# Times are Unix seconds by the database's clock, which all workers share.
_TABLES = (
    "CREATE TABLE IF NOT EXISTS published_file (session TEXT, name TEXT, upload BIGINT NOT NULL, size BIGINT NOT NULL,"
    " kept BIGINT NOT NULL DEFAULT floor(extract(epoch FROM now())), PRIMARY KEY (session, name))",
    "CREATE INDEX IF NOT EXISTS published_file_by_age ON published_file (kept)",
    "CREATE INDEX IF NOT EXISTS published_file_by_upload ON published_file (upload)",
    "CREATE TABLE IF NOT EXISTS published_piece (upload BIGINT, n INTEGER, content BYTEA NOT NULL,"
    " at BIGINT NOT NULL DEFAULT floor(extract(epoch FROM now())), PRIMARY KEY (upload, n))",
    # Media is compressed already.
    "ALTER TABLE published_piece ALTER COLUMN content SET STORAGE EXTERNAL",
)
_REMOVE = (
    "WITH gone AS (DELETE FROM published_file WHERE (session, name) IN"
    " (SELECT session, name FROM published_file WHERE {} LIMIT %(most)s FOR UPDATE SKIP LOCKED) RETURNING upload)"
    " DELETE FROM published_piece USING gone WHERE published_piece.upload = gone.upload"
)


class PostgresMedia(MediaStorage):
    """Files in two tables of a database. Each goes when its lifetime is over (``lifetime_seconds``; 0: it stays)."""

    def __init__(self, url: str, *, pool: int, wait_seconds: float, lifetime_seconds: int) -> None:
        """Raises SettingError where the database can't be used."""
        self._lifetime = lifetime_seconds
        self._answer_seconds = wait_seconds + 1.0
        found = options(url, wait_seconds)
        self.name = f"postgresql://{found.get('host', '')}/{found.get('dbname', '')}"
        try:
            with psycopg.connect(**found) as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
                for statement in _TABLES:
                    connection.execute(statement.encode())
        except psycopg.Error as error:
            raise SettingError(
                f"Media can't be kept in {self.name} (WAHA_MEDIA_POSTGRESQL_URL): {str(error).strip()}"
            ) from error
        self._wait_ms = int(wait_seconds * 1000)
        self._pool = ConnectionPool[Connection](
            "",
            connection_class=Connection,
            kwargs={**found, "autocommit": True},
            configure=self._configure,
            check=ConnectionPool.check_connection,
            min_size=0,
            max_size=pool,
            timeout=wait_seconds,
            num_workers=1,
            open=True,
        )
        self._end = threading.Event()
        self._tidying: threading.Thread | None = None

    def _configure(self, connection: Connection) -> None:
        connection.limit_seconds = self._answer_seconds
        connection.execute(f"SET lock_timeout = {self._wait_ms}; SET statement_timeout = {self._wait_ms}; {FREE_AFTER}")

    def ask(self, said: str, **values: Any) -> psycopg.Cursor[tuple[Any, ...]]:
        """Runs one statement, which is a transaction. Raises StorageError."""
        try:
            with self._pool.connection() as connection:
                return connection.execute(said.encode(), values, binary=True)
        except psycopg.Error as error:
            raise StorageError(f"{self.name} can't be asked: {str(error).strip()}", again=True) from error

    # -- the contract

    def start(self) -> None:
        self._tidying = threading.Thread(target=self._run, name="media", daemon=True)
        self._tidying.start()

    def put(self, file: Published, source: Path) -> None:
        upload = int.from_bytes(os.urandom(8), "big", signed=True)
        kept = False
        try:
            size = self._send(upload, source)
            told = self.ask(
                "INSERT INTO published_file VALUES (%(session)s, %(name)s, %(upload)s, %(size)s)"
                " ON CONFLICT (session, name) DO UPDATE SET upload = excluded.upload, size = excluded.size,"
                " kept = excluded.kept WHERE %(lifetime)s > 0"
                " AND published_file.kept <= extract(epoch FROM now()) - %(lifetime)s",
                session=file.session, name=file.name, upload=upload, size=size, lifetime=self._lifetime,
            )  # fmt: skip
            kept = told.rowcount == 1
        finally:
            if not kept:  # another was first, or something failed
                with contextlib.suppress(StorageError):  # then they are removed later
                    self.ask("DELETE FROM published_piece WHERE upload = %(upload)s", upload=upload)

    def _send(self, upload: int, source: Path) -> int:
        """Keeps the pieces of a file; answers its size in bytes."""
        size = n = 0
        try:
            with source.open("rb") as content:
                while piece := content.read(PIECE_BYTES):
                    said = "INSERT INTO published_piece VALUES (%(upload)s, %(n)s, %(piece)s)"
                    self.ask(said, upload=upload, n=n, piece=piece)
                    size, n = size + len(piece), n + 1
        except OSError as error:
            raise StorageError(f"{source} can't be read: {error.strerror or error}") from error
        return size

    def _row(self, session: str, name: str) -> tuple[int, int, int] | None:
        """The upload, size and time of a file that is there."""
        row = self.ask(
            "SELECT upload, size, kept FROM published_file WHERE session = %(session)s AND name = %(name)s"
            " AND (%(lifetime)s = 0 OR kept > extract(epoch FROM now()) - %(lifetime)s)",
            session=session, name=name, lifetime=self._lifetime,
        ).fetchone()  # fmt: skip
        return None if row is None else (row[0], row[1], row[2])

    def find(self, session: str, name: str) -> Stored | None:
        row = self._row(session, name)
        return None if row is None else Stored(row[1], row[2], f"{row[0] & (1 << 64) - 1:x}")

    def open(self, session: str, name: str, first: int, length: int) -> BinaryIO:
        row = self._row(session, name)
        if row is None:
            raise StorageError("The file is not there.")
        return cast(BinaryIO, _Part(self, row[0], first, length))

    def remove(self, session: str, name: str) -> None:
        self.ask(_REMOVE.format("session = %(session)s AND name = %(name)s"), session=session, name=name, most=1)

    def forget(self, session: str) -> None:
        self._remove_all("session = %(session)s", session=session)

    def close(self) -> None:
        self._end.set()
        if self._tidying is not None:
            self._tidying.join()
        self._pool.close()

    # -- what goes by itself

    def _remove_all(self, which: str, **values: Any) -> None:
        """Removes files, a few at a time."""
        left = f"SELECT 1 FROM published_file WHERE {which} LIMIT 1"  # noqa: S608
        while self.ask(left, **values).fetchone() and not self._end.is_set():
            self.ask(_REMOVE.format(which), **values, most=_PORTION)

    def tidy(self) -> None:
        """Removes files whose time is over, and pieces whose file never came. Raises StorageError."""
        if self._lifetime:
            self._remove_all("kept <= extract(epoch FROM now()) - %(lifetime)s", lifetime=self._lifetime)
        self.ask(
            "DELETE FROM published_piece WHERE upload IN (SELECT p.upload FROM published_piece p"
            " WHERE p.n = 0 AND p.at < extract(epoch FROM now()) - %(age)s"
            " AND NOT EXISTS (SELECT 1 FROM published_file f WHERE f.upload = p.upload))",
            age=_UPLOAD_SECONDS,
        )

    def _run(self) -> None:
        while True:
            try:
                self.tidy()
            except StorageError as error:
                log.error("Media that is too old could not be removed: %s", error)
            if self._end.wait(min(_LOOK_SECONDS, self._lifetime or _LOOK_SECONDS)):
                return


class _Part:
    """A part of a file, read piece by piece; between two of them it holds no connection."""

    def __init__(self, media: PostgresMedia, upload: int, first: int, length: int) -> None:
        self._media, self._upload = media, upload
        self._at, self._end = first, first + length
        self._piece: tuple[int, bytes] = (-1, b"")

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._end - self._at
        size = left if size is None or size < 0 else min(size, left)
        parts = []
        while size:
            content = self._content(self._at // PIECE_BYTES)
            begin = self._at % PIECE_BYTES
            part = content[begin : begin + size]
            if not part:
                raise StorageError("The file broke off.")
            parts.append(part)
            self._at += len(part)
            size -= len(part)
        return b"".join(parts)

    def _content(self, n: int) -> bytes:
        if self._piece[0] != n:
            row = self._media.ask(
                "SELECT content FROM published_piece WHERE upload = %(upload)s AND n = %(n)s", upload=self._upload, n=n
            ).fetchone()
            if row is None:
                raise StorageError("The file was removed while it was read.")
            self._piece = (n, bytes(row[0]))
        return self._piece[1]

    def close(self) -> None:
        self._piece = (-1, b"")
