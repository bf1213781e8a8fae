"""WhatsApp's page in a browser: its script, calls of the adapter's operations, files handed in and read out."""

from __future__ import annotations

import base64
import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from .devtools import DevTools, Gone, Refused, TimedOut
from .look import Look
from .script import ORIGIN, script

log = logging.getLogger("waxbill.browser.page")

#: A piece of a file on its way out of the page: what is in memory of it, here and in the page.
PIECE_BYTES = 192 * 1024

# Profile pictures and previews on WhatsApp's media servers; the page works without them.
PICTURES = ("*://pps.whatsapp.net/*", "*://media*.cdn.whatsapp.net/*", "*://*.fna.whatsapp.net/*.jpg*")


class Problem(Exception):
    """An operation failed in the page; ``code`` is WA-JS's (or ours, or the JavaScript error's name)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Told(msgspec.Struct, frozen=True):
    """Something that the page tells; numbers rise by one within a document."""

    document: str
    number: int
    event: str
    data: Any


class Page:
    """One page. ``on_tell(text)`` gets what the script tells, ``on_event(name)`` ``crashed`` or
    ``gone``; both are called in the connection's thread and must go on at once."""

    def __init__(self, address: str, on_tell: Callable[[str], object], on_event: Callable[[str], object]) -> None:
        self._on_tell, self._on_event = on_tell, on_event
        self._binding, self._handle = (f"_{os.urandom(8).hex()}" for _ in range(2))
        self._context = 0
        self._files = itertools.count(1)
        self._login: tuple[str, str] | None = None
        self._trace = ""
        self._traced = threading.Event()
        self.devtools = DevTools(address, self._take, lambda: on_event("gone"))

    def prepare(self, wajs: str, look: Look) -> None:
        """Everything that has to be there before WhatsApp's page is opened."""
        call = self.devtools.call
        call("Page.enable")
        call("Inspector.enable")
        call("Runtime.enable")
        call("Runtime.addBinding", name=self._binding)
        source = script(wajs, binding=self._binding, handle=self._handle, device_name=look.device_name)
        call("Page.addScriptToEvaluateOnNewDocument", source=source)
        with contextlib.suppress(Refused):  # full Chromium wants this of its own connection
            call("Browser.setDownloadBehavior", behavior="deny")
        # The flags say the same of user agent and language; these are the client hints, and what Intl goes by.
        call("Emulation.setUserAgentOverride", **look.user_agent_override())
        call("Emulation.setLocaleOverride", locale=look.locale.replace("-", "_"))
        if look.time_zone:
            call("Emulation.setTimezoneOverride", timezoneId=look.time_zone)
        if look.login is not None:
            self._login = look.login
            call("Fetch.enable", handleAuthRequests=True, patterns=[{"urlPattern": "*"}])

    def open(self) -> None:
        """Goes to WhatsApp. Raises Refused when it can't be reached."""
        answer = self.devtools.call("Page.navigate", timeout_seconds=30, url=f"{ORIGIN}/")
        if answer.get("errorText"):
            raise Refused(f"WhatsApp can't be opened: {answer['errorText']}")

    def reload(self) -> None:
        self._context = 0
        self.devtools.call("Page.reload")

    def run(self, operation: str, timeout_seconds: float, **arguments: Any) -> Any:
        """Calls an operation of the adapter. Raises Problem, Refused, TimedOut or Gone."""
        answer = self._on_handle(
            "async function (name, given) { return (await this.run(name, given)); }",
            [{"value": operation}, {"value": arguments}],
            timeout_seconds,
        )
        found = answer.get("value") or {}
        if "problem" in found:
            raise Problem(str(found["problem"].get("code")), str(found["problem"].get("message")))
        return found.get("answer")

    def _on_handle(
        self, function: str, arguments: list[dict[str, Any]], timeout_seconds: float, *, by_value: bool = True
    ) -> dict[str, Any]:
        context = self._context
        if not context:
            raise Gone("the page is being loaded")
        # The handle's name is an argument, too; only these two lines of code are ever evaluated.
        declaration = f"function (handle, ...given) {{ return ({function}).apply(window[handle], given); }}"
        answer = self.devtools.call(
            "Runtime.callFunctionOn",
            timeout_seconds,
            functionDeclaration=declaration,
            executionContextId=context,
            arguments=[{"value": self._handle}, *arguments],
            awaitPromise=True,
            returnByValue=by_value,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise Refused(str(details.get("exception", {}).get("description") or details.get("text")))
        result = answer["result"]
        assert isinstance(result, dict)
        return result

    def acknowledge(self, number: int) -> None:
        """Lets the page forget what it told, up to a number; not waited for."""
        if self._context:
            with contextlib.suppress(Gone):  # a page that is gone has forgotten everything
                self.devtools.send(
                    "Runtime.callFunctionOn",
                    functionDeclaration="function (handle, given) { window[handle].run('acknowledge', given); }",
                    executionContextId=self._context,
                    arguments=[{"value": self._handle}, {"value": {"number": number}}],
                )

    # -- files

    def hand_in(self, path: Path) -> int:
        """Lets the page have a file of this machine, which the browser reads by itself; answers its handle."""
        handle = next(self._files)
        element = self._on_handle(
            "function (handle) { return this.fileInput(handle); }", [{"value": handle}], 15, by_value=False
        )
        self.devtools.call("DOM.setFileInputFiles", files=[str(path.absolute())], objectId=element["objectId"])
        return handle

    def read_out(self, message: str, into: BinaryIO, most_bytes: int, timeout_seconds: float) -> dict[str, Any]:
        """Writes a message's media into a file, piece by piece; answers its ``size``, ``type`` and ``name``."""
        opened: dict[str, Any] = self.run("openMedia", timeout_seconds, messageId=message, most=most_bytes)
        try:
            for start in range(0, opened["size"], PIECE_BYTES):
                piece = self.run(
                    "readMedia", timeout_seconds, handle=opened["handle"], **{"from": start, "length": PIECE_BYTES}
                )
                into.write(base64.b64decode(piece))
        finally:
            with contextlib.suppress(Gone, TimedOut, Refused):
                self.run("closeMedia", 5, handle=opened["handle"])
        return opened

    def screenshot(self) -> bytes:
        """A PNG of what the page shows."""
        return base64.b64decode(self.devtools.call("Page.captureScreenshot", 30, format="png")["data"])

    # -- memory

    def free(self) -> None:
        """Garbage collection, then everything that can be made again is let go of: in this order, as measured."""
        self.devtools.call("HeapProfiler.collectGarbage", 30)
        self.devtools.call("Memory.simulatePressureNotification", 15, level="critical")

    def block_pictures(self, block: bool) -> None:
        self.devtools.call("Network.enable", maxTotalBufferSize=0, maxResourceBufferSize=0)
        self.devtools.call("Network.setBlockedURLs", urls=list(PICTURES) if block else [])

    def trace(self, seconds: float, categories: list[str], into: BinaryIO) -> None:
        """Writes what the browser does for some seconds, in Chromium's trace format; one trace at a time."""
        self._traced.clear()
        config = {"includedCategories": [each for each in categories if each != "*"]}
        self.devtools.call("Tracing.start", transferMode="ReturnAsStream", traceConfig=config)
        time.sleep(seconds)
        self.devtools.call("Tracing.end")
        if not self._traced.wait(30):
            raise TimedOut("the trace did not end")
        while True:
            piece = self.devtools.call("IO.read", handle=self._trace, size=PIECE_BYTES)
            data = piece["data"]
            into.write(base64.b64decode(data) if piece.get("base64Encoded") else data.encode())
            if piece["eof"]:
                break
        self.devtools.call("IO.close", handle=self._trace)

    # -- events of the browser

    def _take(self, method: str, parameters: dict[str, Any]) -> None:
        if method == "Runtime.bindingCalled":
            if parameters["name"] == self._binding:
                self._context = parameters["executionContextId"]
                self._on_tell(parameters["payload"])
        elif method == "Inspector.targetCrashed":
            self._on_event("crashed")
        elif method == "Runtime.executionContextsCleared":
            self._context = 0
        elif method == "Page.javascriptDialogOpening":
            self.devtools.send("Page.handleJavaScriptDialog", accept=True)
        elif method == "Tracing.tracingComplete":
            self._trace = parameters["stream"]
            self._traced.set()
        elif method == "Fetch.requestPaused":
            self.devtools.send("Fetch.continueRequest", requestId=parameters["requestId"])
        elif method == "Fetch.authRequired" and self._login is not None:
            self.devtools.send(
                "Fetch.continueWithAuth",
                requestId=parameters["requestId"],
                authChallengeResponse=_credentials(parameters["authChallenge"], self._login),
            )

    def close(self) -> None:
        self.devtools.close()


def _credentials(challenge: dict[str, Any], login: tuple[str, str]) -> dict[str, str]:
    """The proxy's user and password, for the proxy only: a site that asks gets nothing."""
    if challenge.get("source") != "Proxy":
        return {"response": "CancelAuth"}
    return {"response": "ProvideCredentials", "username": login[0], "password": login[1]}


@contextlib.contextmanager
def connection_errors(into: type[Exception]) -> Iterator[None]:
    """What goes wrong between this process and the browser inside the block, as another exception."""
    try:
        yield
    except (Gone, Refused, TimedOut, OSError) as error:
        raise into(str(error)) from error
