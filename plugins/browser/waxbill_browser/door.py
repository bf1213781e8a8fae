"""Where other threads come in: each request gets the session's page for one call, waits for it in bounds, or is sent
away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from waxbill import SessionHost
from waxbill.model.errors import EngineFailure, Unavailable

from .browser import Browser
from .devtools import Gone, Refused, TimedOut
from .link import ASLEEP, AT_WORK, OVER, Account, Link
from .page import Page
from .settings import BrowserSettings


class Door(Link):
    """The link as other threads use it; ``life.py`` is built on this."""

    def __init__(self, host: SessionHost, settings: BrowserSettings, account: Account) -> None:
        super().__init__(host, settings, account)
        self._waiting = self._calls = 0
        self._used = time.monotonic()
        self.browser: Browser | None = None

    def wake(self) -> None:
        """Starts the browser of a session that sleeps."""
        raise NotImplementedError

    @property
    def current_page(self) -> Page | None:
        """The page as it is now, for what needs no answer of WhatsApp's; None when there is none."""
        return self._page

    def pids(self) -> list[int]:
        """The processes of the session's browser."""
        browser = self.browser
        return browser.pids() if browser is not None else []

    def processes(self) -> list[tuple[int, str]]:
        """What the session has started, with what each is."""
        browser = self.browser
        return browser.processes() if browser is not None else []

    @property
    def idle_seconds(self) -> float:
        return 0.0 if self._calls or self._waiting else time.monotonic() - self._used

    @contextmanager
    def page(self, *phases: str) -> Iterator[Page]:
        """The page for one call, once it is in one of the phases (by default: at work); wakes a session that sleeps.

        Raises Unavailable when it is not there in time, or when too many wait already.
        """
        page = self._enter_with(phases or (AT_WORK,))
        try:
            yield page
        except Gone as error:
            raise Unavailable(
                f"The browser of session '{self._host.name}' went away during the call ({error}); whether it was done "
                "is not known. The session is being brought back.",
                10,
            ) from error
        except TimedOut as error:
            raise Unavailable(
                f"The page of session '{self._host.name}' did not answer in time ({error}); whether it was done is not "
                "known.",
                10,
            ) from error
        except Refused as error:
            raise EngineFailure(f"The page failed: {str(error)[:1000]}", "PageError") from error
        finally:
            with self._changed:
                self._calls -= 1
                self._used = time.monotonic()

    def _enter_with(self, phases: tuple[str, ...]) -> Page:
        """Waits until the page is in one of the phases, and counts the call that begins."""
        with self._changed:
            if self._waiting >= self._settings.most_waiting:
                raise Unavailable(
                    f"{self._waiting} requests wait for the page of session '{self._host.name}' already "
                    "(WAXBILL_BROWSER_MOST_WAITING); try again later.",
                    5,
                )
            self._waiting += 1
            try:
                self._used = time.monotonic()
                if self.phase == ASLEEP:
                    self.wake()

                def there() -> bool:
                    return self.phase in phases and self._page is not None

                self._changed.wait_for(lambda: there() or self.phase == OVER, self._settings.call_seconds)
                page = self._page if there() else None
            finally:
                self._waiting -= 1
            if page is None:
                raise Unavailable(f"The page of session '{self._host.name}' is not there now: it is {self.phase}.", 10)
            self._calls += 1
            return page
