"""What this plugin gives to waxbill: memory figures of the whole process tree, by part, and for /metrics."""

from __future__ import annotations

import psutil

from waxbill import hookimpl, memory
from waxbill.memory import MIB, Reading
from waxbill.settings import Settings


@hookimpl
def waxbill_read_memory(settings: Settings) -> Reading:
    """The core's reading with the resident memory of this process and of what it started, by name."""
    found = memory.read(settings.core.memory_limit_mb)
    return Reading(limit_mb=found.limit_mb, used_mb=found.used_mb, source=found.source, parts=parts())


def parts() -> dict[str, float]:
    """Resident memory in MiB: ``server``, and each kind of child process by its name."""
    me = psutil.Process()
    sizes = {"server": me.memory_info().rss / MIB}
    for child in me.children(recursive=True):
        try:
            name, size = child.name(), child.memory_info().rss / MIB
        except psutil.NoSuchProcess:
            continue  # it ended between the list and the look
        sizes[name] = sizes.get(name, 0.0) + size
    return sizes


@hookimpl
def waxbill_metrics() -> dict[str, float]:
    return {f'waxbill_memory_mb{{part="{name}"}}': round(size, 2) for name, size in parts().items()}
