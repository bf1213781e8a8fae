"""WebSocket (RFC 6455) by wsproto: the handshake, and events as text frames."""

from __future__ import annotations

from collections.abc import Iterable

import h11
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection as Protocol
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    TextMessage,
)
from wsproto.frame_protocol import FrameProtocol
from wsproto.utilities import ProtocolError

from .connection import Gone

# Nothing that a client says is listened to, so nothing long is needed.
_LONGEST_BYTES = 64 * 1024
# What the server says needs no state, so one writer serves all clients.
_frames = FrameProtocol(client=False, extensions=[])
_PING = bytes(_frames.ping())
# The first two bytes of the answer to it, which has a mask of four more and nothing else (RFC 6455 section 5.2).
_PONG = b"\x8a\x80"


def handshake(headers: Iterable[tuple[bytes, bytes]], path: str) -> bytes:
    """The answer that opens a WebSocket; raises ProtocolError for a request that is no handshake."""
    protocol = WSConnection(ConnectionType.SERVER)
    try:
        protocol.initiate_upgrade_connection(list(headers), path)
    except h11.ProtocolError as error:  # no Host, say, which HTTP/1.0 may leave out
        raise ProtocolError(str(error)) from None
    list(protocol.events())
    return protocol.send(AcceptConnection())


def bye(code: int, reason: str) -> bytes:
    """The frame that closes."""
    return bytes(_frames.close(code, reason))


class WebSocket:
    """One client's side of the protocol. Until it says more than that it is there, it costs nothing to speak of."""

    __slots__ = ("_protocol", "_size", "answered")

    name = "websocket"
    answers = True

    def __init__(self) -> None:
        self._protocol: Protocol | None = None
        self._size = 0
        self.answered = True

    def event(self, event_id: str, name: str, body: bytes) -> bytes:
        return bytes(_frames.send_data(body.decode()))

    def ping(self) -> bytes:
        return _PING

    def bye(self, code: int, reason: str) -> bytes:
        return bye(code, reason)

    def received(self, data: bytes) -> bytes:
        if self._protocol is None:
            if len(data) == 6 and data[:2] == _PONG:
                self.answered = True
                return b""
            self._protocol = Protocol(ConnectionType.SERVER)  # 1.8 KB
        try:
            return self._heard(self._protocol, data)
        except ProtocolError as error:
            hint = getattr(error, "event_hint", None)
            raise Gone(bye(hint.code, hint.reason or "") if isinstance(hint, CloseConnection) else b"") from None

    def _heard(self, protocol: Protocol, data: bytes) -> bytes:
        answer = b""
        protocol.receive_data(data or None)
        for event in protocol.events():
            if isinstance(event, Ping):
                answer += protocol.send(event.response())
            elif isinstance(event, Pong):
                self.answered = True
            elif isinstance(event, CloseConnection):
                raise Gone(protocol.send(event.response()) if data else b"")
            elif isinstance(event, (TextMessage, BytesMessage)):
                self._size += len(event.data)
                if self._size > _LONGEST_BYTES:
                    raise Gone(bye(1009, "Message too big"))
                if event.message_finished:
                    self._size = 0
        return answer


__all__ = ["ProtocolError", "WebSocket", "bye", "handshake"]
