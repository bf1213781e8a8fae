"""The link between an account and its page: what the page says of it, and what follows from that.

Unpaired with a QR code, in step with the phone, used elsewhere, out of date, blocked, logged out. ``door.py`` and then
``life.py`` are built on this; the life brings the page, and everything here runs in its thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from waxbill import SessionHost
from waxbill.model.sessions import SCAN_QR_CODE, STARTING, WORKING, Status

from .devtools import Gone, Refused, TimedOut
from .page import Page, Problem
from .settings import BrowserSettings

if TYPE_CHECKING:
    from waxbill.store import Database

    from .seen import Seen

log = logging.getLogger("waxbill.browser")

#: Phases: the page loads; it shows a QR code; it works; no browser runs, by intent; it is over (stopped or failed).
LOADING, PAIRING, AT_WORK, ASLEEP, OVER = "loading", "pairing", "at work", "asleep", "over"

_TAKE_OVERS = 3
_UPDATES = 2
_QR_SECONDS = 180.0
#: What WhatsApp says when it won't have this account or this browser, in words for the operator.
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

    def __init__(self) -> None:
        super().__init__("The account was logged out on the phone; restart the session to pair it again.")


class Account(Protocol):
    """What a life needs of its account; see ``operations.base``."""

    seen: Seen

    def forget(self, db: Database) -> None:
        """The account is not paired any more: nothing is known of it."""

    def on_identity(self, me: dict[str, Any], *, first: bool) -> None:
        """Who is logged in, before the status becomes WORKING."""

    def on_working(self, *, first: bool) -> Callable[[], object] | None:
        """The page works (again): in the life's thread, after the status was reported. As ``on_tell``."""

    def on_tell(self, event: str, data: Any) -> Callable[[], object] | None:
        """Something happened; what still has to be done for it may be given back, to be done beside the life."""


class Link:
    """An account's link as the page tells of it."""

    def __init__(self, host: SessionHost, settings: BrowserSettings, account: Account) -> None:
        self._host, self._settings, self._account = host, settings, account
        self._changed = threading.Condition()
        self.phase = LOADING
        self._page: Page | None = None
        #: The last status that was reported; the server reports the first itself.
        self._status: str = STARTING
        #: The text of the QR code that is shown; empty when none is.
        self.code = ""
        #: What the page and WA-JS say of their versions.
        self.versions: dict[str, Any] = {}
        #: The account is going to be unlinked by us: that it is logged out is no failure.
        self.leaving = False
        #: Until when something has to happen (monotonic), and what is said when it does not.
        self._limit: tuple[float, str] | None = None
        self._connecting = False
        self._forget_attempts()

    def _forget_attempts(self) -> None:
        self._attempts = self._codes = self._take_overs = self._updates = 0

    # -- what the life brings

    def _reload(self) -> None:
        """Loads the page anew."""
        raise NotImplementedError

    def _beside(self, work: Callable[[], object] | None) -> None:
        """Does something that has to wait for the page in a thread beside this one."""
        raise NotImplementedError

    # -- phases, statuses, limits

    def _enter(self, phase: str) -> None:
        with self._changed:
            self.phase = phase
            self._changed.notify_all()

    def _report(self, status: Status, *, again: bool = False) -> None:
        if status != self._status or again:
            self._status = status
            self._host.set_status(status)

    def _expect(self, seconds: float, reason: str) -> None:
        """Something has to happen in time, or the page counts as lost."""
        self._limit = (time.monotonic() + seconds, reason)

    def _load(self) -> None:
        """The page is being loaded, and has to say in time who it is."""
        self._enter(LOADING)
        self._connecting = False
        self._expect(self._settings.ready_seconds, "WhatsApp's page did not become ready")

    # -- what the page says

    def _paired(self) -> bool:
        return self._account.seen.paired(self._host.store.read()) is not None

    def _take_state(self, state: dict[str, Any]) -> None:
        if state.get("problem"):
            log.debug("Session '%s': %s", self._host.name, state["problem"])
            return
        if state.get("version"):
            self.versions["version"] = state["version"]
        if self.leaving:
            return
        said = (state["mode"], state["socket"])
        blocked = next((word for word in said if word in _BLOCKED), None)
        if blocked is not None:
            raise Ended(f"{_BLOCKED[blocked]}.")
        if state["needsUpdate"] or "DEPRECATED_VERSION" in said:
            self._update()
        elif not state["authenticated"]:
            self._take_code(state)
        elif "CONFLICT" in said:
            self._use_here()
        elif state["mode"] == "MAIN" and state.get("me") and state["ready"]:
            self._at_work(state["me"])
        else:
            self._connect()

    def _connect(self) -> None:
        """The page is paired and gets in step with the phone, or lost its connection; either takes its time."""
        if self.phase == PAIRING:
            self._enter(LOADING)
            self._report(STARTING)
        if not self._connecting:
            self._connecting = True
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
                raise LoggedOut
            log.warning("Session '%s' is not linked any more: it is paired anew", self._host.name)
            self._unpair()
        self.code = code
        self._codes += 1
        self._check_codes(self._codes - 1)
        self._expect(_QR_SECONDS, "no new QR code came")
        self._enter(PAIRING)
        self._report(SCAN_QR_CODE, again=True)

    def _check_codes(self, shown: int) -> None:
        if shown >= self._settings.qr_codes:
            raise Ended("The QR code was not scanned in time; restart the session for a new one.")

    def _renew_code(self) -> None:
        """WhatsApp shows no more codes by itself: ask for one."""
        self._check_codes(self._codes)
        self._ask("refreshQR")

    def _take_logout(self) -> None:
        if not self.leaving and self._paired():
            raise LoggedOut

    def _at_work(self, me: dict[str, Any]) -> None:
        self._limit = None
        self._connecting = False
        if self.phase == AT_WORK:
            return
        self.code = ""
        self._codes = 0
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

    def _ask(self, operation: str) -> None:
        assert self._page is not None
        try:
            self._page.run(operation, 10)
        except Problem as error:
            log.warning("Session '%s': %s failed: %s", self._host.name, operation, error)
        except (Gone, TimedOut, Refused) as error:
            raise Lost(f"{operation} failed: {error}") from error

    def _unpair(self) -> None:
        """Forgets who was logged in."""
        with self._host.store.write() as db:
            self._account.forget(db)
        self._host.set_me(None)
