"""Copies from one store to the other."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from waxbill import moving
from waxbill.builtin import load_plugins
from waxbill.settings import Settings
from waxbill.store import open_store
from waxbill.testing import ServerProcess

from .postgres import Postgres
from .test_webhooks import CHAT, begin, send

Run = Callable[..., subprocess.CompletedProcess[str]]


def everything(url: str) -> dict[str, Any]:
    """What a store has: parts, keys that were given out, rows."""
    settings = Settings({})
    store = open_store(settings, load_plugins(settings), url)
    try:
        found: dict[str, Any] = {
            table: sorted(store.dump(table, columns), key=repr) for table, columns in store.tables().items()
        }
        return {**found, "parts": store.parts(), "next": store.given_out()["event"]}
    finally:
        store.close()


def test_everything_goes_there_and_back(
    serve: Callable[..., ServerProcess], postgres: Postgres, waxbill: Run, tmp_path: Path
) -> None:
    server = serve()
    begin(server, {"url": "http://127.0.0.1:1/", "events": ["*"], "retries": {"attempts": 1000}})
    for text in ("hello", "ü'\\", "third"):
        send(server, text)
    server.stop()
    first, there, back = f"sqlite:{server.folder}/store/waxbill.sqlite3", postgres.database(), f"sqlite:{tmp_path}/back"

    copied = waxbill("store", "copy", first, there)
    assert copied.returncode == 0, copied.stderr
    assert any(line.split() == ["3", "mock_message"] for line in copied.stdout.splitlines())
    assert waxbill("store", "copy", there, back).returncode == 0
    assert everything(first) == everything(there) == everything(back)

    again = waxbill("store", "copy", first, there)
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)

    moved = serve(WAXBILL_STORE=there)
    moved.wait_for_status("s", "WORKING")
    listed = moved.get(f"/api/s/chats/{CHAT}/messages?limit=10").json()
    assert [message["body"] for message in listed] == ["third", "ü'\\", "hello"]
    in_use = waxbill("store", "copy", there, f"sqlite:{tmp_path}/other")
    assert (in_use.returncode, "Stop the servers first" in in_use.stderr) == (1, True)


def test_a_store_that_nobody_keeps_is_said(waxbill: Run, tmp_path: Path) -> None:
    ran = waxbill("store", "copy", f"sqlite:{tmp_path}/a", "oracle://somewhere/b")
    assert (ran.returncode, "No installed plugin keeps a store at 'oracle:'" in ran.stderr) == (1, True)


def test_large_rows_are_copied_a_few_at_a_time() -> None:
    rows = [(n, bytes(size)) for n, size in enumerate([1024 * 1024] * 10 + [0] * 1100)]
    batches = list(moving._batches(iter(rows)))
    assert [row for batch in batches for row in batch] == rows
    assert max(sum(len(data) for _, data in batch) for batch in batches) == 4 * 1024 * 1024
    assert len(batches) == 5
