"""Idle housekeeping: a collection of garbage now and then, and free pages back to the kernel, where that pays."""

from __future__ import annotations

import logging
import os
import time

from waxbill import heap
from waxbill.memory import MIB, Reading, resident

log = logging.getLogger("waxbill.monitor")

_PAUSE_SECONDS = 30.0
# What the server has to have grown by since the last time; less is not worth the look.
_GROWN_MB = 2.0


def tidy() -> float:
    """Collects garbage, gives free pages back to the kernel, and answers how many MB that made the server smaller."""
    before = sum(resident(os.getpid()))
    heap.trim()
    return (before - sum(resident(os.getpid()))) / MIB


class Housekeeping:
    """Tidies at most every 30 s, and only when the server has grown since the last time."""

    def __init__(self) -> None:
        self.next_at = time.monotonic() + _PAUSE_SECONDS
        self._floor_mb = 0.0

    def look(self, reading: Reading) -> float | None:
        """Called after each reading that is nothing to worry about; answers the MB that were freed, or None."""
        size = reading.parts.get("server", reading.own_mb)
        if not self._floor_mb:
            self._floor_mb = size
        if reading.at < self.next_at or size < self._floor_mb + _GROWN_MB:
            return None
        freed = tidy()
        self.next_at = reading.at + _PAUSE_SECONDS
        self._floor_mb = size - freed
        log.debug("Housekeeping: freed %.1f of %.1f MB", freed, size)
        return freed
