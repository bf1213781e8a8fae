"""Has Selenium open a browser, says what came of it, and ends.

    python -m waxbill_browser.starting PORT GUARD CHROMIUM FLAGS...

A process of its own, because a server would hold what Selenium brings (7 MB) for good. Nothing depends on it: the
browser, and chromedriver which listens on the port or soon will, belong to the server's guard.

GUARD is the process that starts chromedriver. What is printed is a JSON object: with ``address``, where DevTools
listens, and ``page``, the WebSocket address of the page; or with ``error``, the reason in words.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Sequence

from selenium import webdriver

from . import processes

#: The server waits less; this is for one that was killed.
_LIMIT_SECONDS = 60
_LISTEN_SECONDS = 30.0
#: For so long nothing runs below the guard: it has started what ended, and is not just about to.
_DEAD_SECONDS = 5.0
_PAGE_SECONDS = 10.0


class Failed(Exception):
    """There is no browser, in words."""


def start(port: int, guard: int, chromium: str, flags: Sequence[str]) -> dict[str, str]:
    """What was opened. Raises Failed, and what Selenium and its parts raise."""
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.page_load_strategy = "none"
    for flag in flags:
        options.add_argument(flag)
    options.add_experimental_option("excludeSwitches", ["enable-logging"])
    # Full Chromium would load a page of its own first: 0.1 s, and 25 MB until it is left.
    options.add_experimental_option("prefs", {"session.restore_on_startup": 4, "session.startup_urls": ["about:blank"]})
    _wait_for(port, guard)
    driver = webdriver.Remote(f"http://127.0.0.1:{port}", options=options)
    address = driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
    return {"address": address, "page": _page(address)}


def _wait_for(port: int, guard: int) -> None:
    began = alive = time.monotonic()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError as error:
            now = time.monotonic()
            if any(map(processes.alive, processes.children(guard))):
                alive = now
            if now - began > _LISTEN_SECONDS:
                raise Failed(f"Can not connect to chromedriver: {error}") from error
            if now - alive > _DEAD_SECONDS:
                name = os.environ["WAXBILL_CHROMEDRIVER_BINARY"]
                raise Failed(f"chromedriver ended at once; run {name} by hand and read what it says") from error
            time.sleep(0.02)
        else:
            return


def _page(address: str) -> str:
    limit = time.monotonic() + _PAGE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/json/list", timeout=5) as answer:
                for target in json.load(answer):
                    if target["type"] == "page":
                        return str(target["webSocketDebuggerUrl"])
        except OSError as error:
            if time.monotonic() > limit:
                raise Failed(f"the browser does not answer: {error}") from error
        if time.monotonic() > limit:
            raise Failed("the browser opened no page")
        time.sleep(0.02)


def _first_line(error: BaseException) -> str:
    return str(getattr(error, "msg", None) or error).strip().partition("\n")[0][:500] or type(error).__name__


if __name__ == "__main__":
    signal.alarm(_LIMIT_SECONDS)
    try:
        opened = start(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
    except Exception as error:  # urllib3's, too
        opened = {"error": _first_line(error)}
    print(json.dumps(opened))
