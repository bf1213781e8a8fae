"""A real ``waxbill serve`` in a process of its own, on a free port of this machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from .client import Client

_START_SECONDS = 20.0
_STOP_SECONDS = 20.0
_LISTENING = re.compile(r"Listening on http://(\S+):(\d+)")


class ServerProcess(Client):
    """A server for a test. Use it as a context manager: it is stopped (SIGTERM) at the end of the block.

    ``environment`` are settings; the store lies in ``folder`` and outlives the process, so that a second one with
    the same folder is a restart.

    >>> with ServerProcess(tmp_path, FORCE_MOCK_MODE="true") as server:
    ...     server.get("/ping").json()
    {'message': 'pong'}
    """

    def __init__(self, folder: Path, *, key: str = "", program: Path | None = None, **environment: str) -> None:
        self.folder = folder
        self.key = key
        self._command = [str(program)] if program else [sys.executable, "-m", "waxbill"]
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WAHA_", "WHATSAPP_", "WAXBILL_", "MEMORY_")) and name != "PORT"
        }
        self.environment: dict[str, str] = {
            **inherited,
            "PORT": "0",
            "WAHA_LOCAL_STORE_BASE_DIR": str(folder / "store"),
            "WAHA_LOG_LEVEL": "info",
            **({"WAHA_API_KEY": key} if key else {}),
            **environment,
        }
        self.port = 0
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None

    # -- life

    def start(self) -> ServerProcess:
        """Starts the process and waits until it listens; raises RuntimeError with its log when it does not."""
        self._lines.clear()
        self._process = subprocess.Popen(  # noqa: S603
            [*self._command, "serve"],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        found = self.wait_for_log(_LISTENING.search, _START_SECONDS)
        if found is None:
            self.kill()
            raise RuntimeError(f"The server did not start:\n{self.log}")
        self.port = int(found[2])
        return self

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._lines.append("")
            self._changed.notify_all()

    @property
    def log(self) -> str:
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def wait_for_log(self, find: Callable[[str], Any], timeout_seconds: float = 10.0) -> Any:
        """What ``find`` makes of the first line for which that is true; None when the process ends or time is up."""
        end = time.monotonic() + timeout_seconds
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    found = find(line)
                    if found:
                        return found
                seen = len(self._lines)
                if seen and self._lines[-1] == "":
                    return None
                if not self._changed.wait(end - time.monotonic()) and time.monotonic() >= end:
                    return None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout_seconds: float = 30.0) -> int:
        """Waits until the server ends by itself and returns its exit code; raises RuntimeError when it does not."""
        assert self._process is not None
        try:
            return self._ended(self._process.wait(timeout_seconds))
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"The server still runs after {timeout_seconds} s:\n{self.log}") from None

    def stop(self) -> int:
        """Stops the server gracefully and returns its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """Kills the server as the kernel would, without any warning."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        if process.poll() is None:
            process.send_signal(number)
        try:
            code = process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"The server did not stop within {_STOP_SECONDS} s:\n{self.log}") from None
        return self._ended(code)

    def _ended(self, code: int) -> int:
        """Reads the rest of the log of a process that has ended."""
        assert self._process is not None
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        return code

    def restart(self) -> ServerProcess:
        """Stops the server and starts it again on the same store."""
        self.stop()
        return self.start()

    def __enter__(self) -> ServerProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
