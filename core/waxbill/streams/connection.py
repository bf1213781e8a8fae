"""One client of a stream: what it wants, how far it is, and what still has to leave. Only the hub's thread uses it.

Every event is made into bytes once for all clients of a kind; a connection is a socket, a cursor and a buffer.
"""

from __future__ import annotations

import socket
from typing import Protocol

#: What a client may leave unread before it is dropped.
MOST_BUFFERED = 1024 * 1024
#: While a client catches up, more is read from the journal when less than this waits.
REFILL_BELOW = 64 * 1024
# How many pieces leave by one system call; the kernel takes up to 1024.
_PIECES = 64


class Gone(Exception):
    """The client closed the connection, or broke the protocol; the argument is what it is told, if anything."""


class Form(Protocol):
    """How a kind of stream writes and reads: WebSocket or Server-Sent Events."""

    name: str
    #: Whether its pings are answered.
    answers: bool
    answered: bool

    def event(self, event_id: str, name: str, body: bytes) -> bytes:
        """An event for the wire, the same bytes for all clients of this kind."""

    def ping(self) -> bytes:
        """What keeps the connection open and finds out whether the client is there."""

    def bye(self, code: int, reason: str) -> bytes:
        """The end, with a reason where the kind of stream has one."""

    def received(self, data: bytes) -> bytes:
        """Reads what the client sent and says what to answer; raises Gone."""


class Connection:
    """A client's socket with the form of its stream. ``seq`` is the last journal entry that it has been given.

    What waits to leave is a list of pieces that are the same objects for all clients, so that a thousand clients who
    all lag behind cost little more than one.
    """

    __slots__ = ("_pieces", "_size", "closing", "events", "form", "last_event_id", "left", "live", "seq", "session",
                 "socket")  # fmt: skip

    def __init__(
        self, sock: socket.socket, form: Form, greeting: bytes, session: str, events: frozenset[str], last_event_id: str
    ) -> None:
        self.socket = sock
        self.form = form
        self.session = session
        self.events = events
        self.last_event_id = last_event_id
        self.seq: int | None = None
        self.live = False
        #: Nothing more is begun; ``left`` when the client has let go, too.
        self.closing = False
        self.left = False
        self._pieces: list[bytes | memoryview] = [greeting]
        self._size = len(greeting)

    def wants(self, session: str, event: str) -> bool:
        return event in self.events and self.session in ("*", session)

    @property
    def answered(self) -> bool:
        """Whether the last ping was answered, or none was sent yet."""
        return self.form.answered

    @answered.setter
    def answered(self, value: bool) -> None:
        self.form.answered = value

    @property
    def waiting(self) -> int:
        """Bytes that wait to leave."""
        return self._size

    def push(self, data: bytes) -> bool:
        """Adds to what leaves; False when the client reads too slowly to go on."""
        if self._size + len(data) > MOST_BUFFERED:
            return False
        if data:
            self._pieces.append(data)
            self._size += len(data)
        return True

    def flush(self) -> None:
        """Sends what the socket takes now; raises OSError when the client is gone."""
        while self._pieces:
            try:
                sent = self.socket.sendmsg(self._pieces[:_PIECES])
            except BlockingIOError:
                return
            self._size -= sent
            whole = 0
            for piece in self._pieces:
                if len(piece) > sent:
                    break
                sent -= len(piece)
                whole += 1
            del self._pieces[:whole]
            if sent:
                self._pieces[0] = memoryview(self._pieces[0])[sent:]

    def read(self) -> None:
        """Takes what the client sent, and answers it; raises OSError when the client is gone."""
        data = self.socket.recv(64 * 1024)
        if self.closing:
            self.left = not data  # a client that has not heard everything yet may still be talking
            return
        try:
            self.push(self.form.received(data))
        except Gone as gone:
            (answer,) = gone.args
            self.left = not answer
            self._close(answer)

    def end(self, code: int, reason: str) -> None:
        """Says goodbye after what waits to leave."""
        self._close(self.form.bye(code, reason))

    def _close(self, last: bytes) -> None:
        self._pieces.append(last)
        self._size += len(last)
        self.closing = True

    def finish(self) -> None:
        """Once everything has left: says so, and waits for the client to let go, so that it hears the goodbye."""
        if self.closing and not self._pieces:
            self.socket.shutdown(socket.SHUT_WR)
