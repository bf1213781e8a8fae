"""Paced sends: so many messages a minute per session, with gaps that vary; who sends by clockwork is soon banned.

A send that comes too early is not refused: its request waits for its turn, without a thread, and is answered when the
message has left. Nothing is accepted that is not sent. A queue that is full, or too long, answers 429 at once.
Imported only where sends are paced.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING

import msgspec

from .model.errors import TooManyRequests

if TYPE_CHECKING:
    from .settings import CoreSettings


class Turn(msgspec.Struct):
    """A send's place: when it is due (monotonic seconds), how many were before it (its own place counted), and since
    when it waits."""

    due: float
    position: int
    since: float


class _Line:
    """The sends of one session: when the next one may leave, and who waits."""

    __slots__ = ("free_at", "waiting")

    def __init__(self) -> None:
        self.free_at = 0.0
        self.waiting: list[Turn] = []


def _random() -> float:
    """From -1 to 1; the random module would cost an idle server its memory."""
    return int.from_bytes(os.urandom(4), "big") / 2**31 - 1.0


class Pace:
    """The lines of all sessions. Any thread may call it."""

    def __init__(self, core: CoreSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = core.sends_per_minute
        self._jitter = core.sends_jitter
        self._most_waiting = core.sends_queue
        self._most_seconds = core.sends_wait_seconds
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()

    def turn(self, session: str) -> Turn | None:
        """A place in the line of a session; None when a message may leave now. Raises TooManyRequests."""
        now = self._clock()
        with self._lock:
            line = self._line(session, now)
            due = max(line.free_at, now)
            waits = due - now
            if len(line.waiting) >= self._most_waiting or waits > self._most_seconds:
                until_room = line.waiting[0].due - now if line.waiting else waits - self._most_seconds
                raise TooManyRequests(
                    f"{len(line.waiting)} messages of the session '{session}' wait for their turn, "
                    f"{self._per_minute:g} a minute (WAXBILL_SENDS_PER_MINUTE); this one would leave in {waits:.0f} s.",
                    max(1, ceil(until_room)),
                )
            line.free_at = due + 60.0 / self._per_minute * (1.0 + self._jitter * _random())
            if not waits:
                return None
            turn = Turn(due, len(line.waiting) + 1, now)
            line.waiting.append(turn)
            return turn

    def state(self, session: str) -> tuple[float, int, float]:
        """How a session's sends are paced now: messages a minute, how many wait, and in how many seconds a new one
        would leave."""
        now = self._clock()
        with self._lock:
            line = self._line(session, now)
            return self._per_minute, len(line.waiting), round(max(0.0, line.free_at - now), 1)

    def _line(self, session: str, now: float) -> _Line:
        line = self._lines.setdefault(session, _Line())
        line.waiting = [turn for turn in line.waiting if turn.due > now]
        return line

    def forget(self, session: str) -> None:
        self._lines.pop(session, None)
