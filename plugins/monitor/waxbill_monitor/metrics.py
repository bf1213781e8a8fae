"""The text format of Prometheus (exposition format 0.0.4), written by hand: its client library costs 15 MB.

WAHA's metric names with WAHA's labels, and ours (``waxbill_``) beside them.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from waxbill.memory import MIB, resident

from . import levels
from .traffic import BUCKETS, Traffic
from .watch import Watch

if TYPE_CHECKING:
    from waxbill.app import Server

_TICKS = os.sysconf("SC_CLK_TCK")


class Family:
    """One metric with its samples."""

    def __init__(self, name: str, kind: str, meaning: str) -> None:
        self.name, self.kind, self.meaning = name, kind, meaning
        self.lines: list[str] = []

    def add(self, value: float, suffix: str = "", **labels: str) -> Family:
        inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        self.lines.append(f"{self.name}{suffix}{f'{{{inside}}}' if inside else ''} {value:.10g}")
        return self

    def text(self) -> str:
        return "\n".join([f"# HELP {self.name} {self.meaning}", f"# TYPE {self.name} {self.kind}", *self.lines, ""])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def exposition(server: Server, watch: Watch) -> str:
    """All figures of a server, those of other plugins last."""
    families = [*_waha(server), *(_traffic(watch.traffic) if watch.traffic else ()), *_process(server)]
    families += [*_memory(server, watch), *_deliveries(server)]
    text = "".join(family.text() for family in families)
    for added in server.plugins.call("waxbill_metrics"):
        text += "".join(f"{name} {value:.10g}\n" for name, value in added.items())
    return text


def _waha(server: Server) -> Iterator[Family]:
    environment = server.environment()
    engine = str(environment.engine)
    yield Family("waha_up", "gauge", "1 while the server serves.").add(1)
    yield Family("waha_info", "gauge", "What is served.").add(
        1, version=environment.version, tier=environment.tier, engine=engine, platform=environment.platform
    )
    sessions = server.sessions.all()
    counts = Family("waha_sessions", "gauge", "Sessions by status.")
    for status, count in sorted(Counter(session.status for session in sessions).items()):
        counts.add(count, status=status, engine=engine)
    yield counts
    each = Family("waha_session_status", "gauge", "1 for the status that each session has.")
    for session in sessions:
        each.add(1, session=session.name, status=session.status, engine=engine)
    yield each


def _traffic(traffic: Traffic) -> Iterator[Family]:
    requests = Family("waha_http_requests_total", "counter", "Requests by method and status.")
    seconds = Family("waha_http_request_duration_seconds", "histogram", "How long they took, in seconds.")
    for (method, status), (buckets, (total,)) in sorted(traffic.requests.items()):
        count = sum(buckets)
        requests.add(count, method=method, status=status)
        below = 0
        for bound, found in zip(BUCKETS, buckets, strict=False):
            below += found
            seconds.add(below, "_bucket", le=f"{bound:g}", method=method, status=status)
        seconds.add(count, "_bucket", le="+Inf", method=method, status=status)
        seconds.add(total, "_sum", method=method, status=status)
        seconds.add(count, "_count", method=method, status=status)
    yield requests
    yield seconds
    messages = Family("waha_messages_total", "counter", "Messages by direction.")
    for direction, count in sorted(traffic.messages.items()):
        messages.add(count, direction=direction)
    yield messages


def _process(server: Server) -> Iterator[Family]:
    """The process's own, under the names of WAHA's prefix and Prometheus's conventions."""
    with open("/proc/self/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    yield Family("waha_process_cpu_seconds_total", "counter", "Processor time of the server, in seconds.").add(cpu)
    yield Family("waha_process_resident_memory_bytes", "gauge", "What the server holds in memory, in bytes.").add(
        sum(resident(os.getpid()))
    )
    yield Family("waha_process_start_time_seconds", "gauge", "When the server started, Unix seconds.").add(
        round(server.started, 3)
    )
    yield Family("waha_process_open_fds", "gauge", "Open files and sockets.").add(len(os.listdir("/proc/self/fd")))
    yield Family("waxbill_uptime_seconds", "gauge", "How long the server runs.").add(
        round(time.time() - server.started, 1)
    )


def _memory(server: Server, watch: Watch) -> Iterator[Family]:
    reading = server.read_memory()
    figures = {
        "limit_bytes": (reading.limit_mb, "The memory limit."),
        "used_bytes": (reading.used_mb, "What counts against the limit (working set)."),
        "own_bytes": (reading.own_mb, "What the server and its children hold."),
        "heap_bytes": (reading.heap_mb, "Writable addresses of the server, which MAX_HEAP_MB limits."),
    }
    for name, (size, meaning) in figures.items():
        yield Family(f"waxbill_memory_{name}", "gauge", meaning).add(size * MIB)
    parts = Family("waxbill_memory_part_bytes", "gauge", "What each part of the server holds.")
    for part, size in sorted(reading.parts.items()):
        parts.add(size * MIB, part=part)
    yield parts
    sessions = Family("waxbill_memory_session_bytes", "gauge", "What each session's processes hold.")
    for session, size in sorted(reading.sessions.items()):
        sessions.add(size * MIB, session=session)
    yield sessions
    level = Family("waxbill_memory_level", "gauge", "0 normal, 1 elevated, 2 high, 3 critical.")
    yield level.add(levels.LEVELS.index(watch.level))
    if reading.pressure is not None:
        yield Family("waxbill_memory_pressure_percent", "gauge", "Time in which something waited for memory.").add(
            reading.pressure
        )
    yield Family("waxbill_memory_limit_hits_total", "counter", "How often the limit was hit.").add(reading.hits)
    yield Family("waxbill_memory_kills_total", "counter", "How often the kernel killed for want of memory.").add(
        reading.kills
    )
    steps = Family("waxbill_memory_steps_total", "counter", "What was done about tight memory, by rung.")
    for rung, count in sorted(watch.counts.items()):
        steps.add(count, rung=rung)
    yield steps


def _deliveries(server: Server) -> Iterator[Family]:
    states = Family("waxbill_deliveries", "gauge", "Deliveries to webhooks by state.")
    for state, count in server.outbox.counts().items():
        states.add(count, state=state)
    yield states
