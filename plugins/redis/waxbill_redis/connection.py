"""Connections to Redis that go only where waxbill's own requests may go. Imported with the first delivery."""

from __future__ import annotations

import socket
from typing import Any

import redis

from waxbill.outbound import connect


class Checked(redis.Connection):
    """A connection to an address that was checked; raises Refused for one that no webhook may name."""

    def __init__(self, *arguments: Any, allow_private: bool, **named: Any) -> None:
        super().__init__(*arguments, **named)  # type: ignore[no-untyped-call]
        self._allow_private = allow_private

    def _connect(self) -> socket.socket:
        connected = connect(
            "redis",
            self.host,
            self.port,
            seconds=float(self.socket_connect_timeout or 30.0),
            allow_private=self._allow_private,
        )
        connected.settimeout(self.socket_timeout)
        return connected


class CheckedTls(redis.SSLConnection, Checked):
    """The same with TLS around it."""
