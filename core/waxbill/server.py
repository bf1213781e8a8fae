"""The server process: waitress, its loop with requests that never wait, and an end that loses nothing.

Requests that need only the store run in the loop's own thread, all that arrived together sharing one commit; their
answers leave after it. The rest runs in threads that start when they are first needed.
"""

from __future__ import annotations

import copy
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from .api.operation import HandOver, NeedsThread, Parked
from .connections import Channel, Listener, PacedChannel
from .intake import HEAD_BYTES, Intake

if TYPE_CHECKING:
    from .app import Server

log = logging.getLogger("waxbill.server")

# A thread that comes back from a lock or a system call waits for the interpreter up to this long behind a busy loop.
# Python's 5 ms makes 64 connections slower than 8; 20 us doubles the rate there and costs nothing elsewhere.
_SWITCH_SECONDS = 20e-6
# Files of the store, of plugins and of what runs beside the connections.
_OTHER_FILES = 128
# A loop without anything to do still looks around this often (idle connections are closed then).
_ROUND_SECONDS = 1.0


class _InThread:
    """A request on its way through a thread; one that has to wait for something goes back to the loop."""

    def __init__(self, loop: Loop, channel: Channel) -> None:
        self._loop, self._channel = loop, channel

    def service(self) -> None:
        try:
            self._channel.service()
        except Parked as parked:
            self._loop.park(self._channel, parked)

    def cancel(self) -> None:
        self._channel.cancel()


class _Threads(ThreadedTaskDispatcher):
    """Threads for requests that may wait, started one by one when all others are busy."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def add_task(self, task: Any) -> None:
        with self.lock:
            idle = len(self.threads) - self.active_count - len(self.queue)
            running = len(self.threads)
        if not running:
            from .heap import share_one

            share_one()
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
        self._ready: deque[Channel] = deque()
        self._parked: dict[Parked, Channel] = {}
        self._threads = _Threads(core.threads)
        self._stopping = False
        self._failures: tuple[type[Exception], ...] = (*server.store.errors, MemoryError)
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
            Listener(application, self.map, True, None, dispatcher=self, adj=adjustments, sockinfo=info)
            for info in adjustments.listen
        ]
        for listener in listeners:
            listener.loop = self
            if server.pace is not None:
                listener.channel_class = PacedChannel
        self.listeners = listeners
        self._adjustments = (adjustments, adjustments.for_uploads)
        server.clock.wake = listeners[0].pull_trigger

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [(listener.effective_host, int(listener.effective_port)) for listener in self.listeners]

    # -- waitress calls these: it takes the loop for its dispatcher

    def add_task(self, channel: Channel) -> None:
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
            if self._ready:  # what somebody waited for has happened
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
        answered: list[Channel] = []
        server = self.server
        try:
            with server.store.group():
                for channel in channels:
                    parked, channel.parked = channel.parked, None
                    if parked is not None and parked.needs_client and channel.has_left():
                        channel.handle_close()
                        continue
                    server.resumed = parked
                    try:
                        channel.service()
                    except Parked as waiting:
                        self.park(channel, waiting)
                    except NeedsThread:
                        channel.requests[0].get_body_stream().seek(0)
                        self._hand_on(channel)
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

    def park(self, channel: Channel, parked: Parked) -> None:
        """Keeps a request until what it waits for has happened; any thread may ask."""
        # One that is raised again and again would keep the frames of each time, with all that they hold.
        parked.with_traceback(None)
        channel.requests[0].get_body_stream().seek(0)
        channel.parked = parked
        self._parked[parked] = channel
        parked.begin(lambda: self._resume(parked))
        if self._stopping:
            self._give_up(parked)

    def _resume(self, parked: Parked) -> None:
        channel = self._parked.pop(parked, None)
        if channel is not None:
            self._ready.append(channel)
            channel.server.trigger.pull_trigger()

    def _give_up(self, parked: Parked) -> None:
        parked.over = True
        self._resume(parked)

    def _hand_on(self, channel: Channel) -> None:
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
        for parked in list(self._parked):
            self._give_up(parked)
        end = time.monotonic() + self.server.settings.core.stop_seconds
        while self._busy() and time.monotonic() < end:
            self._round(0.05)
            self.server.clock.run_due()  # what runs may wait for a session that is on its way
        self._threads.shutdown(cancel_pending=True, timeout=1)
        wasyncore.close_all(self.map)

    def _busy(self) -> bool:
        channels = [channel for channel in self.map.values() if isinstance(channel, Channel)]
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
