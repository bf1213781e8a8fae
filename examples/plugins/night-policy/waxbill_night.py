"""A memory policy for waxbill: at night, when nobody writes, memory is freed much earlier than by day.

What is done at a level (collecting garbage, reloading a page) stays with the server and its driver; this plugin only
says how serious the use of memory is.
"""

from __future__ import annotations

import time
from typing import Annotated

import msgspec

from waxbill import Setting, hookimpl
from waxbill.memory import Reading
from waxbill.settings import Settings


class NightSettings(msgspec.Struct, frozen=True):
    begins: Annotated[int, Setting("NIGHT_BEGINS", meaning="Hour at which the night begins.", low=0, high=23)] = 1
    ends: Annotated[int, Setting("NIGHT_ENDS", meaning="Hour at which it ends.", low=0, high=23)] = 6
    share: Annotated[
        float, Setting("NIGHT_SHARE", meaning="Share of the limit above which memory is freed at night.", low=0, high=1)
    ] = 0.4


def is_night(hour: int, begins: int, ends: int) -> bool:
    """Whether an hour (0 to 23) lies in a night, which may go past midnight.

    >>> is_night(23, 22, 6), is_night(6, 22, 6)
    (True, False)
    """
    return begins <= hour < ends if begins <= ends else hour >= begins or hour < ends


@hookimpl
def waxbill_settings() -> type[msgspec.Struct]:
    return NightSettings


@hookimpl(tryfirst=True)
def waxbill_memory_level(reading: Reading, settings: Settings) -> str | None:
    """``elevated`` at night above the share; None leaves the answer to the next plugin."""
    night = settings.part(NightSettings)
    if not is_night(time.localtime().tm_hour, night.begins, night.ends):
        return None
    used = reading.used_mb / reading.limit_mb
    return "elevated" if night.share < used < 0.7 else None
