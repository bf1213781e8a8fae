"""What this plugin gives to waxbill: deliveries to ``redis:`` and ``rediss:`` URLs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from waxbill import hookimpl
from waxbill.delivery.outbox import Delivery, Outcome, WebhookRequest

if TYPE_CHECKING:
    import redis

    from waxbill.app import Server


@hookimpl
def waxbill_startup(server: Server) -> None:
    server.plugins.register("redis-streams", Streams(allow_private=server.settings.core.allow_private_addresses))


def _parts(url: SplitResult) -> tuple[str, str, int | None]:
    """The server's URL, the stream's name and its most entries; raises ValueError for a URL without a stream."""
    *database, stream = url.path.strip("/").split("/")
    if not stream or len(database) > 1 or not all(each.isdigit() for each in database):
        raise ValueError("the URL must end with the stream: redis://host:6379/stream or redis://host:6379/2/stream")
    most = parse_qs(url.query).get("maxlen", [""])[0]
    server = urlunsplit((url.scheme, url.netloc, f"/{database[0] if database else 0}", "", ""))
    return server, stream, int(most) if most.isdigit() else None


class Streams:
    """The deliveries of one server."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._lock = threading.Lock()
        self._clients: dict[str, redis.Redis] = {}

    def _client(self, server: str, timeout_seconds: float) -> redis.Redis:
        """The client of a server: it has a pool of connections, to checked addresses, and is shared by all threads."""
        import redis  # 9 MB: only where a webhook goes to Redis

        from .connection import Checked, CheckedTls

        with self._lock:
            if server not in self._clients:
                options: dict[str, Any] = {"socket_timeout": timeout_seconds, "socket_connect_timeout": timeout_seconds}
                pool: Any = redis.ConnectionPool.from_url(server, **options)
                pool.connection_class = CheckedTls if server.startswith("rediss:") else Checked
                pool.connection_kwargs["allow_private"] = self._allow_private
                self._clients[server] = redis.Redis(connection_pool=pool)
            return self._clients[server]

    @hookimpl
    def waxbill_deliver(self, delivery: Delivery, request: WebhookRequest) -> Outcome | None:
        url = urlsplit(request.url)
        if url.scheme not in ("redis", "rediss"):
            return None
        import redis

        from waxbill.outbound import Refused

        begun = time.monotonic()
        entry: dict[Any, Any] = {
            "id": delivery.event_id,
            "event": delivery.event,
            "session": delivery.session,
            "body": request.body,
        }
        try:
            server, stream, most = _parts(url)
            self._client(server, request.timeout_seconds).xadd(stream, entry, maxlen=most, approximate=True)
        except (ValueError, redis.RedisError, OSError, Refused) as error:
            return Outcome(False, 0, f"{type(error).__name__}: {error}", time.monotonic() - begun)
        return Outcome(True, 200, seconds=time.monotonic() - begun)

    @hookimpl
    def waxbill_shutdown(self) -> None:
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
