"""What this plugin gives to waxbill: its settings, its driver, its control operations."""

from __future__ import annotations

from typing import Any

import msgspec

from waxbill import DriverSpec, hookimpl
from waxbill.settings import Settings

from .settings import MockSettings


@hookimpl
def waxbill_settings() -> type[msgspec.Struct]:
    return MockSettings


@hookimpl
def waxbill_driver(settings: Settings) -> DriverSpec:
    from .driver import MockDriver, supported

    return DriverSpec(
        name="mock",
        title="WhatsApp simulator",
        # Measured: a session more costs 20 KB; the rest is the page cache of the store.
        need_mb=4,
        real=False,
        operations=supported(settings.core.engine),
        inline=True,
        factory=MockDriver,
    )


@hookimpl
def waxbill_routes(app: Any, server: Any) -> Any:
    if server.spec is None or server.spec.name != "mock":
        return None
    from .control import AREAS

    return AREAS
