"""The dashboard: a page for people at /dashboard, its parts, and its log-in. The page is in ``waxbill/dashboard``."""

import re
import zlib
from pathlib import Path
from typing import Any

from ..model.errors import NotFound, WahaError
from ..model.wire import Answer, Request
from .login import COOKIE, HEADER, Asks
from .operation import Area, Call, Reply, encode

area = Area("🖥️ Dashboard", prefix="/dashboard")

_FOLDER = Path(__file__).parent.parent / "dashboard"
_NAME = re.compile(r"[a-z]+\.(js|css|svg)")
_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS = {
    # Nothing from anywhere else, no inline code or style, and no HTML made of text: not by mistake either.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
_OPEN: dict[str, Any] = {"scope": "open", "hidden": True}


class LogInRequest(Request):
    """User and password, or the API key as ``password``, whichever the dashboard asks for."""

    username: str | None = ""
    password: str


class LoginState(Answer):
    """What the page asks for, and whether the caller has given it; ``session`` where a key is for one only."""

    asks: Asks
    loggedIn: bool
    session: str | None = None


class LogInFailed(WahaError):
    status = 401
    title = "Unauthorized"


def _admit(call: Call) -> None:
    """Raises NotFound where the dashboard is switched off."""
    if not call.server.settings.core.dashboard_enabled:
        raise NotFound(f"Cannot {call.request.method} {call.request.path}")


@area.get("", **_OPEN)
def get_page(call: Call) -> Reply:
    """Show the dashboard."""
    return _part(call, "index.html")


@area.get("/{view}", **_OPEN)
def get_view(call: Call, view: str) -> Reply:
    """Show the dashboard with one of its views; the page reads which from the address."""
    return _part(call, "index.html")


@area.get("/-/{file}", **_OPEN)
def get_part(call: Call, file: str) -> Reply:
    """Get a part of the page."""
    if not _NAME.fullmatch(file):
        raise NotFound(f"Cannot GET /dashboard/-/{file[:80]}")
    return _part(call, file)


@area.get("/login", **_OPEN)
def get_login(call: Call) -> LoginState:
    """See whether a log-in is needed."""
    _admit(call)
    logins = call.server.access.logins
    visitor = logins.find(call.request)
    return LoginState(
        asks=logins.asks,
        loggedIn=logins.asks == "nothing" or visitor is not None,
        session=visitor.key.session if visitor and visitor.key else None,
    )


@area.post("/login", **_OPEN)
def log_in(call: Call, body: LogInRequest) -> Reply:
    """Log in; the answer sets a cookie that only the page can use."""
    _admit(call)
    _check_is_page(call)
    logins = call.server.access.logins
    token = logins.log_in(call.request, body.username or "", body.password)
    if token is None:
        wrong = "User name or password is wrong." if logins.asks == "password" else "This is no valid API key."
        raise LogInFailed(wrong)
    return _with_cookie(call, token)


@area.delete("/login", **_OPEN)
def log_out(call: Call) -> Reply:
    """Log out."""
    _admit(call)
    _check_is_page(call)
    call.server.access.logins.log_out(call.request)
    return _with_cookie(call, "")


def _check_is_page(call: Call) -> None:
    """Raises where another site's page may have sent the request: it would log its visitor in as somebody else."""
    if HEADER not in call.request.env:
        raise LogInFailed("Only the dashboard logs in here; programs send the key as X-Api-Key.")


def _with_cookie(call: Call, token: str) -> Reply:
    secure = "; Secure" if call.server.settings.core.public_url.startswith("https:") else ""
    end = "" if token else "; Max-Age=0"
    cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{end}"
    call.response.append_header("Set-Cookie", cookie)
    body = encode({"loggedIn": bool(token)})
    return Reply(body, "application/json; charset=utf-8", headers={"Cache-Control": "no-store"})


def _part(call: Call, name: str) -> Reply:
    """A file of the page, as its compressed bytes; 304 where the browser has it already."""
    _admit(call)
    data = _compressed(name)
    if data is None:
        raise NotFound(f"Cannot GET /dashboard/-/{name}")
    tag = f'W/"{data[-8:].hex()}"'  # the check sum and length that end a gzip file
    headers = {**_HEADERS, "ETag": tag}
    kind = _TYPES[name.rpartition(".")[2]]
    if tag in (call.request.get_header("If-None-Match") or ""):
        return Reply(b"", kind, 304, headers)
    if "gzip" not in (call.request.get_header("Accept-Encoding") or ""):
        return Reply(zlib.decompress(data, 31), kind, headers=headers)
    return Reply(data, kind, headers={**headers, "Content-Encoding": "gzip"})


def _compressed(name: str) -> bytes | None:
    """A file of the page: compressed when the wheel was built, or now in a checkout; None where there is none."""
    packed, plain = _FOLDER / f"{name}.gz", _FOLDER / name
    if packed.is_file():
        return packed.read_bytes()
    return zlib.compress(plain.read_bytes(), wbits=31) if plain.is_file() else None
