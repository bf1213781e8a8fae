"""How much memory this process may use and uses: the limit of its control group, else the machine's.

Sources: kernel documentation, admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst; proc(5).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

MIB = 1024 * 1024
# cgroup v1 writes "no limit" as the largest page-aligned 64-bit number.
_NO_LIMIT = 1 << 60


class Reading(msgspec.Struct, frozen=True):
    """One measurement. All sizes in MiB; ``source`` says where the limit comes from."""

    limit_mb: float
    used_mb: float
    source: str
    parts: dict[str, float] = {}

    @property
    def available_mb(self) -> float:
        return max(0.0, self.limit_mb - self.used_mb)


def _number(path: Path) -> int | None:
    """The number in a control file; None when the file is missing, says ``max`` or holds v1's no-limit value."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    value = int(text) if text.isdigit() else None
    return None if value is None or value >= _NO_LIMIT else value


def _stat(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name + " ")), 0)


def _groups(proc: Path, root: Path) -> list[tuple[Path, str]]:
    """The control groups of this process that may hold its memory, tightest nesting first, with their version."""
    found: list[tuple[Path, str]] = []
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
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


def read(limit_mb: int = 0, *, proc: Path = Path("/proc"), root: Path = Path("/sys/fs/cgroup")) -> Reading:
    """The memory limit and what is used of it; ``limit_mb`` above 0 overrides the limit found.

    Used is the working set: usage less inactive file cache, as Kubernetes counts it.
    """
    best: tuple[int, Path, str] | None = None
    for folder, version in _groups(proc, root):
        names = ("memory.max", "memory.high") if version == "v2" else ("memory.limit_in_bytes",)
        for name in names:
            limit = _number(folder / name)
            if limit is not None and (best is None or limit < best[0]):
                best = (limit, folder, version)
    total, free = _stat_kb(proc / "meminfo", "MemTotal:"), _stat_kb(proc / "meminfo", "MemAvailable:")
    if best is None or best[0] >= total:
        limit_found, used, source = total, total - free, "the machine's memory"
    else:
        limit_found, folder, version = best
        if version == "v2":
            usage = _number(folder / "memory.current") or 0
            cache = _stat(folder / "memory.stat", "inactive_file")
        else:
            usage = _number(folder / "memory.usage_in_bytes") or 0
            cache = _stat(folder / "memory.stat", "total_inactive_file")
        used, source = max(0, usage - cache), f"control group {version}"
    if limit_mb:
        return Reading(float(limit_mb), used / MIB, "MEMORY_LIMIT_MB")
    return Reading(limit_found / MIB, used / MIB, source)


def _stat_kb(path: Path, name: str) -> int:
    """A line of /proc/meminfo, in bytes."""
    return _stat(path, name) * 1024
