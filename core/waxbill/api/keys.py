"""Who may call: the server's key, in the header or the query, and the paths that need none."""

from __future__ import annotations

import logging
import re
from _operator import (
    _compare_digest as compare_digest,  # what hmac offers; hmac brings OpenSSL with it (3.5 MB)
)
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..model.errors import Unauthorized
from ..settings import SettingError

if TYPE_CHECKING:
    from ..settings import CoreSettings
    from ..store import Store
    from .operation import Call, Operation

log = logging.getLogger("waxbill")

_SHA512 = "sha512:"
_SCHEMA = ["CREATE TABLE server_key (digest TEXT NOT NULL)"]


def _pattern(path: str) -> re.Pattern[str]:
    try:
        return re.compile(f"/{path.lstrip('/')}/?")
    except re.error as error:
        raise SettingError(
            f"WHATSAPP_API_KEY_EXCLUDE_PATH has {path!r}, which is no pattern ({error}). "
            "Write paths such as ping or api/files/(.*), separated by commas."
        ) from None


class Keys:
    """Checks keys. ``digest`` is the SHA-512 of the server's key in hex, empty when no key is asked for."""

    def __init__(self, core: CoreSettings, digest: str | None = None) -> None:
        self._open_paths = [_pattern(path) for path in core.api_key_exclude_path]
        configured = core.api_key
        self._plain = b""
        if digest is not None:
            self._digest = digest
        elif configured.startswith(_SHA512):
            self._digest = configured.removeprefix(_SHA512).lower()
        else:
            self._digest = ""
            self._plain = configured.encode()

    @property
    def required(self) -> bool:
        return bool(self._digest or self._plain)

    def valid(self, key: str) -> bool:
        """Compares in constant time."""
        if self._plain:
            return compare_digest(self._plain, key.encode())
        import hashlib  # 3.5 MB: only where a hashed key is used

        return compare_digest(self._digest, hashlib.sha512(key.encode()).hexdigest())

    def authorizer(self, operation: Operation) -> Callable[[Call], None]:
        """The check for one operation; it raises Unauthorized for a missing and for a wrong key alike."""
        if not self.required or operation.scope == "open":
            return lambda call: None
        open_paths = self._open_paths

        def authorize(call: Call) -> None:
            request = call.request
            key = request.env.get("HTTP_X_API_KEY") or request.params.get("x-api-key") or ""
            if isinstance(key, str) and key and self.valid(key):
                return
            if any(path.fullmatch(request.path) for path in open_paths):
                return
            raise Unauthorized

        return authorize


def generated_digest(store: Store, core: CoreSettings) -> str | None:
    """The digest of the key that was made because none was set for a public address; None where none is needed.

    It is made at the first such start, printed once, and only its hash is kept.
    """
    if core.api_key or core.no_api_key or not core.host or _is_loopback(core.host):
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
        "WAXBILL_HOST is %s and no key is set, so one was made. Keep it, it is not shown again:\n  WAHA_API_KEY=%s",
        core.host,
        key,
    )
    return digest


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
