"""The watch: measures memory at intervals, judges it, and asks all plugins to free some when it gets tight."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from waxbill.memory import Reading

if TYPE_CHECKING:
    from waxbill.app import Server

log = logging.getLogger("waxbill.monitor")

#: From harmless to serious.
LEVELS = ("normal", "elevated", "high", "critical")
# Where the threshold is derived: 70 % of the limit, as 350 MB are of 512 MB.
_SHARE_OF_LIMIT = 0.7
_ELEVATED, _CRITICAL = 0.85, 1.2
_KEPT = 60


def level(reading: Reading, threshold_mb: float) -> str:
    """The level of a measurement: by its share of the threshold."""
    share = reading.used_mb / (threshold_mb or _SHARE_OF_LIMIT * reading.limit_mb)
    if share >= _CRITICAL:
        return "critical"
    if share >= 1:
        return "high"
    return "elevated" if share >= _ELEVATED else "normal"


class Watch:
    """Runs in the server's loop: an idle server needs no thread for it."""

    def __init__(self, server: Server, check_seconds: float) -> None:
        self._server = server
        self._check_seconds = check_seconds
        self.level = "normal"
        self.history: deque[Reading] = deque(maxlen=_KEPT)

    def begin(self) -> None:
        self._server.clock.call_later(self._check_seconds, self._again)

    def _again(self) -> None:
        try:
            self.check()
        finally:
            self.begin()

    def check(self) -> Reading:
        """One measurement and what follows from it."""
        server = self._server
        reading = server.read_memory()
        before = self.level
        found = server.plugins.first(
            "waxbill_memory_level", reading=reading, history=list(self.history), settings=server.settings
        )
        self.history.append(reading)
        if found not in LEVELS:
            log.error("A plugin calls the memory level %r; levels are %s", found, ", ".join(LEVELS))
            return reading
        self.level = found
        if found != before:
            log.warning("Memory is %s: %.0f of %.0f MB in use", found, reading.used_mb, reading.limit_mb)
        if LEVELS.index(found) > LEVELS.index(before):
            for done in server.plugins.call(
                "waxbill_relieve_memory", rung="collect", level=found, reading=reading, server=server
            ):
                log.warning("Memory: %s", done)
        return reading
