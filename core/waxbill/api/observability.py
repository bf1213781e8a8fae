"""Observability: is it up, what is it, how is it."""

import os
import signal
import time
from typing import Any

from .. import __version__
from ..model.server import (
    PingResponse,
    ServerStatusResponse,
    StopRequest,
    StopResponse,
    WAHAEnvironment,
    WorkerInfo,
    WorkerState,
)
from ..model.wire import Answer, Request
from .operation import Area, Call, Reply, encode

area = Area("🔍 Observability")
inside = Area("🧩 Inside", prefix="/api/waxbill")


class EnvironmentQuery(Request):
    all: bool | None = False


class SettingInForce(Answer):
    """A setting as it is now; secrets are masked. ``source`` is the variable that set it, or ``default``."""

    name: str
    value: str
    default: str
    source: str
    type: str
    meaning: str


class InstalledPlugin(Answer):
    """A plugin: ``state`` is loaded, disabled or failed; ``error`` what it raised last."""

    name: str
    distribution: str
    state: str
    error: str
    hooks: list[str]


@area.get("/ping", scope="open")
def ping(call: Call) -> PingResponse:
    """Answer with pong, for anyone."""
    return PingResponse()


@area.get("/health", scope="any", waits=True)
def health(call: Call) -> Reply:
    """Say whether the server is well: 200 if it is (or serves, but with a worry), 503 if not."""
    report = call.server.health()
    status = 200 if report["status"] in ("healthy", "degraded") else 503
    return Reply(encode(report), "application/json; charset=utf-8", status)


@area.get("/api/server/version", scope="any")
def get_version(call: Call) -> WAHAEnvironment:
    """Get the version of the contract, the engine and the platform."""
    return call.server.environment()


@area.get("/api/version", scope="any", deprecated=True)
def get_version_deprecated(call: Call) -> WAHAEnvironment:
    """Get the version of the contract, the engine and the platform."""
    return call.server.environment()


@area.get("/api/server/environment", scope="admin")
def get_environment(call: Call, query: EnvironmentQuery) -> dict[str, Any]:
    """Get the server's environment variables, secrets masked."""
    return call.server.masked_environment(everything=bool(query.all))


@area.get("/api/server/status", scope="any")
def get_status(call: Call) -> ServerStatusResponse:
    """Get when the server started and how long it runs."""
    started = call.server.started
    return ServerStatusResponse(
        startTimestamp=int(started * 1000),
        uptime=int((time.time() - started) * 1000),
        worker=WorkerInfo(id=call.server.settings.core.worker_id),
    )


@area.post("/api/server/stop", scope="admin")
def stop_server(call: Call, body: StopRequest) -> StopResponse:
    """Stop the server in a second: gracefully, or at once by force."""
    kill = signal.SIGKILL if body.force else signal.SIGTERM
    call.server.clock.call_later(1.0, lambda: os.kill(os.getpid(), kill))
    return StopResponse(stopping=True)


@inside.get("/settings", scope="admin")
def list_settings(call: Call) -> list[SettingInForce]:
    """List the settings with their values, secrets masked."""
    return [
        SettingInForce(
            name=row.name,
            value=row.shown(),
            default="" if row.secret else row.shown(row.default),
            source=row.source,
            type=row.type,
            meaning=row.meaning,
        )
        for row in call.server.settings.table()
    ]


@inside.get("/workers", scope="admin", waits=True)
def list_workers(call: Call) -> list[WorkerState]:
    """List the workers that share the sessions; none where the store is this server's alone."""
    return call.server.workers.table() if call.server.workers is not None else []


@inside.get("/plugins", scope="admin")
def list_plugins(call: Call) -> list[InstalledPlugin]:
    """List the plugins, what they implement, and what went wrong in them."""
    return [
        InstalledPlugin(
            name=plugin.name,
            distribution=plugin.entry.info.stem if plugin.entry else f"waxbill-{__version__}",
            state=plugin.state,
            error=plugin.error,
            hooks=plugin.hooks,
        )
        for plugin in call.server.plugins.installed
    ]
