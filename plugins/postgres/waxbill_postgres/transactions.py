"""Transactions on a pool of connections that cost few round trips.

What begins and ends a savepoint or a transaction, and what answers nothing (``executemany``), is not sent alone but
with the next statement (``Local.prefix``): a write of one statement inside a group is one round trip, and so is one of
two where the second answers nothing. That one may fail within a later call of the group. So savepoints have names of
their own: to undo one that was never made fails, and with it the commit of the group.

A connection that is found broken before anything of a transaction was sent is exchanged for another; after that the
transaction fails. A commit whose answer does not come counts as failed: the client hears that it may try again.
"""

from __future__ import annotations

import abc
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import psycopg
from psycopg import errors
from psycopg_pool import ConnectionPool

from waxbill import sqlstore
from waxbill.store import Database, Rows, Unstorable

from .connection import Answer, Connection
from .sql import target, translated

log = logging.getLogger("waxbill.postgres")

#: How long the server may take to say itself that a call waited too long.
_GRACE_SECONDS = 1.0
#: Before a broken database is asked again, and how long it is then waited for.
_AWAY_SECONDS = 0.5
_AWAY_WAIT_SECONDS = 0.1
_AWAY_ANSWER_SECONDS = 1.0
_BATCH = 200
#: More than this is not kept back.
_LATE_BYTES = 64 * 1024

_Answer = TypeVar("_Answer")


class Local(sqlstore.Local):
    """What one thread knows of its transaction."""

    connection: Connection | None = None
    #: Its statements take as long as they take.
    patient = False
    #: Something of the transaction was sent; it failed as a whole.
    sent = failed = False
    #: What is sent with the next statement.
    prefix = b""
    #: The number of this call's savepoint, and where that begins in the prefix; None once it was sent.
    call = 0
    mark: int | None = None


class _Database:
    """What ``read()`` and ``write()`` give; the same for all threads."""

    def __init__(self, store: Transactions) -> None:
        self._store = store

    def execute(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Rows:
        said = translated(statement)
        key = self._store.key_of_table(target(statement))
        if key:
            return self._store.run(f"{said} RETURNING {key}", parameters).inserted()
        return self._store.run(said, parameters)

    def executemany(self, statement: str, parameters: Iterable[Any]) -> None:
        said = translated(statement)
        waiting = list(parameters)
        for first in range(0, len(waiting), _BATCH):
            self._store.run_later(said, waiting[first : first + _BATCH])


class _Write:
    """The context manager behind ``write()``."""

    __slots__ = ("_mark", "_store")

    def __init__(self, store: Transactions) -> None:
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


class Transactions(sqlstore.SqlStore):
    """The part of the store that reads and writes; the rest gives it its pool."""

    errors = (psycopg.Error,)
    local: Local
    _pool: ConnectionPool[Connection]

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._answer_seconds = wait_seconds + _GRACE_SECONDS
        self.local = Local()
        self.database = _Database(self)
        self._writing = threading.Lock()
        self._lent: set[int] = set()
        self._away, self._away_until = False, 0.0

    @abc.abstractmethod
    def key_of_table(self, table: str | None) -> str | None:
        """The column of the keys that a table gives out; None where it gives out none."""

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

    def _fresh(self, send: Callable[[Connection], _Answer]) -> tuple[Connection, _Answer]:
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

    def run(self, said: str, parameters: Sequence[Any] | Mapping[str, Any]) -> Answer:
        """One statement, in the thread's transaction if there is one."""
        return self._send(lambda connection, prefix: connection.ask(prefix + connection.spelled(said, parameters)))

    def run_later(self, said: str, rows: list[Any]) -> None:
        """A statement for each row of values, in one round trip; inside a call with the next one."""
        local = self.local
        connection = local.connection
        if not local.depth or connection is None or local.failed:
            self._send(lambda connection, prefix: connection.ask(prefix + _spelled(connection, said, rows)))
            return
        with _storable():
            local.prefix += _spelled(connection, said, rows)
        if len(local.prefix) > _LATE_BYTES:
            self.run("SELECT 1", ())

    def _send(self, send: Callable[[Connection, bytes], _Answer]) -> _Answer:
        local = self.local
        with _storable():
            if not local.open:
                connection, answer = self._fresh(lambda connection: send(connection, b""))
                self._give_back(connection)
                return answer
            return self._send_in_transaction(send)

    def _send_in_transaction(self, send: Callable[[Connection, bytes], _Answer]) -> _Answer:
        local = self.local
        if local.failed:
            raise psycopg.OperationalError("an earlier write of the same group failed")
        alone = local.grouping and not local.depth  # a read beside the writes of a group must not undo these
        if alone:
            self.savepoint()
        prefix, mark = local.prefix, local.mark
        local.prefix, local.mark = b"", None
        try:
            if local.connection is None:
                local.connection, answer = self._fresh(lambda connection: send(connection, prefix))
            else:
                answer = send(local.connection, prefix)
        except BaseException as error:
            arrived = isinstance(error, psycopg.Error) and error.sqlstate is not None
            if local.connection is None:  # the whole transaction is not there, and nothing of it is lost
                local.failed = not local.grouping
                local.prefix, local.mark = prefix, mark
            elif local.connection.broken or not isinstance(error, Exception):
                local.failed = True
            elif not arrived:  # a value that can't be sent
                local.prefix, local.mark = prefix, mark
            if alone:
                self.leave_savepoint(undo=True)
            raise
        if alone:
            self.leave_savepoint(undo=False)
        return answer

    # -- transactions

    def read(self) -> Database:
        return self.database

    def write(self) -> _Write:
        return _Write(self)

    def begin(self) -> None:
        if not self._writing.acquire(timeout=self._wait_seconds):
            raise psycopg.OperationalError(f"the writers before this one wait for {self.name}")
        local = self.local
        local.open, local.failed, local.call = True, False, 0
        # The transaction has its number before it gives out a key: see settled().
        local.prefix = b"BEGIN; SELECT pg_current_xact_id(); "

    def savepoint(self) -> None:
        local = self.local
        local.call += 1
        local.mark = len(local.prefix)
        local.prefix += b"SAVEPOINT call%d; " % local.call

    def leave_savepoint(self, *, undo: bool) -> None:
        local = self.local
        name = b"call%d; " % local.call
        if local.mark is not None:  # it was never sent
            if undo or len(local.prefix) == local.mark + len(b"SAVEPOINT " + name):
                local.prefix = local.prefix[: local.mark]
            else:
                local.prefix += b"RELEASE " + name
            local.mark = None
        elif undo:
            local.prefix = b"ROLLBACK TO " + name + b"RELEASE " + name
        else:
            local.prefix += b"RELEASE " + name

    def end(self, *, commit: bool) -> None:
        local = self.local
        waiting, local.committed = local.committed, []
        connection, local.connection = local.connection, None
        failed, late = local.failed, local.prefix
        local.open, local.prefix, local.mark = False, b"", None
        try:
            if commit and failed:
                raise psycopg.OperationalError("a part of the transaction failed")
            if commit and connection is not None and connection.broken:
                raise psycopg.OperationalError(f"{self.name} went away")
            if connection is not None and not connection.broken:
                ended = connection.ask(late + b"COMMIT" if commit else b"ROLLBACK")
                if commit and ended.status != b"COMMIT":
                    raise psycopg.OperationalError("the transaction was undone")
        finally:
            if connection is not None:
                self._give_back(connection)
            self._writing.release()
        if commit:
            for then in waiting:
                then()


def _spelled(connection: Connection, said: str, rows: list[Any]) -> bytes:
    """A statement for each row of values."""
    return b"".join(connection.spelled(said, row) + b"; " for row in rows)


@contextlib.contextmanager
def _storable() -> Iterator[None]:
    """Says of a value that can't be kept what the contract has for it."""
    try:
        yield
    except errors.NumericValueOutOfRange as error:
        raise OverflowError(str(error)) from None
    except (errors.DataError, psycopg.DataError) as error:
        _unstorable(error)


def _unstorable(error: Exception) -> NoReturn:
    if "NUL" in str(error):
        raise Unstorable("Text must not have the character U+0000: the store of this server can't keep it.") from None
    raise Unstorable(f"The store of this server can't keep a value: {str(error).strip()}") from None
