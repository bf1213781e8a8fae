"""What this plugin gives to waxbill: the browser driver's spec. The driver itself is not written yet, and says so."""

from __future__ import annotations

from typing import NoReturn

from waxbill import DriverSpec, hookimpl


@hookimpl
def waxbill_driver() -> DriverSpec:
    return DriverSpec(
        name="browser",
        title="WhatsApp Web in a browser",
        # Measured on a stand-in page with chromium-headless-shell; real accounts need more.
        need_mb=240,
        real=True,
        runnable=False,
        obstacle="this release of waxbill-browser has no driver yet",
        operations=frozenset(),
        factory=_none,
    )


def _none(*arguments: object) -> NoReturn:
    raise NotImplementedError("waxbill-browser has no driver yet")
