"""One browser for several sessions, or one for each? Measures both on the stand-in and prints what decides it.

    python benchmarks/browser_shared.py            up to three sessions, three rounds
    python benchmarks/browser_shared.py --quick    up to two sessions, one round

Four ways to have N sessions: N browsers with a profile each, of either kind (as the driver does it); one browser whose
first session has its profile and the others a browser context each (DevTools' ``Target.createBrowserContext``); one
full Chromium with N profiles. Memory is the PSS of everything but the server, each session paired.
Then what each way keeps apart and what it keeps at all: two sessions, each tried from the other's page.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import shlex
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.standin import StandIn  # noqa: E402

from waxbill_browser import binaries, flags, processes, wajs  # noqa: E402
from waxbill_browser.browser import Browser, version  # noqa: E402
from waxbill_browser.devtools import DevTools, Gone, Refused, TimedOut  # noqa: E402
from waxbill_browser.page import Page, Problem  # noqa: E402

KINDS = {"headless-shell": "", "chromium": "chromium"}
SETTLE_SECONDS = 3.0
PATIENCE_SECONDS = 60.0

#: What a page leaves in each kind of storage, and how the other looks for it. Answers true where it is found.
TRACES = {
    "cookies": ("document.cookie = 'trace=1; Secure; Max-Age=9999'", "document.cookie.includes('trace')"),
    "localStorage": ("localStorage.trace = '1'", "'trace' in localStorage"),
    "IndexedDB": (
        "new Promise((done) => { indexedDB.open('trace').onsuccess = (event) => done(event.target.result.close()) })",
        "indexedDB.databases().then((all) => all.some((one) => one.name === 'trace'))",
    ),
    "cache storage": ("caches.open('trace').then(() => 1)", "caches.has('trace')"),
    "service workers": (
        "navigator.serviceWorker.register('/js/worker.js').then(() => 1)",
        "navigator.serviceWorker.getRegistrations().then((all) => all.length > 0)",
    ),
}


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        with contextlib.suppress(Problem, Refused, TimedOut, Gone, OSError):
            found = condition()
            if found:
                return found
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {PATIENCE_SECONDS:g} s")
        time.sleep(0.05)


class Sessions:
    """``count`` sessions in browsers on the stand-in: a way to have them. ``open`` gives their pages.

    ``proxy`` is for the last of them alone.
    """

    def __init__(self, folder: Path, whatsapp: StandIn, kind: str, *, shared: str, count: int, proxy: str = "") -> None:
        self._folder, self._whatsapp, self._kind = folder, whatsapp, kind
        self._shared, self._count, self._proxy = shared, count, proxy
        self.browsers: list[Browser] = []
        self.pages: list[Page] = []
        self._contexts: list[DevTools] = []

    def open(self) -> list[Page]:
        if self._shared == "profiles":
            self._write_profiles()
        for number in range(1 if self._shared else self._count):
            self._start(f"{number}", self._proxy if number == self._count - 1 else "")
        look = flags.Look(user_agent=flags.user_agent(version(binaries.find(KINDS[self._kind]))))
        for address in self._addresses():
            page = Page(address, _nothing, _nothing)
            page.prepare(wajs.bundle().read_text(), look)
            self.pages.append(page)
            page.open()
        return self.pages

    def _start(self, name: str, proxy: str) -> None:
        more = shlex.join(self._whatsapp.arguments)
        found, sandbox = binaries.find(KINDS[self._kind]), flags.can_sandbox()
        look = flags.Look(proxy=proxy)
        browser = Browser(found, self._folder / name, look, sandbox=sandbox, more=more, keep_chromedriver=False)
        self.browsers.append(browser)
        browser.start()

    def _addresses(self) -> list[str]:
        if not self._shared:
            return [browser.page_address for browser in self.browsers]
        browser = self.browsers[0]
        if self._shared == "contexts":
            first = browser.page_address
            return [first, *(self._context(number) for number in range(1, self._count))]
        return list(wait_for(self._windows, "a window of each profile"))

    def _context(self, number: int) -> str:
        """A page in a browser context of its own, which lives as long as the connection that made it."""
        tools = DevTools(self._ask("version")["webSocketDebuggerUrl"], _nothing, _nothing)
        self._contexts.append(tools)
        proxy = {"proxyServer": self._proxy} if self._proxy and number == self._count - 1 else {}
        context = tools.call("Target.createBrowserContext", **proxy)["browserContextId"]
        target = tools.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        return f"ws://{self.browsers[0].address}/devtools/page/{target}"

    def _windows(self) -> list[str]:
        """The addresses of the pages that profiles open at start; empty before all are there."""
        pages = {each["url"]: each["webSocketDebuggerUrl"] for each in self._ask("list") if each["type"] == "page"}
        wanted = [pages.get(_greeting(number)) for number in range(self._count)]
        return [] if None in wanted else wanted

    def _ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"http://{self.browsers[0].address}/json/{what}") as answer:
            return json.load(answer)

    def _write_profiles(self) -> None:
        """Without a screen no second start is handed over to the first, but the profiles that were last open are."""
        folder = self._folder / "0"
        names = [f"Profile {number}" for number in range(self._count)]
        for number, name in enumerate(names):
            (folder / name).mkdir(parents=True, exist_ok=True)
            if not (folder / name / "Preferences").exists():
                wanted: dict[str, Any] = {"session": {"restore_on_startup": 4, "startup_urls": [_greeting(number)]}}
                if self._proxy and number == self._count - 1:
                    wanted["proxy"] = {"mode": "fixed_servers", "server": self._proxy}
                (folder / name / "Preferences").write_text(json.dumps(wanted))
        known = {name: {"name": name} for name in names}
        state = {
            "show_picker_on_startup": False,
            "last_active_profiles": names,
            "last_used": names[0],
            "info_cache": known,
        }
        (folder / "Local State").write_text(json.dumps({"profile": state}))

    def pids(self) -> list[int]:
        return sorted({pid for browser in self.browsers for pid in browser.pids()})

    def close(self) -> None:
        for page in self.pages:
            page.close()
        for tools in self._contexts:
            tools.close()
        for browser in self.browsers:
            browser.close()
        self.pages, self.browsers, self._contexts = [], [], []


def _nothing(*_: object) -> None: ...


def _greeting(number: int) -> str:
    """What a profile opens at start, by which its window is known."""
    return f"data:text/plain,{number}"


def state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.run("state", 10)
    return {} if found.get("problem") else found


def pair(page: Page, whatsapp: StandIn, phones: Iterator[int]) -> None:
    code = wait_for(lambda: state(page).get("code"), "a QR code")
    whatsapp.add_phone(f"49151{next(phones):08d}", "Somebody").scan(code)
    wait_for(lambda: state(page).get("authenticated") and state(page)["mode"] == "MAIN", "a paired page")


def stayed_paired(page: Page) -> bool:
    """Once the page knows: it is in step with the phone, or shows a QR code."""
    known = wait_for(
        lambda: (found := state(page)) and (found["mode"] == "MAIN" or found.get("code")) and found, "a page"
    )
    return bool(known["authenticated"])


def evaluate(page: Page, expression: str) -> Any:
    answer = page.devtools.call("Runtime.evaluate", 20, expression=expression, awaitPromise=True, returnByValue=True)
    if "exceptionDetails" in answer:
        raise Refused(str(answer["exceptionDetails"].get("exception", {}).get("description")))
    return answer["result"].get("value")


def answers(page: Page) -> bool:
    try:
        return bool(page.devtools.call("Runtime.evaluate", 5, expression="1 + 1"))
    except (Gone, TimedOut, Refused):
        return False


def memory(kind: str, shared: str, count: int) -> float:
    """PSS in MB of so many sessions."""
    with StandIn() as whatsapp, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sessions, phones = Sessions(Path(folder), whatsapp, kind, shared=shared, count=count), itertools.count()
        try:
            for page in sessions.open():
                pair(page, whatsapp, phones)
            time.sleep(SETTLE_SECONDS)
            return processes.pss_mb(sessions.pids())
        finally:
            sessions.close()


def through_proxy(kind: str, shared: str) -> str:
    """Whose requests a proxy sees that is the second session's alone."""
    asked: list[bytes] = []

    def refuse() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    asked.append(connection.recv(1000).split(b"\r")[0])
                    connection.sendall(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        StandIn() as whatsapp,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
    ):
        threading.Thread(target=refuse, daemon=True).start()
        proxy = f"127.0.0.1:{listener.getsockname()[1]}"
        sessions = Sessions(Path(folder), whatsapp, kind, shared=shared, count=2, proxy=proxy)
        try:
            with contextlib.suppress(Refused):  # the proxy says no
                sessions.open()
            first = wait_for(lambda: state(sessions.pages[0]).get("code"), "a QR code without the proxy")
            second = any(line.startswith(b"CONNECT web.whatsapp.com") for line in asked)
            return "its own" if first and second else f"not its own ({asked})"
        finally:
            sessions.close()
            listener.shutdown(socket.SHUT_RDWR)


def isolation(kind: str, shared: str) -> dict[str, str]:
    """What two sessions have of each other, what a crash takes along, and what a restart leaves."""
    found = {"proxy": through_proxy(kind, shared)}
    with StandIn() as whatsapp, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sessions, phones = Sessions(Path(folder), whatsapp, kind, shared=shared, count=2), itertools.count()
        try:
            first, second = sessions.open()
            for page in (first, second):
                pair(page, whatsapp, phones)
            for name, (leave, look) in TRACES.items():
                evaluate(first, leave)
                own, other = evaluate(first, look), evaluate(second, look)
                found[name] = "nothing was kept" if not own else "shared" if other else "apart"
            evaluate(second, "window.heard = 0; new BroadcastChannel('x').onmessage = () => { window.heard += 1 }")
            evaluate(first, "new BroadcastChannel('x').postMessage(1)")
            time.sleep(0.5)
            found["messages between pages"] = "heard" if evaluate(second, "window.heard") else "apart"
            first.devtools.send("Page.crash")
            wait_for(lambda: not answers(first), "a crash")
            found["a page that crashes takes along"] = "nothing" if answers(second) else "the other"
            sessions.close()  # as a server that stops

            pages = sessions.open()
            found["paired after a restart"] = f"{sum(map(stayed_paired, pages))} of 2"
            os.kill(sessions.browsers[0].pid, signal.SIGKILL)
            wait_for(lambda: not answers(pages[0]), "an end")
            found["a browser that is killed takes along"] = "nothing" if answers(pages[1]) else "the other"
        finally:
            sessions.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to two sessions, one round")
    options = parser.parse_args()
    rounds, most = (1, 2) if options.quick else (3, 3)
    ways = {
        "headless-shell, a browser each": ("headless-shell", ""),
        "headless-shell, a context each": ("headless-shell", "contexts"),
        "chromium, a browser each": ("chromium", ""),
        "chromium, a context each": ("chromium", "contexts"),
        "chromium, a profile each": ("chromium", "profiles"),
    }
    print(f"| PSS, MB | {' | '.join(map(str, range(1, most + 1)))} | one more |\n|---|{'---:|' * (most + 1)}")
    for name, (kind, shared) in ways.items():
        medians = [
            statistics.median(memory(kind, shared, count) for _ in range(rounds)) for count in range(1, most + 1)
        ]
        more = (medians[-1] - medians[0]) / (most - 1)
        print(f"| {name} | {' | '.join(f'{value:.0f}' for value in medians)} | {more:.0f} |", flush=True)
    kept = {name: isolation(*way) for name, way in ways.items()}
    print(f"\n| | {' | '.join(kept)} |\n|---|{'---|' * len(kept)}")
    for what in next(iter(kept.values())):
        print(f"| {what} | {' | '.join(each[what] for each in kept.values())} |")


if __name__ == "__main__":
    main()
