"""What this plugin gives to waxbill: memory figures of the whole process tree, the watch over them, /metrics."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from waxbill import hookimpl, memory
from waxbill.memory import MIB, Reading
from waxbill.settings import Settings

from . import watch
from .settings import MonitorSettings

if TYPE_CHECKING:
    from waxbill.app import Server


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
def waxbill_settings() -> type[msgspec.Struct]:
    return MonitorSettings


@hookimpl
def waxbill_read_memory(settings: Settings) -> Reading:
    """The core's reading with the resident memory of this process and of what it started, by name."""
    found = memory.read(settings.core.memory_limit_mb)
    return msgspec.structs.replace(found, parts=parts())


@hookimpl(trylast=True)
def waxbill_memory_level(reading: Reading, settings: Settings) -> str:
    return watch.level(reading, settings.part(MonitorSettings).threshold_mb)


@hookimpl
def waxbill_relieve_memory(rung: str) -> str | None:
    """Collects garbage and gives what the allocator keeps free back to the kernel."""
    if rung != "collect":
        return None
    import ctypes  # 1 MB: only when it is needed

    me = psutil.Process()
    before = me.memory_info().rss
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    freed = (before - me.memory_info().rss) / MIB
    return f"collected garbage ({freed:.1f} MB)" if freed >= 0.1 else None


@hookimpl
def waxbill_startup(server: Server) -> None:
    watch.Watch(server, server.settings.part(MonitorSettings).check_seconds).begin()


@hookimpl
def waxbill_metrics() -> dict[str, float]:
    return {f'waxbill_memory_mb{{part="{name}"}}': round(size, 2) for name, size in parts().items()}


@hookimpl
def waxbill_routes(app: Any, server: Server) -> Any:
    from .api import area

    return area
