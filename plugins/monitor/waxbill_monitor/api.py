"""The operations that the monitor adds."""

from _operator import _compare_digest as compare_digest  # what hmac offers, without OpenSSL (3.5 MB)
from base64 import b64encode
from typing import Any

import msgspec

from waxbill import heap
from waxbill.api.operation import Area, Call, Reply
from waxbill.memory import Reading
from waxbill.model.errors import WahaError

from . import levels, metrics, plugin, processes
from .settings import MonitorSettings
from .watch import Watch

area = Area("📈 Monitor")


class _AskPassword(WahaError):
    """Makes a client ask for user and password."""

    status = 401
    title = "Unauthorized"

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Basic realm="waxbill metrics", charset="UTF-8"'}


@area.get("/api/memory", scope="any", waits=True)
def get_memory(call: Call) -> dict[str, Any]:
    """Get the memory limit, what is used of it and by which part and session, how it went, and what was done, in MB."""
    server = call.server
    watch = plugin.watches[server]
    reading = server.read_memory()
    parts, sessions = processes.exactly(server.driver)
    used = heap.used_mb()
    return {
        "limit_mb": _round(reading.limit_mb),
        "used_mb": _round(reading.used_mb),
        "available_mb": _round(reading.available_mb),
        "source": reading.source,
        "own_mb": _round(reading.own_mb),
        "heap_used_mb": None if used is None else _round(used),
        "heap_mb": _round(reading.heap_mb),
        "heap_limit_mb": _round(reading.heap_limit_mb),
        "pressure_percent": reading.pressure,
        "limit_hits": reading.hits,
        "kernel_kills": reading.kills,
        "parts": parts,
        "sessions": sessions,
        "misfits": server.driver.misfits() if server.driver else {},
        **_judgement(watch, reading, server.admission.reason),
    }


def _judgement(watch: Watch, now: Reading, refusing: str) -> dict[str, Any]:
    """What the watch makes of it: level, thresholds, speed, the readings before, and the steps that it took."""
    readings = list(watch.history)
    threshold = levels.threshold_mb(now.limit_mb, watch.settings.threshold_mb)
    left = levels.seconds_left(readings) if readings else None
    return {
        "level": watch.level,
        "threshold_mb": _round(threshold),
        "critical_mb": _round(levels.CRITICAL * threshold),
        "growth_mb_per_minute": _round(60 * levels.speed_mb_per_second(readings)),
        "seconds_to_limit": None if left is None else round(left),
        "refusing": refusing,
        "dry_run": watch.settings.dry_run,
        "history": [
            {"seconds_ago": round(now.at - reading.at, 1), "used_mb": _round(reading.used_mb),
             "own_mb": _round(reading.own_mb), "level": level}
            for reading, level in zip(readings, list(watch.judged), strict=False)
        ],
        "steps": [
            {**msgspec.to_builtins(step), "freed_mb": _round(step.freed_mb)} for step in list(watch.steps)
        ],
    }  # fmt: skip


def _round(size: float) -> float:
    return round(size, 1)


@area.get("/metrics", scope="any", waits=True)
def get_metrics(call: Call) -> Reply:
    """Get figures in the text format of Prometheus."""
    server = call.server
    settings = server.settings.part(MonitorSettings)
    if settings.prometheus and settings.prometheus_password:
        given = (call.request.get_header("Authorization") or "").removeprefix("Basic ")
        pair = f"{settings.prometheus_username}:{settings.prometheus_password}"
        if not compare_digest(given.encode(), b64encode(pair.encode())):
            raise _AskPassword("The metrics need WAHA_PROMETHEUS_USERNAME and WAHA_PROMETHEUS_PASSWORD.")
    text = metrics.exposition(server, plugin.watches[server])
    return Reply(text.encode(), "text/plain; version=0.0.4; charset=utf-8")


def open_to_all(given: Area) -> Area:
    """The area with /metrics for anyone, as WAHA serves it where WAHA_PROMETHEUS_ENABLED is set."""
    opened = Area(given.tag, given.prefix)
    opened.operations = [
        msgspec.structs.replace(operation, scope="open") if operation.path == "/metrics" else operation
        for operation in given.operations
    ]
    return opened
