"""The transport for http and https, and WAHA's headers. Registered as plugins of the core, like anybody else's.

The standard library's client with one kept connection per thread and host: half the processor time of urllib3.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

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
        self._local = threading.local()

    @hookimpl
    def waxbill_deliver(self, delivery: Delivery, request: WebhookRequest) -> Outcome | None:
        if not request.url.startswith(("http://", "https://")):
            return None
        import http.client  # 4.9 MB with TLS: not before the first delivery

        url = urlsplit(request.url)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        started = time.monotonic()
        try:
            answer = self._send(url.scheme, url.netloc, path, request)
        except (OSError, http.client.HTTPException) as error:
            return Outcome(False, 0, f"{type(error).__name__}: {error}", time.monotonic() - started)
        ok = 200 <= answer < 300
        return Outcome(ok, answer, "" if ok else f"the receiver answered {answer}", time.monotonic() - started)

    def _send(self, scheme: str, netloc: str, path: str, request: WebhookRequest) -> int:
        """Sends on a kept connection if there is one, and on a fresh one when the receiver had closed that."""
        import http.client

        kept = self._connections().pop((scheme, netloc), None)
        if kept is not None:
            try:
                return self._exchange(kept, scheme, netloc, path, request)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                kept.close()  # closed while idle: not an answer, so not an attempt
            except BaseException:
                kept.close()
                raise
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        fresh = kind(netloc, timeout=request.timeout_seconds)
        try:
            return self._exchange(fresh, scheme, netloc, path, request)
        except BaseException:
            fresh.close()
            raise

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        scheme: str,
        netloc: str,
        path: str,
        request: WebhookRequest,
    ) -> int:
        connection.request("POST", path, request.body, request.headers)
        answer = connection.getresponse()
        answer.read(_ANSWER_BYTES)
        if answer.isclosed() and self._keep_alive:
            self._connections()[scheme, netloc] = connection
        else:
            connection.close()
        return answer.status

    def _connections(self) -> dict[tuple[str, str], http.client.HTTPConnection]:
        found: dict[tuple[str, str], http.client.HTTPConnection] | None = getattr(self._local, "connections", None)
        if found is None:
            found = self._local.connections = {}
        return found
