"""``waxbill health``: whether the server of this machine answers. For the health check of a container.

A socket and nothing more: a container runs this beside the server, in the same memory.
"""

from __future__ import annotations

import socket
import sys

from .settings import CoreSettings

_SECONDS = 4.0
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


def check(core: CoreSettings) -> int:
    """Asks for /ping, which needs no key; returns 0 when it is answered and 1 with a sentence when not."""
    host = "127.0.0.1" if core.host in _EVERYWHERE else core.host
    try:
        with socket.create_connection((host, core.port), _SECONDS) as connection:
            connection.sendall(f"GET /ping HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = connection.makefile("rb").readline(200).decode("latin-1").strip()
    except OSError as error:
        print(f"waxbill: no server answers on {host} port {core.port}: {error.strerror or error}", file=sys.stderr)
        return 1
    if answer.startswith(("HTTP/1.0 200 ", "HTTP/1.1 200 ")):
        return 0
    print(f"waxbill: {host} port {core.port} answers {answer!r} to /ping", file=sys.stderr)
    return 1
