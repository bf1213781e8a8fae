"""Has Selenium open a browser, says what came of it, and ends.

    python -m waxbill_browser.starting PORT CHROMIUM FLAGS...

A process of its own, because a server would hold what Selenium brings (7 MB) for good. Nothing depends on it: the
browser, and chromedriver which listens on the port or soon will, belong to the server's guard.

It prints a JSON object: with ``address``, where DevTools listens, and ``page``, the WebSocket address of the page; or
with ``error``, the reason in words.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Sequence

from selenium import webdriver

#: The server waits less; this is for one that was killed.
_LIMIT_SECONDS = 60
_LISTEN_SECONDS = 30.0
_PAGE_SECONDS = 10.0


class Failed(Exception):
    """There is no browser, in words."""


def start(port: int, chromium: str, flags: Sequence[str]) -> dict[str, str]:
    """What was opened. Raises Failed, and what Selenium and its parts raise."""
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.page_load_strategy = "none"
    for flag in flags:
        options.add_argument(flag)
    options.add_experimental_option("excludeSwitches", ["enable-logging"])
    _wait_for(port)
    driver = webdriver.Remote(f"http://127.0.0.1:{port}", options=options)
    address = driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
    return {"address": address, "page": _page(address)}


def _wait_for(port: int) -> None:
    limit = time.monotonic() + _LISTEN_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError as error:
            if time.monotonic() > limit:
                raise Failed(f"Can not connect to chromedriver: {error}") from error
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
        opened = start(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
    except Exception as error:  # urllib3's, too
        opened = {"error": _first_line(error)}
    print(json.dumps(opened))
