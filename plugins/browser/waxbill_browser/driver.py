"""The driver: one browser for each session that runs."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from waxbill import Account, Driver, DriverProcess, SessionHost
from waxbill.clock import Clock
from waxbill.settings import Settings
from waxbill.store import Store

from . import browser as browsers
from . import flags, processes, wajs
from .binaries import Binaries, find
from .browser import Browser
from .copies import Copies, Copy
from .devtools import Gone, Refused, TimedOut
from .later import Later
from .life import Life
from .link import ASLEEP, OVER
from .look import Look, forget_proxy, look_of
from .operations.chats import Chats
from .operations.events import Events
from .operations.groups import Groups
from .operations.pairing import Pairing
from .page import Page
from .seen import SCHEMA, Seen
from .settings import BrowserSettings

log = logging.getLogger("waxbill.browser")

_LOGOUT_SECONDS = 15.0
#: A session is asleep at the earliest so long after its last use when memory is tight.
_TIRED_SECONDS = 60.0


class BrowserAccount(Pairing, Chats, Groups, Events):
    """One account in WhatsApp Web: every area's operations together."""

    def __init__(self, host: SessionHost, driver: BrowserDriver) -> None:
        super().__init__(host, driver.settings)
        self._driver = driver
        self.life = Life(
            host,
            driver.settings,
            browser=lambda: driver.browser_for(host),
            prepare=lambda page: driver.prepare(host, page),
            account=self,
            threads=driver.threads,
            copy=Copy(host, driver.copies),
        )

    def start(self) -> None:
        self.life.start()

    def stop(self) -> None:
        self.life.stop()
        self._driver.accounts.pop(self.host.name, None)

    def logout(self) -> None:
        """Tells WhatsApp that this device is no longer linked; a session that sleeps is woken for it."""
        if self.life.phase == OVER or self.seen.paired(self.host.store.read()) is None:
            return
        with self.page() as page:
            self.life.leaving = True
            try:
                page.run("logout", _LOGOUT_SECONDS)
            except Refused:  # the page was loaded anew before it could answer, as it is at log-out
                log.info("Session '%s': its page went away at log-out", self.host.name)

    def engine_details(self) -> dict[str, Any]:
        found: dict[str, Any] = {"state": self.life.phase}
        if self.life.versions:
            found["WWebVersion"] = self.life.versions.get("version")
            found["WAJSVersion"] = self.life.versions.get("wajs")
        if self.life.vitals.memory_mb:
            found["memoryMb"] = round(self.life.vitals.memory_mb)
        return found


class BrowserDriver(Driver):
    """Browsers on this machine, each with a profile of its own in its session's folder."""

    engine = "WPP"

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self.settings = settings.part(BrowserSettings)
        self._core = settings.core
        self._store = store
        self._binaries: Binaries = find(self.settings.binary, self.settings.chromedriver)
        self.browser = str(self._binaries.chromium)
        self.accounts: dict[str, BrowserAccount] = {}
        #: One for each session that runs, used again by the next; each holds a connection to the store.
        self.threads = ThreadPoolExecutor(1000, "waxbill-session")
        self._lock = threading.Lock()
        self._sandbox: bool | None = None
        self._user_agent: str | None = None
        self.blocks_pictures = self.settings.block_pictures == "always"
        store.migrate("browser", SCHEMA)
        self.copies = Copies(self.settings, self._core, store)
        left = processes.under(settings.core.store_dir.absolute() / "sessions", of_others=False)
        if left:
            log.warning("Ending %d process(es) that a server before this one left behind", len(left))
            processes.end(left)

    def account(self, host: SessionHost) -> Account:
        made = self.accounts[host.name] = BrowserAccount(host, self)
        return made

    def forget(self, session: str) -> None:
        self.copies.forget(session)
        with self._store.write() as db:
            Seen(session).forget(db)
            Later(session).forget(db)
            forget_proxy(db, session)

    def close(self) -> None:
        self.copies.close()
        self.threads.shutdown(wait=True)

    # -- how a session's browser is made

    def browser_for(self, host: SessionHost) -> Browser:
        with self._lock:  # found out at the first start, not when the server starts
            if self._sandbox is None:
                processes.adopt()
                wanted = self.settings.sandbox
                self._sandbox = flags.can_sandbox(self._binaries.chromium) if wanted == "auto" else wanted == "on"
                if not self._sandbox:
                    log.warning(
                        "Chromium runs without its sandbox: a flaw in it would be one of this user's. Run the server "
                        "as a user other than root, where users may make namespaces (WAXBILL_BROWSER_SANDBOX)."
                    )
            if self._user_agent is None:
                self._user_agent = self.settings.user_agent or flags.user_agent(browsers.version(self._binaries))
        return Browser(
            self._binaries,
            host.folder.absolute() / "browser",
            self.look(host),
            sandbox=self._sandbox,
            keep_chromedriver=self.settings.keep_chromedriver,
            more=f"{self._heap_limit()} {self.settings.arguments}",
        )

    def look(self, host: SessionHost) -> Look:
        """How a session looks at this start, once it is known how this browser calls itself."""
        assert self._user_agent is not None
        return look_of(host, self.settings, user_agent=self._user_agent)

    def _heap_limit(self) -> str:
        """A guard, no relief: a page that reaches it crashes and is brought back, instead of the whole server."""
        most = self._core.max_heap_mb
        return f"--js-flags=--max-old-space-size={most}" if most else ""

    def prepare(self, host: SessionHost, page: Page) -> None:
        """Everything that a session's page must have before WhatsApp is opened in it."""
        page.prepare(wajs.bundle().read_text(), self.look(host))
        if self.blocks_pictures:
            page.block_pictures(True)

    # -- memory

    def processes(self) -> list[DriverProcess]:
        return [
            DriverProcess(pid, part, name)
            for name, account in list(self.accounts.items())
            for pid, part in account.life.processes()
        ]

    def misfits(self) -> dict[str, str]:
        return {
            name: account.life.vitals.misfit
            for name, account in list(self.accounts.items())
            if account.life.vitals.misfit
        }

    def relieve(self, rung: str) -> str | None:
        """What this driver can do about tight memory on a rung of the ladder, in words; see ``hookspecs``."""
        if rung == "levers":
            return self._free()
        if rung == "reload":
            return self._reload_heaviest()
        if rung == "hibernate":
            return self._put_to_sleep()
        return None

    def _free(self) -> str | None:
        if self.settings.block_pictures == "auto":
            self.blocks_pictures = True
        done = 0
        for account in list(self.accounts.values()):
            page = account.life.current_page
            if page is not None:
                try:
                    page.free()
                    if self.blocks_pictures:
                        page.block_pictures(True)
                    done += 1
                except (Gone, Refused, TimedOut) as error:
                    log.warning("Memory of session '%s' could not be freed: %s", account.host.name, error)
        return f"collected the garbage of {done} page(s)" if done else None

    def _reload_heaviest(self) -> str | None:
        sizes = {name: processes.pss_mb(account.life.pids()) for name, account in list(self.accounts.items())}
        for name in sorted(sizes, key=lambda each: -sizes[each]):
            if self.accounts[name].life.reload():
                return f"loaded the page of session '{name}' ({sizes[name]:.0f} MB) anew"
        return None

    def _put_to_sleep(self) -> str | None:
        asleep = [
            name
            for name, account in list(self.accounts.items())
            if account.life.idle_seconds >= _TIRED_SECONDS and account.life.sleep()
        ]
        return f"put {', '.join(asleep)} to sleep" if asleep else None

    def asleep(self) -> int:
        """How many sessions sleep now."""
        return sum(account.life.phase == ASLEEP for account in list(self.accounts.values()))
