"""Connections that wait for an answer only so long, whatever has happened to the other end.

They also ask without psycopg's cursors, which take two thirds of what a short statement costs a process.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import abc, errors, generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ExecStatus

from .sql import places

#: Has the server end a connection, and let go of its locks, when the machine at this end acknowledges nothing for 7 s:
#: neither keepalives nor what was sent to it last (TCP_USER_TIMEOUT).
FREE_AFTER = (
    "SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 2;"
    "SET tcp_user_timeout = 7000"
)

_Answer = TypeVar("_Answer")


def options(url: str, wait_seconds: float) -> dict[str, Any]:
    """How to connect: a server that has gone without a word is noticed."""
    return {
        "connect_timeout": max(2, round(wait_seconds)),
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 2,
        "tcp_user_timeout": 3000,
        **conninfo_to_dict(url),
        "client_encoding": "utf8",
        "application_name": f"waxbill {uuid.uuid4().hex[:12]}",
    }


class Answer:
    """What the last of several statements found. One that inserts and gives out keys found no rows, but a key."""

    def __init__(self, rows: list[Any], rowcount: int, status: bytes | None) -> None:
        self.rowcount, self.status = rowcount, status
        self.lastrowid: int | None = None
        self._rows = iter(rows)

    def inserted(self) -> Answer:
        self.lastrowid = next(self._rows, (None,))[0]
        return self

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """One whose answers come within ``limit_seconds``; else it is closed, and OperationalError raised.

    libpq has no such limit. Keepalives and TCP_USER_TIMEOUT end a connection whose packets are lost; the kernel of a
    machine on which PostgreSQL hangs goes on to acknowledge them.
    """

    #: None: as long as it takes.
    limit_seconds: float | None = None
    #: Whether an answer did not come in time.
    hung = False
    #: Between Python's values and PostgreSQL's.
    _values: abc.Transformer | None = None

    def spelled(self, said: str, parameters: Sequence[Any] | Mapping[str, Any]) -> bytes:
        """A statement with its values in it, as ClientCursor makes it."""
        if self._values is None:
            self._values = Transformer(self)
        literal = self._values.as_literal
        first, rest = places(said)
        parts = [first]
        if isinstance(parameters, Mapping):
            for name, text in rest:
                value = parameters[name]
                parts += (b"NULL" if value is None else literal(value), text)
        else:
            for value, (_, text) in zip(parameters, rest, strict=True):
                parts += (b"NULL" if value is None else literal(value), text)
        return b"".join(parts)

    def ask(self, said: bytes) -> Answer:
        """Runs statements in one round trip. Only the thread that has the connection may call it."""
        self.pgconn.send_query(said)
        result = self.wait(generators.execute(self.pgconn))[-1]
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise errors.error_from_result(result, "utf-8")
        rows: list[Any] = []
        if result.status == ExecStatus.TUPLES_OK:
            if self._values is None:
                self._values = Transformer(self)
            self._values.set_pgresult(result)
            rows = self._values.load_rows(0, result.ntuples, tuple)
            self._values.set_pgresult(None)  # or it would be held until the next one
        return Answer(rows, -1 if result.command_tuples is None else result.command_tuples, result.command_status)

    def wait(self, gen: PQGen[_Answer], interval: float = 0.1, timeout: float | None = None) -> _Answer:
        limit = self.limit_seconds
        if timeout is not None or limit is None:
            return super().wait(gen, interval, timeout)
        end = time.monotonic() + limit
        try:
            return super().wait(gen, interval, limit)
        except psycopg.OperationalError as error:
            if error.sqlstate is not None or time.monotonic() < end:
                raise
            self.hung = True
            self.pgconn.finish()  # what it would answer later belongs to nobody
            raise psycopg.OperationalError(f"no answer within {limit:g} s") from None
