"""Who is logged in to the dashboard: random tokens in a cookie, each for what was given at the log-in.

The cookie goes along with whatever a browser sends to this server, so it counts only where the page itself asks: with
the header ``X-Waxbill-Dashboard``, which no other site's page can send without being asked first (and refused), or for
a media file, which changes nothing. Kept in memory: a restart logs everybody out.
"""

from __future__ import annotations

import os
import time
from _operator import _compare_digest as compare_digest  # see access.py
from typing import TYPE_CHECKING, Literal

import msgspec

from ..limits import Guesses, source

if TYPE_CHECKING:
    import falcon

    from ..apikeys import ApiKey
    from ..settings import CoreSettings
    from .access import Access

COOKIE = "waxbill_dashboard"
#: What the page sends along with every request.
HEADER = "HTTP_X_WAXBILL_DASHBOARD"
# A log-in ends half a day after it was last used; of more than these, the oldest ends.
_SECONDS = 12 * 3600.0
_MOST = 100

#: What the page asks for: nothing, the API key, or user name and password.
Asks = Literal["nothing", "key", "password"]


class Login(msgspec.Struct):
    """Somebody who is logged in. ``secret`` is the key that was given; empty for who may do everything."""

    secret: str
    until: float


class Visitor(msgspec.Struct):
    """Somebody at the page. ``key`` has their limits; None for who may do everything."""

    key: ApiKey | None


class Logins:
    """The log-ins of a server. Any thread may call it."""

    def __init__(self, core: CoreSettings, access: Access) -> None:
        self._core = core
        self._access = access
        self._by_token: dict[str, Login] = {}
        #: Wrong passwords, here and at the API page.
        self.guesses = Guesses()

    @property
    def asks(self) -> Asks:
        """A password where one is set, else the key where the API asks for one. Nobody is handed the key."""
        if self._core.dashboard_password and not self._core.dashboard_no_password:
            return "password"
        return "key" if self._access.required else "nothing"

    def log_in(self, request: falcon.Request, user: str, password: str) -> str | None:
        """The token of a new log-in; None for a wrong user, password or key. Raises TooManyRequests for who guesses."""
        whose = source(request.env.get("REMOTE_ADDR", ""))
        self.guesses.check(whose)
        token = self._new_token(user, password)
        self.guesses.note(whose, right=token is not None)
        return token

    def _new_token(self, user: str, password: str) -> str | None:
        if self.asks == "password":
            from .access import is_password  # it imports this module

            known = compare_digest(user.encode(), self._core.dashboard_username.encode())
            if not (is_password(self._core.dashboard_password, password) and known):
                return None
            secret = ""
        elif not self._access.required or self._access.valid(password):
            secret = ""
        elif self._access.api_keys.find(password) is not None:
            secret = password
        else:
            return None
        token = os.urandom(32).hex()
        while len(self._by_token) >= _MOST:
            self._by_token.pop(next(iter(self._by_token)), None)
        self._by_token[token] = Login(secret, time.monotonic() + _SECONDS)
        return token

    def log_out(self, request: falcon.Request) -> None:
        self._by_token.pop(_token(request), None)

    def find(self, request: falcon.Request) -> Visitor | None:
        """Who sent a request, if it came from the page of somebody who is logged in, with a key that is still good."""
        env = request.env
        if "HTTP_COOKIE" not in env or not (HEADER in env or _reads_a_file(request)):
            return None
        token = _token(request)
        login = self._by_token.get(token)
        now = time.monotonic()
        if login is None or login.until < now:
            self._by_token.pop(token, None)
            return None
        key = self._access.api_keys.find(login.secret) if login.secret else None
        if login.secret and key is None:
            return None
        login.until = now + _SECONDS
        return Visitor(None if key is None or key.admin else key)


def _reads_a_file(request: falcon.Request) -> bool:
    """Pictures and sounds in the page are asked for by the browser, without the header."""
    site = request.env.get("HTTP_SEC_FETCH_SITE", "same-origin")
    return request.method in ("GET", "HEAD") and request.path.startswith("/api/files/") and site == "same-origin"


def _token(request: falcon.Request) -> str:
    for part in request.env.get("HTTP_COOKIE", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return str(value)
    return ""
