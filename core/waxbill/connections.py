"""Connections under waitress's: their limits, their errors in WAHA's JSON, and answers that wait for the commit.

Built on waitress 3's channel, task and server; ``tests/test_server.py`` notices when a release changes them.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import falcon
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import build_http_date

from .api.operation import Parked, encode
from .api.reading import too_large
from .intake import Parser, RequestTimeout
from .model.errors import WahaError

if TYPE_CHECKING:
    from .server import Loop

log = logging.getLogger("waxbill.server")

# What is read of a file at once to be sent: the kernel's buffer may have megabytes.
_PIECE_BYTES = 256 * 1024
# An answer of which nothing was read for so long is given up.
_UNREAD_SECONDS = 60.0
# After a refusal, what the client still sends is dropped for so long: a connection that is closed on unread data is
# reset, and the client never reads why.
_LINGER_SECONDS = 2.0
# How long nobody is let in when all connections are busy, unless one of them ends before.
_FULL_SECONDS = 0.05
# How long nobody is let in when no more files can be opened.
_NO_FILES_SECONDS = 1.0


class _ErrorTask(ErrorTask):
    """What waitress itself refuses (a body too large, a malformed request), in WAHA's JSON."""

    def execute(self) -> None:
        error = self.request.error
        if isinstance(error, WahaError):
            self.status = falcon.util.code_to_http_status(error.status)
            body = encode(error.body())
            self.response_headers += error.headers().items()
        else:
            text = too_large(self.request.adj.max_request_body_size) if error.code == 413 else error.body
            body = encode({"message": text, "error": error.reason, "statusCode": error.code})
            self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json; charset=utf-8"))
        self.response_headers.append(("Access-Control-Allow-Origin", "*"))
        self.response_headers.append(("X-Content-Type-Options", "nosniff"))
        self.response_headers.append(("Connection", "close"))
        self.set_close_on_finish()
        self.channel.lingers = True
        self.content_length = len(body)
        self.write(body)


@lru_cache(maxsize=256)
def _proper(header: str) -> str:
    return "-".join(part.capitalize() for part in header.split("-"))


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return str(build_http_date(second))


class _Task(WSGITask):
    """A request; the head of its answer is the one of waitress, in a third of the time where it is as most are."""

    def build_response_header(self) -> bytes:
        if self.version == "1.1" and self.has_body and "CONNECTION" not in self.request.headers:
            headers = [(_proper(name), value) for name, value in self.response_headers]
            names = {name for name, _ in headers}
            if "Content-Length" in names and names.isdisjoint(("Date", "Server")):
                headers += ("Date", _date(int(self.start_time))), ("Server", self.channel.server.adj.ident)
                headers.sort(key=itemgetter(0))
                lines = "\r\n".join([f"{name}: {value}" for name, value in headers])
                return f"HTTP/1.1 {self.status}\r\n{lines}\r\n\r\n".encode("latin-1")
        return bytes(super().build_response_header())


class Channel(HTTPChannel):
    """A connection whose answers, when made in the loop, stay in its buffer until the loop sends them."""

    task_class = _Task
    error_task_class = _ErrorTask
    parser_class = Parser
    server: Listener
    #: Whether what the client still sends is read and dropped after the answer, so that it gets to read that.
    lingers = False
    #: Until when, once the answer has left; 0 before.
    _lingers_until = 0.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.sendbuf_len = min(self.sendbuf_len, _PIECE_BYTES)

    #: What its request waits for, or has waited for.
    parked: Parked | None = None

    def write_soon(self, data: Any) -> int:
        if not data or not isinstance(data, bytes) or not self.server.loop.in_loop():
            return int(super().write_soon(data))
        # Only this thread touches the buffer now: no lock, and no sending before the commit.
        if self.current_outbuf_count >= self.adj.outbuf_high_watermark:
            self.outbufs.append(OverflowableBuffer(self.adj.outbuf_overflow))
            self.current_outbuf_count = 0
        self.outbufs[-1].append(data)
        self.current_outbuf_count += len(data)
        self.total_outbufs_len += len(data)
        return len(data)

    def _flush_outbufs_below_high_watermark(self) -> None:
        if not self.server.loop.in_loop():  # the loop would wait for itself here
            super()._flush_outbufs_below_high_watermark()

    # -- limits; the loop calls these

    def check_time(self, now: float) -> None:
        """Ends a connection whose request does not come in, whose answer is not read, or that does nothing."""
        request = self.request
        if self._lingers_until:
            if now > self._lingers_until:
                super().handle_close()
        elif self.total_outbufs_len:
            if now - self.last_activity > _UNREAD_SECONDS:
                self.will_close = True
        elif self.requests:
            if request is not None:
                request.begun = now  # it could not go on: the one before it is not answered yet
        elif request is not None and request.overdue(now):
            self.request = None
            request.refuse(RequestTimeout("The request came in too slowly and was given up."))
            self.requests.append(request)
            self.server.add_task(self)
        elif now - self.last_activity > self.adj.channel_timeout:
            self.will_close = True

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer on it."""
        return not (self.requests or self.total_outbufs_len or self.will_close)

    def has_left(self) -> bool:
        """Whether the client has closed its connection, although it is not read from."""
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def readable(self) -> bool:
        # waitress's own condition (nothing is read ahead), without its detours: the loop asks this of all connections
        return bool(self._lingers_until) or not (
            self.requests or self.total_outbufs_len or self.will_close or self.close_when_flushed
        )

    def handle_read(self) -> None:
        if not self._lingers_until:
            super().handle_read()
            return
        try:
            gone = not self.socket.recv(64 * 1024)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            super().handle_close()

    def handle_close(self) -> None:
        if self.lingers and not self._lingers_until and self.connected:
            self.will_close = self.close_when_flushed = False
            self._lingers_until = time.time() + _LINGER_SECONDS
            try:
                self.socket.shutdown(socket.SHUT_WR)
                return
            except OSError:
                pass  # the client is gone
        super().handle_close()

    def del_channel(self, map: Any = None) -> None:
        for request in (self.request, *self.requests):
            if request is not None:
                request.forget()
        super().del_channel(map)

    def release(self) -> socket.socket:
        """Lets go of the connection for somebody else to go on with it."""
        self.del_channel()
        self.connected = False
        self.requests.clear()
        released: socket.socket = self.socket
        return released

    def retract(self) -> None:
        """Replaces an answer that was made but not sent: what it promised could not be kept."""
        for buffer in self.outbufs:
            buffer.close()
        body = encode(
            {
                "message": "The store can't be written now. Nothing was changed; try again.",
                "error": "Service Unavailable",
                "statusCode": 503,
            }
        )
        head = (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
        )
        self.outbufs = [OverflowableBuffer(self.adj.outbuf_overflow)]
        self.outbufs[0].append(head.encode() + body)
        self.current_outbuf_count = self.total_outbufs_len = len(head) + len(body)
        self.close_when_flushed = True


class _PacedTask(_Task):
    """A request that knows itself, for a place in the line of its session's sends."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ["waxbill.request"] = self.request
        return environ


class PacedChannel(Channel):
    """For a server that paces its sends; the others don't pay for it."""

    task_class = _PacedTask


class Listener(TcpWSGIServer):
    """The listening socket and its connections."""

    channel_class = Channel
    loop: Loop
    _sleeps_until = 0.0

    def maintenance(self, now: float) -> None:
        for channel in list(self.active_channels.values()):
            channel.check_time(now)

    def readable(self) -> bool:
        now = time.time()
        if now >= self.next_channel_cleanup:
            self.next_channel_cleanup = now + self.adj.cleanup_interval
            self.maintenance(now)
        return bool(self.accepting) and now >= self._sleeps_until

    def handle_accept(self) -> None:
        if len(self._map) < self.adj.connection_limit or self.make_room():
            super().handle_accept()
        else:
            self._sleeps_until = time.time() + _FULL_SECONDS  # every connection has a request that is being answered

    def make_room(self) -> bool:
        """Closes connections that wait for nothing: of the source that has most of them, the longest idle first.
        False when there are none.

        So whoever opens many can only push out their own.
        """
        from .limits import source

        idle: dict[str, list[Channel]] = {}
        for channel in self.active_channels.values():
            if channel.idle:
                idle.setdefault(source(channel.addr[0]), []).append(channel)
        if not idle:
            return False
        _, _, most = max((len(channels), name, channels) for name, channels in idle.items())
        most.sort(key=lambda channel: channel.last_activity)
        for channel in most[: max(1, len(most) // 10)]:
            channel.lingers = False
            channel.will_close = True  # the loop closes it in its next round
        return True

    def accept(self) -> Any:
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                raise
            log.error("A connection could not be taken: %s", error)
            self.make_room()
            self._sleeps_until = time.time() + _NO_FILES_SECONDS  # asking again at once would change nothing
            return None

    def pull_trigger(self) -> None:
        """Wakes the loop, unless it is the loop that asks."""
        if not self.loop.in_loop():
            super().pull_trigger()
