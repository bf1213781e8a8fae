"""WebSocket (RFC 6455) by wsproto: the handshake, and events as text frames."""

from __future__ import annotations

from collections.abc import Iterable

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
_frames = FrameProtocol(client=False, extensions=[])


class WebSocket:
    """One client's side of the protocol. ``accept`` holds the answer to its handshake."""

    name = "websocket"
    answers = True

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], path: str) -> None:
        """Raises ProtocolError for a request that is no handshake."""
        self._protocol: WSConnection | Protocol = WSConnection(ConnectionType.SERVER)
        assert isinstance(self._protocol, WSConnection)
        self._protocol.initiate_upgrade_connection(list(headers), path)
        list(self._protocol.events())
        self.accept = self._protocol.send(AcceptConnection())
        self.answered = True
        self._size = 0

    def event(self, event_id: str, name: str, body: bytes) -> bytes:
        return bytes(_frames.send_data(body.decode()))

    def ping(self) -> bytes:
        return self._protocol.send(Ping())

    def bye(self, code: int, reason: str) -> bytes:
        return self._protocol.send(CloseConnection(code, reason))

    def received(self, data: bytes) -> bytes:
        answer = b""
        try:
            self._protocol.receive_data(data or None)
            for event in self._protocol.events():
                if isinstance(event, Ping):
                    answer += self._protocol.send(event.response())
                elif isinstance(event, Pong):
                    self.answered = True
                elif isinstance(event, CloseConnection):
                    raise Gone(self._protocol.send(event.response()))
                elif isinstance(event, (TextMessage, BytesMessage)):
                    self._size += len(event.data)
                    if self._size > _LONGEST_BYTES:
                        raise Gone(self._protocol.send(CloseConnection(1009, "Message too big")))
                    if event.message_finished:
                        self._size = 0
        except ProtocolError as error:
            hint = getattr(error, "event_hint", None)
            raise Gone(self._protocol.send(hint) if isinstance(hint, CloseConnection) else b"") from None
        return answer


__all__ = ["ProtocolError", "WebSocket"]
