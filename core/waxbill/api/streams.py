"""Live events: over WebSocket as WAHA has it, and as Server-Sent Events. See ``waxbill.streams``."""

import socket
from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn

from ..model.errors import BadRequest, Unauthorized, Unavailable
from ..model.events import select
from ..model.wire import Request
from .operation import Area, Call, HandOver, encode

area = Area("📡 Streams")


class StreamQuery(Request):
    """``events`` may be repeated and separated by commas; ``*`` is all but engine.event. ``session`` is a name or
    ``*``. What came after ``lastEventId`` is sent first, as far back as events are kept."""

    session: str | None = "*"
    events: list[str] | None = None
    lastEventId: str | None = None


@area.get("/ws", scope="open", in_loop=True)
def open_websocket(call: Call, query: StreamQuery) -> None:
    """Receive events over a WebSocket: one JSON text per event, the same as for webhooks."""
    from ..streams.connection import Connection
    from ..streams.hub import FORBIDDEN, POLICY, TRY_AGAIN, UNAUTHORIZED, refuse
    from ..streams.websocket import ProtocolError, WebSocket, bye, handshake

    request = call.request
    headers = [
        (name[5:].replace("_", "-").lower().encode(), str(value).encode("latin-1"))
        for name, value in request.env.items()
        if name.startswith("HTTP_")
    ]
    try:
        accept = handshake(headers, request.path)
    except ProtocolError as error:
        answer = _no_handshake(str(error))
        _hand_over(call, lambda sock: refuse(sock, answer))

    def reject(code: int, reason: str) -> NoReturn:
        _hand_over(call, lambda sock: refuse(sock, accept + bye(code, reason)))

    try:
        session = _session(call, query)
        events = _events(query)
    except Unauthorized as error:
        reason = UNAUTHORIZED if error.status == 401 else FORBIDDEN
        reject(POLICY, reason)
    if call.server.hub.count >= call.server.settings.core.most_streams:
        reject(TRY_AGAIN, "Too many streams")
    last = query.lastEventId or ""
    hub = call.server.hub
    _hand_over(call, lambda sock: hub.add(Connection(sock, WebSocket(), accept, session, events, last)))


@area.get("/api/events/stream", scope="open", in_loop=True)
def open_stream(call: Call, query: StreamQuery) -> None:
    """Receive events as Server-Sent Events; a browser comes back by itself with Last-Event-ID."""
    from ..streams.connection import Connection
    from ..streams.sse import GREETING, EventStream

    session, events = _session(call, query), _events(query)
    if call.server.hub.count >= call.server.settings.core.most_streams:
        raise Unavailable("As many streams as WAXBILL_MAX_STREAMS allows are open; close one.", 30)
    last = call.request.get_header("Last-Event-ID") or query.lastEventId or ""
    hub = call.server.hub
    _hand_over(call, lambda sock: hub.add(Connection(sock, EventStream(), GREETING, session, events, last)))


def _hand_over(call: Call, take: Callable[[socket.socket], object]) -> NoReturn:
    if not call.server.in_loop():
        raise Unavailable("Streams need the server's own port; this request did not come through it.")
    raise HandOver(take)


def _no_handshake(why: str) -> bytes:
    """A plain request where a WebSocket is asked for: 426, whose Upgrade header a WSGI application may not set."""
    body = encode(
        {
            "message": f"This is no WebSocket handshake: {why}. Plain HTTP: GET /api/events/stream",
            "error": "Upgrade Required",
            "statusCode": 426,
        }
    )
    head = (
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
        f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _session(call: Call, query: StreamQuery) -> str:
    """The session that the caller may hear of; raises Unauthorized or Forbidden. A session's key narrows ``*``."""
    key = call.server.access.caller(call.request)
    session = query.session or "*"
    if key is not None:
        session = str(key.session) if session == "*" else session
        call.key = key
        call.permit(session, "read")
    return session


def _events(query: StreamQuery) -> frozenset[str]:
    names = {name.strip() for given in query.events or ["*"] for name in given.split(",") if name.strip()}
    events = _selected(tuple(sorted(names)))
    if not events:
        raise BadRequest("events names no event of the contract; leave it out to get all")
    return events


@lru_cache(maxsize=64)
def _selected(names: tuple[str, ...]) -> frozenset[str]:
    """The events of these names: one set (2 KB) for all clients that want the same. Unknown names are ignored, as in
    WAHA."""
    return select(names)[0]
