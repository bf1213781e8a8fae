"""The reference: the OpenAPI document at /-json and an interactive page of it at /, behind a password of its own."""

import base64
import importlib.util
import sys
from _operator import _compare_digest as compare_digest  # see keys.py
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from ..limits import source
from ..model.errors import NotFound, Unavailable, WahaError
from .access import is_password
from .operation import Area, Call, Reply

if TYPE_CHECKING:
    from ..app import Server

area = Area("📖 Reference")

# Building the document takes about half a second; the limit is for a machine that swaps.
_BUILD_SECONDS = 60
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>waxbill API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/-assets/swagger-ui.css"></head>
<body><a href="/dashboard">Dashboard</a><div id="reference"></div>
<script src="/-assets/swagger-ui-bundle.js"></script><script src="/-assets/start.js"></script></body></html>
"""
_START = """SwaggerUIBundle({url: "/-json", dom_id: "#reference", deepLinking: true, docExpansion: "none",
  filter: true, persistAuthorization: true, tryItOutEnabled: true});
"""
_CSP = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


class _AskPassword(WahaError):
    """Makes a browser ask for user and password."""

    status = 401
    title = "Unauthorized"

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Basic realm="waxbill API reference", charset="UTF-8"'}


def _admit(call: Call) -> None:
    """The reference's own user and password, where they are set; gone where it is switched off."""
    core = call.server.settings.core
    if not core.swagger_enabled:
        raise NotFound(f"Cannot {call.request.method} {call.request.path}")
    if not core.swagger_password:
        return
    guesses = call.server.access.logins.guesses
    whose = source(call.request.env.get("REMOTE_ADDR", ""))
    guesses.check(whose)
    given = call.request.get_header("Authorization")
    right = given is not None and _is_right(given, core.swagger_username, core.swagger_password)
    if given is not None:
        guesses.note(whose, right=right)
    if not right:
        raise _AskPassword("The API reference needs WHATSAPP_SWAGGER_USERNAME and WHATSAPP_SWAGGER_PASSWORD.")


def _is_right(header: str, user: str, password: str) -> bool:
    """Whether a header of HTTP's Basic scheme has these."""
    try:
        given = base64.b64decode(header.removeprefix("Basic "), validate=True).decode()
    except ValueError:
        return False
    name, _, secret = given.partition(":")
    known = compare_digest(name.encode(), user.encode())
    return is_password(password, secret) and known


@area.get("/", scope="open", waits=True, hidden=True)
def get_page(call: Call) -> Reply:
    """Show the API, to read and to try; the dashboard where that is switched off."""
    core = call.server.settings.core
    if core.dashboard_enabled and not core.swagger_enabled:
        return Reply(status=302, headers={"Location": "/dashboard"})
    _admit(call)
    page = _PAGE if _asset("swagger-ui-bundle.js") else _plain_page(call.server)
    return Reply(page.encode(), "text/html; charset=utf-8", headers={"Content-Security-Policy": _CSP})


@area.get("/-assets/{file}", scope="open", waits=True, hidden=True)
def get_asset(call: Call, file: str) -> Reply:
    """Get a part of the page."""
    _admit(call)
    if file == "start.js":
        return Reply(_START.encode(), _ASSETS["swagger-ui-bundle.js"])
    path = _asset(file) if file in _ASSETS else None
    if path is None:
        raise NotFound(f"Cannot GET /-assets/{file[:80]}")
    import gzip

    data = path.read_bytes()
    return _zipped(call, data if path.suffix == ".gz" else gzip.compress(data), _ASSETS[file])


@area.get("/-json", scope="open", waits=True, hidden=True)
def get_document(call: Call) -> Reply:
    """Get the OpenAPI document."""
    _admit(call)
    return _zipped(call, document(call.server), "application/json; charset=utf-8")


def _zipped(call: Call, data: bytes, content_type: str) -> Reply:
    """Compressed bytes as they are, or unpacked for a client that wants that."""
    if "gzip" in (call.request.get_header("Accept-Encoding") or ""):
        return Reply(data, content_type, headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
    import gzip

    return Reply(gzip.decompress(data), content_type, headers={"Vary": "Accept-Encoding"})


def document(server: "Server") -> bytes:
    """The OpenAPI document, compressed. A process of its own makes it once: here it would cost several MB for good."""
    import gzip
    import subprocess  # 1 MB

    path = server.settings.core.store_dir / "openapi.json.gz"
    if not path.exists() or path.stat().st_mtime < server.started:
        command = [sys.executable, "-m", "waxbill", "openapi"]
        try:
            done = subprocess.run(  # noqa: S603
                command, capture_output=True, timeout=_BUILD_SECONDS, check=True, env=dict(server.settings.environment)
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(
                f"The document could not be made: {error}. Run 'waxbill openapi' to see why.", 30
            ) from None
        new = path.with_suffix(".new")
        new.write_bytes(gzip.compress(done.stdout))
        new.replace(path)
    return path.read_bytes()


def _asset(name: str) -> Path | None:
    """A file of Swagger UI: from this wheel, else from the package that carries it, else none."""
    packed = Path(__file__).parent.parent / "assets" / f"{name}.gz"
    if packed.is_file():
        return packed
    found = importlib.util.find_spec("swagger_ui_bundle")
    if found is None or found.origin is None:
        return None
    return next(Path(found.origin).parent.glob(f"vendor/*/{name}"), None)


def _plain_page(server: "Server") -> str:
    """A list of the operations, for a checkout without Swagger UI."""
    operations = sorted((o for a in server.all_areas() for o in a.operations), key=attrgetter("path", "method"))
    lines = "".join(f"<li><code>{o.method} {o.path}</code> {o.summary}</li>" for o in operations if not o.hidden)
    head = "<!doctype html><html lang=en><meta charset=utf-8><title>waxbill API</title><h1>waxbill API</h1>"
    return f"{head}<ul>{lines}</ul>"
