"""The browser's processes as the kernel shows them: found by their profile, ended for good, their memory."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_PROC = Path("/proc")


def of_profile(profile: Path) -> list[int]:
    """The ids of the processes of a profile: those that have it on their command line or in their environment."""
    return _known_by([f"--user-data-dir={profile}".encode(), f"WAXBILL_PROFILE={profile}".encode()], exactly=True)


def under(folder: Path) -> list[int]:
    """The same for all profiles that lie somewhere under a folder."""
    return _known_by(
        [f"--user-data-dir={folder}{os.sep}".encode(), f"WAXBILL_PROFILE={folder}{os.sep}".encode()], exactly=False
    )


def _known_by(marks: list[bytes], *, exactly: bool) -> list[int]:
    found = []
    for pid in _listed(_PROC):
        if pid.isdigit() and int(pid) != os.getpid():
            words = [word for name in ("cmdline", "environ") for word in _words(_PROC / pid / name)]
            if any(word in marks if exactly else word.startswith(tuple(marks)) for word in words):
                found += [int(pid), *children(int(pid))]  # pages and the like show neither
    return [pid for pid in dict.fromkeys(found) if alive(pid)]


def _words(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().split(b"\0")
    except OSError:
        return []  # it ended, or is another user's


def browser_of(profile: Path) -> int:
    """The id of the browser's first process, which ends the others when it ends; 0 where none runs."""
    argument = f"--user-data-dir={profile}".encode()
    for pid in of_profile(profile):
        words = _words(_PROC / str(pid) / "cmdline")
        if argument in words and not any(word.startswith(b"--type=") for word in words):
            return pid
    return 0


def _is_child(pid: int) -> bool:
    """Whether it is one of a browser's other processes, which end with the first."""
    return any(word.startswith(b"--type=") for word in _words(_PROC / str(pid) / "cmdline"))


def end(pids: list[int], grace_seconds: float = 5.0) -> None:
    """Asks browsers to end, so that they write their profile, and kills what is left after the grace."""
    for pid in pids:
        if not _is_child(pid):
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


_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt() -> None:
    """From now on what loses its parent below this process becomes its child, instead of the machine's first process's.

    A browser outlives its chromedriver: so it stays among the processes that are counted for this one.
    """
    import ctypes  # 1 MB

    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def reap() -> None:
    """Lets go of adopted browsers that have ended; other children are their starters' to wait for."""
    me = str(os.getpid())
    for task in _listed(_PROC / me / "task"):
        for pid in _text(_PROC / me / "task" / task / "children").split():
            name, _, rest = _text(_PROC / pid / "stat").partition("(")[2].rpartition(") ")
            if name.startswith(("chrom", "headless")) and rest.startswith("Z"):
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(int(pid), os.WNOHANG)


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
            below = [int(child) for child in _text(_PROC / str(parent) / "task" / task / "children").split()]
            found += below
            waiting += below
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""  # it ended


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
