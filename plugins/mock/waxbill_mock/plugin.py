"""What this plugin gives to waxbill: its settings, its driver, its control operations, its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from waxbill import DriverSpec, hookimpl
from waxbill.settings import Settings

from .settings import MockSettings

if TYPE_CHECKING:
    from waxbill.app import Server


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
def waxbill_commands(commands: Any) -> None:
    import os

    from .commands import add

    add(commands, Settings.load(os.environ))


@hookimpl
def waxbill_startup(server: Server) -> None:
    from .driver import MockDriver

    if isinstance(server.driver, MockDriver):
        server.driver.world.server = server
        server.sessions.on_delete.append(server.driver.forget_rules)


@hookimpl
def waxbill_routes(app: Any, server: Server) -> Any:
    from waxbill.api.operation import LateAreas

    def load() -> Any:
        if server.spec is None or server.spec.name != "mock":
            from waxbill.model.errors import Conflict

            driver = f"'{server.spec.name}'" if server.spec else "none"
            raise Conflict(
                f"The driver is {driver}, not the simulator, so nothing can be simulated: {server.choice.reason}. "
                "Start the server with FORCE_MOCK_MODE=true."
            )
        from .control import AREAS

        return AREAS

    return LateAreas("/api/waxbill/mock/", load)
