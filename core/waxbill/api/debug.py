"""Debugging: where the time and the memory of this process go. Gone unless WAHA_DEBUG_MODE is set."""

import time
from collections import Counter
from typing import Any

from ..model.errors import NotFound, ValidationFailed
from ..model.server import BrowserTraceQuery, CpuProfileQuery
from .operation import Area, Call, Reply, encode

area = Area("🔍 Observability", prefix="/api/server/debug")

_LONGEST_SECONDS = 300
_SAMPLES_PER_SECOND = 100


def _admit(call: Call) -> None:
    if not call.server.settings.core.debug_mode:
        raise NotFound("WAHA_DEBUG_MODE is disabled. Set it to true to debug the server.")


def _seconds(asked: float | None) -> int:
    if not 1 <= (asked or 30) <= _LONGEST_SECONDS:
        raise ValidationFailed(f"seconds must be from 1 to {_LONGEST_SECONDS}")
    return int(asked or 30)


def _attachment(name: str, body: bytes) -> Reply:
    return Reply(body, headers={"Content-Disposition": f'attachment; filename="{time.time_ns() // 1_000_000}.{name}"'})


@area.get("/cpu", scope="admin", waits=True)
def profile_cpu(call: Call, query: CpuProfileQuery) -> Reply:
    """Sample what the server's threads do, as a profile that browsers' developer tools open."""
    _admit(call)
    from ..profiling import cpu_profile

    return _attachment("cpuprofile", encode(cpu_profile(_seconds(query.seconds), _SAMPLES_PER_SECOND)))


@area.get("/heapsnapshot", scope="admin", waits=True)
def snapshot_heap(call: Call) -> Reply:
    """Count the Python objects in memory by type (WAHA answers with a snapshot of its V8 heap)."""
    _admit(call)
    import gc
    import sys

    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    objects = gc.get_objects()
    for each in objects:
        name = f"{type(each).__module__}.{type(each).__qualname__}"
        counts[name] += 1
        sizes[name] += sys.getsizeof(each)
    del objects
    types: list[dict[str, Any]] = [
        {"type": name, "count": counts[name], "bytes": size} for name, size in sizes.most_common()
    ]
    reading = call.server.read_memory()
    return _attachment("heapsnapshot", encode({"used_mb": reading.used_mb, "parts_mb": reading.parts, "types": types}))


@area.get(
    "/browser/trace/{session}",
    capability="browser_trace",
    scope="admin",
    waits=True,
)
def trace_browser(call: Call, query: BrowserTraceQuery) -> Reply:
    """Record what the session's browser does, as a trace that Chromium opens."""
    _admit(call)
    return _attachment("json", call.account.browser_trace(_seconds(query.seconds), query.categories or ["*"]))
