"""From operations to Falcon: a responder that authorises, reads, calls and writes, and a resource for every path."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import falcon

from ..model.errors import WahaError
from .access import permit
from .operation import Area, Call, NeedsThread, Operation, Reply, encode
from .reading import body_reader, query_reader

if TYPE_CHECKING:
    from ..app import Server
    from ..audit import Audit


def responder(server: Server, operation: Operation) -> Callable[..., None]:
    """The Falcon responder of an operation: authorise, read, call, write."""
    read_body = body_reader(server, operation)
    read_query = query_reader(operation)
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
