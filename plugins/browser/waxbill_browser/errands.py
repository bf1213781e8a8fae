"""What a session still has to do for what happened (fetch media, ask what a group is now), beside its life."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

log = logging.getLogger("waxbill.browser")


class Errands:
    """One piece after the other, in a thread that is there while there are some.

    ``done(generation, number)`` is called after each, ``unstored(generation, reason)`` before it when the store failed
    with one of ``store_errors``; ``number`` is then 0, so that the page keeps what it told. Both are called in that
    thread.
    """

    def __init__(
        self,
        session: str,
        threads: Executor,
        *,
        done: Callable[[int, int], object],
        unstored: Callable[[int, str], object],
        store_errors: tuple[type[Exception], ...],
    ) -> None:
        self._session, self._threads = session, threads
        self._done, self._unstored, self._store_errors = done, unstored, store_errors
        self._lock = threading.Lock()
        #: The first is being done.
        self._works: deque[tuple[Callable[[], object], int, int]] = deque()
        #: The session is over: what fails now fails because of that.
        self.over = False

    def __bool__(self) -> bool:
        return bool(self._works)

    def add(self, work: Callable[[], object], generation: int, number: int = 0) -> None:
        """Does it after what is there already; ``number`` is the event's that it belongs to."""
        with self._lock:
            self._works.append((work, generation, number))
            if len(self._works) > 1:
                return
        self._threads.submit(self._work)

    def _work(self) -> None:
        while True:
            work, generation, number = self._works[0]
            try:
                work()
            except self._store_errors as error:
                self._unstored(generation, str(error))
                number = 0
            except Exception as error:
                level = logging.INFO if self.over else logging.ERROR
                log.log(level, "Session '%s': an event could not be completed: %s", self._session, error)
            self._done(generation, number)
            with self._lock:
                self._works.popleft()
                if not self._works:
                    return
