"""The ladder: what is done about tight memory, the mild things first, and when each may be done again."""

from __future__ import annotations

from waxbill.hookspecs import RUNGS

#: How far each level goes.
_REACH = {"normal": 0, "elevated": RUNGS.index("caches") + 1, "high": RUNGS.index("drain"), "critical": len(RUNGS)}
# At the top, the climb begins anew after this many cool-downs.
_REST = 10
# Whoever uses a session notices these, so they are not repeated soon.
_RARELY_SECONDS = {"reload": 600.0, "hibernate": 60.0}


class Ladder:
    """Which rung is next. Times in seconds of the monotonic clock; one thread at a time."""

    def __init__(self, cooldown_seconds: float) -> None:
        self._cooldown_seconds = cooldown_seconds
        self._position = 0
        self._ready_at = 0.0
        self._rested_at: dict[str, float] = {}

    def next(self, level: str, now: float, *, hurry: bool = False) -> str | None:
        """The rung to take now; None during a cool-down (unless there is no time for one), and at the top."""
        if now < self._ready_at and not hurry:
            return None
        if self._position >= _REACH[level]:
            return None
        for rung in RUNGS[self._position : _REACH[level]]:
            if self._rested_at.get(rung, 0.0) <= now:
                return rung
        return None

    def taken(self, rung: str, level: str, now: float, *, effect: bool) -> None:
        """Notes that a rung was taken; one where there was nothing to do takes no pause."""
        pause = self._cooldown_seconds / 10 if level == "critical" else self._cooldown_seconds
        self._position = RUNGS.index(rung) + 1
        if self._position >= _REACH[level]:
            self._position, pause = 0, _REST * pause
        if effect or not self._position:
            self._ready_at = now + pause
        if effect:
            self._rested_at[rung] = now + _RARELY_SECONDS.get(rung, 0.0)

    def hasten(self) -> None:
        """It got worse: no pause is waited for any more."""
        self._ready_at = 0.0

    def reset(self) -> None:
        """Memory is no longer tight: the next climb begins at the bottom."""
        self._position, self._ready_at = 0, 0.0
