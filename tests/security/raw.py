"""What the tests of the wire share: sockets that say exactly what they are told."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator

from waxbill.testing import ServerProcess

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@contextlib.contextmanager
def dialled(server: ServerProcess, source: str = "127.0.0.1", timeout_seconds: float = 30.0) -> Iterator[socket.socket]:
    """A connection to the server; ``source`` is any address of this machine's 127.0.0.0/8."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout_seconds, (source, 0))
    with connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """Everything that comes until the server closes the connection; a reset counts as that."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def said(server: ServerProcess, request: bytes) -> bytes:
    """What the server answers to these bytes until it closes."""
    with dialled(server) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have closed before the last byte
            connection.sendall(request)
        return until_closed(connection)


def statuses(answer: bytes) -> list[int]:
    """The statuses of the answers, in order."""
    return [int(found) for found in _STATUS.findall(answer)]


def head(method: str, path: str, *headers: str, version: str = "1.1", host: str = "localhost") -> bytes:
    """A request without its body."""
    lines = [f"{method} {path} HTTP/{version}", *([f"Host: {host}"] if host else []), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
