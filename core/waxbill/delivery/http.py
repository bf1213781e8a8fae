"""The transport for http and https, and WAHA's headers. Registered as plugins of the core, like anybody else's.

Each delivery thread keeps one connection per host (``connection.py``), to the last few of them.
"""

from __future__ import annotations

import logging
import threading
import time
from binascii import b2a_base64
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, unquote_to_bytes, urljoin, urlsplit

from .. import __version__
from ..hookspecs import hookimpl
from .outbox import Delivery, Outcome, WebhookRequest

if TYPE_CHECKING:
    import socket

    from ..app import Server
    from ..clock import Clock
    from ..settings import Settings
    from .connection import Answer, Connection

log = logging.getLogger("waxbill.delivery")

# What of an answer goes into the log of attempts.
_SHOWN_BYTES = 500
# How many connections a delivery thread keeps: each is a file descriptor, and there may be hundreds of receivers.
_KEPT = 8
# After this long without a delivery a kept connection is looked at before it is used.
_IDLE_SECONDS = 0.05
_REDIRECTS = (301, 302, 303, 307, 308)
# The headers that are the same for all receivers, or say nothing about this one.
_OURS = {
    "content-type", "user-agent", "x-webhook-request-id", "x-webhook-timestamp", "x-webhook-hmac",
    "x-webhook-hmac-algorithm", "webhook-id", "webhook-timestamp", "webhook-signature",
}  # fmt: skip


class WahaHeaders:
    """Plugin: the headers of WAHA's wire, and its signature over the bytes that are sent."""

    @hookimpl
    def waxbill_prepare_delivery(self, delivery: Delivery, request: WebhookRequest) -> None:
        headers = request.headers
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = f"waxbill/{__version__} (WAHA compatible)"
        headers["X-Webhook-Request-Id"] = delivery.request_id
        headers["X-Webhook-Timestamp"] = str(time.time_ns() // 1_000_000)
        credentials = _credentials(request.url)
        if credentials:  # as axios does, which WAHA uses
            headers["Authorization"] = credentials
        for header in delivery.webhook.customHeaders or ():
            headers[header.name] = header.value
        key = delivery.webhook.hmac.key if delivery.webhook.hmac else None
        if key:
            import hmac  # 3.5 MB with OpenSSL's hashes: not before the first signed delivery

            headers["X-Webhook-Hmac"] = hmac.digest(key.encode(), request.body, "sha512").hex()
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


class _Target(NamedTuple):
    """A URL taken apart: ``server`` is whose connection it goes over, ``path`` has the query."""

    url: SplitResult
    server: tuple[str, str]
    path: str


@lru_cache(maxsize=64)
def _credentials(url: str) -> str:
    credentials = urlsplit(url).netloc.rpartition("@")[0]
    return f"Basic {b2a_base64(unquote_to_bytes(credentials), newline=False).decode()}" if credentials else ""


@lru_cache(maxsize=64)
def _target(url: str) -> _Target:
    from ..outbound import Refused

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"the URL {url[:120]!r} is no http or https address")
    return _Target(
        parts, (parts.scheme, parts.netloc), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    )


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
        from ..outbound import Refused
        from .connection import BadAnswer

        started = time.monotonic()
        end = started + self._total_seconds
        try:
            status, answer = self._follow(request, end)
        except (OSError, BadAnswer, ValueError, Refused) as error:
            now = time.monotonic()
            said = f"no whole answer within {self._total_seconds:g} s" if now >= end else error
            return Outcome(False, 0, f"{type(error).__name__}: {said}", now - started)
        ok = 200 <= status < 300
        error_text = "" if ok else f"the receiver answered {status}"
        return Outcome(ok, status, error_text, time.monotonic() - started, answer)

    def _follow(self, request: WebhookRequest, end: float) -> tuple[int, str]:
        """The answer, after as many redirects as the settings allow; each target is checked like the first."""
        from ..outbound import Refused

        url = request.url
        for _ in range(self._redirects + 1):
            target = _target(url)
            answer = self._send(target, request, end)
            if answer.status not in _REDIRECTS or not answer.location or not self._redirects:
                return answer.status, answer.text[:_SHOWN_BYTES].decode(errors="replace")
            url = urljoin(url, answer.location)
            if urlsplit(url)[:2] != target.url[:2]:  # somebody else's server learns none of the secrets for this one
                request.headers = {name: value for name, value in request.headers.items() if name.lower() in _OURS}
        raise Refused(f"more than {self._redirects} redirects")

    def _send(self, target: _Target, request: WebhookRequest, end: float) -> Answer:
        """Sends on a kept connection if there is one, and on a fresh one when the receiver had closed that."""
        kept = self._connections().pop(target.server, None)
        if kept is not None and time.monotonic() - kept.answered_at > _IDLE_SECONDS and not kept.is_quiet():
            kept.close()
            kept = None
        if kept is not None:
            try:
                return self._exchange(kept, target, request, end)
            except (ConnectionResetError, BrokenPipeError):
                if time.monotonic() >= end:
                    raise
                # closed while idle: not an answer, so not an attempt
        return self._exchange(self._open(target.url, request.timeout_seconds, end), target, request, end)

    def _open(self, url: SplitResult, timeout_seconds: float, end: float) -> Connection:
        """A connection to an address that may be asked, or to the proxy that the environment names for it."""
        from ..outbound import Deadline, check_literal, check_port, connect
        from .connection import Connection

        host = str(url.hostname)
        port = url.port or (443 if url.scheme == "https" else 80)
        check_port(port)
        proxy = proxy_for(url.scheme, host, self._environment)
        deadline = Deadline(self._clock, end - time.monotonic())
        try:
            if proxy is not None:
                check_literal(host, allow_private=self._allow_private)
                through = _through(proxy, url.scheme, host, port, timeout_seconds)
                name = _host_header(url)
                return Connection(through, name, f"http://{name}" if url.scheme == "http" else "")
            connected = connect(
                url.scheme,
                host,
                port,
                seconds=timeout_seconds,
                allow_private=self._allow_private,
                deadline=deadline,
            )
            return Connection(connected, _host_header(url))
        finally:
            deadline.cancel()

    def _exchange(self, connection: Connection, target: _Target, request: WebhookRequest, end: float) -> Answer:
        kept = False
        try:
            answer = connection.post(target.path, request.headers, request.body, request.timeout_seconds, end)
            kept = answer.kept and self._keep_alive
        finally:
            if not kept:
                connection.close()
        if kept:
            connections = self._connections()
            connections[target.server] = connection
            if len(connections) > _KEPT:  # the first is the one that was not used for the longest time
                connections.pop(next(iter(connections))).close()
        return answer

    def _connections(self) -> dict[tuple[str, str], Connection]:
        found: dict[tuple[str, str], Connection] | None = getattr(self._local, "connections", None)
        if found is None:
            found = self._local.connections = {}
        return found


def _host_header(url: SplitResult) -> str:
    """As the URL has it, in ASCII, without a port that goes without saying."""
    host, port = str(url.hostname), url.port
    name = f"[{host}]" if ":" in host else host if host.isascii() else host.encode("idna").decode()
    return name if port in (None, 443 if url.scheme == "https" else 80) else f"{name}:{port}"


def _through(proxy: SplitResult, scheme: str, host: str, port: int, timeout_seconds: float) -> socket.socket:
    """A connection through a proxy: to the proxy itself for http, a tunnel with TLS for https. Raises OSError."""
    import http.client  # 2 MB

    try:
        if scheme == "http":
            through = http.client.HTTPConnection(proxy.hostname or "", proxy.port or 8080, timeout=timeout_seconds)
        else:
            through = http.client.HTTPSConnection(proxy.hostname or "", proxy.port or 8080, timeout=timeout_seconds)
            through.set_tunnel(host, port)
        through.connect()
    except http.client.HTTPException as error:
        raise OSError(f"the proxy {proxy.hostname}: {error}") from error
    return through.sock


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
