"""Work that is mostly waiting, such as for browsers to end, done for several things at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")
_MOST = 16


def at_once(work: Callable[[_T], None], things: Iterable[_T]) -> None:
    """Does it for all of them and returns when that is done; ``work`` raises nothing."""
    left = deque(things)

    def run() -> None:
        while left:
            try:
                thing = left.popleft()
            except IndexError:  # another thread took the last
                return
            work(thing)

    threads = [threading.Thread(target=run) for _ in range(min(_MOST, len(left)) - 1)]
    for number, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError:  # no memory for its stack: fewer will do
            del threads[number:]
            break
    run()
    for thread in threads:
        thread.join()
