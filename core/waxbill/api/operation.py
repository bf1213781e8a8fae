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
import types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import falcon
import msgspec

from ..admission import LARGE_BYTES
from ..memory import room
from ..model.errors import BadRequest, BodyTooLarge, NotImplementedByEngine, Unavailable, ValidationFailed, WahaError
from ..model.sessions import WORKING
from .access import permit

if TYPE_CHECKING:
    from ..apikeys import ApiKey
    from ..app import Server
    from ..audit import Audit
    from ..clock import Clock
    from ..driver import Account
    from ..pace import Pace, Turn
    from ..sessions import Session

#: What a session's key must allow for a call; ``admin`` needs the server's own key, ``open`` none.
Scope = Literal["open", "any", "read", "send", "control", "setting", "app", "delete", "admin"]
Handler = Callable[..., Any]

# A body of this size or more needs room to be read: its text, its values, and a copy of one on the way.
_LARGE_BYTES, _DECODED_TIMES = 64 * 1024, 3

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


def responder(server: Server, operation: Operation) -> Callable[..., None]:
    """The Falcon responder of an operation: authorise, read, call, write."""
    read_body = _body_reader(server, operation)
    read_query = _query_reader(operation)
    handler = operation.handler
    authenticate = server.access.authenticator(operation)
    needs_thread = (operation.waits or not server.inline) and not operation.in_loop
    session_in, member, scope = operation.session_in, operation.session_member, operation.scope
    late_session = operation.late_session
    status = falcon.util.code_to_http_status(operation.status)
    fixed = server.fixed_headers
    pace = server.pace if operation.paced else None
    audit = server.audit if operation.changes else None
    workers = server.workers

    def respond(req: falcon.Request, resp: falcon.Response, **path: str) -> None:
        if needs_thread and server.in_loop():
            raise NeedsThread
        resp.set_headers(fixed)
        call = Call(server, operation, req, resp)
        if audit is not None:
            req.context.call = call
        call.key = authenticate(req)
        arguments: dict[str, Any] = path
        name = path.pop("session", "")
        if read_body is not None:
            arguments["body"] = body = read_body(req)
            if session_in == "body":
                name = getattr(body, member)
        if read_query is not None:
            arguments["query"] = query = read_query(req)
            if session_in == "query":
                name = query.session
        call.session_name = name or ""
        if workers is not None and not operation.in_loop:
            owned = workers.session_of_app(path.get("id", "")) if late_session else name
            if owned and not server.sessions.has(owned):
                if server.in_loop():
                    raise NeedsThread
                address = workers.address_of(owned)
                if address is not None:
                    workers.forward(address, req, resp)
                    return
        if read_body is not None and operation.waits:
            server.files.check_room(call.session_name)
        if call.key is not None and not late_session:
            permit(call.key, scope, call.session_name)
        if pace is not None:
            call.wait_for_turn(pace)
        _write(resp, status, handler(call, **arguments))

    if audit is not None:
        respond = _audited(audit, respond)
    if read_body is None or not operation.waits:
        return respond

    def respond_with_uploads(req: falcon.Request, resp: falcon.Response, **path: str) -> None:
        try:
            respond(req, resp, **path)
        finally:
            server.files.end_uploads()

    return respond_with_uploads


def _audited(audit: Audit, respond: Callable[..., None]) -> Callable[..., None]:
    """A responder whose calls are in the audit log, also when they are refused."""

    def audited(req: falcon.Request, resp: falcon.Response, **path: str) -> None:
        try:
            respond(req, resp, **path)
        except WahaError as error:
            audit.failed(req.context.call, error)
            raise
        if not getattr(resp.context, "forwarded", False):  # else the other worker has noted it
            audit.note(req.context.call, falcon.util.http_status_to_code(resp.status))

    return audited


def _write(resp: falcon.Response, status: str, answer: Any) -> None:
    """WAHA's rules: nothing is an empty body, text and booleans are plain text, the rest is JSON."""
    if answer is None:
        if resp.stream is None:
            resp.status = status
            resp.data = b""
        return
    resp.status = status
    if isinstance(answer, Reply):
        resp.data = answer.body
        resp.content_type = answer.content_type
        resp.status = falcon.util.code_to_http_status(answer.status)
        resp.set_headers(answer.headers)
    elif isinstance(answer, (str, bool)):
        resp.data = str(answer).lower().encode() if isinstance(answer, bool) else answer.encode()
        resp.content_type = "text/html; charset=utf-8"  # as WAHA says; so a browser must not run what is in it
        resp.set_header("Content-Security-Policy", "default-src 'none'; sandbox")
    else:
        resp.data = encode(answer)
        resp.content_type = "application/json; charset=utf-8"


def _body_reader(server: Server, operation: Operation) -> Callable[[falcon.Request], Any] | None:
    """Reads and checks a JSON body; None when the operation takes none. An empty body is an empty object."""
    kind = operation.body
    if kind is None:
        return None
    decoder: msgspec.json.Decoder[Any] | None = None  # made at the first call: most operations are never called
    most = server.settings.core.max_body_mb * 1024 * 1024
    strict = operation.strict and server.settings.core.strict_mode

    def read(req: falcon.Request) -> Any:
        nonlocal decoder
        if decoder is None:
            decoder = msgspec.json.Decoder(kind)
        length = req.content_length or 0
        if length >= LARGE_BYTES:
            server.admission.admit(f"A body of {length / 1024 / 1024:.0f} MB")
        if operation.waits and (req.content_type or "").lower().startswith("multipart/form-data"):
            from .forms import read_form

            return read_form(req, kind, server.files)
        if length > most:
            raise BodyTooLarge(too_large(most))
        if length >= _LARGE_BYTES:
            with room(_DECODED_TIMES * length):
                return decoded(req.bounded_stream.read())
        return decoded(req.bounded_stream.read())

    def decoded(text: bytes) -> Any:
        assert decoder is not None
        try:
            body = decoder.decode((text.strip() and text) or b"{}")
            if strict and (unknown := _undeclared(msgspec.json.decode(text or b"{}"), body)):
                raise ValidationFailed(*(f"property {name} should not exist" for name in unknown))
            return body
        except msgspec.ValidationError as error:
            raise ValidationFailed(fault(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(f"The body is not valid JSON: {error}") from None

    return read


def _undeclared(value: Any, read: Any, place: str = "") -> list[str]:
    """The members of a decoded body that the Struct it was read into does not declare, with their places."""
    if isinstance(read, list):
        pairs = enumerate(zip(value, read, strict=True))
        return [name for i, (v, r) in pairs for name in _undeclared(v, r, f"{place}{i}.")]
    if not isinstance(read, msgspec.Struct):
        return []
    members = {field.encode_name: field.name for field in msgspec.structs.fields(read)}
    found = [f"{place}{name}" for name in value if name not in members]
    for name in value.keys() & members.keys():
        found += _undeclared(value[name], getattr(read, members[name]), f"{place}{name}.")
    return found


def too_large(most_bytes: int) -> str:
    return (
        f"The request body is larger than {most_bytes // 1024 // 1024} MB. "
        "Send media by url instead of base64, or raise WAXBILL_MAX_BODY_MB."
    )


def _query_reader(operation: Operation) -> Callable[[falcon.Request], Any] | None:
    """Reads and checks the query; None when the operation takes none."""
    kind = operation.query
    if kind is None:
        return None
    names: tuple[set[str], ...] | None = None

    def read(req: falcon.Request) -> Any:
        nonlocal names
        if names is None:
            names = _names(kind)
        lists, booleans, singles, nulls = names
        values: dict[str, Any] = {}
        for name, value in req.params.items():
            if name in lists:
                values[name] = value if isinstance(value, list) else [value]
            elif name in singles and isinstance(value, list):  # two programs could take a different one of them
                raise ValidationFailed(f"{name} must be given once, not {len(value)} times")
            elif value == "null" and name in nulls:
                raise ValidationFailed(f"{name} must not be null; leave it out")
            elif isinstance(value, str):
                values[name] = value.lower() if name in booleans else value
        try:
            return msgspec.convert(values, kind, strict=False)
        except msgspec.ValidationError as error:
            raise ValidationFailed(fault(error)) from None

    return read


def _names(kind: type) -> tuple[set[str], ...]:
    """The names of a query's parameters that may be given more than once, of those that are true or false, of those
    that are given once, and of those for which null is no text."""
    fields = msgspec.structs.fields(kind)
    lists = {field.encode_name for field in fields if _is_list(field.type)}
    booleans = {field.encode_name for field in fields if bool in typing.get_args(field.type)}
    nulls = {field.encode_name for field in fields if field.type is not str and str not in typing.get_args(field.type)}
    return lists, booleans, {field.encode_name for field in fields} - lists, nulls - lists


def _is_list(kind: Any) -> bool:
    return any(typing.get_origin(part) is list for part in (kind, *typing.get_args(kind)))


def fault(error: msgspec.ValidationError) -> str:
    """What is wrong with a request, as ``config.webhooks.0.url must be a string (it is int)``."""
    text, _, where = str(error).partition(" - at `$")
    place = where.rstrip("`").replace("[...]", "").replace("[", ".").replace("]", "").strip(".") or "body"
    if text.startswith("Object missing required field `"):
        field = text.split("`")[1]
        return f"{field if place == 'body' else f'{place}.{field}'} is required"
    if text.startswith("Expected `") and ", got `" in text:
        expected, got = text.removeprefix("Expected `").rstrip("`").split("`, got `")
        return f"{place} must be {_named(expected)} (it is {_named(got)})"
    return f"{place}: {text}"


_NAMES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def _named(types_text: str) -> str:
    return (
        " or ".join(_NAMES.get(name.strip(), name.strip()) for name in types_text.split("|") if name.strip() != "null")
        or "null"
    )


def resources(server: Server, areas: list[Area]) -> dict[str, object]:
    """A Falcon resource for every path, with a responder for every method.

    Path fields are named by position, since Falcon wants one name at one place (WAHA's document has ``{id}`` beside
    ``{chatId}``). A literal path also serves the methods of the field path that it hides: a session may be called
    ``start``, although POST /api/sessions/start exists.
    """
    by_path: dict[tuple[str, ...], dict[str, tuple[Operation, dict[str, str]]]] = {}
    for area in areas:
        for operation in area.operations:
            by_path.setdefault(_shape(operation.path), {})[operation.method] = (operation, {})
    for shape, methods in by_path.items():
        for other, hidden in by_path.items():
            values = _covers(other, shape)
            for method, (operation, _) in hidden.items() if values is not None and other != shape else ():
                methods.setdefault(method, (operation, values or {}))
    return {"/" + "/".join(shape): _resource(server, methods) for shape, methods in by_path.items()}


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/")


def _shape(path: str) -> tuple[str, ...]:
    return tuple(f"{{p{i}}}" if part.startswith("{") else part for i, part in enumerate(_segments(path)))


def _covers(fields: tuple[str, ...], literal: tuple[str, ...]) -> dict[str, str] | None:
    """The values of the fields of one path when the other, more literal one is read by it; None when it is not."""
    if len(fields) != len(literal):
        return None
    values = {}
    for field, part in zip(fields, literal, strict=True):
        if field.startswith("{") and not part.startswith("{"):
            values[field[1:-1]] = part
        elif field != part:
            return None
    return values


def _resource(server: Server, methods: dict[str, tuple[Operation, dict[str, str]]]) -> object:
    resource = types.SimpleNamespace()
    for method, (operation, values) in methods.items():
        names = {f"p{i}": part[1:-1] for i, part in enumerate(_segments(operation.path)) if part.startswith("{")}
        setattr(resource, f"on_{method.lower()}", _named_fields(responder(server, operation), names, values))
    if hasattr(resource, "on_get"):
        resource.on_head = resource.on_get
    resource.on_options = lambda req, resp, **path: preflight(server, req, resp)
    return resource


def preflight(server: Server, req: falcon.Request, resp: falcon.Response) -> None:
    """The answer to a browser that asks whether another site's page may call: any may, as in WAHA."""
    resp.status = falcon.HTTP_204
    resp.set_headers(server.fixed_headers)
    resp.set_headers(
        {
            "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
            "Access-Control-Allow-Headers": req.get_header("Access-Control-Request-Headers") or "*",
        }
    )


def _named_fields(respond: Callable[..., None], names: dict[str, str], values: dict[str, str]) -> Callable[..., None]:
    """Gives path fields their declared names back."""
    if not names:
        return lambda req, resp, **path: respond(req, resp)

    def named(req: falcon.Request, resp: falcon.Response, **path: str) -> None:
        path.update(values)
        respond(req, resp, **{names[position]: value for position, value in path.items()})

    return named


class LoopThread:
    """Knows whether the code runs in the server's loop, where nothing may wait."""

    def __init__(self) -> None:
        self.ident = 0

    def __call__(self) -> bool:
        return threading.get_ident() == self.ident
