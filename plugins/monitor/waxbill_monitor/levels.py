"""How serious the use of memory is. Figures only: nothing is measured or done here."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from waxbill.memory import Reading

#: From harmless to serious.
LEVELS = ("normal", "elevated", "high", "critical")
#: Where the threshold is derived: 350 MB of 512 MB.
SHARE_OF_LIMIT = 350 / 512
#: Of the threshold.
ELEVATED, CRITICAL = 0.85, 1.2
#: So close to the limit there is no time for pauses.
LAST = 0.95
#: At the present speed the limit would be reached within this time.
SOON_SECONDS = 60.0
# The speed is that of the last minute or of its last quarter, whichever is less: growth that has ended is none.
# How far back each goes, and how many readings it takes at least.
_WINDOWS = ((60.0, 5), (15.0, 3))
# Below this share of the threshold (half of the limit), growth is a server that warms up.
_FLOOR = 0.73
# Something waits for memory this often, in percent of the last ten seconds, although much is in use.
_PRESSURE = 10.0
# What a level has to fall by before it counts as lower: levels don't flicker.
_EASE = 1.08


def threshold_mb(limit_mb: float, set_mb: float) -> float:
    """The use above which memory is freed, in MB."""
    return set_mb or SHARE_OF_LIMIT * limit_mb


def share(reading: Reading, set_mb: float) -> float:
    """Use as a share of the threshold: of all memory, or of the server's own heap where that is nearer to its cap."""
    of_all = reading.used_mb / threshold_mb(reading.limit_mb, set_mb)
    of_heap = reading.heap_mb / (SHARE_OF_LIMIT * reading.heap_limit_mb) if reading.heap_limit_mb else 0.0
    return max(of_all, of_heap)


def speed_mb_per_second(readings: Sequence[Reading]) -> float:
    """How fast use grows; 0 with too few readings."""
    return min(_slope(readings, seconds, least) for seconds, least in _WINDOWS)


def _slope(readings: Sequence[Reading], seconds: float, least: int) -> float:
    """The slope of the line that fits the last readings best, in MB per second."""
    recent = [reading for reading in readings if readings[-1].at - reading.at <= seconds]
    if len(recent) < least:
        return 0.0
    at = sum(reading.at for reading in recent) / len(recent)
    used = sum(reading.used_mb for reading in recent) / len(recent)
    spread = sum((reading.at - at) ** 2 for reading in recent)
    return sum((r.at - at) * (r.used_mb - used) for r in recent) / spread if spread else 0.0


def seconds_left(readings: Sequence[Reading]) -> float | None:
    """When the limit is reached at the present speed; None when use does not grow."""
    speed = speed_mb_per_second(readings)
    return readings[-1].available_mb / speed if speed > 0 else None


def judge(reading: Reading, history: Sequence[Reading], set_mb: float) -> str:
    """The level of a reading: by its share of the threshold; at least high when the limit is near in time, and
    elevated when something waits for memory."""
    now = share(reading, set_mb)
    if now >= CRITICAL:
        return "critical"
    if now >= 1:
        return "high"
    if reading.used_mb >= _FLOOR * threshold_mb(reading.limit_mb, set_mb):
        left = seconds_left([*history, reading])
        if left is not None and left < SOON_SECONDS:
            return "high"
        if (reading.pressure or 0.0) >= _PRESSURE:
            return "elevated"
    return "elevated" if now >= ELEVATED else "normal"


def raised(reading: Reading) -> Reading:
    """A reading that is a little higher: a level falls only when this one's is lower, too."""
    return msgspec.structs.replace(reading, used_mb=reading.used_mb * _EASE, heap_mb=reading.heap_mb * _EASE)
