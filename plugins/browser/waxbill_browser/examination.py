"""A browser of its own on WhatsApp's real page, and the steps of ``doctor.py`` that need no account."""

from __future__ import annotations

import contextlib
import queue
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from waxbill import memory
from waxbill.settings import Settings

from . import browser as browsers
from . import flags, processes, wajs
from .binaries import Binaries, Missing, find, how_to_install
from .browser import Browser, BrowserFailed
from .devtools import Gone, Refused, TimedOut
from .fit import misfit
from .look import Look
from .page import Page, Problem
from .settings import BrowserSettings

FAILURES = (Problem, Refused, TimedOut, Gone)
NOT_OURS = (
    "WhatsApp's page has changed. Look for a newer waxbill-browser; until there is one, sessions of this driver may not"
    " work. docs/browser-proof.md says what to report."
)


class Unwell(Exception):
    """What does not fit, and what to do about it."""

    def __init__(self, found: str, remedy: str = NOT_OURS) -> None:
        super().__init__(found)
        self.remedy = remedy


class Browsing:
    """One browser on WhatsApp's page, its profile thrown away afterwards. A step says what it found, or is unwell."""

    def __init__(self, settings: Settings, show: Callable[[str], object]) -> None:
        self.settings = settings.part(BrowserSettings)
        self._limit_mb = settings.core.memory_limit_mb
        self._show = show
        self._told: queue.Queue[str] = queue.Queue()
        self._document = ""
        self._state: dict[str, Any] = {}
        self._events: list[tuple[str, Any]] = []
        self.browser: Browser | None = None
        self._page: Page | None = None
        self._binaries: Binaries | None = None
        self._me = ""
        #: What was sent and not yet taken back, and the message's bare key.
        self._sent = self._file_sent = self._sent_key = ""
        self._folder = tempfile.TemporaryDirectory(prefix="waxbill-doctor-", ignore_cleanup_errors=True)

    def close(self) -> None:
        if self._page is not None:
            self._page.close()
        if self.browser is not None:
            self.browser.close()
        self._folder.cleanup()

    # -- without an account

    def find_binaries(self) -> str:
        try:
            self._binaries = find(self.settings.binary, self.settings.chromedriver)
        except Missing as missing:
            raise Unwell(str(missing), how_to_install()) from None
        return f"{self._binaries.chromium} ({browsers.version(self._binaries) or 'it does not say its version'})"

    def find_wajs(self) -> str:
        try:
            return f"{wajs.version()}, {wajs.bundle().stat().st_size / 1e6:.1f} MB"
        except wajs.WaJsMissing as missing:
            raise Unwell(str(missing), str(missing)) from None

    def start(self) -> str:
        assert self._binaries is not None
        wanted = self.settings.sandbox
        sandbox = flags.can_sandbox(self._binaries.chromium) if wanted == "auto" else wanted == "on"
        settings = self.settings
        agent = settings.user_agent or flags.user_agent(browsers.version(self._binaries))
        server = settings.proxy_server or next(iter(settings.proxy_list), "")
        login = (settings.proxy_username, str(settings.proxy_password))
        look = Look(
            user_agent=agent,
            locale=settings.locale,
            time_zone=settings.time_zone,
            device_name="waxbill doctor",
            proxy=server,
            login=login if server and login[0] else None,
        )
        profile = Path(self._folder.name) / "browser"
        self.browser = Browser(self._binaries, profile, look, sandbox=sandbox, more=self.settings.arguments)
        began = time.monotonic()
        try:
            self.browser.start()
            address = self.browser.page_address
        except BrowserFailed as failed:
            raise Unwell(str(failed), "Run the browser by hand with --headless and read what it says.") from failed
        self._page = Page(address, self._told.put, lambda _: None)
        try:
            self._page.prepare(wajs.bundle().read_text(), look)
        except Refused as refused:
            raise Unwell(
                str(refused),
                "Check WAXBILL_BROWSER_TIME_ZONE and WAXBILL_BROWSER_LOCALE: the browser does not know one.",
            ) from refused
        return f"in {time.monotonic() - began:.1f} s, sandbox {'on' if sandbox else 'off'}"

    @property
    def page(self) -> Page:
        assert self._page is not None
        return self._page

    def open(self) -> str:
        began = time.monotonic()
        try:
            self.page.open()
        except Refused as refused:
            raise Unwell(str(refused), "Check the network, the name server and the proxy of this machine.") from refused
        self._until(lambda: self._document, 30, "the page ran no script", "Check the proxy: it may answer by itself.")
        return f"in {time.monotonic() - began:.1f} s"

    def modules(self) -> str:
        began = time.monotonic()
        self._until(lambda: self._state, self.settings.ready_seconds, "the page brought no modules that are known")
        probe = self._probe()
        return f"{probe['modules']} in {time.monotonic() - began:.1f} s; WhatsApp Web {probe['page']}"

    def by_name(self) -> str:
        probe = self._probe()
        found = self._all_there(probe["byName"], "the page has no")
        # A single operation each, which then answers with an error.
        lost = [f"{one['for']} ({one['missing']})" for one in probe["extras"] if one["missing"]]
        return f"{found}; without {', '.join(lost)}" if lost else found

    def wajs_starts(self) -> str:
        began = time.monotonic()
        self._until(lambda: self._probe()["byWaJs"], 60, "WA-JS did not start")
        started = self._probe()["wajs"]
        if not started["injected"]:
            raise Unwell("WA-JS did not start")
        self._until(lambda: self._probe()["wajs"]["fullReady"], 60, "WA-JS started and did not become ready")
        return f"{started['version']}, ready after {time.monotonic() - began:.1f} s more"

    def wajs_finds(self) -> str:
        return self._all_there(self._probe()["byWaJs"], "WA-JS does not find")

    def code(self) -> str:
        self._until(lambda: self._state.get("code"), 60, "the page shows no QR code")
        parts = len(self._state["code"].split(","))
        if parts < 4:
            raise Unwell(f"the QR code has {parts} parts, not 4")
        return f"{parts} parts"

    def memory(self) -> str:
        assert self.browser is not None
        held = processes.pss_mb(self.browser.pids())
        why = misfit(held, memory.read(self._limit_mb))
        if why:
            raise Unwell(
                why, "Use a machine with more memory, fewer sessions, or let this one sleep (docs/browser.md)."
            )
        return f"{held:.0f} MB (PSS of {len(self.browser.pids())} processes)"

    # -- what the steps share

    def _at_work(self) -> bool:
        state = self._state
        return bool(state.get("authenticated") and state.get("mode") == "MAIN" and state.get("ready"))

    def _probe(self) -> dict[str, Any]:
        return dict(self.page.run("probe", 60))

    def _all_there(self, found: list[dict[str, Any]], words: str) -> str:
        missing = [str(one["missing"]) for one in found if one["missing"]]
        if missing:
            more = f" (and {len(missing) - 1} more: {', '.join(missing[1:])})" if missing[1:] else ""
            raise Unwell(f"{words} {missing[0]}{more}")
        return f"all {len(found)}"

    def _told_message(self, key: str) -> bool:
        return any(event == "message" and data["id"]["id"] == key for event, data in self._events)

    def _until(self, reached: Callable[[], Any], seconds: float, otherwise: str, remedy: str = NOT_OURS) -> None:
        limit = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > limit:
                raise Unwell(f"{otherwise} in {seconds:g} s", remedy)
            self._listen(0.2)

    def _listen(self, seconds: float) -> None:
        """Takes what the page told; waits for something when there is nothing."""
        with contextlib.suppress(queue.Empty):
            told = msgspec.json.decode(self._told.get(timeout=seconds))
            self._document = told["document"]
            if told["event"] == "state":
                self._state = told["data"]
            else:
                self._events.append((told["event"], told["data"]))
