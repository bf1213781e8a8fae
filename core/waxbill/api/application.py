"""The WSGI application of a server: WAHA's API and what plugins add, with every error in WAHA's JSON."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import falcon

from ..model.errors import BadRequest, EngineFailure, NotFound, Unavailable, WahaError
from ..store import Unstorable
from .operation import LateAreas, encode
from .responder import preflight, resources
from .router import Router

if TYPE_CHECKING:
    from ..app import Server

log = logging.getLogger("waxbill")

_MEMORY_RETRY_SECONDS = 5


def create_app(server: Server) -> falcon.App[Any, Any]:
    """The WSGI application of a server: WAHA's API and what plugins add."""
    router = Router()
    app: falcon.App[Any, Any] = falcon.App(router=router)
    server.application = app
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.auto_parse_qs_csv = False
    app.req_options.keep_blank_qs_values = True
    app.resp_options.xml_error_serialization = False
    for added in server.plugins.call("waxbill_routes", app=app, server=server):
        for area in added if isinstance(added, list) else [added]:
            (server.late_areas if isinstance(area, LateAreas) else server.areas).append(area)
    for path, resource in resources(server, server.areas).items():
        app.add_route(path, resource)
    app.add_sink(_elsewhere(server, router))
    unexpected = _unexpected(server)
    app.add_error_handler(WahaError, _answer_error)
    app.add_error_handler(falcon.HTTPError, _answer_falcon_error)
    app.add_error_handler((Exception, EngineFailure), unexpected)
    app.add_error_handler(MemoryError, _out_of_memory(server))
    return app


def _elsewhere(server: Server, router: Router) -> Any:
    """Paths that are not there yet: late areas come in with their first request. Paths and methods that don't exist:
    404 as WAHA says it; the preflight of browsers: 204."""

    def sink(req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_headers(server.fixed_headers)
        if req.method == "OPTIONS":
            preflight(server, req, resp)
            return
        for late in server.late_areas:
            if req.path.startswith(late.prefix):
                server.access.caller(req)
                server.bring_in(late, router)
                found = router.find(req.path, req)
                if found is not None:
                    _, responders, fields, _ = found
                    responders[req.method](req, resp, **fields)
                    return
        raise NotFound(f"Cannot {req.method} {req.path}")

    return sink


def _json(resp: falcon.Response, status: int, body: Any) -> None:
    resp.status = falcon.util.code_to_http_status(status)
    resp.content_type = "application/json; charset=utf-8"
    resp.set_header("X-Content-Type-Options", "nosniff")
    resp.data = encode(body)


def _answer_error(req: falcon.Request, resp: falcon.Response, error: WahaError, params: Any) -> None:
    _json(resp, error.status, error.body())
    resp.set_headers(error.headers())


def _answer_falcon_error(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: Any) -> None:
    """What Falcon itself refuses: a method that a path does not have is an unknown path in WAHA."""
    status = falcon.util.http_status_to_code(error.status)
    if status in (404, 405):
        _answer_error(req, resp, NotFound(f"Cannot {req.method} {req.path}"), params)
    else:
        _json(
            resp,
            status,
            {"message": error.description or error.title, "error": error.title, "statusCode": status},
        )


def _out_of_memory(server: Server) -> Any:
    """A request that needs more than there is fails alone, with 503; the server goes on."""

    def answer(req: falcon.Request, resp: falcon.Response, error: MemoryError, params: Any) -> None:
        del error, params  # they hold what was too large
        most = server.settings.core.max_heap_mb
        log.error("%s %s needs more memory than there is (MAX_HEAP_MB is %d)", req.method, req.path, most)
        text = f"This request needs more memory than the server may use ({most} MB, MAX_HEAP_MB). Send less at a time."
        _answer_error(req, resp, Unavailable(text, _MEMORY_RETRY_SECONDS), None)

    return answer


def _unexpected(server: Server) -> Any:
    """What nobody expected: WAHA's 500 with the error's name, and the trace in the log only."""

    def answer(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
        if isinstance(error, server.store.errors):
            log.error("The store failed on %s %s: %s", req.method, req.path, error)
            busy = Unavailable(f"The store can't be written now: {error}. Nothing was changed; try again.", 5)
            _answer_error(req, resp, busy, params)
            return
        if isinstance(error, OverflowError):  # more than the store's 64 bits
            _answer_error(req, resp, BadRequest("A number in the request is too large."), params)
            return
        if isinstance(error, Unstorable):
            _answer_error(req, resp, BadRequest(str(error)), params)
            return
        if isinstance(error, EngineFailure):
            name = error.name
        else:
            name = type(error).__name__
            log.error("%s %s failed:\n%s", req.method, req.path, "".join(traceback.format_exception(error)))
        hidden = {"x-api-key": "***"} if "x-api-key" in req.params else {}
        body = {
            "statusCode": 500,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "exception": {"name": name, "message": server.mask(str(error))},
            "request": {"path": req.path, "method": req.method, "query": {**req.params, **hidden}},
            "version": server.environment(),
        }
        _json(resp, 500, body)

    return answer
