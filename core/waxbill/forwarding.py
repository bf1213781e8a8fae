"""Requests that another worker is to answer: handed on with the client's own key, and the answer handed back."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .model.errors import Unavailable

if TYPE_CHECKING:
    import falcon

#: Marks a request that comes from another worker: it goes no further.
HOP = "X-Waxbill-From-Worker"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "date", "server"}
_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 120.0
#: After how long a machine that acknowledges nothing counts as gone.
_SILENCE_SECONDS = 10


def forward(address: str, request: falcon.Request, response: falcon.Response, sender: str) -> None:
    """Lets the worker at an address answer; raises Unavailable when it can't, or when this was asked by a worker."""
    if request.get_header(HOP):
        raise Unavailable("The session is moving to another worker; nothing was done. Try again.", 1)
    body = request.env["wsgi.input"]
    body.seek(0)
    answer = _ask(address, request, sender, body)
    response.context.forwarded = True
    response.status = f"{answer.status} {answer.reason}"
    for name, value in answer.getheaders():
        if name.lower() not in _HOP_BY_HOP and name.lower() != "content-length":
            response.set_header(name, value)
    length = answer.getheader("Content-Length")
    if length is None:
        response.stream = answer
    else:
        response.set_stream(answer, int(length))


def fetch(address: str, request: falcon.Request, sender: str) -> bytes:
    """What the worker at an address answers to the same request, without its body; raises Unavailable."""
    import http.client

    try:
        data: bytes = _ask(address, request, sender, None).read()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"The worker's answer broke off: {error}", 1) from None
    return data


def _ask(address: str, request: falcon.Request, sender: str, body: Any) -> Any:
    import http.client

    parts = urlsplit(address)
    kind: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
    if parts.scheme == "https":
        kind = http.client.HTTPSConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_CONNECT_SECONDS)
    try:
        connection.connect()
        _notice_silence(connection.sock)
        connection.request(request.method, request.relative_uri, body, {**_headers(request), HOP: sender})
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unavailable(f"The worker of the session does not answer: {error}. Try again.", 1) from None


def _notice_silence(connection: socket.socket) -> None:
    """A worker may take long to answer, but its machine acknowledges what it gets."""
    connection.settimeout(_ANSWER_SECONDS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 3)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_SECONDS * 1000)


def _headers(request: falcon.Request) -> dict[str, str]:
    """The client's headers, as they go on to another worker."""
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
    headers.pop("HOST", None)
    if "CONTENT-LENGTH" not in headers and request.method in ("POST", "PUT", "PATCH"):
        headers["CONTENT-LENGTH"] = str(request.content_length or 0)
    return headers
