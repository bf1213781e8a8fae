"""Server-Sent Events (HTML standard, section 9.2): the same events for plain HTTP clients."""

from __future__ import annotations

from .connection import Gone

GREETING = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
    b"Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n: welcome\n\n"
)


class EventStream:
    """One client of an event stream. Comments are its pings; a browser comes back with Last-Event-ID by itself."""

    __slots__ = ("answered",)

    name = "sse"
    answers = False

    def __init__(self) -> None:
        self.answered = True

    def event(self, event_id: str, name: str, body: bytes) -> bytes:
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), name.encode(), body)

    def ping(self) -> bytes:
        return b": ping\n\n"

    def bye(self, code: int, reason: str) -> bytes:
        return b": %d %b\n\n" % (code, reason.encode())

    def received(self, data: bytes) -> bytes:
        if not data:
            raise Gone(b"")
        return b""  # a client has nothing more to say after its request
