"""How an operation of the API is declared, and how a request becomes a call of its handler.

One declaration is the source of the route, the validation, the key's scope, the capability check and the OpenAPI
document::

    area = Area("Chatting")

    @area.post("/api/sendText", capability="send_text")
    def send_text(call: Call, body: MessageTextRequest) -> WAMessage:
        '''Send a text message.'''
        return call.account.send_text(body)

Modules that declare operations must not use ``from __future__ import annotations``: the types are read from the
handler's annotations.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import falcon
import msgspec

from ..model.errors import BadRequest, NotImplementedByEngine, Unavailable
from ..model.sessions import WORKING
from .access import permit

if TYPE_CHECKING:
    from ..apikeys import ApiKey
    from ..app import Server
    from ..clock import Clock
    from ..driver import Account
    from ..pace import Pace, Turn
    from ..session import Session

#: What a session's key must allow for a call; ``admin`` needs the server's own key, ``open`` none.
Scope = Literal["open", "any", "read", "send", "control", "setting", "app", "delete", "admin"]
Handler = Callable[..., Any]

encode = msgspec.json.Encoder(enc_hook=repr).encode


class NeedsThread(BaseException):
    """Raised in the server's loop, before anything was done, by a request that may wait: run it in a thread."""


class HandOver(BaseException):
    """Raised in the server's loop by an operation that takes the client's socket over: ``take`` gets it, and the loop
    forgets it. Nothing is answered."""

    def __init__(self, take: Callable[[socket.socket], object]) -> None:
        super().__init__()
        self.take = take


class Parked(BaseException):
    """Raised, before anything was done, by a request that waits for something: no thread waits.

    ``begin`` gets a function that has the loop run the request again, once; any thread may call it. Meanwhile
    ``Server.resumed`` is this object. ``over`` says that it is not to be parked again: its time is up, or the server
    stops. One that ``needs_client`` is dropped when its client has left meanwhile.
    """

    needs_client = False

    def __init__(self, begin: Callable[[Callable[[], None]], object]) -> None:
        super().__init__()
        self.begin = begin
        self.over = False


class _InLine(Parked):
    """A message that waits for its turn."""

    needs_client = True

    def __init__(self, turn: Turn, clock: Clock) -> None:
        super().__init__(lambda again: clock.call_later(max(0.0, turn.due - time.monotonic()), again))
        self.turn = turn


class Reply(msgspec.Struct):
    """An answer that is not JSON: bytes with their content type, a file, or extra headers."""

    body: bytes = b""
    content_type: str = "application/octet-stream"
    status: int = 200
    headers: dict[str, str] = {}


class Operation(msgspec.Struct, kw_only=True):
    """One operation: everything that is known about it."""

    method: str
    path: str
    tag: str
    handler: Handler
    status: int
    scope: Scope
    #: Method of Account that it needs; empty when it needs no account.
    capability: str = ""
    #: Statuses of the session in which it can be called.
    needs: tuple[str, ...] = (WORKING,)
    #: Waits for more than the store: never run in the server's loop.
    waits: bool = False
    deprecated: bool = False
    #: Refuses members that its body's type does not declare, where WAHA_HTTP_STRICT_MODE is on.
    strict: bool = False
    #: Not in the OpenAPI document: pages for people.
    hidden: bool = False
    body: Any = None
    query: Any = None
    returns: Any = None
    #: Where the session's name is: ``path``, ``body``, ``query`` or nowhere; and the body's member that has it.
    session_in: str = ""
    session_member: str = "session"
    #: Only ever run in the server's loop: it hands its socket over.
    in_loop: bool = False
    #: Sends a message: waits for its turn where sends are paced.
    paced: bool = False
    #: The handler finds out which session it is about, and calls ``Call.permit`` itself.
    late_session: bool = False

    @property
    def name(self) -> str:
        return self.handler.__name__

    @property
    def changes(self) -> bool:
        """Whether it does something, rather than only tell."""
        return self.scope != "open" and (self.method != "GET" or self.scope not in ("any", "read"))

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or "").strip().partition("\n")[0].rstrip(".")


class Area:
    """The operations of one part of the API, in the order of their declaration."""

    def __init__(self, tag: str, prefix: str = "") -> None:
        self.tag = tag
        self.prefix = prefix
        self.operations: list[Operation] = []

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._declare("GET", path, 200, {"scope": "read", **options})

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._declare("POST", path, 201, {"scope": "send", **options})

    def put(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._declare("PUT", path, 200, {"scope": "send", **options})

    def delete(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._declare("DELETE", path, 200, {"scope": "send", **options})

    def _declare(self, method: str, path: str, status: int, options: dict[str, Any]) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            hints = handler.__annotations__
            body, query = hints.get("body"), hints.get("query")
            path_is = self.prefix + path
            session_in = ""
            if "{session}" in path_is:
                session_in = "path"
            elif options.get("session_member", "session") in getattr(body, "__struct_fields__", ()):
                session_in = "body"
            elif "session" in getattr(query, "__struct_fields__", ()):
                session_in = "query"
            self.operations.append(
                Operation(
                    **{
                        "method": method,
                        "path": path_is,
                        "tag": self.tag,
                        "handler": handler,
                        "status": status,
                        "body": body,
                        "query": query,
                        "returns": hints.get("return"),
                        "session_in": session_in,
                        **options,
                    }
                )
            )
            return handler

        return declare


class LateAreas(msgspec.Struct, frozen=True):
    """Areas whose operations are all below ``prefix`` and are imported with the first request there, since most
    servers never get one. ``load`` may raise a WahaError, which is the answer to every request below the prefix."""

    prefix: str
    load: Callable[[], list[Area]]


class Call:
    """One request on its way through its handler: who calls, what for, and what it may use."""

    __slots__ = ("_session", "key", "operation", "request", "response", "server", "session_name")

    def __init__(
        self, server: Server, operation: Operation, request: falcon.Request, response: falcon.Response
    ) -> None:
        self.server = server
        self.operation = operation
        self.request = request
        self.response = response
        self.session_name = ""
        #: The key of a session that calls; None for everybody who may do everything.
        self.key: ApiKey | None = None
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session that the call names; raises NotFound."""
        if self._session is None:
            if not self.session_name:
                raise BadRequest("Session name is required")
            self._session = self.server.sessions.get(self.session_name)
            self._session.used()
        return self._session

    def permit(self, session: str, scope: Scope | None = None) -> None:
        """Raises Forbidden when the caller's key is for another session; for calls that find their session late."""
        if self.key is not None:
            permit(self.key, scope or self.operation.scope, session)

    def wait_for_turn(self, pace: Pace) -> None:
        """Lets a message leave when it is its turn; a call that fails anyway is not in the line."""
        operation = self.operation
        if self.session.status not in operation.needs:
            return
        request = self.request.env.get("waxbill.request")
        waiting: _InLine | None = getattr(request, "in_line", None)
        if waiting is not None:
            if waiting.over:
                raise Unavailable("The server is stopping; nothing was sent. Try again.", 5)
            turn = waiting.turn
        else:
            place = pace.turn(self.session_name)
            if place is None:
                return
            turn = place
            if request is not None:
                request.in_line = _InLine(turn, self.server.clock)
                raise request.in_line
            time.sleep(max(0.0, turn.due - time.monotonic()))  # called inside the process, in a thread of its own
        self.response.set_header("X-Waxbill-Queue-Position", str(turn.position))
        self.response.set_header("X-Waxbill-Queue-Seconds", f"{time.monotonic() - turn.since:.1f}")

    @property
    def account(self) -> Account:
        """The session's account in a status that the operation needs; waits a moment if it is on its way there."""
        session, operation = self.session, self.operation
        driver = self.server.spec
        if driver is None:
            raise Unavailable(f"No driver serves: {self.server.choice.reason}")
        if operation.capability not in driver.operations:
            raise NotImplementedByEngine(operation.name, self.server.sessions.engine)
        in_loop = self.server.in_loop()
        if in_loop and session.status not in operation.needs:
            raise NeedsThread
        return session.running(operation.needs, may_wait=not in_loop)


class LoopThread:
    """Knows whether the code runs in the server's loop, where nothing may wait."""

    def __init__(self) -> None:
        self.ident = 0

    def __call__(self) -> bool:
        return threading.get_ident() == self.ident
