"""Real control groups for servers under test: a child of this process's own group, with a memory limit."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import time
from pathlib import Path
from types import TracebackType

MIB = 1024 * 1024
ROOT = Path("/sys/fs/cgroup")
_numbers = itertools.count(1)


class NoControlGroups(Exception):
    """This machine lets nobody make a memory group here; the text says why."""


def _own(controllers: str) -> str | None:
    """The path of this process's group in the hierarchy of a controller (empty: version 2)."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, found, path = line.split(":", 2)
        if controllers in found.split(","):
            return path
    return None


class ControlGroup:
    """A memory group with a limit, for the length of a ``with`` block; what still runs in it is killed at the end.

    >>> with ControlGroup(96) as group:
    ...     server = ServerProcess(folder, program=group.program(folder))
    """

    def __init__(self, limit_mb: int) -> None:
        self.limit_mb = limit_mb
        self.folder = Path()
        self.version = ""

    def __enter__(self) -> ControlGroup:
        name = f"waxbill-test-{os.getpid()}-{next(_numbers)}"
        try:
            if (ROOT / "memory").is_dir():
                self._make_v1(name)
            else:
                self._make_v2(name)
        except OSError as error:
            self._remove()
            raise NoControlGroups(f"no memory control group can be made here ({error})") from error
        return self

    def _make_v1(self, name: str) -> None:
        self.version = "v1"
        base = ROOT / "memory" / (_own("memory") or "/").lstrip("/")
        self.folder = (base if base.is_dir() else ROOT / "memory") / name
        self.folder.mkdir()
        (self.folder / "memory.limit_in_bytes").write_text(str(self.limit_mb * MIB))
        with contextlib.suppress(OSError):  # only where swap is accounted: then there is to be none
            (self.folder / "memory.memsw.limit_in_bytes").write_text(str(self.limit_mb * MIB))

    def _make_v2(self, name: str) -> None:
        """A group that hands a controller down may have no processes of its own: ours go into a leaf first."""
        self.version = "v2"
        base = ROOT / (_own("") or "/").lstrip("/")
        base = base if base.is_dir() else ROOT
        if "memory" not in (base / "cgroup.subtree_control").read_text().split():
            leaf = base / "waxbill-test-leaf"
            leaf.mkdir(exist_ok=True)
            for pid in (base / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):  # it ended, or is the kernel's
                    (leaf / "cgroup.procs").write_text(pid)
            (base / "cgroup.subtree_control").write_text("+memory")
        self.folder = base / name
        self.folder.mkdir()
        (self.folder / "memory.max").write_text(str(self.limit_mb * MIB))
        with contextlib.suppress(OSError):  # there is none without swap accounting
            (self.folder / "memory.swap.max").write_text("0")

    def program(self, folder: Path, *words: str) -> Path:
        """A program that runs waxbill (or the words given) inside the group, as ``ServerProcess`` wants it."""
        command = " ".join(words) or f"{sys.executable} -m waxbill"
        path = folder / f"in-{self.folder.name}"
        path.write_text(f'#!/bin/sh\necho $$ > {self.folder}/cgroup.procs || exit 9\nexec {command} "$@"\n')
        path.chmod(0o755)
        return path

    @property
    def kills(self) -> int:
        """How often the kernel has killed in the group."""
        name = "memory.oom_control" if self.version == "v1" else "memory.events"
        lines = (self.folder / name).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    @property
    def peak_mb(self) -> float:
        """The most that was used, page cache included."""
        name = "memory.max_usage_in_bytes" if self.version == "v1" else "memory.peak"
        return int((self.folder / name).read_text()) / MIB

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        end = time.monotonic() + 20
        while self.folder.name and self.folder.is_dir():
            for pid in (self.folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            try:
                self.folder.rmdir()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)  # the kernel lets go of what was killed in its own time
