"""A disk that is really full: what can't be kept is refused, what was kept is delivered, and all goes on afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from waxbill.testing import Received, Receiver, ServerProcess

from .conftest import missing
from .test_webhooks import CHAT, begin, send


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    if os.geteuid() != 0:
        missing("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Takes all the room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(64 * 1024))
            except OSError:
                return ballast


def test_a_full_disk_loses_nothing_that_was_answered(serve: Callable[..., ServerProcess], small_disk: Path) -> None:
    accept, arrived = False, []

    def answer(received: Received) -> int:
        if accept:
            arrived.append(received.json()["payload"]["body"])
        return 200 if accept else 503

    with Receiver(answer) as receiver:
        server = serve(
            WAHA_LOCAL_STORE_BASE_DIR=str(small_disk / "store"), WAXBILL_HOOK_PAUSE_AFTER="0", WAXBILL_KEEP_FREE_MB="0"
        )
        webhook = {"url": receiver.url, "events": ["message.any"], "retries": {"delaySeconds": 0.1, "attempts": 1000}}
        begin(server, webhook)
        for number in range(20):
            send(server, str(number))
        ballast = fill(small_disk)
        kept, refused = [str(number) for number in range(20)], 0
        for number in range(20, 400):
            text = f"{number} {'x' * 5000}"
            sent = server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": text})
            if sent.status == 201:
                kept.append(text)
                continue
            assert (sent.status, sent.headers["retry-after"]) == (503, "5")
            assert "try again" in sent.json()["message"]
            refused += 1
            if refused == 5:
                break
        assert refused == 5, "the disk was not full"
        assert server.get("/api/sessions/s").json()["status"] == "WORKING"
        accept = True
        receiver.wait_for_count(len(receiver.received) + 1)
        ballast.unlink()
        send(server, "room again")
        receiver.wait_for(lambda event: event["payload"]["body"] == "room again", 30)
        assert list(dict.fromkeys(arrived)) == [*kept, "room again"]
        server.restart().wait_for_status("s", "WORKING")
        messages = server.get(f"/api/s/chats/{CHAT}/messages", query={"limit": 1000}).json()
        assert {message["body"] for message in messages} == {*kept, "room again"}
