"""Control: the simulated time, and chance."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from waxbill.api.operation import Call
from waxbill.model.errors import ValidationFailed
from waxbill.model.wire import Answer, Request

from ..rules import Duration, seconds
from .calling import driver_of, world_area

area = world_area()

_MOST_MS = 253_402_300_799_000  # the end of the year 9999
_MOST_SECONDS = 10 * 366 * 86400.0


class Time(Answer):
    """The simulated time: ISO and Unix ms; ``real`` when nobody has changed it. ``ran`` counts the actions that became
    due on the way."""

    now: str
    nowMs: int
    frozen: bool
    real: bool
    ran: int = 0


class TimeChange(Request):
    """``now`` (ISO, or Unix ms) sets the time, ``frozen`` stops it or lets it run, ``real`` is the real one again."""

    now: str | int | None = None
    frozen: bool | None = None
    real: bool | None = None


class Advance(Request):
    by: Duration


class Seed(Request):
    """The same seed leads to the same ids; null ends it."""

    seed: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)] | None


def _shown(call: Call, ran: int = 0) -> Time:
    world = driver_of(call).world
    at = world.now_ms()
    text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Time(now=text, nowMs=at, frozen=world.frozen, real=world.real, ran=ran)


def moment(value: str | int, field: str) -> int:
    """Unix ms of an ISO time, or of Unix ms; raises ValidationFailed."""
    found = value if isinstance(value, int) else None
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value)
            found = int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            pass
    if found is None or not 0 <= found <= _MOST_MS:
        raise ValidationFailed(f"{field} must be a time such as 2026-01-31T09:00:00Z, or Unix ms, not {value!r}")
    return found


@area.get("/clock", scope="any")
def get_clock(call: Call) -> Time:
    """See the simulated time."""
    return _shown(call)


@area.put("/clock", scope="admin", waits=True)
def set_clock(call: Call, body: TimeChange) -> Time:
    """Set, stop or release the simulated time; what becomes due on the way is done."""
    world = driver_of(call).world
    if body.real:
        world.real_time()
        return _shown(call)
    now = None if body.now is None else moment(body.now, "now")
    if body.frozen:
        return _shown(call, world.freeze(now))
    ran = 0 if now is None else world.move_to(now)
    if body.frozen is False:
        world.resume()
    return _shown(call, ran)


@area.post("/clock/advance", scope="admin", waits=True)
def advance(call: Call, body: Advance) -> Time:
    """Let simulated time pass at once: acknowledgements, scripted replies, QR codes and what else is due happens."""
    world = driver_of(call).world
    by_ms = round(seconds(body.by, "by", _MOST_SECONDS) * 1000)
    if world.now_ms() + by_ms > _MOST_MS:
        raise ValidationFailed("by leads beyond the year 9999")
    return _shown(call, world.move_to(world.now_ms() + by_ms))


@area.get("/seed", scope="any")
def get_seed(call: Call) -> dict[str, int | None]:
    """See the seed."""
    return {"seed": driver_of(call).world.seed}


@area.put("/seed", scope="admin")
def set_seed(call: Call, body: Seed) -> dict[str, int | None]:
    """Make ids repeatable: with the same seed, the same time and the same calls they are the same."""
    driver_of(call).world.set_seed(body.seed)
    return {"seed": body.seed}
