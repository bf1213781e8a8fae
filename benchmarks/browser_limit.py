"""A session in the browser inside a real memory limit, under traffic: is anything killed, is anything lost?

    python benchmarks/browser_limit.py [--minutes 60] [--limit 512] [--hoard 0]

The server and its Chromium run in a control group of their own (root); the stand-in for WhatsApp Web and the webhook's
receiver run outside. Twice a second a message comes in and a text goes out; one in ten is a photo of 1 MB, both ways.
Each message must reach the webhook and each answered text the stand-in, whatever the watch over memory does meanwhile.

The stand-in's page is small and never reaches the level at which the watch acts. ``--hoard`` makes it grow as pages of
real accounts do: so many MB a minute that it keeps until it is loaded anew, and as many that are garbage.

Chromium is copied for it: a file that others have read already would not count in the group.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser.standin import StandIn
from tests.control_groups import ControlGroup
from tests.making import png

from waxbill.testing import Receiver, ServerProcess
from waxbill_browser import binaries
from waxbill_browser.devtools import DevTools, Gone, Refused, TimedOut

SENDER, CHAT = "49301234567", "49301234568@c.us"
PAUSE_SECONDS = 0.5
#: How long what is on its way may take at the end.
PATIENCE_SECONDS = 120.0
_STEP = re.compile(r"Memory \w+: .*; (\w+): ")


@dataclass
class Result:
    kills: int = 0
    peak_mb: float = 0.0
    #: Working set in MB, at every tenth of the time.
    used_mb: list[float] = field(default_factory=list)
    received: set[str] = field(default_factory=set)
    told: Counter[str] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    refused: int = 0
    arrived: set[str] = field(default_factory=set)
    #: What the watch over memory did, by rung.
    steps: Counter[str] = field(default_factory=Counter)
    starts: int = 1

    @property
    def lost(self) -> int:
        """Messages that no webhook got, and texts that were answered with 201 and never left."""
        return len(self.received - self.told.keys()) + len(self.answered - self.arrived)


def photo() -> bytes:
    """An image of about a megabyte."""
    return png(8) + os.urandom(1024 * 1024)


def copy_uncached(source: Path, target: Path) -> None:
    """Copies a folder so that whoever reads it first is charged for it."""
    shutil.copytree(source, target)
    for path in target.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


@contextlib.contextmanager
def serving(folder: Path, group: ControlGroup, whatsapp: StandIn, receiver: Receiver) -> Iterator[ServerProcess]:
    chromium = binaries.find().chromium
    copy_uncached(chromium.resolve().parent, folder / "chromium")
    with ServerProcess(
        folder,
        program=group.program(folder),
        WAXBILL_DRIVER="browser",
        WAXBILL_BROWSER_BINARY=str(folder / "chromium" / chromium.name),
        WAXBILL_BROWSER_ARGS=shlex.join(whatsapp.arguments),
        WHATSAPP_HOOK_URL=receiver.url,
        WHATSAPP_HOOK_EVENTS="message",
        WAXBILL_PROFILE="512mb",
    ) as server:
        yield server


@contextlib.contextmanager
def hoarding(folder: Path, mb_per_minute: float) -> Iterator[None]:
    """Lets the page grow meanwhile."""
    script = f"""(() => {{
        const filled = (mb) => Array.from({{ length: mb * 10 }}, () => new Array(13107).fill(0.5));  // 0.1 MB each
        (window.hoard ??= []).push(filled({mb_per_minute / 60}));
        filled({mb_per_minute / 60});
    }})()"""
    ended = threading.Event()

    def grow() -> None:
        while not ended.wait(1):
            with contextlib.suppress(OSError, LookupError, Gone, Refused, TimedOut):  # it is being loaded anew
                tools = DevTools(_page_address(folder), _nothing, _nothing)
                tools.call("Runtime.evaluate", expression=script)
                tools.close()

    thread = threading.Thread(target=grow)
    if mb_per_minute:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if mb_per_minute:
            thread.join()


def _page_address(folder: Path) -> str:
    port = (folder / "store/sessions/one/browser/DevToolsActivePort").read_text().split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
        return next(each["webSocketDebuggerUrl"] for each in json.load(answer) if each["type"] == "page")


def _nothing(*_: object) -> None: ...


def traffic(server: ServerProcess, whatsapp: StandIn, result: Result, seconds: float) -> None:
    """Messages both ways until the time is up."""
    limit = time.monotonic() + seconds
    stop = threading.Event()

    def come_in() -> None:
        number = 0
        while not stop.wait(PAUSE_SECONDS):
            number += 1
            text = f"in {number}"
            if number % 10 == 0:
                whatsapp.phone.receive_media(SENDER, photo(), "image/png", caption=text)
            else:
                whatsapp.phone.receive(SENDER, text)
            result.received.add(text)

    coming = threading.Thread(target=come_in)
    coming.start()
    number = 0
    next_reading = 0.0
    try:
        while time.monotonic() < limit:
            number += 1
            text = f"out {number}"
            body: dict[str, object] = {"session": "one", "chatId": CHAT, "text": text}
            path = "/api/sendText"
            if number % 10 == 0:
                file = {"mimetype": "image/png", "filename": "a.png", "data": base64.b64encode(photo()).decode()}
                path, body = "/api/sendImage", {"session": "one", "chatId": CHAT, "caption": text, "file": file}
            if server.post(path, body, timeout_seconds=120).status == 201:
                result.answered.add(text)
            else:
                result.refused += 1
            if time.monotonic() >= next_reading:
                next_reading = time.monotonic() + seconds / 10
                result.used_mb.append(server.get("/health").json()["memory"]["used_mb"])
            time.sleep(PAUSE_SECONDS)  # the pace of the traffic
    finally:
        stop.set()
        coming.join()


def run(folder: Path, seconds: float, limit_mb: int = 512, hoard_mb: float = 0) -> Result:
    """Raises NoControlGroups where no memory group can be made."""
    result = Result()

    def answer(received: object) -> int:
        return 200

    with (
        ControlGroup(limit_mb) as group,
        StandIn() as whatsapp,
        Receiver(answer) as receiver,
        serving(folder, group, whatsapp, receiver) as server,
    ):
        server.post("/api/sessions", {"name": "one"})
        server.wait_for_status("one", "SCAN_QR_CODE", timeout_seconds=60)
        whatsapp.phone.scan()
        server.wait_for_status("one", "WORKING", timeout_seconds=60)
        with hoarding(folder, hoard_mb):
            traffic(server, whatsapp, result, seconds)
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            result.told = Counter({event["id"]: event["payload"]["body"] for event in receiver.events}.values())
            result.arrived = {str(message.get("caption") or message.get("body")) for message in whatsapp.phone.sent}
            if not result.lost:
                break
            time.sleep(0.2)
        result.steps = Counter(found[1] for found in map(_STEP.search, server.log.splitlines()) if found)
        result.kills, result.peak_mb = group.kills, group.peak_mb
    return result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--limit", type=int, default=512)
    options.add_argument("--hoard", type=float, default=0, metavar="MB")
    options.add_argument("--quick", action="store_true", help="one minute")
    chosen = options.parse_args()
    minutes = 1 if chosen.quick else chosen.minutes
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), minutes * 60, chosen.limit, chosen.hoard)
    repeated = sum(count - 1 for count in result.told.values())
    grows = f", the page growing by twice {chosen.hoard:g} MB a minute" if chosen.hoard else ""
    print(f"| {minutes:g} minutes in a control group of {chosen.limit} MB{grows} | |\n|---|---:|")
    print(f"| processes killed by the kernel | {result.kills} |")
    print(f"| most memory used, page cache included, MB | {result.peak_mb:.0f} |")
    print(f"| working set at each tenth of the time, MB | {', '.join(f'{used:.0f}' for used in result.used_mb)} |")
    print(f"| messages that came in, and to the webhook | {len(result.received)}, {len(result.told)} |")
    print(f"| ... more than once | {repeated} |")
    print(f"| sends answered with 201, and with anything else | {len(result.answered)}, {result.refused} |")
    print(f"| lost | {result.lost} |")
    print(f"| what the watch did | {', '.join(f'{name} {n}' for name, n in result.steps.items()) or 'nothing'} |")
    if result.kills or result.lost:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
