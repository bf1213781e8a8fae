"""A PostgreSQL database as the store: a pool of connections, transactions that cost few round trips, migrations.

What begins and ends a savepoint or a transaction is not sent alone but with the next statement (``_Local.prefix``):
a write of one statement inside a group is one round trip.

A connection that is found broken before anything of a transaction was sent is exchanged for another; after that the
transaction fails. A commit whose answer does not come counts as failed: the client hears that it may try again.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn

import psycopg
from psycopg import ClientCursor, errors, sql
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from waxbill.store import Database, Rows, Store, StoreError, Unstorable

from .connection import Connection
from .keeper import Keeper
from .sql import definition, key_of, target, translated

log = logging.getLogger("waxbill.postgres")

#: One starter at a time brings tables up to date: a key of advisory locks that is ours.
MIGRATION_LOCK = 0x77617862
_MIGRATION_SECONDS = 120
#: How long the server may take to say itself that a call waited too long.
_GRACE_SECONDS = 1.0
#: Before a broken database is asked again, and how long it is then waited for.
_AWAY_SECONDS = 0.5
_AWAY_WAIT_SECONDS = 0.1
_AWAY_ANSWER_SECONDS = 1.0
_BATCH = 200


class _Truth(Dumper):
    """True and False as 1 and 0, which is what the tables keep."""

    def dump(self, obj: bool) -> bytes:
        return b"1" if obj else b"0"

    quote = dump


class _Local(threading.local):
    """What one thread knows of its transaction."""

    connection: Connection | None = None
    #: Its statements take as long as they take.
    patient = False
    depth = 0
    grouping = False
    open = False
    #: Something of the transaction was sent; it failed as a whole.
    sent = failed = False
    #: What is sent with the next statement.
    prefix = ""
    #: The savepoint of this call has not been sent yet.
    fresh = False

    def __init__(self) -> None:
        self.committed: list[Callable[[], object]] = []


class _Inserted:
    """The answer to an INSERT whose table gives out keys."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.rowcount: int = cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        row = self._cursor.fetchone()
        return row[0] if row else None

    def fetchone(self) -> Any:
        return None

    def fetchall(self) -> list[Any]:
        return []

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class _Database:
    """What ``read()`` and ``write()`` give; the same for all threads."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    def execute(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Rows:
        said = translated(statement)
        key = self._store.key_of_table(target(statement))
        if key:
            return _Inserted(self._store.run(f"{said} RETURNING {key}", parameters))
        return self._store.run(said, parameters)

    def executemany(self, statement: str, parameters: Iterable[Any]) -> None:
        said = translated(statement)
        waiting = list(parameters)
        for first in range(0, len(waiting), _BATCH):
            self._store.run_all(said, waiting[first : first + _BATCH])


class _Write:
    """The context manager behind ``write()``."""

    __slots__ = ("_mark", "_store")

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._mark = 0

    def __enter__(self) -> Database:
        local = self._store.local
        if local.depth == 0:
            if not local.open:
                self._store.begin()
            if local.grouping:
                if local.failed:
                    raise psycopg.OperationalError("an earlier write of the same group failed")
                self._store.savepoint()
            self._mark = len(local.committed)
        local.depth += 1
        return self._store.database

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        local = self._store.local
        local.depth -= 1
        if local.depth:
            return
        if local.grouping:
            if kind is not None:
                del local.committed[self._mark :]
            self._store.leave_savepoint(undo=kind is not None)
        else:
            self._store.end(commit=kind is None)


class PostgresStore(Store):
    """A database that waxbill processes share. Raises StoreError when it can't be used."""

    errors = (psycopg.Error,)
    shared = True

    def __init__(self, url: str, *, pool: int = 4, wait_seconds: float = 5.0) -> None:
        """``pool``: most connections; ``wait_seconds``: how long a call waits for one of them, a lock or an answer."""
        self._wait_seconds = wait_seconds
        self._answer_seconds = wait_seconds + _GRACE_SECONDS
        self.local = _Local()
        self.database = _Database(self)
        self._writing = threading.Lock()
        self._lent: set[int] = set()
        self._away, self._away_until = False, 0.0
        #: Tables that give out keys, and the column of these.
        self._keys: dict[str, str] = {}
        self._pending: dict[str, deque[tuple[int, int]]] = {}
        self._settled: dict[str, int] = {}
        self._options: dict[str, Any] = {
            "connect_timeout": max(2, round(wait_seconds)),
            # A server that has gone without a word is noticed.
            "keepalives_idle": 2,
            "keepalives_interval": 1,
            "keepalives_count": 2,
            "tcp_user_timeout": 3000,
            **conninfo_to_dict(url),
            "client_encoding": "utf8",
            "application_name": f"waxbill {uuid.uuid4().hex[:12]}",
        }
        self.name = self._check()
        self._pool = ConnectionPool[Connection](
            "",
            connection_class=Connection,
            kwargs={**self._options, "autocommit": True, "cursor_factory": ClientCursor},
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
        with self._patient_write() as db:
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
        connection.execute(f"SET lock_timeout = {wait_ms}; SET statement_timeout = {wait_ms}")

    # -- connections

    def _take(self) -> Connection:
        """A connection of the pool. While the database is away, calls fail soon instead of waiting one by one."""
        if time.monotonic() < self._away_until:
            raise psycopg.OperationalError(f"{self.name} does not answer")
        try:
            connection = self._pool.getconn(_AWAY_WAIT_SECONDS if self._away else self._wait_seconds)
        except psycopg.OperationalError:
            if not self._lent:  # gone, rather than busy
                self._note_away()
            raise
        self._lent.add(id(connection))
        if self.local.patient:
            connection.limit_seconds = None
        else:
            connection.limit_seconds = _AWAY_ANSWER_SECONDS if self._away else self._answer_seconds
        return connection

    def _give_back(self, connection: Connection) -> None:
        self._lent.discard(id(connection))
        if connection.hung:  # the others would hang, too: one is tried at a time
            self._note_away()
        self._pool.putconn(connection)

    def _note_away(self) -> None:
        if not self._away:
            log.error("%s does not answer; it is asked again until it does", self.name)
        self._away, self._away_until = True, time.monotonic() + _AWAY_SECONDS

    def _fresh(self, send: Callable[[Connection], Any]) -> tuple[Connection, Any]:
        """Sends what nothing was sent before, over a connection that works; the caller gives that back."""
        for _ in range(self._pool.max_size + 1):
            connection = self._take()
            try:
                answer = send(connection)
            except psycopg.Error:
                again = connection.broken and not connection.hung
                self._give_back(connection)
                if not again:
                    raise
            except BaseException:
                self._give_back(connection)
                raise
            else:
                if self._away:
                    log.warning("%s answers again", self.name)
                    self._away = False
                return connection, answer
        self._note_away()
        raise psycopg.OperationalError(f"{self.name} does not answer")

    def run(self, said: str, parameters: Any) -> Any:
        """One statement, in the thread's transaction if there is one. Answers its cursor."""
        return self._send(lambda connection, prefix: _last(connection.execute(prefix + said, parameters)))

    def run_all(self, said: str, rows: list[Any]) -> None:
        """A statement for each row of values, in one round trip."""

        def send(connection: Connection, prefix: str) -> Any:
            cursor = connection.cursor()
            assert isinstance(cursor, ClientCursor)
            statements = "; ".join(cursor.mogrify(said, row) for row in rows)
            return cursor.execute(f"{prefix}{statements}".encode())

        self._send(send)

    def _send(self, send: Callable[[Connection, str], Any]) -> Any:
        local = self.local
        try:
            if not local.open:
                connection, cursor = self._fresh(lambda connection: send(connection, ""))
                self._give_back(connection)
                return cursor
            return self._send_in_transaction(send)
        except errors.NumericValueOutOfRange as error:
            raise OverflowError(str(error)) from None
        except (errors.DataError, psycopg.DataError) as error:
            _unstorable(error)

    def _send_in_transaction(self, send: Callable[[Connection, str], Any]) -> Any:
        local = self.local
        if local.failed:
            raise psycopg.OperationalError("an earlier write of the same group failed")
        alone = local.grouping and not local.depth  # a read beside the writes of a group must not undo these
        if alone:
            self.savepoint()
        prefix, fresh = local.prefix, local.fresh
        local.prefix, local.fresh = "", False
        try:
            if local.connection is None:
                local.connection, cursor = self._fresh(lambda connection: send(connection, prefix))
            else:
                cursor = send(local.connection, prefix)
        except BaseException as error:
            arrived = isinstance(error, psycopg.Error) and error.sqlstate is not None
            if local.connection is None:  # the whole transaction is not there, and nothing of it is lost
                local.failed = not local.grouping
                local.prefix, local.fresh = prefix, fresh
            elif local.connection.broken or not isinstance(error, Exception):
                local.failed = True
            elif not arrived:  # a value that can't be sent
                local.prefix, local.fresh = prefix, fresh
            if alone:
                self.leave_savepoint(undo=True)
            raise
        if alone:
            self.leave_savepoint(undo=False)
        return cursor

    # -- transactions

    def read(self) -> Database:
        return self.database

    def write(self) -> _Write:
        return _Write(self)

    def begin(self) -> None:
        if not self._writing.acquire(timeout=self._wait_seconds):
            raise psycopg.OperationalError(f"the writers before this one wait for {self.name}")
        local = self.local
        local.open, local.failed = True, False
        # The transaction has its number before it gives out a key: see settled().
        local.prefix = "BEGIN; SELECT pg_current_xact_id(); "

    def savepoint(self) -> None:
        self.local.prefix += "SAVEPOINT call; "
        self.local.fresh = True

    def leave_savepoint(self, *, undo: bool) -> None:
        local = self.local
        if local.fresh:  # it was never sent
            local.prefix = local.prefix.removesuffix("SAVEPOINT call; ")
            local.fresh = False
        else:
            local.prefix += "ROLLBACK TO call; RELEASE call; " if undo else "RELEASE call; "

    def end(self, *, commit: bool) -> None:
        """Ends the thread's transaction; what waited for the commit runs afterwards, outside it."""
        local = self.local
        waiting, local.committed = local.committed, []
        connection, local.connection = local.connection, None
        failed, local.open, local.prefix = local.failed, False, ""
        try:
            if commit and failed:
                raise psycopg.OperationalError("a part of the transaction failed")
            if commit and connection is not None and connection.broken:
                raise psycopg.OperationalError(f"{self.name} went away")
            if connection is not None and not connection.broken:
                ended = connection.execute("COMMIT" if commit else "ROLLBACK").statusmessage
                if commit and ended != "COMMIT":
                    raise psycopg.OperationalError("the transaction was undone")
        finally:
            if connection is not None:
                self._give_back(connection)
            self._writing.release()
        if commit:
            for then in waiting:
                then()

    @contextlib.contextmanager
    def group(self) -> Iterator[None]:
        local = self.local
        assert not local.grouping
        assert not local.open
        local.grouping = True
        try:
            yield
        except BaseException:
            local.grouping = False
            if local.open:
                self.end(commit=False)
            raise
        local.grouping = False
        if local.open:
            self.end(commit=True)

    def after_commit(self, then: Callable[[], object]) -> None:
        if self.local.depth:
            self.local.committed.append(then)
        else:
            then()

    # -- tables

    def migrate(self, part: str, scripts: list[str]) -> None:
        with self._patient_write() as db:
            row = db.execute("SELECT version FROM part WHERE name = ?", (part,)).fetchone()
            version = row[0] if row else 0
            if version > len(scripts):
                raise StoreError(
                    f"The store {self.name} was written by a newer waxbill (its part '{part}' has version {version}, "
                    f"this one knows {len(scripts)}). Upgrade, or use another store."
                )
            if version < len(scripts):
                for script in scripts[version:]:
                    for statement in script.split(";"):
                        if statement.strip():
                            db.execute(definition(statement))
                db.execute(
                    "INSERT INTO part VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version",
                    (part, len(scripts)),
                )
                db.executemany(
                    "INSERT OR IGNORE INTO part_script VALUES (?, ?, ?)",
                    [(part, n, script) for n, script in enumerate(scripts)],
                )
        self._learn(scripts)

    @contextlib.contextmanager
    def _patient_write(self) -> Iterator[Database]:
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

    def parts(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for part, script in self.read().execute("SELECT part, script FROM part_script ORDER BY part, n"):
            found.setdefault(part, []).append(script)
        return found

    def tables(self) -> dict[str, list[str]]:
        # In the order in which they were made: a table can only refer to one that was there.
        rows = self.read().execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0"
            " AND NOT a.attisdropped AND c.relname NOT IN ('part', 'part_script') ORDER BY c.oid, a.attnum"
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


def _last(cursor: Any) -> Any:
    """The answer to the last of several statements."""
    while cursor.nextset():
        pass
    return cursor


def _figures(cursor: Any) -> list[int]:
    """The first figure of each answer."""
    found = [cursor.fetchone()[0]]
    while cursor.nextset():
        found.append(cursor.fetchone()[0])
    return found


def _unstorable(error: Exception) -> NoReturn:
    if "NUL" in str(error):
        raise Unstorable("Text must not have the character U+0000: the store of this server can't keep it.") from None
    raise Unstorable(f"The store of this server can't keep a value: {str(error).strip()}") from None
