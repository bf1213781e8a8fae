"""A browser with one page, driven over DevTools alone, without a driver program: for tests of the stand-in itself."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import websocket

#: Binaries by name. Debian's command for the first is a script that would outlive its browser.
BROWSERS = {
    "headless-shell": "/usr/lib/chromium/chromium-headless-shell",
    "chromium": shutil.which("chromium") or "",
}


class PageError(Exception):
    """What a script in the page threw."""


class Chromium:
    """One browser process with a profile; a context manager. ``profile`` is kept where it is given."""

    def __init__(self, binary: str, *arguments: str, profile: Path | None = None) -> None:
        #: Of its own: a profile where none is given, and what it leaves in TMPDIR.
        self._own = tempfile.TemporaryDirectory()
        self.profile = profile or Path(self._own.name)
        self._arguments = [
            binary,
            *([] if "headless-shell" in binary else ["--headless=new"]),
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-extensions",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
            "--remote-allow-origins=*",
            f"--user-data-dir={self.profile}",
            *arguments,
            "about:blank",
        ]
        self._number = 0
        #: What the page threw or said as an error, and what it said through bindings.
        self.console: list[str] = []
        self.bindings: list[str] = []

    def __enter__(self) -> Chromium:
        port_file = self.profile / "DevToolsActivePort"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            self._arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "TMPDIR": self._own.name},
        )
        try:
            self._connect(port_file)
        except BaseException:
            self.close()
            raise
        return self

    def _connect(self, port_file: Path) -> None:
        end = time.monotonic() + 60
        while not port_file.exists() or "\n" not in port_file.read_text():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self._arguments[0]} did not start (exit code {self.process.poll()})")
            time.sleep(0.02)
        port = port_file.read_text().split("\n")[0]
        while True:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=30) as answer:
                pages = [one for one in json.load(answer) if one["type"] == "page"]
            if pages:
                break
            if time.monotonic() > end:
                raise RuntimeError("the browser has no page")
            time.sleep(0.02)
        self._socket = websocket.create_connection(
            pages[0]["webSocketDebuggerUrl"], timeout=120, suppress_origin=True, enable_multithread=False
        )
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.kill()  # what is still about to end writes into the profile
        self.wait_for(lambda: not self._left(), "all its processes end")
        self._own.cleanup()

    def kill(self) -> None:
        """All its processes at once, as if the machine's power had failed."""
        with contextlib.suppress(ProcessLookupError):  # they have ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _left(self) -> bool:
        """Whether a process of its group still runs: proc(5)."""
        for file in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, group = file.read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state not in "ZX":
                    return True
        return False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A DevTools command; raises PageError with its error."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("method") == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.console.append(details.get("exception", {}).get("description") or details["text"])
            elif message.get("method") == "Runtime.consoleAPICalled" and message["params"]["type"] == "error":
                self.console.append(
                    " ".join(str(one.get("value") or one.get("description")) for one in message["params"]["args"])
                )
            elif message.get("method") == "Runtime.bindingCalled":
                self.bindings.append(message["params"]["payload"])
            if message.get("id") == self._number:
                if "error" in message:
                    raise PageError(message["error"]["message"])
                return dict(message["result"])

    def on_new_document(self, source: str) -> None:
        self.call("Page.addScriptToEvaluateOnNewDocument", source=source)

    def open(self, url: str = "https://web.whatsapp.com/") -> None:
        answer = self.call("Page.navigate", url=url)
        if answer.get("errorText"):
            raise PageError(answer["errorText"])

    def run(self, expression: str) -> Any:
        """The value of an expression, awaited where it is a promise; raises PageError with what it throws."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 60.0) -> Any:
        """The first true value of an expression; what it throws until then counts as not yet."""
        last: object = None

        def found() -> Any:
            nonlocal last
            try:
                return self.run(expression)
            except PageError as error:
                last = error
                return None

        try:
            return self.wait_for(found, expression, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; last: {last}; console: {self.console[-10:]}") from None

    def wait_for(self, found: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        """The first true answer of a function."""
        end = time.monotonic() + seconds
        while not (value := found()):
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {seconds} s")
            time.sleep(0.02)
        return value
