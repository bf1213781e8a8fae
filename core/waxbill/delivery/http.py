"""The transport for http and https, and WAHA's headers. Registered as plugins of the core, like anybody else's.

The standard library's client with one kept connection per thread and host: half the processor time of urllib3.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from .. import __version__
from ..hookspecs import hookimpl
from .outbox import Delivery, Outcome, WebhookRequest

if TYPE_CHECKING:
    import http.client

    from ..settings import Settings

log = logging.getLogger("waxbill.delivery")

# What is read of an answer so that its connection can be used again; a longer one costs the connection.
_ANSWER_BYTES = 64 * 1024


class WahaHeaders:
    """Plugin: the headers of WAHA's wire, and its signature over the bytes that are sent."""

    @hookimpl
    def waxbill_prepare_delivery(self, delivery: Delivery, request: WebhookRequest) -> None:
        headers = request.headers
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = f"waxbill/{__version__} (WAHA compatible)"
        headers["X-Webhook-Request-Id"] = delivery.request_id
        headers["X-Webhook-Timestamp"] = str(time.time_ns() // 1_000_000)
        for header in delivery.webhook.customHeaders or ():
            headers[header.name] = header.value
        key = delivery.webhook.hmac.key if delivery.webhook.hmac else None
        if key:
            import hmac  # 3.5 MB with OpenSSL's hashes: not before the first signed delivery

            headers["X-Webhook-Hmac"] = hmac.new(key.encode(), request.body, "sha512").hexdigest()
            headers["X-Webhook-Hmac-Algorithm"] = "sha512"


class HttpTransport:
    """Plugin: POSTs to http and https URLs. Each delivery thread keeps its own connections."""

    def __init__(self, settings: Settings) -> None:
        self._keep_alive = settings.core.keep_alive
        self._allow_private = settings.core.allow_private_addresses
        self._local = threading.local()

    @hookimpl
    def waxbill_deliver(self, delivery: Delivery, request: WebhookRequest) -> Outcome | None:
        if not request.url.startswith(("http://", "https://")):
            return None
        import http.client  # 4.9 MB with TLS: not before the first delivery

        from ..media.fetch import Refused

        started = time.monotonic()
        try:
            answer = self._send(urlsplit(request.url), request)
        except (OSError, http.client.HTTPException, Refused) as error:
            return Outcome(False, 0, f"{type(error).__name__}: {error}", time.monotonic() - started)
        ok = 200 <= answer < 300
        return Outcome(ok, answer, "" if ok else f"the receiver answered {answer}", time.monotonic() - started)

    def _send(self, url: SplitResult, request: WebhookRequest) -> int:
        """Sends on a kept connection if there is one, and on a fresh one when the receiver had closed that."""
        import http.client

        kept = self._connections().pop((url.scheme, url.netloc), None)
        if kept is not None:
            try:
                return self._exchange(kept, url, request)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                kept.close()  # closed while idle: not an answer, so not an attempt
            except BaseException:
                kept.close()
                raise
        fresh = self._open(url, request.timeout_seconds)
        try:
            return self._exchange(fresh, url, request)
        except BaseException:
            fresh.close()
            raise

    def _open(self, url: SplitResult, timeout_seconds: float) -> http.client.HTTPConnection:
        """A connection to an address that may be asked."""
        import http.client

        from ..media.fetch import Refused, connect

        if not url.hostname:
            raise Refused(f"the URL {url.geturl()[:120]!r} has no host")
        port = url.port or (443 if url.scheme == "https" else 80)
        opened = http.client.HTTPConnection(url.netloc.rpartition("@")[2], timeout=timeout_seconds)
        opened.auto_open = 0  # never again by itself, to an address that was not checked
        opened.sock = connect(
            url.scheme, url.hostname, port, seconds=timeout_seconds, allow_private=self._allow_private
        )
        return opened

    def _exchange(self, connection: http.client.HTTPConnection, url: SplitResult, request: WebhookRequest) -> int:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("POST", path, request.body, request.headers)
        answer = connection.getresponse()
        answer.read(_ANSWER_BYTES)
        if answer.isclosed() and connection.sock is not None and self._keep_alive:
            self._connections()[url.scheme, url.netloc] = connection
        else:
            connection.close()
        return answer.status

    def _connections(self) -> dict[tuple[str, str], http.client.HTTPConnection]:
        found: dict[tuple[str, str], http.client.HTTPConnection] | None = getattr(self._local, "connections", None)
        if found is None:
            found = self._local.connections = {}
        return found
