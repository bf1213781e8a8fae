"""Events: the envelope, who wants which, and the way into the outbox. Sessions and drivers emit, nobody else."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import msgspec

from . import __version__
from .model import ids
from .model.server import WAHAEnvironment, WorkerInfo

if TYPE_CHECKING:
    from .clock import Clock
    from .delivery.outbox import Outbox
    from .plugins import Plugins
    from .session import Session
    from .settings import Settings
    from .store import Store
    from .streams.hub import Hub

#: The WAHA version whose contract is served; clients compare it.
WAHA_VERSION = "2026.7.1"

encode = msgspec.json.Encoder(enc_hook=repr).encode


def environment(settings: Settings, engine: str, browser: str | None) -> WAHAEnvironment:
    """What answers and events say about the server: WAHA's version, the engine, the tier, the platform."""
    system = os.uname()
    machine = {"x86_64": "x86", "aarch64": "arm64"}.get(system.machine, system.machine)
    return WAHAEnvironment(
        version=WAHA_VERSION,
        engine=engine,
        tier=f"waxbill {__version__}",
        browser=browser or "",
        platform=f"{system.sysname.lower()}/{machine}",
        worker=WorkerInfo(id=settings.core.worker_id),
    )


class Events:
    """Takes events, puts them into the outbox and tells those who listen live. Any thread may emit."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        outbox: Outbox,
        hub: Hub,
        plugins: Plugins,
        environment: Callable[[], WAHAEnvironment],
    ) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._hub = hub
        self._plugins = plugins
        self._environment = environment
        #: Called after the commit with a session and the payload of an event that one of its apps acts on.
        self.on_app_event: Callable[[Session, Any], object] = lambda session, payload: None

    @cached_property
    def _hooked(self) -> bool:
        """Whether a plugin takes events; asked at the first event, when plugins have had their say at the start."""
        return self._plugins.implements("waxbill_event")

    def wanted(self, session: Session, event: str) -> bool:
        """Whether a webhook, a stream, an app or a plugin takes this event of this session."""
        return (
            self._hooked
            or bool(session.webhooks.get(event))
            or event in session.app_events
            or self._hub.interested(session.name, event)
        )

    def emit(self, session: Session, event: str, payload: Any) -> None:
        """Makes the envelope and keeps it for each webhook that takes it, in the open transaction or one of its own."""
        if not self.wanted(session, event):
            return
        environment = self._environment()
        envelope = {
            "id": ids.new_event_id(),
            "timestamp": self._clock.now_ms(),
            "event": event,
            "session": session.name,
            "metadata": session.config.metadata or {},
            "me": session.me,
            "payload": payload,
            "engine": environment.engine,
            "environment": environment,
        }
        lanes = session.webhooks.get(event, ())
        with self._store.write():
            streamed = self._hub.interested(session.name, event)
            if lanes or streamed:
                self._outbox.put(envelope["id"], event, session.name, encode(envelope), lanes)
            if streamed:
                self._store.after_commit(self._hub.wake)
            if event in session.app_events:
                self._store.after_commit(partial(self.on_app_event, session, payload))
            if self._hooked:
                self._store.after_commit(partial(self._plugins.call, "waxbill_event", event=envelope))
