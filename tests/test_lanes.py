"""The workers that empty the outbox, without a server."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from waxbill.builtin import load_plugins
from waxbill.clock import Clock
from waxbill.delivery.lanes import Lanes
from waxbill.delivery.outbox import Attempt, Delivery, Outbox, Outcome
from waxbill.hookspecs import hookimpl
from waxbill.model.sessions import WebhookConfig
from waxbill.settings import Settings
from waxbill.sqlite import SqliteStore


class Waiting:
    """A plugin that delivers ``note:`` URLs when it is told to."""

    def __init__(self) -> None:
        self.delivering, self.go = threading.Event(), threading.Event()

    @hookimpl
    def waxbill_deliver(self) -> Outcome:
        self.delivering.set()
        return Outcome(ok=self.go.wait(5), status=200)


def test_a_stop_ends_with_the_last_delivery(tmp_path: Path) -> None:
    """However the two meet: who stops may not miss that all is done. Threads take turns as often as in the server."""
    store = SqliteStore(tmp_path / "store.sqlite3")
    outbox, plugin = Outbox(store), Waiting()
    plugins = load_plugins(Settings({}), [("waiting", plugin)])
    route = outbox.set_lanes("s", [WebhookConfig(url="note:s", events=["message"])])["message"]
    before = sys.getswitchinterval()
    sys.setswitchinterval(20e-6)
    try:
        for number in range(500):
            lanes = Lanes(
                outbox, plugins, Clock(), workers=2, per_host=2, timeout_seconds=5, strikes=0, probe_seconds=1
            )
            lanes.start()
            outbox.put(f"evt_{number}", "message", "s", b"{}", route)
            assert plugin.delivering.wait(5)
            plugin.go.set()
            began = time.monotonic()
            assert lanes.close(20)
            assert time.monotonic() - began < 10
            plugin.delivering.clear()
            plugin.go.clear()
    finally:
        sys.setswitchinterval(before)
        store.close()


class Line:
    """An outbox with lanes, whose deliveries to ``note:`` URLs are kept in ``taken``; each calls ``meanwhile``."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path)
        self.outbox = Outbox(self.store)
        self.taken: list[str] = []
        self.meanwhile: Callable[[str], object] = lambda event_id: None
        #: How many deliveries were marked as done at a time.
        self.marked: list[int] = []
        mark = self.outbox.done

        def note(attempts: list[Attempt]) -> None:
            mark(attempts)
            with self.changed:
                self.marked += [len(attempts)] if attempts else []
                self.changed.notify_all()

        self.changed = threading.Condition()
        self.outbox.done = note  # type: ignore[method-assign]
        plugins = load_plugins(Settings({}), [("line", self)])
        self.lanes = Lanes(
            self.outbox, plugins, Clock(), workers=2, per_host=2, timeout_seconds=5, strikes=0, probe_seconds=1
        )
        self.route = {name: self.add_lane(name) for name in ("a", "b")}

    def add_lane(self, name: str) -> tuple[int, ...]:
        webhook = WebhookConfig(url=f"note:{name}", events=["message"])
        return self.outbox.set_lanes(name, [webhook])["message"]

    @hookimpl
    def waxbill_deliver(self, delivery: Delivery) -> Outcome | None:
        if not delivery.webhook.url.startswith("note:"):
            return None
        self.taken.append(delivery.event_id)
        self.meanwhile(delivery.event_id)
        return Outcome(ok=True, status=200)

    def put(self, event_id: str, session: str = "a") -> None:
        self.outbox.put(event_id, "message", session, b"{}", self.route[session])

    def wait_for_marks(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: sum(self.marked) >= count, 20), self.marked


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    found = Line(tmp_path / "store.sqlite3")
    yield found
    assert found.lanes.close(5)
    found.store.close()


def test_what_follows_at_once_is_marked_as_done_together(line: Line) -> None:
    line.meanwhile = lambda event_id: line.put(f"evt_{len(line.taken):03}") if len(line.taken) < 100 else None
    line.put("evt_000")
    line.wait_for_marks(100)
    assert line.taken == [f"evt_{number:03}" for number in range(100)]
    assert line.marked == [64, 36]
    assert line.outbox.counts()["pending"] == 0


def test_an_event_that_is_replayed_before_its_delivery_is_marked_is_delivered_again(line: Line) -> None:
    line.put("evt_1")
    line.meanwhile = lambda event_id: line.outbox.replay(event_ids=["evt_1"]) if len(line.taken) == 1 else None
    line.wait_for_marks(2)
    assert line.taken == ["evt_1", "evt_1"]
    line.meanwhile = lambda event_id: line.outbox.replay(event_ids=["evt_1"]) if event_id == "evt_2" else None
    line.put("evt_2")
    line.wait_for_marks(4)
    assert line.taken == ["evt_1", "evt_1", "evt_2", "evt_1"]
    assert line.outbox.counts()["pending"] == 0


def test_a_lane_that_is_paused_gets_nothing_more(line: Line) -> None:
    (lane,) = line.route["a"]

    def pause(event_id: str) -> None:
        line.outbox.pause(lane, "hand")
        line.put("evt_2")

    line.meanwhile = pause
    line.put("evt_1")
    line.wait_for_marks(1)
    assert line.lanes.close(5)
    assert line.taken == ["evt_1"]
    assert line.outbox.counts()["pending"] == 1
