"""The core's own plugins, and all plugins of this process together. Imports no Falcon: the command line uses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import drivers
from .delivery.http import HttpTransport, StandardHeaders, WahaHeaders
from .hookspecs import hookimpl
from .plugins import Plugins
from .settings import Settings

if TYPE_CHECKING:
    from .app import Server


class Caches:
    """Plugin: what the core itself can let go of when memory is tight."""

    @hookimpl
    def waxbill_relieve_memory(self, rung: str, server: Server) -> str | None:
        if rung != "caches":
            return None
        return f"dropped the pages of {server.store.shrink()} store connections"


def load_plugins(settings: Settings, extra: Iterable[tuple[str, Any]] = ()) -> Plugins:
    """All installed plugins, the core's own parts and ``extra`` ones, with their settings read; raises SettingError."""
    core = [
        ("core-drivers", drivers),
        ("core-headers", WahaHeaders()),
        ("core-standard-headers", StandardHeaders(settings)),
        ("core-http", HttpTransport(settings)),
        ("core-caches", Caches()),
    ]
    plugins = Plugins(settings.core.disable_plugins, [*core, *extra])
    for kind in plugins.call("waxbill_settings"):
        settings.add(kind)
    return plugins
