"""The workers that empty the outbox, without a server."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from waxbill.builtin import load_plugins
from waxbill.clock import Clock
from waxbill.delivery.lanes import Lanes
from waxbill.delivery.outbox import Outbox, Outcome
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
