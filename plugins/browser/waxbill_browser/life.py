"""The life of a session's browser: started, paired, working, asleep, lost and brought back, ended with a reason.

One thread per session does all of it, and takes what the page tells in order. Every wait in it has a limit, and every
way out ends in a session that works again, in one that sleeps, or in FAILED with the reason in words.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import msgspec

from waxbill import SessionHost
from waxbill.model.sessions import STARTING

from . import processes
from .browser import Browser, BrowserFailed
from .copies import Copy
from .devtools import Gone, Refused, TimedOut
from .door import Door
from .errands import Errands
from .link import ASLEEP, AT_WORK, LOADING, OVER, Account, Ended, LoggedOut, Lost
from .page import Page, Problem, Told
from .settings import BrowserSettings
from .vitals import Vitals

log = logging.getLogger("waxbill.browser")

_STABLE_SECONDS = 60.0
_LINGER_SECONDS = 30.0
_STOP_SECONDS = 20.0


class _Stopped(Exception):
    """The session is stopped."""


class Life(Door):
    """What runs for one started session. ``start`` and ``stop`` are called once each; ``page`` by any thread."""

    def __init__(
        self,
        host: SessionHost,
        settings: BrowserSettings,
        *,
        browser: Callable[[], Browser],
        prepare: Callable[[Page], object],
        account: Account,
        threads: Executor,
        copy: Copy,
    ) -> None:
        super().__init__(host, settings, account)
        self._make_browser, self._prepare = browser, prepare
        self._threads, self._copy = threads, copy
        self.vitals = Vitals(host)
        self._queue: queue.Queue[tuple[str, int, Any]] = queue.Queue()
        self._finished = threading.Event()
        self._stopping = False
        self._generation = 0
        self._errands = Errands(
            host.name,
            threads,
            done=lambda generation, number: self._queue.put(("done", generation, number)),
            unstored=lambda generation, reason: self._queue.put(("unstored", generation, reason)),
            store_errors=host.store.errors,
        )
        #: The day of the year on which the page was last loaded anew by the clock.
        self._reloaded_on = 0

    # -- for other threads

    def start(self) -> None:
        self._threads.submit(self._run)

    def stop(self) -> None:
        """Ends it all and waits for that; the profile stays."""
        self._stopping = True
        self._queue.put(("stop", 0, None))
        page = self._page
        if page is not None and self.phase != AT_WORK:
            page.close()  # whatever waits for it goes on
        if not self._finished.wait(_STOP_SECONDS):
            page = self._page  # it may have come meanwhile
            if page is not None:
                page.close()
            if not self._finished.wait(_STOP_SECONDS):
                log.error("Session '%s' does not stop; its browser is ended", self._host.name)
                browser = self.browser
                if browser is not None:
                    browser.close()

    def wake(self) -> None:
        """Starts the browser of a session that sleeps."""
        self._queue.put(("wake", 0, None))

    def sleep(self) -> bool:
        """Closes the browser until it is needed, if the session works and nobody uses it now."""
        if not self._may_sleep():
            return False
        self._queue.put(("sleep", self._generation, None))
        return True

    def reload(self) -> bool:
        """Loads the page anew, if the session works."""
        if self.phase != AT_WORK:
            return False
        self._queue.put(("reload", self._generation, None))
        return True

    # -- the session's thread

    def _run(self) -> None:
        try:
            while True:
                try:
                    self._live()
                    self._rest()
                except Lost as lost:
                    self._lost(str(lost))
                except LoggedOut as reason:
                    self._logged_out(str(reason))
                    return
                except Ended as reason:
                    self._close()
                    self._host.fail(str(reason))
                    return
        except _Stopped:
            pass
        except Exception as error:
            log.exception("Session '%s' ended by a fault", self._host.name)
            try:
                self._host.fail(f"The browser driver failed: {type(error).__name__}: {error}")
            except Exception:  # the store, most likely
                log.exception("Session '%s': that could not be reported", self._host.name)
        finally:
            self._close()
            self._copy.keep()
            self._enter(OVER)
            self._errands.over = True
            self._finished.set()

    def _live(self) -> None:
        """A browser from its start until it is to sleep."""
        self._open()
        while True:
            kind, generation, value = self._next()
            if generation and generation != self._generation:
                continue  # of a page that is not there any more
            if kind == "tell":
                self._take(value)
            elif kind == "done":
                self._open_numbers.discard(value)
                self._acknowledge()
            elif kind in ("crashed", "gone"):
                raise Lost(self._crashed() if kind == "crashed" else "the browser went away")
            elif kind == "unstored":
                raise Lost(f"what the page told could not be stored ({value})")
            elif kind == "reload":
                self._reload()
            elif (kind == "sleep" and self._may_sleep()) or (kind == "tick" and self._tick()):
                return

    def _open(self) -> None:
        self._load()
        self._generation += 1
        generation = self._generation
        self._document = ""
        self._handled = self._acknowledged = 0
        self._open_numbers: set[int] = set()
        self._misses = 0
        self._driver_told = False
        self._quiet_until = time.monotonic() + self._settings.health_seconds
        self._stable_at: float | None = None
        self.browser = self._make_browser()
        try:
            self.vitals.check_disk()
            self._copy.take(lambda: self._stopping)
            self.browser.start()
            if self._stopping:
                raise _Stopped
            self._page = Page(
                self.browser.page_address,
                lambda text: self._queue.put(("tell", generation, text)),
                lambda name: self._queue.put((name, generation, None)),
            )
            with self._changed:
                self._changed.notify_all()
            self._prepare(self._page)
        except (BrowserFailed, Refused, TimedOut, Gone, OSError) as error:
            self.vitals.check_disk()
            raise Lost(f"the browser could not be started: {error}") from error
        try:
            self._page.open()
        except (Refused, TimedOut, Gone) as error:
            raise Lost(str(error)) from error

    def _next(self) -> tuple[str, int, Any]:
        """What is to be done next; ``tick`` when it is time to look after things."""
        now = time.monotonic()
        until = min(self._quiet_until, self._limit[0] if self._limit else self._quiet_until)
        item: tuple[str, int, Any] = ("tick", 0, None)
        if now < until:  # else it is time, however much the page has to tell
            with contextlib.suppress(queue.Empty):
                item = self._queue.get(timeout=until - now)
        if item[0] == "stop" or self._stopping:
            raise _Stopped
        return item

    def _tick(self) -> bool:
        """Looks after the page; True when it is to sleep."""
        now = time.monotonic()
        if self._limit and now >= self._limit[0]:
            raise Lost(f"{self._limit[1]} in time")
        if self._stable_at is not None and now >= self._stable_at:
            self._forget_attempts()
            self._stable_at = None
        if now >= self._quiet_until:
            self._quiet_until = now + self._settings.health_seconds
            self._look()
        idle = self._settings.idle_minutes * 60
        return bool(idle and self.idle_seconds >= idle and self._may_sleep())

    def _may_sleep(self) -> bool:
        """Nobody uses the page, and nothing is still to be read out of it."""
        busy = self._calls or self._waiting or self._open_numbers or self._errands
        return self.phase == AT_WORK and not busy

    def _look(self) -> None:
        """Asks the page whether it works, and looks at what it lives on."""
        browser, page = self.browser, self._page
        assert browser is not None
        assert page is not None
        if browser.driver_pid and not self._driver_told and not processes.alive(browser.driver_pid):
            self._driver_told = True
            log.warning("Session '%s': chromedriver is gone; the session goes on without it", self._host.name)
        self.vitals.check_disk()
        self.vitals.weigh(browser)
        if self.phase == LOADING:
            return  # there is a limit for that
        now = time.localtime()
        if now.tm_hour == self._settings.nightly_reload_hour and self._reloaded_on != now.tm_yday and self._may_sleep():
            self._reloaded_on = now.tm_yday
            self._reload()
            return
        try:
            self._take_state(page.run("state", max(5.0, self._settings.health_seconds)))
            self._misses = 0
        except (TimedOut, Refused, Problem) as error:
            self._misses += 1
            log.warning("Session '%s': its page does not answer: %s", self._host.name, error)
            if self._misses >= 2:
                raise Lost("the page does not answer") from error
        except Gone as error:
            raise Lost(str(error)) from error

    def _crashed(self) -> str:
        most = self._host.settings.core.max_heap_mb
        return f"the page crashed{f' (MAX_HEAP_MB keeps its JavaScript below {most} MB)' if most else ''}"

    # -- what the page tells

    def _take(self, text: str) -> None:
        told = msgspec.json.decode(text, type=Told)
        if told.document != self._document:
            self._document = told.document
            self._handled = self._acknowledged = 0
            self._open_numbers.clear()
        self._handled = told.number
        self._handle(told)
        self._acknowledge()

    def _acknowledge(self) -> None:
        """Lets the page forget what is safe here: all before the first that is still being worked on."""
        done = min(self._open_numbers, default=self._handled + 1) - 1
        page = self._page
        if page is None or done <= self._acknowledged or (not self._queue.empty() and done - self._acknowledged < 50):
            return
        self._acknowledged = done
        page.acknowledge(done)

    def _handle(self, told: Told) -> None:
        if told.event == "document":
            self._load()
        elif told.event == "ready":
            self.versions = told.data
            self._expect(self._settings.ready_seconds, "WhatsApp's page did not say who it is")
        elif told.event == "state":
            self._take_state(told.data)
        elif told.event == "logout":
            self._take_logout()
        elif told.event == "fault":
            log.warning("Session '%s': an event of the page could not be read: %s", self._host.name, told.data)
        else:
            self._hand_on(told)

    def _hand_on(self, told: Told) -> None:
        """Gives an event to the account; what it still has to do for it (media) is done beside this thread."""
        try:
            more = self._account.on_tell(told.event, told.data)
        except self._host.store.errors as error:
            raise Lost(f"what the page told could not be stored ({error})") from error
        except Exception:
            log.exception("Session '%s': the event %s could not be told", self._host.name, told.event)
            return
        if more is not None:
            self._open_numbers.add(told.number)
            self._beside(more, told.number)

    def _beside(self, work: Callable[[], object] | None, number: int = 0) -> None:
        """Does what has to wait for the page in a thread beside this one: one piece after the other."""
        if work is not None:
            self._errands.add(work, self._generation, number)

    def _reload(self) -> None:
        self._load()
        assert self._page is not None
        try:
            self._page.reload()
        except (Gone, TimedOut, Refused) as error:
            raise Lost(f"the page could not be loaded anew: {error}") from error

    def _at_work(self, me: dict[str, Any]) -> None:
        begins = self.phase != AT_WORK
        if begins:
            self._copy.paired()
        super()._at_work(me)
        if begins:  # attempts count anew when it has worked for a while
            now, idle = time.monotonic(), self._settings.idle_minutes * 60
            self._stable_at = now + _STABLE_SECONDS
            # One that was woken by the clock stays awake for what arrives late.
            self._used = max(self._used, now - idle + min(idle, _LINGER_SECONDS))

    # -- ends

    def _close(self) -> None:
        page, self._page = self._page, None
        if page is not None:
            page.close()
        browser, self.browser = self.browser, None
        if browser is not None:
            browser.close()

    def _lost(self, reason: str) -> None:
        """Waits a growing while before the next attempt; after the last it is over."""
        self._enter(LOADING)
        self._close()
        if self._stopping:
            raise _Stopped
        self._attempts += 1
        most = self._host.settings.core.max_reconnect_attempts
        if self._attempts > most:
            self._host.fail(f"{reason[:1].upper()}{reason[1:]}; {most} new attempts did not help.")
            raise _Stopped
        delay = min(300.0, self._settings.retry_seconds * 2 ** (self._attempts - 1))
        log.warning(
            "Session '%s': %s; attempt %d of %d in %.1f s", self._host.name, reason, self._attempts, most, delay
        )
        self._report(STARTING)
        self._wait(delay)

    def _wait(self, seconds: float, until: str = "") -> None:
        """Waits for a time, or for a word in the queue; what pages that are gone have told is dropped."""
        limit = time.monotonic() + seconds
        while (left := limit - time.monotonic()) > 0:
            try:
                kind, _, _ = self._queue.get(timeout=left)
            except queue.Empty:
                return
            if kind == "stop" or self._stopping:
                raise _Stopped
            if kind == until:
                return

    def _rest(self) -> None:
        """The session sleeps: no browser, until a request or the schedule wakes it."""
        self._enter(ASLEEP)
        self._close()
        self._copy.keep()
        log.info("Session '%s' sleeps; a request wakes it", self._host.name)
        self._wait(self._settings.wake_minutes * 60 or 10 * 365 * 86400.0, "wake")
        log.info("Session '%s' wakes", self._host.name)

    def _logged_out(self, reason: str) -> None:
        browser = self.browser
        self._close()
        self._unpair()
        if browser is not None:
            browser.forget()
        self._host.fail(reason)
