"""Events of a real server end in files, and nowhere else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    settings = {
        "FORCE_MOCK_MODE": "true",
        "WAXBILL_MOCK_SCAN_SECONDS": "0",
        "FILE_TRANSPORT_FOLDER": str(tmp_path / "out"),
    }
    with ServerProcess(tmp_path, **settings) as server:
        yield server


def begin(server: ServerProcess, url: str) -> None:
    retries = {"attempts": 0, "delaySeconds": 0}
    webhook = {"url": url, "events": ["message.any"], "retries": retries}
    created = server.post("/api/sessions", {"name": "s", "config": {"webhooks": [webhook]}})
    assert created.status == 201, created.text
    server.wait_for_status("s", "WORKING")
    for text in ("one", "two"):
        sent = server.post("/api/sendText", {"session": "s", "chatId": "49301234567", "text": text})
        assert sent.status == 201, sent.text


def eventually(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while not (value := found()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.02)
    return value


def test_events_are_appended_in_order(server: ServerProcess, tmp_path: Path) -> None:
    begin(server, "file://localhost/sub/events.jsonl")
    path = tmp_path / "out/sub/events.jsonl"
    eventually(lambda: path.exists() and path.read_text().count("\n") == 2)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["payload"]["body"] for event in events] == ["one", "two"]


@pytest.mark.parametrize("url", ["file://localhost/../outside", "file://localhost/%2e%2e/outside", "file://else/x"])
def test_no_url_leads_out_of_the_folder(server: ServerProcess, tmp_path: Path, url: str) -> None:
    begin(server, url)
    dead = eventually(lambda: server.get("/api/waxbill/deliveries?state=dead").json())
    assert "FILE_TRANSPORT_FOLDER" in dead[0]["error"]
    assert not (tmp_path / "outside").exists()
