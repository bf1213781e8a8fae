"""Who may call what: the server's key, the keys of sessions with their scopes, and the paths that need none."""

from __future__ import annotations

import logging
import re
from _operator import (
    _compare_digest as compare_digest,  # what hmac offers; hmac brings OpenSSL with it (3.5 MB)
)
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..model.errors import BadRequest, Forbidden, Unauthorized
from ..settings import SettingError
from .login import Logins

if TYPE_CHECKING:
    import falcon

    from ..apikeys import ApiKey, ApiKeys
    from ..limits import Rate
    from ..settings import CoreSettings
    from ..store import Store
    from .operation import Operation

#: Where a request notes whose it is: the id of a key, ``server`` for the server's own, or ``dashboard``.
_CALLER = "waxbill.caller"

log = logging.getLogger("waxbill")

_SHA512 = "sha512:"
_DIGEST = re.compile(r"[0-9a-f]{128}")
#: Keys that everybody tries first; WAHA takes none of them either (2025.10.3).
_WEAK = frozenset({"123", "321", "waha", "admin", "0" * 32, "1" * 32})
_SCHEMA = ["CREATE TABLE server_key (digest TEXT NOT NULL)"]


def _pattern(path: str) -> re.Pattern[str]:
    try:
        return re.compile(f"/{path.lstrip('/')}/?")
    except re.error as error:
        raise SettingError(
            f"WHATSAPP_API_KEY_EXCLUDE_PATH has {path!r}, which is no pattern ({error}). "
            "Write paths such as ping or api/files/(.*), separated by commas."
        ) from None


class Access:
    """Checks keys. ``digest`` is the SHA-512 of the server's key in hex, empty when no key is asked for."""

    def __init__(self, core: CoreSettings, api_keys: ApiKeys, digest: str | None = None) -> None:
        self.api_keys = api_keys
        self._open_paths = [_pattern(path) for path in core.api_key_exclude_path]
        configured = core.api_key
        self._plain = b""
        if digest is not None:
            self._digest = digest
        elif configured.startswith(_SHA512):
            self._digest = configured.removeprefix(_SHA512).lower()
            if not _DIGEST.fullmatch(self._digest):
                raise SettingError(
                    "WAHA_API_KEY begins with sha512:, so 128 hexadecimal digits must follow. "
                    "Make them with: printf %s KEY | sha512sum"
                )
        else:
            self._digest = ""
            self._plain = configured.encode()
        #: Whether the key is one that everybody tries first: then only this machine may try it.
        self.weak = digest is None and is_weak(configured)
        if "public" in core.profile and not self.required:
            raise SettingError("WAXBILL_PROFILE is public, so a key is needed: set WAHA_API_KEY.")
        self._per_minute = core.rate_limit
        self._rate: Rate | None = None
        #: Who is logged in to the dashboard, and may do from there what the key allows that was given.
        self.logins = Logins(core, self)

    @property
    def required(self) -> bool:
        return bool(self._digest or self._plain)

    def valid(self, key: str) -> bool:
        """Compares in constant time."""
        if self._plain:
            return compare_digest(self._plain, key.encode())
        import hashlib  # 3.5 MB: only where a hashed key is used

        return compare_digest(self._digest, hashlib.sha512(key.encode()).hexdigest())

    def authenticator(self, operation: Operation) -> Callable[[falcon.Request], ApiKey | None]:
        """Finds out who calls an operation: None is somebody who may do everything, else a key with its limits.

        What it returns raises Unauthorized for a missing and for a wrong key alike.
        """
        find = self.caller if self.required and operation.scope != "open" else _anybody
        if not self._per_minute:
            return find
        from ..limits import Rate, source  # what is off costs no memory

        rate = self._rate = self._rate or Rate(self._per_minute, max(10, self._per_minute // 6))

        def limited(request: falcon.Request) -> ApiKey | None:
            env = request.env
            try:
                return find(request)
            finally:  # wrong keys count for the address that they come from
                rate.check(env.get(_CALLER) or f"address {source(env.get('REMOTE_ADDR', ''))}")

        return limited

    def caller(self, request: falcon.Request) -> ApiKey | None:
        """Who calls: None is somebody who may do everything. Raises Unauthorized for a missing and for a wrong key."""
        if not self.required:
            return None
        given = request.env.get("HTTP_X_API_KEY") or request.params.get("x-api-key") or ""
        if given and isinstance(given, str):
            if self.valid(given):
                request.env[_CALLER] = "server"
                return None
            key = self.api_keys.find(given)
            if key is not None:
                request.env[_CALLER] = key.id
                return None if key.admin else key
        visitor = self.logins.find(request)
        if visitor is not None:
            request.env[_CALLER] = visitor.key.id if visitor.key else "dashboard"
            return visitor.key
        if any(path.fullmatch(request.path) for path in self._open_paths):
            return None
        raise Unauthorized


def is_password(configured: str, given: str) -> bool:
    """Whether a password is the one of the settings, which may have it as its hash; compared in constant time."""
    if not configured.startswith(_SHA512):
        return compare_digest(configured.encode(), given.encode())
    import hashlib

    digest = configured.removeprefix(_SHA512).lower()
    return compare_digest(digest.encode(), hashlib.sha512(given.encode()).hexdigest().encode())


def is_weak(configured: str) -> bool:
    """Whether a key, as it is or as its hash, is one of those that everybody tries first."""
    if not configured.startswith(_SHA512):
        return configured in _WEAK
    import hashlib

    return configured.removeprefix(_SHA512).lower() in {hashlib.sha512(key.encode()).hexdigest() for key in _WEAK}


def _anybody(request: falcon.Request) -> None:
    return None


def permit(key: ApiKey, scope: str, session: str) -> None:
    """Raises Forbidden unless a session's key may do such a thing with a session (empty: with none)."""
    if scope == "admin" or (session and session != key.session) or (scope != "any" and not key.may(scope)):
        raise Forbidden
    if scope != "any" and not session:
        raise BadRequest("Session name is required")


def generated_digest(store: Store, core: CoreSettings) -> str | None:
    """The digest of the key that was made because none was set for a public address; None where none is needed.

    It is made at the first such start, printed once, and only its hash is kept.
    """
    has_key = core.api_key and not is_weak(core.api_key)
    if has_key or core.no_api_key or not core.host or _is_loopback(core.host):
        return None
    store.migrate("server_key", _SCHEMA)
    row = store.read().execute("SELECT digest FROM server_key").fetchone()
    if row is not None:
        return str(row[0])
    import hashlib
    import secrets

    key = secrets.token_hex(16)
    digest = hashlib.sha512(key.encode()).hexdigest()
    with store.write() as db:
        db.execute("INSERT INTO server_key VALUES (?)", (digest,))
    log.warning(
        "WAXBILL_HOST is %s and %s, so one was made. Keep it, it is not shown again:\n  WAHA_API_KEY=%s",
        core.host,
        "the key that is set is one that everybody tries first" if core.api_key else "no key is set",
        key,
    )
    return digest


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
