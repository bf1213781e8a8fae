"""The browser's processes as the kernel shows them: found by their profile, ended for good, their memory."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_PROC = Path("/proc")


def of_profile(profile: Path) -> list[int]:
    """The ids of the processes that have this profile folder on their command line."""
    argument = f"--user-data-dir={profile}".encode()
    return [pid for pid, command in _commands() if argument in command]


def under(folder: Path) -> list[int]:
    """The ids of browsers whose profile lies somewhere under a folder."""
    start = f"--user-data-dir={folder}{os.sep}".encode()
    return [pid for pid, command in _commands() if any(part.startswith(start) for part in command)]


def _commands() -> list[tuple[int, list[bytes]]]:
    found = []
    for entry in os.listdir(_PROC):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                found.append((int(entry), (_PROC / entry / "cmdline").read_bytes().split(b"\0")))
            except OSError:
                continue  # it ended, or is another user's
    return found


def is_main(pid: int) -> bool:
    """Whether it is a browser's first process, which ends the others when it ends."""
    try:
        return b"--type=" not in (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def end(pids: list[int], grace_seconds: float = 5.0) -> None:
    """Asks browsers to end, so that they write their profile, and kills what is left after the grace."""
    for pid in filter(is_main, pids):
        _signal(pid, signal.SIGTERM)
    limit = time.monotonic() + grace_seconds
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < limit:
        time.sleep(0.02)
    for pid in left:
        _signal(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return bool(fields) and fields[0] not in (b"Z", b"X")


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it ended meanwhile
        os.kill(pid, number)


def children(pid: int) -> list[int]:
    """All processes below one, in no order."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        for task in _listed(_PROC / str(parent) / "task"):
            try:
                text = (_PROC / str(parent) / "task" / task / "children").read_text()
            except OSError:
                continue
            below = [int(child) for child in text.split()]
            found += below
            waiting += below
    return found


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def pss_mb(pids: list[int]) -> float:
    """What processes hold of memory in MB, with each shared page divided among those that share it.

    The kernel walks every page for it: for reports, not for every second.
    """
    total = 0
    for pid in pids:
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024
