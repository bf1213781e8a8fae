"""What all simulated accounts of a server share: their time and their chance. Nobody else in here asks for either.

Time runs with the real clock until it is set, frozen or advanced; what accounts do later is due by this time.
Chance is the system's until a seed is given. ``account``, ``operations`` and ``control`` use this.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING

from waxbill.clock import Clock, Timer, now_ms

if TYPE_CHECKING:
    from random import Random

    from waxbill.app import Server

log = logging.getLogger("waxbill.mock")


class Later:
    """Something that an account will do at a simulated time; ``cancel()`` from any thread keeps it from being done."""

    __slots__ = ("_world", "action", "due_ms", "real")

    def __init__(self, world: World, due_ms: float, action: Callable[[], object]) -> None:
        self._world = world
        self.due_ms = due_ms
        self.action = action
        self.real: Timer | None = None

    def cancel(self) -> None:
        self._world._forget(self)


class World:
    """Simulated time (Unix ms) and chance. Any thread may call it; what is due is done in the server's loop, or in the
    thread that moves the time past it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._moving = threading.Lock()
        self._offset_ms = 0
        self._frozen_ms: int | None = None
        #: What waits, in the order in which it was asked for.
        self._waiting: dict[Later, None] = {}
        self._random: Random | None = None
        #: The seed that is in force, if any.
        self.seed: int | None = None
        #: The server, once it is built; for what must know whether it runs in the loop.
        self.server: Server | None = None
        #: Called after each message that an account sends; by those who wait for one.
        self.on_sent: dict[object, Callable[[], object]] = {}
        self._keys = itertools.count(1)
        clock.now_ms = self.now_ms

    def sent(self) -> None:
        """An account has sent a message: who waits for one is told."""
        for tell in list(self.on_sent.values()):
            tell()

    # -- time

    @property
    def frozen(self) -> bool:
        return self._frozen_ms is not None

    @property
    def real(self) -> bool:
        """Whether the time is the real one."""
        return self._frozen_ms is None and not self._offset_ms

    def now_ms(self) -> int:
        frozen = self._frozen_ms
        return now_ms() + self._offset_ms if frozen is None else frozen

    def call_later(self, delay_seconds: float, action: Callable[[], object]) -> Later:
        """Does ``action`` once, when the simulated delay is over."""
        with self._lock:
            later = Later(self, self.now_ms() + delay_seconds * 1000, action)
            self._waiting[later] = None
            if self._frozen_ms is None or delay_seconds <= 0:
                self._arm(later, delay_seconds)
        return later

    def _arm(self, later: Later, delay_seconds: float) -> None:
        later.real = self._clock.call_later(delay_seconds, lambda: self._run(later))

    def _forget(self, later: Later) -> bool:
        """Takes something from what waits; False when it does not wait any more."""
        with self._lock:
            if later.real is not None:
                later.real.cancel()
            return self._waiting.pop(later, self) is None

    def _run(self, later: Later) -> None:
        if self._forget(later):
            try:
                later.action()
            except Exception:
                log.exception("A timed action of the simulator failed: %r", later.action)

    def freeze(self, at_ms: int | None = None) -> int:
        """Stops the time, now or at exactly a moment (see ``move_to``), and says how many actions ran on the way; what
        is due later waits."""
        with self._moving:
            with self._lock:
                self._frozen_ms = self.now_ms()
                for later in self._waiting:
                    if later.due_ms > self._frozen_ms and later.real is not None:
                        later.real.cancel()
            return 0 if at_ms is None else self._move_to(at_ms)

    def resume(self) -> None:
        """Lets the time run on from where it is."""
        with self._lock:
            if self._frozen_ms is not None:
                self._offset_ms = self._frozen_ms - now_ms()
                self._frozen_ms = None
                self._arm_all()

    def move_to(self, at_ms: int) -> int:
        """Sets the time, and says how many actions ran on the way: forward, what becomes due runs at its own time;
        backward, what waits goes on waiting as long as before. Never in the server's loop: actions take their time."""
        with self._moving:
            return self._move_to(at_ms)

    def _move_to(self, at_ms: int) -> int:
        with self._lock:
            frozen, before = self._frozen_ms, self.now_ms()
        done = 0
        if at_ms < before:
            with self._lock:
                for later in self._waiting:
                    later.due_ms += at_ms - before
        else:
            done = self._run_until(at_ms, before)
        with self._lock:
            self._frozen_ms = None if frozen is None else at_ms
            self._offset_ms = at_ms - now_ms()
            if frozen is None:
                self._arm_all()
        return done

    def _run_until(self, at_ms: int, before_ms: int) -> int:
        """Runs what is due up to a moment, in order, each at its own time."""
        done = 0
        self._frozen_ms = before_ms
        while True:
            with self._lock:
                first = min(self._waiting, key=attrgetter("due_ms"), default=None)  # the first of those that tie
                if first is None or first.due_ms > at_ms:
                    return done
                self._frozen_ms = max(self._frozen_ms, int(first.due_ms))
            self._run(first)
            done += 1

    def real_time(self) -> None:
        """Back to the real time."""
        self.move_to(now_ms())
        with self._lock:
            self._frozen_ms, self._offset_ms = None, 0
            self._arm_all()

    def _arm_all(self) -> None:
        now = self.now_ms()
        for later in self._waiting:
            if later.real is not None:
                later.real.cancel()
            self._arm(later, max(0.0, (later.due_ms - now) / 1000))

    # -- chance

    def set_seed(self, seed: int | None) -> None:
        """Makes what follows repeatable; None: no longer."""
        with self._lock:
            self.seed = seed
            if seed is None:
                self._random = None
                return
            from random import Random  # it brings hashlib

            self._random = Random(seed)  # noqa: S311
            self._keys = itertools.count(1)

    def random(self, size: int) -> bytes:
        """Random bytes."""
        chance = self._random
        if chance is None:
            return os.urandom(size)
        with self._lock:
            return chance.randbytes(size)

    def happens(self, rate: float) -> bool:
        """Whether something that happens at a rate from 0 to 1 happens now."""
        return rate > 0 and int.from_bytes(self.random(4), "big") < rate * 2**32

    def message_key(self, prefix: str = "3EB0") -> str:
        """A fresh message key: a prefix, 11 hex digits of the time in ms and 7 more, upper case.

        WhatsApp's own keys are random throughout. Time first keeps the store's unique index growing at one end. Where
        the time stands still or chance is seeded, the last digits count, so that no two keys are the same.
        """
        if self._frozen_ms is None and self._random is None:
            return f"{prefix}{self.now_ms():011X}{os.urandom(4).hex()[1:].upper()}"
        return f"{prefix}{self.now_ms():011X}{next(self._keys) % 0x10000000:07X}"
