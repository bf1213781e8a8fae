"""What this plugin gives to waxbill: memory by part of the server, the watch over it, /api/memory and /metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import msgspec

from waxbill import Check, Driver, hookimpl, memory
from waxbill.memory import Reading
from waxbill.settings import SettingError, Settings

from . import levels, processes
from .housekeeping import tidy
from .settings import MonitorSettings
from .watch import Watch

if TYPE_CHECKING:
    from waxbill.app import Server

#: The watch over each server of this process.
watches: WeakKeyDictionary[Server, Watch] = WeakKeyDictionary()


@hookimpl
def waxbill_settings() -> type[msgspec.Struct]:
    return MonitorSettings


@hookimpl
def waxbill_read_memory(settings: Settings, driver: Driver | None) -> Reading:
    """The core's reading, with what each part and each session holds."""
    parts, sessions = processes.roughly(driver)
    found = memory.read(settings.core.memory_limit_mb)
    return msgspec.structs.replace(found, parts=parts, sessions=sessions)


@hookimpl(trylast=True)
def waxbill_memory_level(reading: Reading, history: list[Reading], settings: Settings) -> str:
    return levels.judge(reading, history, settings.part(MonitorSettings).threshold_mb)


@hookimpl
def waxbill_relieve_memory(rung: str) -> str | None:
    """Collects garbage and gives what the allocator keeps free back to the kernel."""
    return f"collected garbage, trimmed the heap ({tidy():.1f} MB)" if rung == "collect" else None


@hookimpl
def waxbill_startup(server: Server) -> None:
    settings = server.settings.part(MonitorSettings)
    if settings.threshold_mb > server.reading.limit_mb:
        raise SettingError(
            f"MEMORY_THRESHOLD_MB is {settings.threshold_mb}, but the limit is {server.reading.limit_mb:.0f} MB "
            f"({server.reading.source}). Lower it, or leave it out: then it is "
            f"{levels.threshold_mb(server.reading.limit_mb, 0):.0f}."
        )
    watches[server] = watch = Watch(server, settings)
    watch.begin()
    if settings.prometheus:
        from .traffic import Traffic

        watch.traffic = Traffic()
        server.plugins.register("monitor-traffic", watch.traffic)


@hookimpl
def waxbill_routes(app: Any, server: Server) -> Any:
    from .api import area, open_to_all

    traffic = watches[server].traffic
    if traffic is None:
        return area
    app.add_middleware(traffic)
    return open_to_all(area)


@hookimpl
def waxbill_doctor(settings: Settings) -> list[Check]:
    """What the watch would do: when it gives the alarm, and whether the kernel tells of pressure."""
    own = settings.part(MonitorSettings)
    limit = memory.read(settings.core.memory_limit_mb).limit_mb
    threshold = levels.threshold_mb(limit, own.threshold_mb)
    critical = levels.CRITICAL * threshold
    well = threshold <= limit
    found = f"every {own.check_seconds:g} s, alert at {threshold:.0f} MB, critical at {critical:.0f} of {limit:.0f} MB"
    remedy = "Lower MEMORY_THRESHOLD_MB, or leave it out."
    return [Check("watch", well, found + (", dry run" if own.dry_run else ""), "" if well else remedy)]
