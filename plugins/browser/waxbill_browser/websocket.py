"""A WebSocket to a browser on this machine: messages in both directions, whole (RFC 6455).

websocket-client brings OpenSSL for it: 2.5 MB that a server would hold as long as it runs.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import threading
from urllib.parse import urlsplit

_CONNECT_SECONDS = 10.0
_HEAD_BYTES = 16 * 1024
#: More is no message of a browser's: Chromium keeps no more for a client that is slow.
_MOST_BYTES = 256 * 1024 * 1024
#: Kinds of frames: the next part of a message, its first as text or as bytes; the end, and signs of life.
_MORE, _TEXT, _BYTES, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_LAST = _MASKED = 0x80


class WebSocket:
    """Connected when it is made. Any thread may send, one receives; what they raise is OSError, and then it is over."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._sending = threading.Lock()
        self.socket = socket.create_connection((parts.hostname, parts.port or 80), _CONNECT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self.socket.makefile("rb")
        try:
            self._shake_hands(parts.netloc, parts.path)
        except BaseException:
            self.close()
            raise
        self.socket.settimeout(None)

    def _shake_hands(self, host: str, path: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        # What it makes of the key is not looked at: that tells caches on the way apart, and there are none.
        status, left = self._reader.readline(_HEAD_BYTES), _HEAD_BYTES
        if not status.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"the browser refuses a WebSocket: {status.decode('latin-1').strip()[:200]!r}")
        while line := self._reader.readline(left):
            left -= len(line)
            if line == b"\r\n":
                return
        raise ConnectionError("the browser's answer to a WebSocket has no end")

    def send(self, text: bytes) -> None:
        self._send(_TEXT, text)

    def _send(self, kind: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes((_LAST | kind, _MASKED | size))
        elif size < 1 << 16:
            head = bytes((_LAST | kind, _MASKED | 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((_LAST | kind, _MASKED | 127)) + size.to_bytes(8, "big")
        # Masked with zeros, which leaves it as it is: masks, too, are for what may stand between.
        with self._sending:
            self.socket.sendall(b"".join((head, bytes(4), data)))

    def receive(self) -> bytes:
        """The next message; empty when the browser has ended the connection."""
        parts: list[bytes] = []
        room = _MOST_BYTES
        while True:
            first, second = self._read(2)
            kind, size = first & 0x0F, second & 0x7F
            if size > 125:
                size = int.from_bytes(self._read(2 if size == 126 else 8), "big")
            room -= size
            if second & _MASKED or room < 0:
                raise ConnectionError("the browser sent what no browser sends")
            data = self._read(size)
            if kind == _CLOSE:
                return b""
            if kind == _PING:
                self._send(_PONG, data)
            elif kind in (_TEXT, _BYTES, _MORE):
                parts.append(data)
                if first & _LAST:
                    return b"".join(parts)

    def _read(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise ConnectionError("the browser is gone")
        return data

    def end(self) -> None:
        """Whoever sends or receives stops at once; to close it would wake nobody."""
        with contextlib.suppress(OSError):  # it has ended by itself
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """By the thread that receives."""
        self._reader.close()
        self.socket.close()
