"""The clock: what must happen later, run by whoever owns the loop, so that waiting costs no thread.

The server's loop runs what is due between two rounds of requests; tests run it by hand or in a thread.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger("waxbill.clock")

# Below this many timers, those that were cancelled are not looked for.
_FEW = 64


class Timer:
    """Something that will be done; ``cancel()`` from any thread keeps it from being done."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], object]) -> None:
        self.action: Callable[[], object] | None = action

    def cancel(self) -> None:
        self.action = None


def now_ms() -> int:
    """Unix ms."""
    return time.time_ns() // 1_000_000


class Clock:
    """Timers by the monotonic clock. Any thread may set one; one thread at a time may call ``run_due``."""

    def __init__(self) -> None:
        #: What time it is on WhatsApp: events and statuses carry it. A driver that simulates time puts its own here.
        self.now_ms: Callable[[], int] = now_ms
        self._lock = threading.Lock()
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = itertools.count()
        self._tidy_at = _FEW
        #: Called (by any thread) when a timer is set that is due before all others.
        self.wake: Callable[[], object] = lambda: None

    def call_later(self, delay_seconds: float, action: Callable[[], object]) -> Timer:
        """Does ``action`` once, in the loop's thread, when the delay is over. It must not block."""
        timer = Timer(action)
        due = time.monotonic() + delay_seconds
        with self._lock:
            if len(self._heap) >= self._tidy_at:
                self._tidy()
            heapq.heappush(self._heap, (due, next(self._count), timer))
            first = self._heap[0][2] is timer
        if first:
            self.wake()
        return timer

    def _tidy(self) -> None:
        """Drops what was cancelled: most timers are, long before they are due. The lock is held."""
        self._heap[:] = [entry for entry in self._heap if entry[2].action is not None]
        heapq.heapify(self._heap)
        self._tidy_at = max(_FEW, 2 * len(self._heap))

    def seconds_to_next(self) -> float | None:
        """How long until something is due: 0 when it is already, None when nothing waits."""
        with self._lock:
            while self._heap and self._heap[0][2].action is None:
                heapq.heappop(self._heap)
            return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def run_due(self) -> int:
        """Does everything that is due and says how much that was. One that raises is logged, the rest goes on."""
        done = 0
        while True:
            with self._lock:
                if not self._heap or self._heap[0][0] > time.monotonic():
                    return done
                action = heapq.heappop(self._heap)[2].action
            if action is None:
                continue
            done += 1
            try:
                action()
            except Exception:
                log.exception("A timed action failed: %r", action)
