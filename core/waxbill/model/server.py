"""What the server says about itself."""

from __future__ import annotations

import msgspec

from .wire import Answer, Request, Whole


class PingResponse(Answer):
    message: str = "pong"


class WorkerInfo(Answer):
    id: str = ""


class WAHAEnvironment(Answer):
    version: str
    engine: str
    tier: str
    browser: str
    platform: str
    worker: WorkerInfo


class ServerStatusResponse(Answer):
    """``startTimestamp`` and ``uptime`` in ms."""

    startTimestamp: int
    uptime: int
    worker: WorkerInfo


class CpuProfileQuery(Request):
    seconds: Whole | None = 30


class BrowserTraceQuery(Request):
    """``categories`` are Chrome's names of what to trace; ``*`` is all."""

    seconds: Whole | None = 30
    categories: list[str] | None = None


class StopRequest(Request):
    force: bool | None = False


class StopResponse(Answer):
    stopping: bool


class WorkerState(Answer):
    """A worker: where the others reach it, its free memory in MB, and how many sessions are its own."""

    id: str
    address: str
    alive: bool
    freeMb: float
    sessions: int
    self_: bool = msgspec.field(name="self", default=False)
