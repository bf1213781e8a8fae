"""The core's own plugins, and all plugins of this process together. Imports no Falcon: the command line uses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import drivers
from .delivery.http import HttpTransport, StandardHeaders, WahaHeaders
from .plugins import Plugins
from .settings import Settings


def load_plugins(settings: Settings, extra: Iterable[tuple[str, Any]] = ()) -> Plugins:
    """All installed plugins, the core's own parts and ``extra`` ones, with their settings read; raises SettingError."""
    core = [
        ("core-drivers", drivers),
        ("core-headers", WahaHeaders()),
        ("core-standard-headers", StandardHeaders(settings)),
        ("core-http", HttpTransport(settings)),
    ]
    plugins = Plugins(settings.core.disable_plugins, [*core, *extra])
    for kind in plugins.call("waxbill_settings"):
        settings.add(kind)
    return plugins
