"""A DevTools connection of our own to the session's page: calls from any thread, events in a thread of this module.

Selenium's connection can't receive events, and waits in line; this one is independent of chromedriver.
Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import itertools
import json
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from .websocket import WebSocket

log = logging.getLogger("waxbill.browser.devtools")

#: How long the browser may leave unread what it is sent, in ms; then the connection is over.
_UNREAD_MS = 30_000


class Gone(Exception):
    """The connection has ended: the page, or the browser, is not there any more."""


class Refused(Exception):
    """The browser answered with an error; its text is the browser's."""


class TimedOut(Exception):
    """No answer came in time."""


class _Waiting:
    """One call that waits for its answer."""

    __slots__ = ("answer", "done")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.answer: dict[str, Any] | None = None


class DevTools:
    """One connection to one page. ``on_event(method, parameters)`` and ``on_end()`` are called in its thread, which
    must go on at once: they may not call."""

    def __init__(
        self, url: str, on_event: Callable[[str, dict[str, Any]], object], on_end: Callable[[], object]
    ) -> None:
        self._socket = WebSocket(url)
        # A browser that reads nothing (it was stopped, it hangs) would keep whoever sends waiting for ever.
        self._socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        self._on_event, self._on_end = on_event, on_end
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="waxbill-devtools", daemon=True)
        self._thread.start()

    def call(self, method: str, timeout_seconds: float = 15.0, **parameters: Any) -> dict[str, Any]:
        """Asks the browser and waits for its answer. Raises Refused, TimedOut or Gone."""
        waiting = _Waiting()
        number = next(self._ids)
        with self._lock:
            if self._ended:
                raise Gone("the page is gone")
            self._waiting[number] = waiting
        try:
            self._send({"id": number, "method": method, "params": parameters})
            if not waiting.done.wait(timeout_seconds):
                raise TimedOut(f"{method} had no answer in {timeout_seconds:g} s")
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        if waiting.answer is None:
            raise Gone("the page went away meanwhile")
        if "error" in waiting.answer:
            raise Refused(str(waiting.answer["error"].get("message", waiting.answer["error"])))
        result = waiting.answer.get("result", {})
        assert isinstance(result, dict)
        return result

    def send(self, method: str, **parameters: Any) -> None:
        """Tells the browser something without waiting for the answer."""
        self._send({"id": next(self._ids), "method": method, "params": parameters})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._socket.send(msgspec.json.encode(message))
        except OSError as error:
            raise Gone(f"the page is gone: {error}") from None

    def close(self) -> None:
        """Ends the connection; calls that wait raise Gone. ``on_end`` is not called."""
        with self._lock:
            self._ended = True
        self._on_end = _nothing
        self._socket.end()

    def _read(self) -> None:
        try:
            while text := self._socket.receive():
                self._take(_decoded(text))
        except OSError as error:
            log.debug("DevTools connection ended: %s", error)
        finally:
            self._socket.close()
            with self._lock:
                self._ended = True
                waiting = list(self._waiting.values())
            for each in waiting:
                each.done.set()
            self._on_end()

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            with self._lock:
                waiting = self._waiting.get(message["id"])
            if waiting is not None:
                waiting.answer = message
                waiting.done.set()
            return
        try:
            self._on_event(message["method"], message.get("params", {}))
        except Exception:
            log.exception("An event of the browser could not be taken: %s", message.get("method"))


def _nothing() -> None:
    pass


def _decoded(text: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Half a surrogate pair, which JavaScript allows in a text and JSON readers do not.
        plain = json.loads(text)
        found = json.loads(json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace"))
    return found
