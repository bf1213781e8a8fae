"""``waxbill doctor --browser``: a browser looks at WhatsApp's real page and says the first thing that does not fit.

With ``--phone`` it shows a QR code, waits for it to be scanned, and tries with that account what sessions live on: it
writes to the account's own chat, so nobody else gets a message. At the end the device is unlinked and its profile gone.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from waxbill import Check, memory
from waxbill.qr import ascii_art
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
#: How long a phone may take to scan.
SCAN_SECONDS = 180.0
_NOT_OURS = (
    "WhatsApp's page has changed. Look for a newer waxbill-browser; until there is one, sessions of this driver may not"
    " work. docs/browser-proof.md says what to report."
)


class Unwell(Exception):
    """What does not fit, and what to do about it."""

    def __init__(self, found: str, remedy: str = _NOT_OURS) -> None:
        super().__init__(found)
        self.remedy = remedy


class Examination:
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

    def steps(self, *, phone: bool) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "browser", self.find_binaries
        yield "WA-JS", self.find_wajs
        yield "browser starts", self.start
        yield "page opens", self.open
        yield "page's modules", self.modules
        yield "modules by name", self.by_name
        yield "WA-JS starts", self.wajs_starts
        yield "WA-JS finds", self.wajs_finds
        yield "QR code", self.code
        if phone:
            yield "pairing", self.pair
            yield "profile", self.profile
            yield "chats", self.chats
            yield "numbers", self.numbers
            yield "sending", self.send
            yield "acknowledgement", self.acknowledged
            yield "reading back", self.read
            yield "editing", self.edit
            yield "reacting", self.react
            yield "sending a file", self.send_file
            yield "taking back", self.revoke
            yield "loading anew", self.reload
        yield "memory", self.memory
        if phone:
            yield "unlinking", self.unlink

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
            address = self.browser.page_address()
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

    # -- with an account

    def pair(self) -> str:
        limit, shown = time.monotonic() + SCAN_SECONDS, ""
        self._show("Scan this with a phone: WhatsApp, Linked devices, Link a device.")
        while not (self._at_work() and self._state.get("me")):
            code = self._state.get("code") or ""
            if self._state.get("socket") == "UNPAIRED_IDLE":  # WhatsApp shows no more codes by itself
                self.page.run("refreshQR", 10)
            if code and code != shown:
                self._show(ascii_art(code))
                shown = code
            if time.monotonic() > limit:
                raise Unwell("nobody scanned the QR code", "Run it again, with the phone at hand.")
            self._listen(1.0)
        self._me = str(self._state["me"]["id"])
        return f"{self._me}, in step with the phone"

    def profile(self) -> str:
        found = self.page.run("profile", 30)
        if found.get("id") != self._me:
            raise Unwell(f"the profile is of {found.get('id')}")
        return str(found.get("name") or "no name")

    def chats(self) -> str:
        found = self.page.run("overview", 60, ids=None, offset=0, limit=10)
        return f"{len(found)} of the newest can be read"

    def numbers(self) -> str:
        found = self.page.run("exists", 30, phone=self._me.partition("@")[0])
        if not found:
            raise Unwell("the own number is said not to exist")
        return f"the own number exists, hidden id {found['lid'] or 'unknown'}"

    def send(self) -> str:
        began = time.monotonic()
        sent = self.page.run("sendText", 60, chat=self._me, text="waxbill doctor: a test, to be taken back at once")
        self._sent, self._sent_key = str(sent["id"]["_serialized"]), str(sent["id"]["id"])
        return f"a message to oneself in {(time.monotonic() - began) * 1000:.0f} ms"

    def acknowledged(self) -> str:
        self._until(
            lambda: any(
                event == "ack" and any(one["id"] == self._sent_key for one in data["ids"])
                for event, data in self._events
            ),
            30,
            "no acknowledgement of it was told",
        )
        self._until(lambda: self._told_message(self._sent_key), 30, "the message was not told as an event")
        return "told as an event, and the message, too"

    def read(self) -> str:
        found = self.page.run("messages", 30, chat=self._me, count=5)
        if self._sent_key not in [one["id"]["id"] for one in found]:  # the own chat may go by another id
            raise Unwell("the message is not in its chat's history")
        return f"{len(found)} messages, it is among them"

    def edit(self) -> str:
        self.page.run("edit", 30, chat=self._me, messageId=self._sent, text="waxbill doctor: changed", mentions=[])
        found = self.page.run("message", 30, chat=self._me, messageId=self._sent)
        if found["body"] != "waxbill doctor: changed":
            raise Unwell(f"the message reads {found['body']!r} after it was changed")
        return "the message was changed"

    def react(self) -> str:
        self.page.run("react", 30, messageId=self._sent, reaction="👍")
        self._until(
            lambda: any(
                event == "reaction" and data["message"]["id"] == self._sent_key for event, data in self._events
            ),
            30,
            "no reaction was told",
        )
        return "told as an event"

    def send_file(self) -> str:
        path = Path(self._folder.name) / "doctor.txt"
        path.write_text("waxbill doctor")
        handle = self.page.hand_in(path)
        sent = self.page.run(
            "sendFile",
            120,
            chat=self._me,
            file={"handle": handle, "name": "doctor.txt", "type": "text/plain"},
            **{"as": {"type": "document"}},
        )
        message = self._file_sent = str(sent["id"]["_serialized"])
        with (Path(self._folder.name) / "back").open("wb+") as back:
            self.page.read_out(message, back, 1 << 20, 120)
            back.seek(0)
            same = back.read() == b"waxbill doctor"
        if not same:
            raise Unwell("the file came back changed")
        return "a document went out and was downloaded again"

    def revoke(self) -> str:
        """Takes back what was sent. In the chat with oneself WhatsApp may not offer that, which is no misfit."""
        for sent in ("_file_sent", "_sent"):
            if message := getattr(self, sent):
                setattr(self, sent, "")
                try:
                    self.page.run("revoke", 30, chat=self._me, messageId=message)
                except Problem as problem:
                    if problem.code != "not-allowed":
                        raise
                    return (
                        "WhatsApp lets nothing be taken back in one's own chat: delete the two messages there by hand"
                    )
        return "the message and the file were taken back"

    def reload(self) -> str:
        began = time.monotonic()
        self._state = {}
        self.page.reload()
        self._until(
            self._at_work,
            self.settings.ready_seconds,
            "the page did not come back to work",
        )
        return f"back at work, without a code, in {time.monotonic() - began:.1f} s"

    def unlink(self) -> str:
        with contextlib.suppress(Refused):  # the page may be loaded anew before it can answer
            self.page.run("logout", 60)
        self._until(
            lambda: any(event == "logout" for event, _ in self._events) or self._state.get("authenticated") is False,
            30,
            "the page did not say so",
            "Remove the device “waxbill doctor” in the phone's list of linked devices.",
        )
        self._me = ""
        return "the device is unlinked; look at the phone's list of linked devices"

    def leave(self) -> list[Check]:
        """A device that was paired is not left behind, nor is what it sent, whatever went wrong after it."""
        if not self._me:
            return []
        with contextlib.suppress(*FAILURES):
            self.revoke()
        try:
            return [Check("browser: unlinking", None, self.unlink())]
        except (Unwell, *FAILURES) as error:
            remedy = "Remove the device “waxbill doctor” in the phone's list of linked devices."
            return [Check("browser: unlinking", False, str(error), remedy)]

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

    def _until(self, reached: Callable[[], Any], seconds: float, otherwise: str, remedy: str = _NOT_OURS) -> None:
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


def examine(settings: Settings, *, phone: bool) -> list[Check]:
    """All that is well, and the first thing that is not; what would come after it is said not to be reached."""
    examination = Examination(settings, lambda text: print(text, file=sys.stderr, flush=True))
    checks: list[Check] = []
    steps = list(examination.steps(phone=phone))
    try:
        for name, step in steps:
            try:
                checks.append(Check(f"browser: {name}", True, step()))
            except Unwell as unwell:
                checks.append(Check(f"browser: {name}", False, str(unwell), unwell.remedy))
                break
            except FAILURES as error:
                checks.append(Check(f"browser: {name}", False, f"{type(error).__name__}: {error}", _NOT_OURS))
                break
        left = [name for name, _ in steps[len(checks) :]]
        if left:
            checks.append(Check("browser: not reached", None, ", ".join(left)))
            checks += examination.leave()
        elif not phone:
            checks.append(Check("browser: not tried", None, "what needs an account: run it with --phone, and a phone"))
    finally:
        examination.close()
    return checks
