"""One session's browser: started by Selenium, ended for good, whatever happens to it or to the server.

No orphan: chromedriver is started through ``guard.sh``, which ends everything of the profile when this process is gone.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from waxbill.media.storage import remove_tree

from . import flags, processes
from .binaries import Binaries
from .look import Look

log = logging.getLogger("waxbill.browser")

_HERE = Path(__file__).parent
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "XDG_RUNTIME_DIR")
#: How the names of folders begin that are a browser's TMPDIR; guard.sh knows it, too.
_SCRATCH = "waxbill-browser-"
_CRASH_HANDLER = "/chrome_crashpad_handler"
_START_SECONDS = 40.0
_END_SECONDS = 8.0


class BrowserFailed(Exception):
    """The browser could not be started, in words."""


class _Opened(msgspec.Struct, frozen=True):
    """What the starting process says: ``starting.py``."""

    address: str = ""
    page: str = ""
    error: str = ""


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
        self.profile = profile
        self._arguments = flags.arguments(
            profile, look, headless_shell=binaries.headless_shell, sandbox=sandbox, more=more
        )
        self._guard: subprocess.Popen[bytes] | None = None
        #: Where DevTools listens: 127.0.0.1 and a port; and the WebSocket address of the page.
        self.address = self.page_address = ""
        #: The first process of the browser, and chromedriver's.
        self.pid = 0
        self.driver_pid = 0

    def start(self) -> None:
        """Starts both and waits until DevTools answers and a page is open. Raises BrowserFailed."""
        self.profile.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.profile.chmod(0o700)
        other = processes.other_owner(self.profile)
        if other:
            raise BrowserFailed(f"another waxbill ({other}) has a browser on {self.profile}; stop one of the two")
        self.end_stale()
        scratch = self._make_scratch()
        environment = {
            # Nothing else of the server's: its keys and passwords are no business of a browser's.
            **{name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            "HOME": str(self.profile.parent),
            # What they leave in there is removed with it; a short path, for the sockets in it.
            "TMPDIR": str(scratch),
            "WAXBILL_CHROMEDRIVER_BINARY": str(self._binaries.chromedriver),
            "WAXBILL_CHROMIUM_BINARY": str(self._binaries.chromium),
            "WAXBILL_PROFILE": str(self.profile),
            processes.OWNER: processes.started_by(),
        }
        port = _free_port()
        try:
            self._guard = subprocess.Popen(  # noqa: S603 - our own script
                [_script("guard.sh", self.profile.parent), f"--port={port}"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a signal to the server's group is not for the guard
            )
            opened = self._open(port, self._guard, environment)
        except BaseException:
            self.close()
            raise
        self.address, self.page_address = opened.address, opened.page
        self._find_processes()
        self._let_go()

    def _make_scratch(self) -> Path:
        """A TMPDIR for these processes. Its name is kept beforehand: whatever ends them, the next start removes it."""
        places = (os.environ.get("TMPDIR"), "/tmp", "/var/tmp")  # noqa: S108 - the name can't be guessed
        place = next((place for place in places if place and os.access(place, os.W_OK | os.X_OK)), "/tmp")  # noqa: S108
        scratch = Path(place).absolute() / f"{_SCRATCH}{os.urandom(6).hex()}"
        self._note.write_bytes(os.fsencode(scratch))
        scratch.mkdir(mode=0o700)
        return scratch

    @property
    def _note(self) -> Path:
        return self.profile.with_name(f"{self.profile.name}.scratch")

    def _remove_scratch(self) -> None:
        """What the last browser of the profile had; it is gone."""
        if not self._note.exists() or processes.other_owner(self.profile):
            return
        scratch = Path(os.fsdecode(self._note.read_bytes()))
        if scratch.name.startswith(_SCRATCH) and not scratch.is_symlink() and scratch.is_dir():
            remove_tree(scratch)
        self._note.unlink(missing_ok=True)

    def _open(self, port: int, guard: subprocess.Popen[bytes], environment: dict[str, str]) -> _Opened:
        """Has chromedriver open the browser, through Selenium in a process that ends with that."""
        inherited = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith("PYTHON")}
        try:
            ran = subprocess.run(  # noqa: S603 - this Python, with arguments of ours and the operator's
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "waxbill_browser.starting",
                    str(port),
                    str(guard.pid),
                    str(self._binary()),
                    *self._arguments,
                ],
                env=environment | inherited,  # its packages may be in the user's home
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_START_SECONDS,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            log.warning("The browser of %s did not start in %.0f s", self.profile, _START_SECONDS)
            raise BrowserFailed(f"it did not start in {_START_SECONDS:.0f} s") from None
        try:
            opened = msgspec.json.decode(ran.stdout, type=_Opened)
        except msgspec.DecodeError:
            said = ran.stderr.strip().rpartition("\n")[2] or f"it ended with {ran.returncode}"
            raise BrowserFailed(f"Selenium could not be run: {said}") from None
        if opened.error:
            raise BrowserFailed(opened.error)
        return opened

    def _binary(self) -> Path:
        return _script("shell.sh", self.profile.parent) if self._binaries.headless_shell else self._binaries.chromium

    def _find_processes(self) -> None:
        assert self._guard is not None
        self.pid = processes.browser_of(self.profile)
        name = str(self._binaries.chromedriver)
        below = processes.children(self._guard.pid)
        self.driver_pid = next((pid for pid in below if processes.program(pid) == name), 0)

    def _let_go(self) -> None:
        """Ends what has done its work, or will have none: chromedriver, and Chromium's crash handlers (3 MB)."""
        done = [pid for pid in processes.of_profile(self.profile) if processes.program(pid).endswith(_CRASH_HANDLER)]
        if not self._keep_chromedriver and self.driver_pid:
            done.append(self.driver_pid)
            self.driver_pid = 0
        processes.kill(done)  # asked to end, chromedriver would end the browser

    def close(self) -> None:
        """Ends the browser and chromedriver and waits until both are gone; the profile stays."""
        process = self._guard
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()  # the guard ends the rest
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                log.warning("The guard of %s did not end in time and is killed", self.profile)
                process.kill()
                process.wait()
        self._guard = None
        self.end_stale()
        processes.reap()

    def end_stale(self) -> None:
        """Ends what still runs on the profile, and frees it for the next browser."""
        left = processes.of_profile(self.profile, of_others=False)
        if left:
            log.warning("Ending %d left-over process(es) of %s", len(left), self.profile)
            processes.end(left)
        self._remove_scratch()
        for name in ("SingletonLock", "SingletonCookie", "SingletonSocket", "DevToolsActivePort"):
            (self.profile / name).unlink(missing_ok=True)

    def forget(self) -> None:
        """Removes the profile; the browser is closed."""
        remove_tree(self.profile)

    def processes(self) -> list[tuple[int, str]]:
        """The processes that were started, with what each is."""
        process = self._guard
        if process is None:
            return []
        known = ((process.pid, "chromedriver"), (self.driver_pid, "chromedriver"), (self.pid, "browser"))
        return [(pid, part) for pid, part in known if pid and processes.alive(pid)]

    def pids(self) -> list[int]:
        """The guard and all processes below it, and the browser's, which may not be below it any more."""
        process = self._guard
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


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
