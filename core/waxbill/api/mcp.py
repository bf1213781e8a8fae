"""The endpoint of the Model Context Protocol: WAHA's tools for language models. See ``waxbill.mcp``."""

from ..model.errors import Forbidden, WahaError
from .operation import Area, Call, Reply
from .reference import document

area = Area("🧩 Apps", prefix="/mcp")


class _NoStream(WahaError):
    """The server has nothing to say of its own accord; clients go on without such a stream."""

    status = 405
    title = "Method Not Allowed"

    def headers(self) -> dict[str, str]:
        return {"Allow": "POST"}


@area.post("", scope="any", waits=True, status=200)
def call_tools(call: Call) -> Reply:
    """Talk to the tools of this server (Model Context Protocol, streamable HTTP)."""
    from ..mcp import Endpoint

    if call.key is not None and not call.server.settings.core.apps_enabled:
        raise Forbidden
    request = call.request
    key = request.env.get("HTTP_X_API_KEY") or request.params.get("x-api-key") or ""
    endpoint = Endpoint(call.server.application, lambda: document(call.server))
    answer = endpoint.answer(request.bounded_stream.read(), str(key))
    if answer is None:
        return Reply(status=202)
    return Reply(answer, "application/json; charset=utf-8")


@area.get("", scope="any", hidden=True)
def open_stream(call: Call) -> None:
    """Refuse a stream from the server."""
    raise _NoStream("Send messages with POST; this server offers no stream.")


@area.delete("", scope="any", hidden=True)
def end_session(call: Call) -> None:
    """Refuse to end a session: there are none."""
    raise _NoStream("This server keeps no sessions of the Model Context Protocol.")
