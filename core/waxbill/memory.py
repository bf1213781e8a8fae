"""How much memory this process may use and uses: the limit of its control group, else the machine's.

Everything here is cheap (a few small files of the kernel), imports nothing heavy and may be called by any thread.

Sources: kernel documentation, admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/memory.rst, accounting/psi.rst; proc(5).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

MIB = 1024 * 1024
# cgroup v1 writes "no limit" as the largest page-aligned 64-bit number.
_NO_LIMIT = 1 << 60
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC, _ROOT = Path("/proc"), Path("/sys/fs/cgroup")


class Reading(msgspec.Struct, frozen=True):
    """One measurement. All sizes in MiB; ``source`` says where the limit comes from."""

    limit_mb: float
    #: What counts against the limit, as Kubernetes counts it: usage less inactive file cache.
    used_mb: float
    source: str
    #: What is held by which part of the server: ``server``, ``renderer`` ...; and by session, where it has processes.
    parts: dict[str, float] = {}
    sessions: dict[str, float] = {}
    #: What this process and its children hold.
    own_mb: float = 0.0
    #: The server's own heap as ``cap`` counts it (addresses, so somewhat more than is held), and its cap; 0: none.
    heap_mb: float = 0.0
    heap_limit_mb: float = 0.0
    #: Share of the last ten seconds, in percent, in which something stood still for want of memory; None: not known.
    pressure: float | None = None
    #: How often the limit was hit, and how often the kernel killed for it, since the group was made.
    hits: int = 0
    kills: int = 0
    #: When it was made, in seconds of the monotonic clock.
    at: float = 0.0

    @property
    def available_mb(self) -> float:
        return max(0.0, self.limit_mb - self.used_mb)


class _Group(msgspec.Struct, frozen=True):
    """The control group whose limit counts; ``limit`` in bytes."""

    limit: int
    folder: Path
    version: str

    def used(self) -> int:
        """Working set in bytes."""
        usage = _number(self.folder / ("memory.current" if self.version == "v2" else "memory.usage_in_bytes"))
        cache = _stat(self.folder / "memory.stat", "inactive_file" if self.version == "v2" else "total_inactive_file")
        return max(0, (usage or 0) - cache)

    def hits(self) -> int:
        if self.version == "v2":
            return _stat(self.folder / "memory.events", "max")
        return _number(self.folder / "memory.failcnt") or 0

    def kills(self) -> int:
        return _stat(self.folder / ("memory.events" if self.version == "v2" else "memory.oom_control"), "oom_kill")


def _text(path: Path) -> str:
    """A file of the kernel; empty when it is not there."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    """The number in a control file; None when the file is missing, says ``max`` or holds v1's no-limit value."""
    text = _text(path).strip()
    value = int(text) if text.isdigit() else None
    return None if value is None or value >= _NO_LIMIT else value


def _stat(path: Path, name: str) -> int:
    lines = _text(path).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name + " ")), 0)


def _groups(proc: Path, root: Path) -> list[tuple[Path, str]]:
    """The control groups of this process that may hold its memory, tightest nesting first, with their version."""
    found: list[tuple[Path, str]] = []
    for line in _text(proc / "self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            bases, version = [root, root / "unified"], "v2"
        elif "memory" in controllers.split(","):
            bases, version = [root / "memory"], "v1"
        else:
            continue
        for base in bases:
            # In a container the path is the host's, but the file system shows only the part below; try both.
            for folder in (base / path.lstrip("/"), base):
                inside = folder
                while inside.is_relative_to(base):
                    found.append((inside, version))
                    if inside == base:
                        break
                    inside = inside.parent
    return list(dict.fromkeys(found))


def _limits(folder: Path, version: str) -> Iterator[int]:
    """The limits that a group is under, in bytes."""
    names = ("memory.max", "memory.high") if version == "v2" else ("memory.limit_in_bytes",)
    for name in names:
        limit = _number(folder / name)
        if limit is not None:
            yield limit
    # v1 says what the groups above allow, also where a container can't see them.
    above = _stat(folder / "memory.stat", "hierarchical_memory_limit") if version == "v1" else 0
    if 0 < above < _NO_LIMIT:
        yield above


def _tightest(proc: Path, root: Path) -> _Group | None:
    """The group with the least limit among this process's and those above it; of equals the outermost, which
    counts everything that is under the limit. None without any limit."""
    best: _Group | None = None
    for folder, version in _groups(proc, root):
        for limit in _limits(folder, version):
            if best is None or limit <= best.limit:
                best = _Group(limit, folder, version)
    return best


def _pressure(path: Path) -> float | None:
    """The ``some avg10`` of a pressure file, in percent."""
    for line in _text(path).splitlines():
        if line.startswith("some avg10="):
            return float(line.split()[1].removeprefix("avg10="))
    return None


def children(pid: int, proc: Path = _PROC) -> list[int]:
    """The ids of the processes that a process has started; none when it has ended."""
    tasks = proc / str(pid) / "task"
    try:
        threads = os.listdir(tasks)
    except OSError:
        return []
    return [int(child) for thread in threads for child in _text(tasks / thread / "children").split()]


def tree(pid: int, proc: Path = _PROC) -> Iterator[int]:
    """The ids of a process and of all below it; those that end meanwhile are passed over."""
    yield pid
    for child in children(pid, proc):
        yield from tree(child, proc)


def resident(pid: int, proc: Path = _PROC) -> tuple[int, int]:
    """What a process holds in memory, in bytes: of its own, and files and shared memory, which others may hold too."""
    fields = _text(proc / str(pid) / "statm").split()
    if len(fields) < 3:
        return 0, 0
    return (int(fields[1]) - int(fields[2])) * _PAGE, int(fields[2]) * _PAGE


def heap(pid: int, proc: Path = _PROC) -> int:
    """The addresses of a process that can be written, in bytes: what ``cap`` limits."""
    fields = _text(proc / str(pid) / "statm").split()
    return int(fields[5]) * _PAGE if len(fields) > 5 else 0


def own(proc: Path = _PROC) -> int:
    """About what this process and its children hold, in bytes: each one's own, and what they share once.

    Exact figures (PSS) make the kernel walk every page; this costs a millisecond for a browser.
    """
    sizes = [resident(pid, proc) for pid in tree(os.getpid(), proc)]
    return sum(mine for mine, _ in sizes) + max(shared for _, shared in sizes)


def read(limit_mb: int = 0, *, proc: Path = _PROC, root: Path = _ROOT) -> Reading:
    """The memory limit and what is used of it; ``limit_mb`` above 0 stands in for a limit that is not there or larger.

    Used is the working set of the group whose limit counts; under ``limit_mb``, what this process and its children
    hold; without any limit, what the whole machine uses.
    """
    group = _tightest(proc, root)
    total, free = _stat(proc / "meminfo", "MemTotal:") * 1024, _stat(proc / "meminfo", "MemAvailable:") * 1024
    held = own(proc)
    if group is not None and group.limit >= total:
        group = None
    if limit_mb and (group is None or limit_mb * MIB < group.limit):
        limit, used, source = limit_mb * MIB, held, "MEMORY_LIMIT_MB"
    elif group is not None:
        limit, used, source = group.limit, group.used(), f"control group {group.version}"
    else:
        limit, used, source = total, total - free, "the machine's memory"
    pressure = _pressure(group.folder / "memory.pressure") if group else None
    return Reading(
        limit_mb=limit / MIB,
        used_mb=used / MIB,
        source=source,
        own_mb=held / MIB,
        heap_mb=heap(os.getpid(), proc) / MIB,
        heap_limit_mb=_cap_mb,
        pressure=_pressure(proc / "pressure/memory") if pressure is None else pressure,
        hits=group.hits() if group else 0,
        kills=group.kills() if group else 0,
        at=time.monotonic(),
    )


# What stays free of the cap for everything small, in MB.
_SPARE_MB = 8.0
_cap_mb = 0.0
_set_aside = 0
_room_lock = threading.Lock()


def cap(limit_mb: int) -> None:
    """Limits the heap of this process: what would exceed it raises MemoryError instead of being killed.

    RLIMIT_DATA counts what can be written (heap, threads' stacks); RLIMIT_AS would count the gigabytes of addresses
    that threads' allocators and libraries reserve and never touch.
    """
    import resource

    global _cap_mb
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit_mb * MIB, hard))
    threading.stack_size(MIB)  # 8 MB for each thread, the usual, would count against the limit
    _cap_mb = float(limit_mb)


def _fits(need_bytes: int) -> bool:
    return heap(os.getpid()) + _set_aside + need_bytes <= (_cap_mb - _SPARE_MB) * MIB


@contextlib.contextmanager
def room(need_bytes: int) -> Iterator[None]:
    """Sets part of the heap aside for the block; raises MemoryError when there is not as much under the cap.

    Asked before large pieces are decoded: msgspec 0.22 dies of a failed allocation for a string instead of raising.
    """
    global _set_aside
    if not _cap_mb:
        yield
        return
    with _room_lock:
        if not _fits(need_bytes):
            from .heap import trim

            trim()
            if not _fits(need_bytes):
                raise MemoryError
        _set_aside += need_bytes
    try:
        yield
    finally:
        with _room_lock:
            _set_aside -= need_bytes


def uncap(pid: int) -> None:
    """Takes the limit of ``cap`` from a child, which has inherited it; call it before the child starts others."""
    import resource

    _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
    resource.prlimit(pid, resource.RLIMIT_DATA, (hard, hard))
