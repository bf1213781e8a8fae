"""The life of a session's browser: started, paired, working, asleep, lost and brought back, ended with a reason.

One thread per session does all of it, and takes what the page tells in order. Every wait in it has a limit, and every
way out ends in a session that works again, in one that sleeps, or in FAILED with the reason in words.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from waxbill import SessionHost
from waxbill.model.errors import EngineFailure, Unavailable
from waxbill.model.sessions import SCAN_QR_CODE, STARTING, WORKING

from . import processes
from .browser import Browser, BrowserFailed
from .devtools import Gone, Refused, TimedOut
from .page import Page, Problem
from .settings import BrowserSettings

log = logging.getLogger("waxbill.browser")

#: Phases: the page loads; it shows a QR code; it works; no browser runs, by intent; it is over (stopped or failed).
LOADING, PAIRING, AT_WORK, ASLEEP, OVER = "loading", "pairing", "at work", "asleep", "over"

_TAKE_OVERS = 3
_UPDATES = 2
_STABLE_SECONDS = 60.0
_STOP_SECONDS = 20.0
_FULL_DISK_MB = 16
#: What WhatsApp says when it won't have this account or this browser, and what the operator can do.
_BLOCKED = {
    "TOS_BLOCK": "WhatsApp has blocked the account for breaking its terms of service",
    "SMB_TOS_BLOCK": "WhatsApp has blocked the business account for breaking its terms of service",
    "PROXYBLOCK": "WhatsApp refuses connections from this address or proxy",
}


class Lost(Exception):
    """The page, or its browser, does not work (any more); another one may. The text is the reason."""


class Ended(Exception):
    """The session can't go on by itself; the text is the reason."""


class LoggedOut(Ended):
    """The account is not linked any more."""


class _Stopped(Exception):
    """The session is stopped."""


class Told(msgspec.Struct, frozen=True):
    """Something that the page tells; numbers rise by one within a document."""

    document: str
    number: int
    event: str
    data: Any


class Account(Protocol):
    """What a life needs of its account; see ``operations.base``."""

    seen: Any

    def on_identity(self, me: dict[str, Any], *, first: bool) -> None:
        """Who is logged in, before the status becomes WORKING."""

    def on_working(self, *, first: bool) -> Callable[[], object] | None:
        """The page works (again): in the life's thread, after the status was reported. As ``on_tell``."""

    def on_tell(self, event: str, data: Any) -> Callable[[], object] | None:
        """Something happened; what still has to be done for it may be given back, to be done beside the life."""


class Life:
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
    ) -> None:
        self._host, self._settings = host, settings
        self._make_browser, self._prepare, self._account = browser, prepare, account
        self._threads = threads
        self._queue: queue.Queue[tuple[str, int, Any]] = queue.Queue()
        self._changed = threading.Condition()
        self._finished = threading.Event()
        self._stopping = False
        self.phase = LOADING
        self.browser: Browser | None = None
        self._page: Page | None = None
        self._generation = 0
        #: The last status that was reported.
        self._status: str = STARTING
        self.code = ""
        #: What the page and WA-JS say of their versions.
        self.versions: dict[str, Any] = {}
        self._waiting = self._calls = 0
        #: What is done beside the thread; the first is being done.
        self._works: deque[tuple[Callable[[], object], int, int]] = deque()
        self._used = time.monotonic()
        #: The account is going to be unlinked by us: that it is logged out is no failure.
        self.leaving = False
        #: The day of the year on which the page was last loaded anew by the clock.
        self._reloaded_on = 0
        self._forget_attempts()

    def _forget_attempts(self) -> None:
        self._attempts = 0
        self._codes = self._take_overs = self._updates = 0

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
        if self.phase != AT_WORK or self._calls or self._waiting:
            return False
        self._queue.put(("sleep", self._generation, None))
        return True

    def reload(self) -> bool:
        """Loads the page anew, if the session works."""
        if self.phase != AT_WORK:
            return False
        self._queue.put(("reload", self._generation, None))
        return True

    @property
    def current_page(self) -> Page | None:
        """The page as it is now, for what needs no answer of WhatsApp's; None when there is none."""
        return self._page

    def pids(self) -> list[int]:
        """The processes of the session's browser."""
        browser = self.browser
        return browser.pids() if browser is not None else []

    @property
    def idle_seconds(self) -> float:
        return 0.0 if self._calls or self._waiting else time.monotonic() - self._used

    @contextmanager
    def page(self, *phases: str) -> Iterator[Page]:
        """The page for one call, once it is in one of the phases (by default: at work); wakes a session that sleeps.

        Raises Unavailable when it is not there in time, or when too many wait already.
        """
        wanted = phases or (AT_WORK,)
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
                self._changed.wait_for(lambda: self.phase in wanted or self.phase == OVER, self._settings.call_seconds)
                page = self._page if self.phase in wanted else None
            finally:
                self._waiting -= 1
            if page is None:
                raise Unavailable(f"The page of session '{self._host.name}' is not there now: it is {self.phase}.", 10)
            self._calls += 1
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
                f"The page of session '{self._host.name}' did not answer in {self._settings.call_seconds:g} s; "
                "whether it was done is not known.",
                10,
            ) from error
        except Refused as error:
            raise EngineFailure(f"The page failed: {str(error)[:1000]}", "PageError") from error
        finally:
            with self._changed:
                self._calls -= 1
                self._used = time.monotonic()

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
            self._host.fail(f"The browser driver failed: {type(error).__name__}: {error}")
        finally:
            self._close()
            self._enter(OVER)
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
                raise Lost("the page crashed" if kind == "crashed" else "the browser went away")
            elif kind == "reload":
                self._reload()
            elif (kind == "sleep" and self._may_sleep()) or (kind == "tick" and self._tick()):
                return

    def _open(self) -> None:
        self._enter(LOADING)
        self._generation += 1
        generation = self._generation
        self._document = ""
        self._handled = self._acknowledged = 0
        self._open_numbers: set[int] = set()
        self._misses = 0
        self._driver_told = False
        self._quiet_until = time.monotonic() + self._settings.health_seconds
        self._stable_at: float | None = None
        self._expect(self._settings.ready_seconds, "WhatsApp's page did not become ready")
        self.browser = self._make_browser()
        try:
            self._check_disk()
            self.browser.start()
            if self._stopping:
                raise _Stopped
            self._page = Page(
                self.browser.page_address(),
                lambda text: self._queue.put(("tell", generation, text)),
                lambda name: self._queue.put((name, generation, None)),
            )
            self._prepare(self._page)
        except (BrowserFailed, Refused, TimedOut, Gone, OSError) as error:
            self._check_disk()
            raise Lost(f"the browser could not be started: {error}") from error
        try:
            self._page.open()
        except (Refused, TimedOut, Gone) as error:
            raise Lost(str(error)) from error

    def _next(self) -> tuple[str, int, Any]:
        """What is to be done next; ``tick`` when it is time to look after things."""
        now = time.monotonic()
        until = min(self._quiet_until, self._limit[0] if self._limit else self._quiet_until)
        try:
            item = self._queue.get(timeout=max(0.0, until - now))
        except queue.Empty:
            item = ("tick", 0, None)
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
        return self.phase == AT_WORK and not self._calls and not self._waiting and not self._open_numbers

    def _look(self) -> None:
        """Asks the page whether it works, and looks at what it lives on."""
        browser, page = self.browser, self._page
        assert browser is not None
        assert page is not None
        if browser.driver_pid and not self._driver_told and not processes.alive(browser.driver_pid):
            self._driver_told = True
            log.warning("Session '%s': chromedriver is gone; the session goes on without it", self._host.name)
        self._check_disk()
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

    def _check_disk(self) -> None:
        """Raises Ended when the profile's disk is full: WhatsApp's page loses what it can't write."""
        state = os.statvfs(self._host.folder)
        free = state.f_bavail * state.f_frsize / 1024 / 1024
        if free < _FULL_DISK_MB:
            raise Ended(
                f"The disk of {self._host.folder} is full ({free:.0f} MB free); the browser can't keep its profile. "
                "Free some space, then restart the session."
            )

    def _expect(self, seconds: float, reason: str) -> None:
        """Something has to happen in time, or the page counts as lost."""
        self._limit: tuple[float, str] | None = (time.monotonic() + seconds, reason)

    def _enter(self, phase: str) -> None:
        with self._changed:
            self.phase = phase
            self._changed.notify_all()

    def _report(self, status: Any, *, again: bool = False) -> None:
        if status != self._status or again:
            self._status = status
            self._host.set_status(status)

    # -- what the page tells

    def _take(self, text: str) -> None:
        told = msgspec.json.decode(text, type=Told)
        if told.document != self._document:
            self._document = told.document
            self._handled = self._acknowledged = 0
            self._open_numbers.clear()
        self._handled = told.number
        try:
            self._handle(told)
        finally:
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
            self._enter(LOADING)
            self._expect(self._settings.ready_seconds, "WhatsApp's page did not become ready")
        elif told.event == "ready":
            self.versions = told.data
            self._expect(self._settings.ready_seconds, "WhatsApp's page did not say who it is")
        elif told.event == "state":
            self._take_state(told.data)
        elif told.event == "logout":
            if not self.leaving and self._paired():
                raise LoggedOut("The account was logged out on the phone; restart the session to pair it again.")
        elif told.event == "fault":
            log.warning("Session '%s': an event of the page could not be read: %s", self._host.name, told.data)
        else:
            self._hand_on(told)

    def _hand_on(self, told: Told) -> None:
        """Gives an event to the account; what it still has to do for it (media) is done beside this thread."""
        try:
            more = self._account.on_tell(told.event, told.data)
        except Exception:
            log.exception("Session '%s': the event %s could not be told", self._host.name, told.event)
            return
        if more is not None:
            self._open_numbers.add(told.number)
            self._beside(more, told.number)

    def _beside(self, work: Callable[[], object] | None, number: int = 0) -> None:
        """Does what has to wait for the page in a thread beside this one: one piece after the other."""
        if work is None:
            return
        with self._changed:
            self._works.append((work, self._generation, number))
            if len(self._works) > 1:
                return
        self._threads.submit(self._work)

    def _work(self) -> None:
        while True:
            work, generation, number = self._works[0]
            try:
                work()
            except Exception as error:
                level = logging.INFO if self.phase == OVER else logging.ERROR
                log.log(level, "Session '%s': an event could not be completed: %s", self._host.name, error)
            self._queue.put(("done", generation, number))
            with self._changed:
                self._works.popleft()
                if not self._works:
                    return

    # -- the state of the account

    def _paired(self) -> bool:
        return self._account.seen.paired(self._host.store.read()) is not None

    def _take_state(self, state: dict[str, Any]) -> None:
        if state.get("problem"):
            log.debug("Session '%s': %s", self._host.name, state["problem"])
            return
        if self.leaving:
            return
        mode, socket = state["mode"], state["socket"]
        if mode in _BLOCKED or socket in _BLOCKED:
            raise Ended(f"{_BLOCKED[mode if mode in _BLOCKED else socket]}.")
        if state["needsUpdate"] or "DEPRECATED_VERSION" in (mode, socket):
            self._update()
        elif not state["authenticated"]:
            self._take_code(state)
        elif "CONFLICT" in (mode, socket):
            self._use_here()
        elif mode == "MAIN" and state.get("me"):
            self._at_work(state["me"])
        elif self.phase == PAIRING:
            self._enter(LOADING)
            self._report(STARTING)
            self._expect(self._settings.sync_seconds, "the account did not get in step with the phone")
        elif self._limit is None or self._limit[1].endswith("who it is"):
            self._expect(self._settings.sync_seconds, "the page did not connect to WhatsApp")

    def _take_code(self, state: dict[str, Any]) -> None:
        """The page wants to be paired."""
        code = state.get("code") or ""
        if not code:
            if state["socket"] == "UNPAIRED_IDLE" and self.phase == PAIRING:
                self._renew_code()
            return
        if code == self.code and self.phase == PAIRING:
            return
        if self._paired():
            if self._status == WORKING:
                raise LoggedOut("The account was logged out on the phone; restart the session to pair it again.")
            log.warning("Session '%s' is not linked any more: it is paired anew", self._host.name)
            self._unpair()
        self.code = code
        self._codes += 1
        if self._codes > self._settings.qr_codes:
            raise Ended("The QR code was not scanned in time; restart the session for a new one.")
        self._expect(180.0, "no new QR code came")
        self._enter(PAIRING)
        self._report(SCAN_QR_CODE, again=True)

    def _renew_code(self) -> None:
        """WhatsApp shows no more codes by itself: ask for one."""
        if self._codes >= self._settings.qr_codes:
            raise Ended("The QR code was not scanned in time; restart the session for a new one.")
        self._ask("refreshQR")

    def _at_work(self, me: dict[str, Any]) -> None:
        if self.phase == AT_WORK:
            self._limit = None
            return
        self._limit = None
        self.code = ""
        self._codes = 0
        self._stable_at = time.monotonic() + _STABLE_SECONDS
        self._quiet_until = min(self._quiet_until, self._stable_at)
        first = self._status != WORKING
        self._account.on_identity(me, first=first)
        self._enter(AT_WORK)
        self._report(WORKING)
        self._beside(self._account.on_working(first=first))

    def _use_here(self) -> None:
        """Another window has the account: WhatsApp lets the last one that asks have it."""
        self._take_overs += 1
        if self._take_overs > _TAKE_OVERS:
            raise Ended(
                "The account is used in another WhatsApp Web window that takes it back again and again; close that, "
                "then restart the session."
            )
        log.warning("Session '%s' is used elsewhere; taking it back", self._host.name)
        self._expect(30.0, "WhatsApp did not give the account back")
        self._ask("useHere")

    def _update(self) -> None:
        """WhatsApp wants its page to be loaded anew."""
        self._updates += 1
        if self._updates > _UPDATES:
            raise Ended("WhatsApp says that its page is out of date, also after loading it anew; update waxbill.")
        log.info("Session '%s': WhatsApp has an update; loading its page anew", self._host.name)
        self._reload()

    def _reload(self) -> None:
        self._enter(LOADING)
        self._expect(self._settings.ready_seconds, "WhatsApp's page did not become ready")
        assert self._page is not None
        try:
            self._page.reload()
        except (Gone, TimedOut, Refused) as error:
            raise Lost(f"the page could not be loaded anew: {error}") from error

    def _ask(self, operation: str) -> None:
        assert self._page is not None
        try:
            self._page.run(operation, 10)
        except Problem as error:
            log.warning("Session '%s': %s failed: %s", self._host.name, operation, error)
        except (Gone, TimedOut, Refused) as error:
            raise Lost(f"{operation} failed: {error}") from error

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

    def _unpair(self) -> None:
        with self._host.store.write() as db:
            self._account.seen.forget(db)
        self._host.set_me(None)
