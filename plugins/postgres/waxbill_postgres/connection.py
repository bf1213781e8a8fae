"""Connections that wait for an answer only so long, whatever has happened to the other end."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

#: Has the server end a connection, and let go of its locks, when the machine at this end acknowledges nothing for 7 s:
#: neither keepalives nor what was sent to it last (TCP_USER_TIMEOUT).
FREE_AFTER = (
    "SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 2;"
    "SET tcp_user_timeout = 7000"
)

_Answer = TypeVar("_Answer")


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """One whose answers come within ``limit_seconds``; else it is closed, and OperationalError raised.

    libpq has no such limit. Keepalives and TCP_USER_TIMEOUT end a connection whose packets are lost; the kernel of a
    machine on which PostgreSQL hangs goes on to acknowledge them.
    """

    #: None: as long as it takes.
    limit_seconds: float | None = None
    #: Whether an answer did not come in time.
    hung = False

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
