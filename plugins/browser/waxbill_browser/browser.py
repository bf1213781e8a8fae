"""One session's browser: started by Selenium, ended for good, whatever happens to it or to the server.

No orphan: chromedriver is started through ``guard.sh``, which ends everything of the profile when this process is gone.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from waxbill.media.storage import remove_tree

from . import flags, processes
from .binaries import Binaries
from .look import Look

log = logging.getLogger("waxbill.browser")

_HERE = Path(__file__).parent
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "XDG_RUNTIME_DIR")
_START_SECONDS = 40.0
_END_SECONDS = 8.0


class BrowserFailed(Exception):
    """The browser could not be started, in words."""


class Browser:
    """A running Chromium with its chromedriver. Not shared between threads while it starts or ends."""

    def __init__(
        self,
        binaries: Binaries,
        profile: Path,
        look: Look,
        *,
        sandbox: bool,
        more: str,
        keep_chromedriver: bool = True,
    ) -> None:
        self._binaries = binaries
        self._keep_chromedriver = keep_chromedriver
        self._scratch: Path | None = None
        self.profile = profile
        self._arguments = flags.arguments(
            profile, look, headless_shell=binaries.headless_shell, sandbox=sandbox, more=more
        )
        self._driver: Any = None
        self._service: Any = None
        #: Where DevTools listens: 127.0.0.1 and a port.
        self.address = ""
        #: The first process of the browser, and chromedriver's.
        self.pid = 0
        self.driver_pid = 0

    def start(self) -> None:
        """Starts both and waits until DevTools answers. Raises BrowserFailed."""
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        self.profile.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.profile.chmod(0o700)
        other = processes.other_owner(self.profile)
        if other:
            raise BrowserFailed(f"another waxbill ({other}) has a browser on {self.profile}; stop one of the two")
        self.end_stale()
        self._scratch = Path(tempfile.mkdtemp(prefix="waxbill-browser-"))
        options = webdriver.ChromeOptions()
        options.binary_location = str(self._binary())
        options.page_load_strategy = "none"
        for argument in self._arguments:
            options.add_argument(argument)
        options.add_experimental_option("excludeSwitches", ["enable-logging"])
        environment = {
            # Nothing else of the server's: its keys and passwords are no business of a browser's.
            **{name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            "HOME": str(self.profile.parent),
            # What they leave in there is removed with it; a short path, for the sockets in it.
            "TMPDIR": str(self._scratch),
            "WAXBILL_CHROMEDRIVER_BINARY": str(self._binaries.chromedriver),
            "WAXBILL_CHROMIUM_BINARY": str(self._binaries.chromium),
            "WAXBILL_PROFILE": str(self.profile),
            processes.OWNER: processes.started_by(),
        }
        self._service = Service(
            executable_path=str(_script("guard.sh", self.profile.parent)),
            env=environment,
            popen_kw={"start_new_session": True},  # a signal to the server's group is not for the guard
        )
        # Selenium waits for chromedriver without a limit; the guard ends both when its input does.
        limit = threading.Timer(_START_SECONDS, self._abandon)
        limit.daemon = True
        limit.start()
        try:
            self._driver = webdriver.Chrome(options=options, service=self._service)
        except Exception as error:  # urllib3's too, when the time is over
            self.close()
            raise BrowserFailed(_first_line(error)) from error
        finally:
            limit.cancel()
        self.address = self._driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
        self._find_processes()
        if not self._keep_chromedriver and self.driver_pid:
            os.kill(self.driver_pid, signal.SIGKILL)  # asked to end, it would end the browser
            self.driver_pid = 0

    def _abandon(self) -> None:
        log.warning("The browser of %s did not start in %.0f s", self.profile, _START_SECONDS)
        process = self._service.process
        if process is not None:
            process.stdin.close()

    def _binary(self) -> Path:
        return _script("shell.sh", self.profile.parent) if self._binaries.headless_shell else self._binaries.chromium

    def _find_processes(self) -> None:
        self.pid = processes.browser_of(self.profile)
        guard = self._service.process.pid
        name = str(self._binaries.chromedriver).encode()
        for pid in processes.children(guard):
            try:
                if (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")[0] == name:
                    self.driver_pid = pid
            except OSError:
                continue

    def page_address(self) -> str:
        """The WebSocket address of the page; waits a moment for it. Raises BrowserFailed."""
        limit = time.monotonic() + 10
        while True:
            try:
                with urllib.request.urlopen(f"http://{self.address}/json/list", timeout=5) as answer:
                    for target in json.load(answer):
                        if target["type"] == "page":
                            return str(target["webSocketDebuggerUrl"])
            except OSError as error:
                if time.monotonic() > limit:
                    raise BrowserFailed(f"the browser does not answer: {error}") from error
            if time.monotonic() > limit:
                raise BrowserFailed("the browser opened no page")
            time.sleep(0.02)

    def close(self) -> None:
        """Ends the browser and chromedriver and waits until both are gone; the profile stays."""
        process = self._service.process if self._service is not None else None
        if process is not None:
            process.stdin.close()  # the guard ends the rest
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                log.warning("The guard of %s did not end in time and is killed", self.profile)
                process.kill()
                process.wait()
        self._driver = self._service = None
        self.end_stale()
        processes.reap()
        if self._scratch is not None:
            remove_tree(self._scratch)
            self._scratch = None

    def end_stale(self) -> None:
        """Ends what still runs on the profile, and frees it for the next browser."""
        left = processes.of_profile(self.profile, of_others=False)
        if left:
            log.warning("Ending %d left-over process(es) of %s", len(left), self.profile)
            processes.end(left)
        for name in ("SingletonLock", "SingletonCookie", "SingletonSocket", "DevToolsActivePort"):
            (self.profile / name).unlink(missing_ok=True)

    def forget(self) -> None:
        """Removes the profile; the browser is closed."""
        remove_tree(self.profile)

    def processes(self) -> list[tuple[int, str]]:
        """The processes that were started, with what each is."""
        process = self._service.process if self._service is not None else None
        if process is None:
            return []
        known = ((process.pid, "chromedriver"), (self.driver_pid, "chromedriver"), (self.pid, "browser"))
        return [(pid, part) for pid, part in known if pid and processes.alive(pid)]

    def pids(self) -> list[int]:
        """The guard and all processes below it, and the browser's, which may not be below it any more."""
        process = self._service.process if self._service is not None else None
        if process is None:
            return []
        found = {process.pid, *processes.children(process.pid)}
        if self.pid:
            found |= {self.pid, *processes.children(self.pid)}
        return [pid for pid in found if processes.alive(pid)]


def version(binaries: Binaries) -> str:
    """What the browser says of its version; it is started for that. Empty when it says nothing."""
    try:
        told = subprocess.run(  # noqa: S603 - the browser that was found or named by the operator
            [str(binaries.chromium), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()


def _script(name: str, folder: Path) -> Path:
    """One of our shell scripts as a program: an installation may have lost the right to run it."""
    path = _HERE / name
    if os.access(path, os.X_OK):
        return path
    copy = folder / name
    copy.write_bytes(path.read_bytes())
    copy.chmod(0o700)
    return copy


def _first_line(error: BaseException) -> str:
    return str(getattr(error, "msg", None) or error).strip().partition("\n")[0][:500]
