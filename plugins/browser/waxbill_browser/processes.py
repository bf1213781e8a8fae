"""The browser's processes as the kernel shows them: found by their profile, ended for good, their memory."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_PROC = Path("/proc")


#: Says in the environment of a browser, its chromedriver and its guard which server started them: ``started_by``.
OWNER = "WAXBILL_OWNER"


def started_by() -> str:
    """This process as the owner of what it starts: its id, and its time of start, since ids come again."""
    return f"{os.getpid()}:{_start(os.getpid())}"


def of_profile(profile: Path, *, of_others: bool = True) -> list[int]:
    """The ids of the processes of a profile: those that have it on their command line or in their environment.

    With ``of_others=False`` without those that another server started which still lives.
    """
    return _with_children(_marked(profile, exactly=True), of_others=of_others)


def under(folder: Path, *, of_others: bool = True) -> list[int]:
    """The same for all profiles that lie somewhere under a folder."""
    return _with_children(_marked(folder, exactly=False), of_others=of_others)


def other_owner(profile: Path) -> str:
    """The other server that lives and has a browser on a profile, in words; empty when none has."""
    return next((owner for pid in _marked(profile, exactly=True) if (owner := _other_owner(pid))), "")


def _marked(folder: Path, *, exactly: bool) -> list[int]:
    end = "" if exactly else os.sep
    marks = tuple(f"{mark}{folder}{end}".encode() for mark in ("--user-data-dir=", "WAXBILL_PROFILE="))
    found = []
    for pid in _listed(_PROC):
        if pid.isdigit() and int(pid) != os.getpid():
            words = [word for name in ("cmdline", "environ") for word in _words(_PROC / pid / name)]
            if any(word in marks if exactly else word.startswith(marks) for word in words):
                found.append(int(pid))
    return found


def _with_children(pids: list[int], *, of_others: bool) -> list[int]:
    found: list[int] = []
    for pid in pids:
        if of_others or not _other_owner(pid):
            found += [pid, *children(pid)]  # pages and the like may show neither
    return [pid for pid in dict.fromkeys(found) if alive(pid)]


def _other_owner(pid: int) -> str:
    """The server that started a process, in words, if it is not this one and lives; else empty."""
    while _is_child(pid):  # these show no environment, and may be in a namespace of their own: as their browser
        pid = int(next(iter(_stat(pid)[1:]), 0))
    try:
        if os.readlink(_PROC / str(pid) / "ns" / "pid") != os.readlink(_PROC / "self" / "ns" / "pid"):
            return "a server in another container"  # whose ids mean something else here
    except OSError:
        return ""  # it has ended, or is another user's
    mark = f"{OWNER}=".encode()
    told = next((word[len(mark) :] for word in _words(_PROC / str(pid) / "environ") if word.startswith(mark)), b"")
    owner, _, start = told.decode(errors="replace").partition(":")
    if not owner.isdigit() or int(owner) == os.getpid() or not alive(int(owner)) or _start(int(owner)) != start:
        return ""
    return f"process {owner}"


def _stat(pid: int) -> list[str]:
    """What stat says of a process, from its state on; empty when there is none. See proc(5)."""
    return _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()


def _start(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty when there is none."""
    return next(iter(_stat(pid)[19:]), "")


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
    kill(_left(pids, grace_seconds))


def kill(pids: list[int]) -> None:
    """Ends processes at once; those that were adopted leave nothing."""
    for pid in pids:
        _signal(pid, signal.SIGKILL)
    _left(pids, 5.0)
    reap()


def _left(pids: list[int], seconds: float) -> list[int]:
    """Waits until processes have ended; answers those that have not in time."""
    limit = time.monotonic() + seconds
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < limit:
        time.sleep(0.02)
    return left


def program(pid: int) -> str:
    """The program that a process was started with; empty when there is none."""
    return next(iter(_words(_PROC / str(pid) / "cmdline")), b"").decode(errors="replace")


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    return next(iter(_stat(pid)), "X") not in "ZX"


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
