"""A connection to a receiver of webhooks: a request leaves in one piece, and its answer is read strictly.

Only what says whether a delivery arrived, and whether the connection can be used again, is read of an answer (RFC
9112). The standard library's client reads all headers as those of mail: 100 us of a delivery where this takes 20, and
5 MB of memory, most of it for TLS, which only https needs.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

# What is read of an answer's body so that its connection can be used again; a longer one costs the connection.
_BODY_BYTES = 64 * 1024
# What an answer may have before its body, in bytes and in headers.
_HEAD_BYTES = 64 * 1024
_HEADERS = 100
_PIECE_BYTES = 16 * 1024

_HEAD_END = re.compile(rb"\n\r?\n")
# What all readers read alike: no folded lines, no spaces around names, no bare carriage returns.
_PLAIN_HEAD = re.compile(rb"[^\r\n]*\r?\n(?:[!-9;-~]+:[^\r\n\0]*\r?\n)*\r?\n")
_STATUS = re.compile(rb"HTTP/1\.([0-9]) +([1-9][0-9][0-9])(?![^ \r\n])")
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_NO_PATH = re.compile(r"[^\x21-\x7e]")


class BadAnswer(Exception):
    """What came is no answer, or breaks a limit; the text says how."""


class Gone(ConnectionResetError):
    """The connection ended before anything was answered: perhaps it was closed while nobody used it."""


class Answer(NamedTuple):
    """``text`` is how its body begins, ``kept`` whether another request may follow on its connection."""

    status: int
    text: bytes
    location: str | None
    kept: bool


class Connection:
    """A connected socket (with TLS where it is one), for one request at a time.

    ``host`` is for the header of that name; ``before`` comes before all paths, for a proxy wants whole URLs. Whatever
    it raises, it is of no use afterwards.
    """

    def __init__(self, connected: socket.socket, host: str, before: str = "") -> None:
        self._socket = connected
        self._host = host
        self._before = before
        # A socket without a time limit of Python's is read with one call to the system instead of two, and each of them
        # may have to wait for the interpreter. The system's own limit then ends a wait; not so with TLS, nor where
        # nobody knows how long the system's numbers are (32 bits).
        self._plain = type(connected) is socket.socket and struct.calcsize("l") == 8
        self._limit = 0.0
        #: When its last answer was read, on the monotonic clock; 0 before the first.
        self.answered_at = 0.0
        if self._plain:
            connected.settimeout(None)

    def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float, end: float) -> Answer:
        """Sends a request and reads its answer: no wait is longer than the timeout, and all is over at ``end``
        (monotonic). Raises TimeoutError, another OSError, BadAnswer, or ValueError for what can't be sent."""

        def receive() -> bytes:
            self._wait_at_most(min(timeout_seconds, end - time.monotonic()))
            try:
                return self._socket.recv(_PIECE_BYTES)
            except BlockingIOError:
                raise TimeoutError("timed out") from None

        try:
            self._send(_head(self._before + path, self._host, headers, len(body)) + body, timeout_seconds, end)
        except (BrokenPipeError, ConnectionResetError):
            refusal = None if self.answered_at else _refusal(receive)
            if refusal is None:
                raise
            return refusal
        answer = read_answer(receive)
        self.answered_at = time.monotonic()
        return answer

    def is_quiet(self) -> bool:
        """False when it was closed since the last answer, or when something came that nobody asked for: some receivers
        say 408 before they close, which would be taken for the next answer."""
        heard = select.poll()
        heard.register(self._socket, select.POLLIN)
        return not heard.poll(0)

    def _send(self, data: bytes, timeout_seconds: float, end: float) -> None:
        sent = 0
        if self._plain:
            with contextlib.suppress(BlockingIOError):  # what was sent before was answered, but not read
                sent = self._socket.send(data, socket.MSG_DONTWAIT)
            if sent == len(data):
                return
        self._socket.settimeout(_positive(min(timeout_seconds, end - time.monotonic())))
        self._socket.sendall(memoryview(data)[sent:])  # the limit is for all of it
        if self._plain:
            self._socket.settimeout(None)

    def _wait_at_most(self, seconds: float) -> None:
        """Sets how long ``recv`` may wait; a hundredth more or less is let be, since asking the system takes time."""
        seconds = _positive(seconds)
        if not self._plain:
            self._socket.settimeout(seconds)
        elif not 0.99 * seconds <= self._limit <= seconds * 1.01:
            limit = struct.pack("ll", int(seconds), max(1, int(seconds % 1 * 1e6)))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self._limit = seconds

    def close(self) -> None:
        self._socket.close()


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


def _head(target: str, host: str, headers: Mapping[str, str], length: int) -> bytes:
    """The head of a request. Raises ValueError for what would make two of it."""
    if _NO_PATH.search(target):
        raise ValueError(f"the path {target[:120]!r} has what no URL may have")
    lines = [f"POST {target} HTTP/1.1", "", "Accept-Encoding: identity", f"Content-Length: {length}"]
    for name, value in headers.items():
        if name.lower() == "host":
            host = value
        elif name.lower() not in ("content-length", "transfer-encoding", "accept-encoding"):  # ours alone
            lines.append(f"{name}: {value}")
    lines[1] = f"Host: {host}"
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a header has a line break")
    return f"{text}\r\n\r\n".encode("latin-1")


# -- answers


def read_answer(receive: Callable[[], bytes]) -> Answer:
    """Reads one answer from what ``receive`` gives, piece by piece, nothing at the end.

    Raises Gone when there is nothing, and BadAnswer.
    """
    buffer = bytearray(receive())
    if not buffer:
        raise Gone("Remote end closed connection without response")
    at, status = 0, 0
    while status < 200 and status != 101:  # interim answers may come before
        start, at = at, _end_of_head(buffer, at, receive)
        version, status, headers = _read_head(bytes(buffer[start:at]))
    location = headers.get(b"location")
    text, whole = _read_body(buffer, at, receive, status, headers)
    options = headers.get(b"connection", b"").lower()
    kept = whole and (b"keep-alive" in options if version == 0 else b"close" not in options)
    return Answer(status, text, None if location is None else location.decode("latin-1"), kept)


def _refusal(receive: Callable[[], bytes]) -> Answer | None:
    """What a receiver said that did not read the request to its end; None when that is nothing, or no refusal."""
    with contextlib.suppress(OSError, BadAnswer):
        answer = read_answer(receive)
        if answer.status >= 300:
            return answer._replace(kept=False)
    return None


def _end_of_head(buffer: bytearray, start: int, receive: Callable[[], bytes]) -> int:
    """Where the head ends that begins at ``start``; the end of all ends it, too."""
    looked = start
    while not (found := _HEAD_END.search(buffer, looked)) and len(buffer) <= _HEAD_BYTES:
        looked = max(start, len(buffer) - 2)
        piece = receive()
        if not piece:
            return len(buffer)
        buffer += piece
    if not found or found.end() > _HEAD_BYTES:
        raise BadAnswer(f"its head has more than {_HEAD_BYTES} bytes")
    return found.end()


def _read_head(head: bytes) -> tuple[int, int, dict[bytes, bytes]]:
    """Minor version, status, and the first header of each name, in small letters."""
    lines = head.split(b"\n")
    found = _STATUS.match(head)
    if not found or len(lines) == 1:
        raise BadAnswer(f"it does not begin as one of HTTP/1: {head[:60]!r}")
    if len(lines) > _HEADERS + 3:
        raise BadAnswer(f"it has more than {_HEADERS} headers")
    headers: dict[bytes, bytes] = {} if _PLAIN_HEAD.fullmatch(head) else {b"connection": b"close"}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip()
        if headers.setdefault(name, value) != value and name in (b"content-length", b"transfer-encoding"):
            headers[b"connection"] = b"close"  # where this answer ends is a matter of opinion: none may follow it
    return int(found[1]), int(found[2]), headers


def _read_body(
    buffer: bytearray, at: int, receive: Callable[[], bytes], status: int, headers: Mapping[bytes, bytes]
) -> tuple[bytes, bool]:
    """How the body begins that starts at ``at``, and whether the answer ends with what was read."""
    coding, given = headers.get(b"transfer-encoding", b"").lower(), headers.get(b"content-length", b"")
    if status in (101, 204, 304):  # without a body, whatever the headers say; some send one all the same
        bodiless = not coding and (status == 304 or given in (b"", b"0"))
        return b"", status != 101 and bodiless and len(buffer) == at
    if coding == b"chunked":
        text, whole = _read_chunks(buffer, at, receive)
        return text, whole and not given
    length = int(given) if given.isdigit() and len(given) < 20 else None
    wanted = at + (_BODY_BYTES if length is None else min(length, _BODY_BYTES))
    while len(buffer) < wanted and (piece := receive()):
        buffer += piece
    return bytes(buffer[at:wanted]), length is not None and len(buffer) == at + length and not coding


def _read_chunks(buffer: bytearray, at: int, receive: Callable[[], bytes]) -> tuple[bytes, bool]:
    """The same for a body in chunks, of which no more is read than of another, its sizes included."""
    text = bytearray()
    most = at + _BODY_BYTES
    size = -1
    while size:
        while (line := buffer.find(b"\n", at) + 1) == 0:
            if len(buffer) > most:
                return bytes(text), False
            buffer += _more(receive)
        found = _CHUNK_LINE.fullmatch(buffer, at, line)
        if not found:
            raise BadAnswer(f"a chunk of its body has no size: {bytes(buffer[at : at + 60])!r}")
        at, size = line, int(found[1], 16)
        end = at + size + 2 if size else at
        while len(buffer) < end:
            if len(buffer) > most:
                return bytes(text + buffer[at:]), False
            buffer += _more(receive)
        if size and buffer[end - 2 : end] != b"\r\n":
            raise BadAnswer("a chunk of its body does not end where it said")
        text += buffer[at : at + size]
        at = end
    while True:  # what follows the last chunk, up to an empty line
        line = buffer.find(b"\n", at) + 1
        if line and not buffer[at:line].strip():
            return bytes(text), len(buffer) == line
        if line:
            at = line
        elif len(buffer) > most or not (piece := receive()):
            return bytes(text), False
        else:
            buffer += piece


def _more(receive: Callable[[], bytes]) -> bytes:
    piece = receive()
    if not piece:
        raise BadAnswer("it broke off")
    return piece
