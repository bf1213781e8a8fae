"""The transport for http and https, and WAHA's headers. Registered as plugins of the core, like anybody else's.

The standard library's client with one kept connection per thread and host: half the processor time of urllib3.
"""

from __future__ import annotations

import logging
import threading
import time
from binascii import b2a_base64
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote_to_bytes, urljoin, urlsplit

from .. import __version__
from ..hookspecs import hookimpl
from .outbox import Delivery, Outcome, WebhookRequest

if TYPE_CHECKING:
    import http.client

    from ..app import Server
    from ..clock import Clock
    from ..outbound import Deadline
    from ..settings import Settings

log = logging.getLogger("waxbill.delivery")

# What is read of an answer so that its connection can be used again; a longer one costs the connection.
_ANSWER_BYTES = 64 * 1024
# What of it goes into the log of attempts.
_SHOWN_BYTES = 500
_REDIRECTS = (301, 302, 303, 307, 308)


class WahaHeaders:
    """Plugin: the headers of WAHA's wire, and its signature over the bytes that are sent."""

    @hookimpl
    def waxbill_prepare_delivery(self, delivery: Delivery, request: WebhookRequest) -> None:
        headers = request.headers
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = f"waxbill/{__version__} (WAHA compatible)"
        headers["X-Webhook-Request-Id"] = delivery.request_id
        headers["X-Webhook-Timestamp"] = str(time.time_ns() // 1_000_000)
        credentials = urlsplit(request.url).netloc.rpartition("@")[0]
        if credentials:  # as axios does, which WAHA uses
            headers["Authorization"] = f"Basic {b2a_base64(unquote_to_bytes(credentials), newline=False).decode()}"
        for header in delivery.webhook.customHeaders or ():
            headers[header.name] = header.value
        key = delivery.webhook.hmac.key if delivery.webhook.hmac else None
        if key:
            import hmac  # 3.5 MB with OpenSSL's hashes: not before the first signed delivery

            headers["X-Webhook-Hmac"] = hmac.new(key.encode(), request.body, "sha512").hexdigest()
            headers["X-Webhook-Hmac-Algorithm"] = "sha512"


class StandardHeaders:
    """Plugin: the headers of Standard Webhooks (standardwebhooks.com), where the setting asks for them.

    The secret is the webhook's HMAC key: ``whsec_`` and base64, or any other text as its bytes.
    """

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.core.standard_webhooks

    @hookimpl
    def waxbill_prepare_delivery(self, delivery: Delivery, request: WebhookRequest) -> None:
        if not self._wanted:
            return
        now = str(int(time.time()))
        request.headers["webhook-id"] = delivery.event_id
        request.headers["webhook-timestamp"] = now
        key = delivery.webhook.hmac.key if delivery.webhook.hmac else None
        if key:
            import base64
            import binascii
            import hmac

            try:
                secret = (
                    base64.b64decode(key.removeprefix("whsec_"), validate=True) if "whsec_" in key else key.encode()
                )
            except binascii.Error:
                secret = key.encode()
            signed = b".".join((delivery.event_id.encode(), now.encode(), request.body))
            signature = base64.b64encode(hmac.new(secret, signed, "sha256").digest()).decode()
            request.headers["webhook-signature"] = f"v1,{signature}"


class HttpTransport:
    """Plugin: POSTs to http and https URLs. Each delivery thread keeps its own connections."""

    def __init__(self, settings: Settings) -> None:
        core = settings.core
        self._keep_alive = core.keep_alive
        self._allow_private = core.allow_private_addresses
        self._total_seconds = core.hook_total_seconds
        self._redirects = core.hook_redirects
        self._environment = settings.environment
        self._clock: Clock | None = None
        self._local = threading.local()

    @hookimpl
    def waxbill_startup(self, server: Server) -> None:
        self._clock = server.clock

    @hookimpl
    def waxbill_deliver(self, delivery: Delivery, request: WebhookRequest) -> Outcome | None:
        if not request.url.startswith(("http://", "https://")):
            return None
        import http.client  # 4.9 MB with TLS: not before the first delivery

        from ..outbound import Deadline, Refused

        started = time.monotonic()
        deadline = Deadline(self._clock, self._total_seconds)
        try:
            status, answer = self._follow(request, deadline)
        except (OSError, http.client.HTTPException, ValueError, Refused) as error:
            said = f"no whole answer within {self._total_seconds:g} s" if deadline.passed else error
            return Outcome(False, 0, f"{type(error).__name__}: {said}", time.monotonic() - started)
        finally:
            deadline.cancel()
        ok = 200 <= status < 300
        error_text = "" if ok else f"the receiver answered {status}"
        return Outcome(ok, status, error_text, time.monotonic() - started, answer)

    def _follow(self, request: WebhookRequest, deadline: Deadline) -> tuple[int, str]:
        """The answer, after as many redirects as the settings allow; each target is checked like the first."""
        from ..outbound import Refused

        url = request.url
        for _ in range(self._redirects + 1):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise Refused(f"the URL {url[:120]!r} is no http or https address")
            status, answer, target = self._send(parts, request, deadline)
            if status not in _REDIRECTS or not target or not self._redirects:
                return status, answer
            url = urljoin(url, target)
            if urlsplit(url)[:2] != parts[:2]:  # somebody else's server learns none of the secrets for this one
                request.headers = {name: value for name, value in request.headers.items() if _is_ours(name)}
        raise Refused(f"more than {self._redirects} redirects")

    def _send(self, url: SplitResult, request: WebhookRequest, deadline: Deadline) -> tuple[int, str, str | None]:
        """Sends on a kept connection if there is one, and on a fresh one when the receiver had closed that."""
        import http.client

        kept = self._connections().pop((url.scheme, url.netloc), None)
        if kept is not None:
            try:
                return self._exchange(kept, url, request, deadline)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                kept.close()  # closed while idle: not an answer, so not an attempt
                if deadline.passed:
                    raise
            except BaseException:
                kept.close()
                raise
        fresh = self._open(url, request.timeout_seconds, deadline)
        try:
            return self._exchange(fresh, url, request, deadline)
        except BaseException:
            fresh.close()
            raise

    def _open(self, url: SplitResult, timeout_seconds: float, deadline: Deadline) -> http.client.HTTPConnection:
        """A connection to an address that may be asked, or to the proxy that the environment names for it."""
        from ..outbound import check_literal, check_port, connect
        from .connection import HTTPConnection, HTTPSConnection

        host = str(url.hostname)
        port = url.port or (443 if url.scheme == "https" else 80)
        check_port(port)
        proxy = proxy_for(url.scheme, host, self._environment)
        if proxy is not None:
            check_literal(host, allow_private=self._allow_private)
            kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
            through = kind(proxy.hostname or "", proxy.port or 8080, timeout=timeout_seconds)
            if url.scheme == "https":
                through.set_tunnel(host, port)
            through.connect()
            through.auto_open = 0
            return through
        opened = HTTPConnection(url.netloc.rpartition("@")[2], timeout=timeout_seconds)
        opened.auto_open = 0  # never again by itself, to an address that was not checked
        opened.sock = connect(
            url.scheme,
            host,
            port,
            seconds=timeout_seconds,
            allow_private=self._allow_private,
            deadline=deadline,
        )
        return opened

    def _exchange(
        self, connection: http.client.HTTPConnection, url: SplitResult, request: WebhookRequest, deadline: Deadline
    ) -> tuple[int, str, str | None]:
        deadline.socket = connection.sock
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if connection.host != url.hostname and url.scheme == "http":
            path = f"http://{url.netloc}{path}"  # a proxy wants the whole address
        connection.request("POST", path, request.body, request.headers)
        answer = connection.getresponse()
        text = answer.read(_ANSWER_BYTES)
        if deadline.passed:  # what was cut off may look whole, a head too
            raise TimeoutError
        if answer.isclosed() and connection.sock is not None and self._keep_alive:
            self._connections()[url.scheme, url.netloc] = connection
        else:
            connection.close()
        return answer.status, text[:_SHOWN_BYTES].decode(errors="replace"), answer.getheader("Location")

    def _connections(self) -> dict[tuple[str, str], http.client.HTTPConnection]:
        found: dict[tuple[str, str], http.client.HTTPConnection] | None = getattr(self._local, "connections", None)
        if found is None:
            found = self._local.connections = {}
        return found


def _is_ours(header: str) -> bool:
    return header.lower().startswith(("x-webhook-", "webhook-", "content-type", "user-agent"))


def proxy_for(scheme: str, host: str, environment: Mapping[str, str]) -> SplitResult | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for a host; None to connect directly."""
    lowered = {name.lower(): value for name, value in environment.items() if name.lower().endswith("_proxy")}
    address = lowered.get(f"{scheme}_proxy")
    if not address:
        return None
    for exempt in lowered.get("no_proxy", "").split(","):
        exempt = exempt.strip().lstrip(".").lower()
        if exempt == "*" or (exempt and (host.lower() == exempt or host.lower().endswith(f".{exempt}"))):
            return None
    return urlsplit(address if "//" in address else f"http://{address}")
