"""The watch: measures memory at intervals, judges it, and climbs the ladder while it is tight.

It measures in the server's loop (an idle server needs no thread for it) and acts in a thread of its own, since plugins
may wait there. One line in the log says what was seen, what was done and how much that freed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

import msgspec

from waxbill.hookspecs import RUNGS
from waxbill.memory import Reading

from . import levels
from .housekeeping import Housekeeping
from .ladder import Ladder
from .settings import MonitorSettings

if TYPE_CHECKING:
    from waxbill.app import Server

    from .traffic import Traffic

log = logging.getLogger("waxbill.monitor")

_READINGS_KEPT, _STEPS_KEPT = 120, 50
# While memory is tight it is measured at least this often.
_TIGHT_SECONDS = 1.0
# Who was turned away may come back after this time.
_RETRY_SECONDS = 30
_REFUSE, _DRAIN = "refuse", "drain"
# What these free is seen at once; with less than so many MB the next rung comes at once, too.
_SEEN_AT_ONCE, _WORTH_MB = ("collect", "caches"), 1.0


_serious = levels.LEVELS.index


class Step(msgspec.Struct, frozen=True):
    """One thing that was done: a rung of the ladder, in words, and what the server and its children held."""

    at_ms: int
    level: str
    rung: str
    did: list[str]
    before_mb: float
    after_mb: float
    dry_run: bool

    @property
    def freed_mb(self) -> float:
        return self.before_mb - self.after_mb


class Watch:
    """The watch over one server. ``begin`` once; the rest runs by the server's clock."""

    def __init__(self, server: Server, settings: MonitorSettings) -> None:
        self._server = server
        self.settings = settings
        self.level = "normal"
        self.history: deque[Reading] = deque(maxlen=_READINGS_KEPT)
        #: The level of each reading in ``history``.
        self.judged: deque[str] = deque(maxlen=_READINGS_KEPT)
        self.steps: deque[Step] = deque(maxlen=_STEPS_KEPT)
        #: How many steps were taken, by rung.
        self.counts: Counter[str] = Counter()
        #: What counts requests and messages, where that is asked for.
        self.traffic: Traffic | None = None
        self._ladder = Ladder(settings.cooldown_seconds)
        self._housekeeping = Housekeeping()
        #: Held while something is done about tight memory.
        self.acting = threading.Lock()
        #: What the server held before it had done anything: what a restart leads back to.
        self._base_mb = 0.0

    def begin(self) -> None:
        self._base_mb = self._server.reading.own_mb
        self._server.admission.level = self.level
        self._server.clock.call_later(self.settings.check_seconds, self._again)

    def _again(self) -> None:
        try:
            self.check()
        finally:
            tight = self.level != "normal"
            wait = min(self.settings.check_seconds, _TIGHT_SECONDS) if tight else self.settings.check_seconds
            self._server.clock.call_later(wait, self._again)

    # -- measuring and judging, in the loop

    def check(self) -> None:
        """One measurement and what follows from it."""
        reading = self._server.read_memory()
        before, self.level = self.level, self._judge(reading)
        self.history.append(reading)
        self.judged.append(self.level)
        self._server.admission.level = self.level
        worse = _serious(self.level) > _serious(before)
        if self.level != before:
            log.log(logging.WARNING if worse else logging.INFO, "Memory is %s: %s", self.level, self.figures(reading))
        if self.level == "normal":
            if before != "normal":
                self._ladder.reset()
                self._server.admission.accept()
            self._housekeeping.look(reading)
            return
        if worse:
            self._ladder.hasten()
        if not self.acting.locked() and not self._server.leaving:
            self._climb(reading)

    def _judge(self, reading: Reading) -> str:
        """The level of a reading. It falls only when a reading that is a little higher would be lower, too."""
        found = self._ask(reading)
        if _serious(found) < _serious(self.level):
            found = min(self.level, self._ask(levels.raised(reading)), key=_serious)
        return found

    def _ask(self, reading: Reading) -> str:
        server = self._server
        found = server.plugins.first(
            "waxbill_memory_level", reading=reading, history=list(self.history), settings=server.settings
        )
        if found not in levels.LEVELS:
            log.error("A plugin calls the memory level %r; levels are %s", found, ", ".join(levels.LEVELS))
            return self.level
        return str(found)

    def figures(self, reading: Reading) -> str:
        """A reading in words: what is used, the limits, how fast it grows, which parts hold it."""
        threshold = levels.threshold_mb(reading.limit_mb, self.settings.threshold_mb)
        words = (
            f"{reading.used_mb:.0f} of {reading.limit_mb:.0f} MB in use ({reading.source}), alert at {threshold:.0f}"
        )
        if reading.heap_limit_mb:
            words += f", heap {reading.heap_mb:.0f} of {reading.heap_limit_mb:.0f}"
        left = levels.seconds_left([*self.history, reading])
        if left is not None and left < 10 * levels.SOON_SECONDS:
            words += f", full in {left:.0f} s at this speed"
        parts = ", ".join(f"{name} {size:.0f}" for name, size in sorted(reading.parts.items(), key=lambda p: -p[1]))
        return f"{words}; {parts}" if parts else words

    # -- acting, in a thread

    def _climb(self, reading: Reading) -> None:
        """Takes the next rung, if it is time for one."""
        hurry = reading.used_mb >= levels.LAST * reading.limit_mb
        rung = self._ladder.next(self.level, time.monotonic(), hurry=hurry)
        if rung is None:
            return
        self.acting.acquire()
        act = threading.Thread(target=self._act, args=(rung, reading), name="memory", daemon=True)
        try:
            act.start()
        except RuntimeError:  # there is no memory for a thread: better the loop waits than nobody acts
            self._act(rung, reading)

    def _act(self, rung: str, before: Reading) -> None:
        """Takes a rung; where there is nothing to do, or it was of no use, the next one at once."""
        try:
            while True:
                level = self.level
                did = self._would(rung, before) if self.settings.dry_run else self._do(rung, level, before)
                freed = self._note(rung, level, did, before) if did else 0.0
                effect = bool(did) and (rung not in _SEEN_AT_ONCE or freed >= _WORTH_MB or self.settings.dry_run)
                self._ladder.taken(rung, level, time.monotonic(), effect=effect)
                following = self._ladder.next(level, time.monotonic())
                if effect or following is None or RUNGS.index(following) <= RUNGS.index(rung):
                    return  # a climb that begins anew waits for the next look
                rung = following
        except Exception:
            log.exception("Memory: the rung %s failed", rung)
        finally:
            self.acting.release()

    def _do(self, rung: str, level: str, reading: Reading) -> list[str]:
        """What was done, in words; nothing where there was nothing to do."""
        server = self._server
        if rung == _REFUSE:
            if server.admission.reason:
                return []
            server.admission.refuse(f"memory is {level} ({self.figures(reading)})", _RETRY_SECONDS)
            return ["new sessions and large media are refused with 503"]
        if rung == _DRAIN:
            if why := self._in_vain(reading):
                log.error("Memory is %s, and a restart would not help: %s", level, why)
                return []
            server.leave(f"memory is {level} and nothing else helped ({self.figures(reading)})", 1)
            return ["the server finishes what runs and stops with exit code 1"]
        return [
            str(done)
            for done in server.plugins.call(
                "waxbill_relieve_memory", rung=rung, level=level, reading=reading, server=server
            )
        ]

    def _would(self, rung: str, reading: Reading) -> list[str]:
        if rung == _DRAIN and (why := self._in_vain(reading)):
            return [f"nothing: a restart would not help: {why}"]
        if rung in (_REFUSE, _DRAIN):
            return [f"would {rung}"]
        asked = [plugin.name for plugin in self._server.plugins.installed if "waxbill_relieve_memory" in plugin.hooks]
        return [f"would ask {', '.join(asked)} for {rung}"]

    def _in_vain(self, reading: Reading) -> str:
        """Why a restart would not help, or nothing: what a fresh server and others hold is still too much."""
        threshold = levels.threshold_mb(reading.limit_mb, self.settings.threshold_mb)
        grown = max(0.0, reading.own_mb - self._base_mb)
        rest = reading.used_mb - grown
        if rest < threshold or levels.share(reading, self.settings.threshold_mb) > levels.share(
            msgspec.structs.replace(reading, heap_mb=0.0), self.settings.threshold_mb
        ):
            return ""
        return f"{rest:.0f} MB would still be in use, of {reading.used_mb:.0f}"

    def _note(self, rung: str, level: str, did: list[str], before: Reading) -> float:
        """Writes down what was done, and answers how many MB it freed."""
        after = self._server.read_memory()
        step = Step(
            at_ms=time.time_ns() // 1_000_000,
            level=level,
            rung=rung,
            did=did,
            before_mb=before.own_mb,
            after_mb=after.own_mb,
            dry_run=self.settings.dry_run,
        )
        self.steps.append(step)
        self.counts[rung] += 1
        log.warning(
            "Memory %s: %s; %s; freed %.1f MB%s",
            level, self.figures(before), f"{rung}: {'; '.join(did)}", step.freed_mb,
            " (dry run)" if step.dry_run else "",
        )  # fmt: skip
        return step.freed_mb
