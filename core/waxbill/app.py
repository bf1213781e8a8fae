"""Assembly: the parts of a server put together. ``api.application`` is the WSGI application over them."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from . import memory
from .admission import Admission
from .api import (
    apps,
    calls,
    channels,
    chats,
    chatting,
    contacts,
    dashboard,
    debug,
    deliveries,
    files,
    groups,
    guard,
    keys,
    labels,
    mcp,
    media,
    observability,
    pairing,
    presence,
    profile,
    reference,
    statuses,
    streams,
)
from .api import sessions as sessions_api
from .api.access import Access, generated_digest
from .api.operation import Area, LateAreas, LoopThread, Parked
from .api.responder import resources
from .api.router import Router
from .apikeys import ApiKeys
from .apps import Apps
from .clock import Clock
from .delivery.lanes import Lanes
from .delivery.outbox import Outbox
from .driver import Driver, DriverSpec
from .events import Events, environment
from .masking import Mask
from .media.files import Files
from .media.storage import open_storage
from .memory import Reading
from .model.errors import WahaError
from .model.server import WAHAEnvironment
from .plugins import Plugins
from .sessions import Sessions
from .settings import SettingError, Settings, check_limits
from .store import folder_for, open_store
from .streams.hub import Hub

if TYPE_CHECKING:
    from .audit import Audit
    from .pace import Pace
    from .workers import Workers

log = logging.getLogger("waxbill")

_PRUNE_SECONDS = 60.0
_PORTION_SECONDS = 0.01

#: The core's own areas of the API, in the order of WAHA's document.
AREAS = [
    pairing.area,
    keys.area,
    sessions_api.area,
    profile.area,
    chatting.area,
    chatting.events,
    chats.area,
    calls.area,
    channels.area,
    statuses.area,
    labels.area,
    contacts.area,
    groups.area,
    presence.area,
    apps.area,
    mcp.area,
    media.area,
    files.area,
    observability.area,
    observability.inside,
    debug.area,
    deliveries.area,
    streams.area,
    guard.area,
    reference.area,
    dashboard.area,
]


class Server:
    """A server: its settings, plugins, store, sessions and driver. Plugins get it in ``waxbill_startup``.

    Raises SettingError and StoreError when it can't be built. ``start()`` begins, ``close()`` ends.
    """

    def __init__(self, settings: Settings, plugins: Plugins) -> None:
        self.settings = settings
        self.plugins = plugins
        self.started = time.time()
        self.driver: Driver | None = None
        self.reading: Reading = self.read_memory()
        check_limits(settings.core, self.reading)
        self.in_loop = LoopThread()
        self.clock = Clock()
        self.mask = Mask(settings.secrets())
        folder, warning = folder_for(settings.core)
        if warning:
            log.warning("%s", warning)
            settings.move_store(folder)
        core = settings.core
        self.files = Files(core, self.clock, open_storage(settings, plugins, self.clock))
        self.store = open_store(settings, plugins)
        self.store.warning = warning
        self.outbox = Outbox(self.store)
        self.lanes = Lanes(
            self.outbox,
            plugins,
            self.clock,
            workers=core.hook_workers,
            per_host=core.hook_per_host,
            timeout_seconds=core.hook_timeout_seconds,
            strikes=core.hook_pause_after,
            probe_seconds=core.hook_probe_seconds,
        )
        self.hub = Hub(self.store, core.events_keep_seconds)
        self.admission = self.files.admission = Admission()
        self.sessions = Sessions(settings, self.store, self.clock, self.outbox)
        self.sessions.files = self.files
        self.sessions.admission = self.admission
        self.api_keys = ApiKeys(self.store, self.sessions)
        self.access = Access(core, self.api_keys, generated_digest(self.store, core))
        self.sessions.events = Events(self.store, self.clock, self.outbox, self.hub, plugins, self.environment)
        #: How fast messages may leave; None: as fast as they come.
        self.pace: Pace | None = None
        #: Who did what; None where nobody asked for it.
        self.audit: Audit | None = None
        self._add_guards()
        self._choose_driver()
        self.apps = Apps(core, self.sessions, self.api_keys, inline=self.inline)
        self.sessions.events.on_app_event = self.apps.called
        self.sessions.on_delete.append(self.api_keys.delete_of_session)
        if self.pace is not None:
            self.sessions.on_delete.append(self.pace.forget)
        #: The others that share the store; None where it is this process's alone.
        self.workers: Workers | None = None
        if self.store.shared:
            from .workers import Workers

            self.workers = Workers(self)
            self.store.listen(self.api_keys.load)
        #: Why the server is on its way out, in words; empty while it serves. Who serves sets what ends it.
        self.leaving = ""
        self.exit_code = 0
        self.end: Callable[[], object] = lambda: None
        #: The WSGI application, once it is made.
        self.application: Any = None
        #: The operations that are served, by area; plugins add theirs when the application is made.
        self.areas = list(AREAS)
        #: Those of them that no request has asked for yet.
        self.late_areas: list[LateAreas] = []
        #: What the request that runs in the loop now has waited for; None for all but those that were parked.
        self.resumed: Parked | None = None
        self._bringing_in = threading.Lock()
        self.fixed_headers = {
            "X-Waxbill-Driver": self.spec.name if self.spec else "none",
            "Access-Control-Allow-Origin": "*",
            "X-Content-Type-Options": "nosniff",
        }
        try:
            plugins.call("waxbill_startup", server=self)
        except SettingError:
            self.store.close()
            raise

    def _add_guards(self) -> None:
        """What is off costs no memory."""
        core = self.settings.core
        if core.sends_per_minute:
            from .pace import Pace

            self.pace = Pace(core)
        if core.audit_keep:
            from .audit import Audit

            self.audit = Audit(self.store, core.audit_keep)

    def _choose_driver(self) -> None:
        specs: list[DriverSpec] = self.plugins.call("waxbill_driver", settings=self.settings)
        self.choice = self.plugins.first(
            "waxbill_choose_driver", specs=specs, reading=self.reading, settings=self.settings
        )
        self.spec = next((spec for spec in specs if spec.name == self.choice.driver), None)
        if self.spec is not None:
            self.driver = self.sessions.driver = self.spec.factory(self.settings, self.store, self.clock)
            self.sessions.engine = self.driver.engine or self.sessions.engine
        self.sessions.obstacle = self.choice.reason
        #: Whether operations may run in the server's loop: none of the driver's waits for anything but the store.
        self.inline = (self.spec is None or self.spec.inline) and not self.files.storage.waits
        self._environment = environment(
            self.settings, self.sessions.engine, self.driver.browser if self.driver else None
        )

    @property
    def mode(self) -> str:
        """``production`` with a real driver, ``mock`` with one that simulates, ``none`` without a driver."""
        if self.spec is None:
            return "none"
        return "production" if self.spec.real else "mock"

    def environment(self) -> WAHAEnvironment:
        return self._environment

    def read_memory(self) -> Reading:
        found: Reading | None = self.plugins.first("waxbill_read_memory", settings=self.settings, driver=self.driver)
        return found or memory.read(self.settings.core.memory_limit_mb)

    def masked_environment(self, *, everything: bool) -> dict[str, str]:
        """Environment variables by name: WAHA's and waxbill's, or all; what may be a secret is masked."""
        shown = {
            name: value
            for name, value in self.settings.environment.items()
            if everything or name.startswith(("WAHA_", "WHATSAPP_", "WAXBILL_")) or name == "DEBUG"
        }
        hidden = ("KEY", "SECRET", "TOKEN", "PASS", "CREDENTIAL", "_URL", "HEADERS", "AUTH", "COOKIE", "DSN", "PRIVATE")
        return {
            name: "***" if value and any(word in name.upper() for word in hidden) else self.mask(value)
            for name, value in sorted(shown.items())
        }

    def leave(self, reason: str, exit_code: int = 0) -> None:
        """Ends the server: what runs is finished, what is accepted stays. Any thread and signal handler may call it."""
        self.leaving, self.exit_code = self.leaving or reason, max(self.exit_code, exit_code)
        self.end()

    def health(self) -> dict[str, Any]:
        """The body of /health. ``status`` is ``healthy``; ``degraded`` when it serves, but not all or not for long;
        ``unhealthy`` when a part is down; ``shutting_down``. Memory in MB."""
        details: dict[str, dict[str, Any]] = {}
        for part in self.plugins.call("waxbill_health"):
            details.update(part)
        details = {"store": self._store_health(), "memory": self._memory_health(), **details}
        down = {name: part for name, part in details.items() if part.get("status") != "up"}
        problems = self.plugins.problems()
        worries = [*problems.values(), *(part["warning"] for part in details.values() if part.get("warning"))]
        status = "shutting_down" if self.leaving else "unhealthy" if down else "degraded" if worries else "healthy"
        return {
            "status": status,
            "mode": self.mode,
            "reason": self.choice.reason,
            "memory": {name: value for name, value in details["memory"].items() if name not in ("status", "warning")},
            "plugins": problems,
            "deliveries": self.outbox.counts() if details["store"]["status"] == "up" else {},
            "info": {name: part for name, part in details.items() if name not in down},
            "error": down,
            "details": details,
        }

    def _store_health(self) -> dict[str, Any]:
        free = os.statvfs(self.settings.core.store_dir)
        return {
            **self.store.health(),
            "free_mb": free.f_bavail * free.f_frsize // 1024 // 1024,
            **({"warning": self.store.warning} if self.store.warning else {}),
        }

    def _memory_health(self) -> dict[str, Any]:
        from . import heap  # ctypes, 0.3 MB: not before somebody asks

        reading, level = self.read_memory(), self.admission.level
        used = heap.used_mb()
        tight = level in ("high", "critical")
        return {
            "status": "up",
            "rss_mb": round(sum(memory.resident(os.getpid())) / memory.MIB, 1),
            "heap_used_mb": None if used is None else round(used, 1),
            "used_mb": round(reading.used_mb, 1),
            "limit_mb": round(reading.limit_mb, 1),
            "level": level or "not watched: pip install 'waxbill[monitor]'",
            "memory_efficient": not tight,
            **({"warning": self.admission.reason or f"memory is {level}"} if tight else {}),
        }

    def bring_in(self, late: LateAreas, router: Router) -> None:
        """Imports late areas and adds their routes; raises what they answer instead."""
        areas = late.load()
        with self._bringing_in:
            if late in self.late_areas:
                for path, resource in resources(self, areas).items():
                    router.add_route(path, resource)
                self.areas += areas
                self.late_areas = [other for other in self.late_areas if other is not late]

    def all_areas(self) -> list[Area]:
        """The areas that are served, with late ones; those that a request would not get are left out."""
        found = list(self.areas)
        for late in self.late_areas:
            with contextlib.suppress(WahaError):
                found += late.load()
        return found

    def start(self) -> None:
        """Loads the sessions, takes up the deliveries that were left, starts the sessions that ran before."""
        self.files.clean()
        if self.workers is None:
            self.sessions.load()
            self.lanes.start()
            self.sessions.start_kept()
        else:
            self.lanes.start()
            self.workers.start()
        self._prune()

    def _prune(self, after: int = 0) -> None:
        """Lets go of events that are too old or too many, now and every minute, with a turn for others between two
        portions."""
        core = self.settings.core
        more: int | None = None
        try:
            more = self.outbox.prune(core.events_keep_seconds, core.events_keep, after)
        except self.store.errors as error:
            log.error("The journal of events could not be shortened: %s", error)
        if more is None:
            self.clock.call_later(_PRUNE_SECONDS, self._prune)
        else:
            self.clock.call_later(_PORTION_SECONDS, partial(self._prune, more))

    def close(self) -> None:
        """Stops the sessions, lets running deliveries end, and closes the store. No request may run any more."""
        self.sessions.stop_all()
        self.hub.close()
        self.plugins.call("waxbill_shutdown", server=self)
        if self.driver is not None:
            self.driver.close()
        if self.workers is not None:  # not before the driver has kept what the sessions need elsewhere
            self.workers.close()
        if self.lanes.close(self.settings.core.stop_seconds):
            self.store.close()
        self.files.storage.close()
