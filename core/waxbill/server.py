"""The server process: waitress, its loop with requests that never wait, and an end that loses nothing.

Requests that need only the store run in the loop's own thread, all that arrived together sharing one commit; their
answers leave after it. The rest runs in threads that start when they are first needed. Built on waitress 3's channel,
task and dispatcher; ``tests/test_server.py`` notices when a release changes them.
"""

from __future__ import annotations

import copy
import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import falcon
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from .api.operation import HandOver, Later, NeedsThread, Parked, encode, too_large
from .intake import HEAD_BYTES, Intake, Parser, RequestTimeout
from .model.errors import Unavailable, WahaError

if TYPE_CHECKING:
    from .app import Server

log = logging.getLogger("waxbill.server")

# A thread that comes back from a lock or a system call waits for the interpreter up to this long behind a busy loop.
# Python's 5 ms makes 64 connections slower than 8; 20 us doubles the rate there and costs nothing elsewhere.
_SWITCH_SECONDS = 20e-6
# What is read of a file at once to be sent: the kernel's buffer may have megabytes.
_PIECE_BYTES = 256 * 1024
# An answer of which nothing was read for so long is given up.
_UNREAD_SECONDS = 60.0
# After a refusal, what the client still sends is dropped for so long: a connection that is closed on unread data is
# reset, and the client never reads why.
_LINGER_SECONDS = 2.0
# How long nobody is let in when all connections are busy, unless one of them ends before.
_FULL_SECONDS = 0.05
# Files of the store, of plugins and of what runs beside the connections.
_OTHER_FILES = 128
# A loop without anything to do still looks around this often (idle connections are closed then).
_ROUND_SECONDS = 1.0


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


class _Channel(HTTPChannel):
    """A connection whose answers, when made in the loop, stay in its buffer until the loop sends them."""

    error_task_class = _ErrorTask
    parser_class = Parser
    server: _Listener
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


class _PacedTask(WSGITask):
    """A request that knows itself, for a place in the line of its session's sends."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ["waxbill.request"] = self.request
        return environ


class _PacedChannel(_Channel):
    """For a server that paces its sends; the others don't pay for it."""

    task_class = _PacedTask


class _InThread:
    """A request on its way through a thread; one that finds that it has to wait for its turn goes back to the loop."""

    def __init__(self, loop: Loop, channel: _Channel) -> None:
        self._loop, self._channel = loop, channel

    def service(self) -> None:
        try:
            self._channel.service()
        except Later as later:
            self._loop.run_later(self._channel, later.due)

    def cancel(self) -> None:
        self._channel.cancel()


class _Listener(TcpWSGIServer):
    """The listening socket and its connections."""

    channel_class = _Channel
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

        idle: dict[str, list[_Channel]] = {}
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
            self._sleeps_until = time.time() + _ROUND_SECONDS  # asking again at once would change nothing
            return None

    def pull_trigger(self) -> None:
        """Wakes the loop, unless it is the loop that asks."""
        if not self.loop.in_loop():
            super().pull_trigger()


class _Threads(ThreadedTaskDispatcher):
    """Threads for requests that may wait, started one by one when all others are busy."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def add_task(self, task: Any) -> None:
        with self.lock:
            idle = len(self.threads) - self.active_count - len(self.queue)
            running = len(self.threads)
        if idle <= 0 and running < self._most:
            try:
                self.set_thread_count(running + 1)
            except RuntimeError as error:  # no memory for its stack
                log.error("No more threads can be started (%d run): %s", running, error)
                with self.lock:
                    self.threads.discard(max(self.threads, default=0))
                if not self.threads:
                    raise MemoryError from error
        super().add_task(task)


class Loop:
    """The server's one loop: reads requests, answers those that don't wait, runs timers, sends answers."""

    def __init__(self, server: Server, application: Any, host: str) -> None:
        core = server.settings.core
        self.server = server
        self.in_loop = server.in_loop
        self._ready: deque[_Channel] = deque()
        self._parked: dict[Parked, _Channel] = {}
        self._threads = _Threads(core.threads)
        self._stopping = False
        self._failures: tuple[type[Exception], ...] = (*server.store.errors, MemoryError)
        #: Those whose request waits for its turn.
        self._waiting: set[_Channel] = set()
        self.map: dict[int, Any] = {}
        adjustments = Adjustments(
            host=host,
            port=core.port,
            ident="waxbill",
            threads=core.threads,
            connection_limit=_room_for(core.max_connections, core.most_streams),
            max_request_header_size=HEAD_BYTES,
            max_request_body_size=core.max_body_mb * 1024 * 1024,
            channel_timeout=core.idle_seconds,
            **_trusted(core.trusted_proxy),
            cleanup_interval=1,
            # Bodies and answers beyond these go to temporary files instead of memory.
            inbuf_overflow=core.buffer_kb * 1024,
            outbuf_overflow=4 * core.buffer_kb * 1024,
            asyncore_use_poll=True,
        )
        adjustments.intake = Intake(server, local_only=not server.access.required and not core.no_api_key)
        adjustments.keep_alive = core.keep_alive
        # An answer's head and body leave in one piece. Set here, since waitress warns of the argument.
        adjustments.send_bytes = 64 * 1024
        adjustments.for_uploads = copy.copy(adjustments)
        # The file, and the form around it.
        adjustments.for_uploads.max_request_body_size = core.max_media_mb * 1024 * 1024 + 64 * 1024
        listeners = [
            _Listener(application, self.map, True, None, dispatcher=self, adj=adjustments, sockinfo=info)
            for info in adjustments.listen
        ]
        for listener in listeners:
            listener.loop = self
            if server.pace is not None:
                listener.channel_class = _PacedChannel
        self.listeners = listeners
        self._adjustments = (adjustments, adjustments.for_uploads)
        server.clock.wake = listeners[0].pull_trigger

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [(listener.effective_host, int(listener.effective_port)) for listener in self.listeners]

    # -- waitress calls these: it takes the loop for its dispatcher

    def add_task(self, channel: _Channel) -> None:
        """A request has arrived, or the one before it on its connection is answered."""
        if self.in_loop():
            self._ready.append(channel)
        else:
            self._threads.add_task(_InThread(self, channel))

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        return bool(self._threads.shutdown(cancel_pending, timeout))

    # -- the loop

    def run(self) -> None:
        """Runs until ``stop()``, then answers what has arrived and ends."""
        self.in_loop.ident = threading.get_ident()
        clock = self.server.clock
        while not self._stopping:
            wait = clock.seconds_to_next()
            if self._ready:  # somebody's turn has come
                wait = 0.0
            self._round(_ROUND_SECONDS if wait is None else min(wait, _ROUND_SECONDS))
            clock.run_due()
        self._drain()
        self.in_loop.ident = 0
        clock.wake = lambda: None

    def stop(self) -> None:
        """Ends the loop; a signal handler or any thread may call it."""
        self._stopping = True
        for adjustments in self._adjustments:
            adjustments.keep_alive = False
        self.listeners[0].trigger.pull_trigger()

    def _round(self, wait_seconds: float) -> None:
        wasyncore.poll2(wait_seconds, self.map)
        while self._ready:
            self._answer_all()

    def _answer_all(self) -> None:
        """Answers the requests that are ready, with one commit for all; what may wait goes to a thread."""
        channels = list(self._ready)
        self._ready.clear()
        answered: list[_Channel] = []
        server = self.server
        try:
            with server.store.group():
                for channel in channels:
                    request = channel.requests[0]
                    server.resumed, channel.parked = channel.parked, None
                    try:
                        channel.service()
                    except Parked as parked:
                        request.get_body_stream().seek(0)
                        self._park(channel, parked)
                    except NeedsThread:
                        request.get_body_stream().seek(0)
                        self._hand_on(channel)
                    except Later as later:
                        self.run_later(channel, later.due)
                    except HandOver as hand_over:
                        hand_over.take(channel.release())
                    else:
                        answered.append(channel)
        except self._failures as error:
            log.error("The store could not keep %d requests: %s", len(answered), error or "out of memory")
            for channel in answered:
                channel.retract()
        for channel in answered:
            if channel.connected:
                channel.handle_write()

    def run_later(self, channel: _Channel, due: float) -> None:
        """Runs a channel's request at a moment (monotonic); any thread may ask."""
        channel.requests[0].get_body_stream().seek(0)
        self._waiting.add(channel)
        self.server.clock.call_later(max(0.0, due - time.monotonic()), lambda: self._resume(channel))

    def _resume(self, channel: _Channel) -> None:
        """The turn of a request has come; that of a client that has gone is not used."""
        self._waiting.discard(channel)
        if channel.connected and channel.requests:
            if channel.has_left():
                channel.handle_close()
            else:
                self._ready.append(channel)

    def _send_away(self) -> None:
        """For the end: what waits for its turn is told that it was not sent."""
        for channel in list(self._waiting):
            self._waiting.discard(channel)
            if channel.connected and channel.requests:
                channel.requests[0].error = Unavailable("The server is stopping; nothing was sent. Try again.", 5)
                self._ready.append(channel)

    def _park(self, channel: _Channel, parked: Parked) -> None:
        """Keeps a request until what it waits for has happened."""
        channel.parked = parked
        self._parked[parked] = channel

        def again() -> None:
            if self._parked.pop(parked, None) is not None:
                self._ready.append(channel)
                channel.server.trigger.pull_trigger()

        parked.begin(again)

    def _hand_on(self, channel: _Channel) -> None:
        """Has a request answered in a thread; with 503 where there is no memory for one."""
        try:
            self._threads.add_task(_InThread(self, channel))
        except MemoryError:
            channel.retract()
            with channel.requests_lock:
                channel.requests.clear()

    def _drain(self) -> None:
        """Closes the door, then lets what runs finish for as long as the settings allow."""
        level = logging.ERROR if self.server.exit_code else logging.INFO
        log.log(level, "Stopping: %s", self.server.leaving or "asked to")
        for listener in self.listeners:
            listener.accepting = False
            listener.del_channel()
            listener.socket.close()
        self._send_away()
        while self._parked:
            parked, channel = self._parked.popitem()
            parked.over = True
            self._ready.append(channel)
        end = time.monotonic() + self.server.settings.core.stop_seconds
        while self._busy() and time.monotonic() < end:
            self._round(0.05)
            self.server.clock.run_due()  # what runs may wait for a session that is on its way
        self._threads.shutdown(cancel_pending=True, timeout=1)
        wasyncore.close_all(self.map)

    def _busy(self) -> bool:
        channels = [channel for channel in self.map.values() if isinstance(channel, _Channel)]
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def _trusted(proxy: str) -> dict[str, Any]:
    return {"trusted_proxy": proxy, "trusted_proxy_headers": {"x-forwarded-for"}} if proxy else {}


def _room_for(connections: int, streams: int) -> int:
    """How many connections there may be; lets the process have as many files as that takes, if the system does."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + streams + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    room = max(10, (soft - _OTHER_FILES) * connections // max(1, connections + streams))
    log.warning("This process may have %d files open, so there is room for %d connections (ulimit -n)", soft, room)
    return room


def bind_address(server: Server) -> str:
    """Where to listen: what was set; else everywhere with a key, and only on this machine without one."""
    core = server.settings.core
    if core.host:
        return core.host
    safe = server.access.required and not server.access.weak
    return "0.0.0.0" if safe or core.no_api_key else "127.0.0.1"  # noqa: S104


def serve(server: Server, application: Any) -> None:
    """Serves until SIGTERM or SIGINT; then ends the requests that run, the sessions and the deliveries.

    Raises OSError when the address can't be used.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    os.umask(0o077)  # whatever this process and its children write is for this user only
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it writes a line for every request that waits
    host = bind_address(server)
    loop = Loop(server, application, host)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: server.leave(f"asked to by {signal.Signals(number).name}"))
    server.end = loop.stop
    core = server.settings.core
    if not core.port and not core.base_url:
        server.files.base_url = f"{core.schema}://{core.hostname}:{loop.addresses[0][1]}"
    if server.workers is not None:
        server.workers.address = core.worker_url or _address(core.schema, host, loop.addresses[0][1])
    server.start()
    _announce(server, loop)
    try:
        loop.run()
    finally:
        server.close()


def _address(schema: str, host: str, port: int) -> str:
    """Where other workers reach this one, when it was not said: by the name of this machine, or on it alone."""
    return f"{schema}://{host if host.startswith('127.') else socket.gethostname()}:{port}"


def _announce(server: Server, loop: Loop) -> None:
    reading = server.reading
    driver = server.spec.title if server.spec else "no driver"
    log.info("waxbill: %s (%s mode): %s", driver, server.mode, server.choice.reason)
    log.info(
        "Memory: limit %.0f MB (%s), %.0f MB in use, profile %s",
        reading.limit_mb,
        reading.source,
        reading.used_mb,
        ", ".join(server.settings.profiles) or "none",
    )
    if not server.access.required:
        log.warning(
            "No API key is set (WAHA_API_KEY): everyone who reaches this address may send. %s",
            "" if server.settings.core.host or server.settings.core.no_api_key else "So only this machine can.",
        )
    elif server.access.weak:
        log.warning("WAHA_API_KEY is a key that everybody tries first, so only this machine can reach the server.")
    for host, port in loop.addresses:
        shown = f"[{host}]" if ":" in host else host
        log.info("Listening on http://%s:%d", shown, port)


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
