"""Limits by time: how often a caller may ask, and how often somebody may guess. Off, they cost nothing."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from math import ceil

from .model.errors import TooManyRequests

log = logging.getLogger("waxbill")

# More callers than this are not told apart: then all begin anew.
_MOST_NAMES = 10_000
# Guesses that cost nothing, then a second of waiting that doubles with each, up to a quarter of an hour.
_FREE_GUESSES = 5
_LONGEST_SECONDS = 900.0


def source(address: str) -> str:
    """Who an address is for counting: one IPv4 address, or the network that one customer has of IPv6."""
    if ":" not in address:
        return address
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):  # a proxy says so
        return address[:64]
    mapped = packed[:12] == bytes(10) + b"\xff\xff"
    return socket.inet_ntoa(packed[12:]) if mapped else packed[:8].hex()


class Rate:
    """Lets each name through so often a minute, and ``burst`` times at once. Any thread may call it.

    One number per name: when its next request is due if they came evenly (the generic cell rate algorithm of ATM).
    """

    def __init__(self, per_minute: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 60.0 / per_minute
        self._tolerance = (burst - 1) * self._interval
        self._clock = clock
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, name: str) -> float:
        """Counts a request; or, when it is too many, how many seconds to wait before the next."""
        now = self._clock()
        with self._lock:
            due = max(self._due.get(name, now), now)
            if due - now > self._tolerance + 1e-9:
                return due - now - self._tolerance
            if len(self._due) >= _MOST_NAMES:
                self._due = {each: moment for each, moment in self._due.items() if moment > now}
                if len(self._due) >= _MOST_NAMES:
                    self._due.clear()
            self._due[name] = due + self._interval
        return 0.0

    def check(self, name: str) -> None:
        """Counts a request; raises TooManyRequests when it is one too many."""
        seconds = self.wait(name)
        if seconds:
            raise TooManyRequests("Too many requests with this key (WAXBILL_RATE_LIMIT).", ceil(seconds))


class Guesses:
    """Counts wrong passwords by where they come from, and makes whoever guesses wait longer and longer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def check(self, source: str) -> None:
        """Raises TooManyRequests when it is too early for another guess; the right password does not help then."""
        _, until = self._wrong.get(source, (0, 0.0))
        left = until - self._clock()
        if left > 0:
            raise TooManyRequests("Too many wrong passwords; wait before the next try.", ceil(left))

    def note(self, source: str, *, right: bool) -> None:
        """Notes how a guess went."""
        with self._lock:
            if right:
                self._wrong.pop(source, None)
                return
            count = self._wrong.pop(source, (0, 0.0))[0] + 1
            seconds = min(2.0 ** (count - _FREE_GUESSES), _LONGEST_SECONDS) if count >= _FREE_GUESSES else 0.0
            self._wrong[source] = (count, self._clock() + seconds)
            if len(self._wrong) > _MOST_NAMES:
                self._wrong.pop(next(iter(self._wrong)))
        log.warning("A wrong password came from %s (%d so far)", source, count)
