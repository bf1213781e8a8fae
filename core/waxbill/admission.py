"""Whether the server takes on what costs memory now. A watch over memory says so; whoever would take it on asks."""

from __future__ import annotations

from .model.errors import Unavailable

#: A request with a body of this size or more is large media.
LARGE_BYTES = 1024 * 1024


class Admission:
    """Turns new sessions and large media away while memory is tight. Any thread may call it."""

    def __init__(self) -> None:
        #: How serious the use of memory is, as the watch judged last; empty when nobody watches.
        self.level = ""
        #: Why new sessions and large media are turned away; empty when they are taken.
        self.reason = ""
        self._retry_seconds = 0

    def refuse(self, reason: str, retry_seconds: int) -> None:
        """From now on new sessions and large media are turned away, and told to come back after this time."""
        self._retry_seconds, self.reason = retry_seconds, reason

    def accept(self) -> None:
        """Everything is taken again."""
        self.reason = ""

    def admit(self, what: str) -> None:
        """Raises Unavailable (503 with Retry-After) for a new session or large media while these are turned away."""
        if self.reason:
            raise self.refusal(what)

    def refusal(self, what: str) -> Unavailable:
        """What whoever is turned away is told."""
        return Unavailable(
            f"{what} can't be taken now: {self.reason}. Nothing was changed; try again in {self._retry_seconds} s.",
            self._retry_seconds,
        )
