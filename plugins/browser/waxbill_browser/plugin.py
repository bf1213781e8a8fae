"""What this plugin gives to waxbill: the browser driver's spec, its settings, and its part in relieving memory.

What is of weight is imported when the driver is chosen; Selenium has processes of its own (``starting.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from waxbill import Check, Driver, DriverSpec, hookimpl
from waxbill.settings import Settings

from .binaries import Missing, find
from .capabilities import OPERATIONS
from .settings import BrowserSettings

if TYPE_CHECKING:
    import argparse

    from waxbill.clock import Clock
    from waxbill.store import Store

# Measured on a stand-in page, server included: a floor, real accounts need more. See docs/browser.md.
_NEED_MB = {True: 240.0, False: 330.0}


@hookimpl
def waxbill_settings() -> type[msgspec.Struct]:
    return BrowserSettings


@hookimpl
def waxbill_driver(settings: Settings) -> DriverSpec:
    part = settings.part(BrowserSettings)
    try:
        found, obstacle = find(part.binary, part.chromedriver), ""
    except Missing as missing:
        found, obstacle = None, str(missing)
    return DriverSpec(
        name="browser",
        title="WhatsApp Web in a browser",
        need_mb=_NEED_MB[found is None or found.headless_shell],
        real=True,
        runnable=found is not None,
        obstacle=obstacle,
        operations=OPERATIONS,
        factory=_driver,
    )


def _driver(settings: Settings, store: Store, clock: Clock) -> Driver:
    from .driver import BrowserDriver

    return BrowserDriver(settings, store, clock)


@hookimpl
def waxbill_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = commands.choices["doctor"]
    doctor.add_argument("--browser", action="store_true", help="open WhatsApp's page and check what is needed of it")
    doctor.add_argument("--phone", action="store_true", help="with --browser: pair a phone and try its account, too")


@hookimpl
def waxbill_doctor(settings: Settings, options: argparse.Namespace) -> list[Check] | None:
    if not options.browser:
        return None
    from .doctor import examine

    return examine(settings, phone=options.phone)


@hookimpl
def waxbill_relieve_memory(rung: str, server: Any) -> str | None:
    """Frees the memory of pages, loads the heaviest anew, puts idle sessions to sleep; nothing without this driver."""
    if server.spec is None or server.spec.name != "browser":
        return None
    return server.driver.relieve(rung)
