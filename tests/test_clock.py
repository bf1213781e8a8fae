"""The clock: what is cancelled costs nothing for long."""

from __future__ import annotations

from waxbill.clock import Clock


def test_cancelled_timers_are_not_kept_until_they_are_due() -> None:
    clock, done = Clock(), []
    clock.call_later(0, lambda: done.append("first"))
    for _ in range(100):
        clock.call_later(3600, lambda: done.append("last"))
    for _ in range(10_000):
        clock.call_later(1800, lambda: done.append("never")).cancel()
    assert len(clock._heap) < 400
    assert clock.run_due() == 1
    assert done == ["first"]
    assert sum(timer.action is not None for _, _, timer in clock._heap) == 100
