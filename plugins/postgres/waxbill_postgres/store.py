"""A PostgreSQL database as the store: its pool of connections, tables and their keys, what processes share, copies."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.adapt import Dumper
from psycopg_pool import ConnectionPool

from waxbill.store import Database, StoreError

from .connection import FREE_AFTER, Connection, options
from .keeper import Keeper
from .sql import definition, key_of
from .transactions import Transactions

#: One starter at a time brings tables up to date: a key of advisory locks that is ours.
MIGRATION_LOCK = 0x77617862
_MIGRATION_SECONDS = 120


class _Truth(Dumper):
    """True and False as 1 and 0, which is what the tables keep."""

    def dump(self, obj: bool) -> bytes:
        return b"1" if obj else b"0"

    quote = dump


class PostgresStore(Transactions):
    """A database that waxbill processes share. Raises StoreError when it can't be used."""

    shared = True

    def __init__(self, url: str, *, pool: int = 4, wait_seconds: float = 5.0) -> None:
        """``pool``: most connections; ``wait_seconds``: how long a call waits for one of them, a lock or an answer."""
        super().__init__(wait_seconds)
        #: Tables that give out keys, and the column of these.
        self._keys: dict[str, str] = {}
        self._pending: dict[str, deque[tuple[int, int]]] = {}
        self._settled: dict[str, int] = {}
        self._options = options(url, wait_seconds)
        self.name = self._check()
        self._pool = ConnectionPool[Connection](
            "",
            connection_class=Connection,
            kwargs={**self._options, "autocommit": True},
            configure=self._configure,
            min_size=1,
            max_size=pool,
            timeout=wait_seconds,
            reconnect_timeout=1.0,
            num_workers=1,
            open=True,
        )
        self._keeper = Keeper(self._options, self.name)
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        with self.migrating() as db:
            db.execute("CREATE TABLE IF NOT EXISTS part (name TEXT PRIMARY KEY, version BIGINT NOT NULL)")
            db.execute(
                "CREATE TABLE IF NOT EXISTS part_script (part TEXT, n BIGINT, script TEXT, PRIMARY KEY (part, n))"
            )
        for scripts in self.parts().values():
            self._learn(scripts)

    def _check(self) -> str:
        """Connects once and says what the database is called: host and name, never a password."""
        shown = f"postgresql://{self._options.get('host', '')}/{self._options.get('dbname', '')}"
        try:
            with psycopg.connect(**self._options) as connection:
                row = connection.execute("SHOW server_encoding").fetchone()
                version = connection.info.server_version
        except psycopg.Error as error:
            raise StoreError(
                f"The store {shown} can't be used: {str(error).strip()}. Start PostgreSQL, or set WAXBILL_STORE."
            ) from error
        if row is None or row[0] != "UTF8":
            raise StoreError(f"The store {shown} has the encoding {row and row[0]}; make the database with UTF8.")
        if version < 130000:
            raise StoreError(f"The store {shown} is PostgreSQL {version // 10000}; it takes 13 or newer.")
        return shown

    def _configure(self, connection: Connection) -> None:
        connection.adapters.register_dumper(bool, _Truth)
        connection.limit_seconds = self._answer_seconds
        wait_ms = int(self._wait_seconds * 1000)
        connection.execute(f"SET lock_timeout = {wait_ms}; SET statement_timeout = {wait_ms}; {FREE_AFTER}")

    # -- tables

    def migrate(self, part: str, scripts: list[str]) -> None:
        super().migrate(part, scripts)
        self._learn(scripts)

    def definition(self, statement: str) -> str:
        return definition(statement)

    @contextlib.contextmanager
    def migrating(self) -> Iterator[Database]:
        """A transaction of one starter at a time, however long it takes."""
        self.local.patient = True
        try:
            with self.write() as db:
                db.execute(f"SET LOCAL lock_timeout = {_MIGRATION_SECONDS * 1000}")
                db.execute("SET LOCAL statement_timeout = 0")
                db.execute("SELECT pg_advisory_xact_lock(?)", (MIGRATION_LOCK,))
                yield db
        finally:
            self.local.patient = False

    def _learn(self, scripts: list[str]) -> None:
        for script in scripts:
            for statement in script.split(";"):
                if found := key_of(statement):
                    self._keys[found[0]] = found[1]

    def key_of_table(self, table: str | None) -> str | None:
        return self._keys.get(table) if table else None

    def settled(self, table: str) -> int:
        """Keys are given out before transactions commit, so one may appear below others that are seen already.

        A transaction has a number before it gives out a key. So once all transactions with numbers below one that was
        taken after the last key was read are over, every key up to that is there or never will be.
        """
        sequence = f"{table}_{self._keys[table]}_seq"
        said = (
            f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence};"  # noqa: S608
            "SELECT pg_current_xact_id()::text::bigint; SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        )
        last, number, oldest = self._send(lambda connection, prefix: _figures(connection.execute(said)))
        pending = self._pending.setdefault(table, deque())
        if last > self._settled.get(table, 0) and not (pending and pending[-1][0] == last):
            pending.append((last, number))
        while pending and pending[0][1] <= oldest:
            self._settled[table] = pending.popleft()[0]
        if pending:
            self._keeper.look_again()
        return self._settled.get(table, 0)

    def health(self) -> dict[str, Any]:
        try:
            self.run("SELECT 1", ())
        except psycopg.Error as error:
            return {"status": "down", "url": self.name, "error": str(error).strip()}
        return {"status": "up", "url": self.name}

    def close(self) -> None:
        self._keeper.close()
        self._pool.close()

    # -- beside other processes

    def claim(self, kind: str, key: int) -> bool:
        return self._keeper.claim(kind, key)

    def held(self, kind: str) -> set[int]:
        return self._keeper.held(kind)

    def release(self, kind: str, key: int) -> None:
        self._keeper.release(kind, key)

    def announce(self) -> None:
        self._keeper.announce()

    def listen(self, heard: Callable[[], object]) -> None:
        self._keeper.listen(heard)

    def users(self) -> int:
        row = self.run(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'waxbill %%' AND application_name != %s",
            (self._options["application_name"],),
        ).fetchone()
        return int(row[0])

    # -- copies

    def tables(self) -> dict[str, list[str]]:
        # In the order in which they were made: a table can only refer to one that was there.
        rows = self.read().execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0"
            " AND NOT a.attisdropped AND c.relname NOT IN ('part', 'part_script', 'published_file', 'published_piece')"
            " ORDER BY c.oid, a.attnum"
        )
        found: dict[str, list[str]] = {}
        for table, column in rows:
            found.setdefault(table, []).append(column)
        return found

    def dump(self, table: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        with psycopg.connect(**self._options) as connection, connection.cursor("dump") as cursor:
            cursor.execute(_select(table, columns))
            yield from cursor

    def given_out(self, keys: dict[str, int] | None = None) -> dict[str, int]:
        with self.write() as db:
            for table, column in self._keys.items():
                db.execute(
                    f"SELECT setval('{table}_{column}_seq', greatest(?, (SELECT max({column}) FROM {table}), 1),"  # noqa: S608
                    f" ? > 0 OR EXISTS (SELECT 1 FROM {table}))",
                    ((keys or {}).get(table, 0), (keys or {}).get(table, 0)),
                )
            return {
                table: db.execute(
                    f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_{column}_seq"  # noqa: S608
                ).fetchone()[0]
                for table, column in self._keys.items()
            }


def _select(table: str, columns: list[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(table))


def _figures(cursor: Any) -> list[int]:
    """The first figure of each answer."""
    found = [cursor.fetchone()[0]]
    while cursor.nextset():
        found.append(cursor.fetchone()[0])
    return found
