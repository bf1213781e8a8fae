"""Deliveries into Redis Streams, on a real Redis."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import ServerProcess
from waxbill.testing.thread import ServerThread

from .conftest import missing
from .test_deliveries import QUICK, deliveries, wait_for
from .test_webhooks import begin, send

redis = pytest.importorskip("redis", reason="the package redis is not installed")


class Redis:
    """A server of its own, that can be stopped and started again."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.client = redis.Redis(port=self.port)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)],
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while True:
            try:
                self.client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < end
                time.sleep(0.02)  # until it listens
            else:
                return

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def texts(self, stream: str) -> list[str]:
        return [json.loads(entry[b"body"])["payload"]["body"] for _, entry in self.client.xrange(stream)]


@pytest.fixture
def server_of_redis(tmp_path: Path) -> Iterator[Redis]:
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server is not installed")
    found = Redis(str(program), tmp_path)
    found.start()
    yield found
    found.client.close()
    found.stop()


def to(url: str) -> dict[str, Any]:
    return {"url": url, "events": ["message.any"], "retries": {**QUICK, "attempts": 500}}


def test_events_become_entries_of_a_stream(serve: Callable[..., ServerProcess], server_of_redis: Redis) -> None:
    server = serve()
    begin(server, to(f"redis://127.0.0.1:{server_of_redis.port}/2/events"))
    send(server, "hello")
    other = redis.Redis(port=server_of_redis.port, db=2)
    ((_, entry),) = wait_for(lambda: other.xrange("events"))
    other.close()
    assert set(entry) == {b"id", b"event", b"session", b"body"}
    assert (entry[b"event"], entry[b"session"]) == (b"message.any", b"s")
    assert json.loads(entry[b"body"])["id"].encode() == entry[b"id"]


def test_nothing_is_lost_while_redis_is_away(serve: Callable[..., ServerProcess], server_of_redis: Redis) -> None:
    server = serve()
    begin(server, to(f"redis://127.0.0.1:{server_of_redis.port}/events"))
    send(server, "before")
    wait_for(lambda: server_of_redis.texts("events") == ["before"])
    server_of_redis.stop()
    for text in ("while", "away"):
        send(server, text)
    wait_for(lambda: deliveries(server, state="pending"))
    server_of_redis.start()
    wait_for(lambda: server_of_redis.texts("events") == ["while", "away"])


def test_a_stream_is_kept_about_as_long_as_the_url_says(
    serve: Callable[..., ServerProcess], server_of_redis: Redis
) -> None:
    server = serve()
    begin(server, to(f"redis://127.0.0.1:{server_of_redis.port}/events?maxlen=100"))
    for number in range(400):
        send(server, str(number))
    wait_for(lambda: server_of_redis.texts("events")[-1:] == ["399"])
    assert server_of_redis.client.xlen("events") < 300


def test_two_servers_of_one_process_keep_apart(tmp_path: Path, server_of_redis: Redis) -> None:
    url = f"redis://127.0.0.1:{server_of_redis.port}/events"
    mock = {"FORCE_MOCK_MODE": "true", "WAXBILL_MOCK_SCAN_SECONDS": "0"}
    with ServerThread(tmp_path / "open", **mock) as open_to_all:
        begin(open_to_all, to(url))
        with ServerThread(tmp_path / "closed", WAXBILL_ALLOW_PRIVATE_ADDRESSES="false", **mock) as closed:
            begin(closed, {**to(url), "retries": {"attempts": 0}})
            send(closed, "refused")
            (dead,) = wait_for(lambda: deliveries(closed, state="dead"))
            assert "Refused" in dead["error"]
            send(open_to_all, "while both run")
            wait_for(lambda: server_of_redis.texts("events") == ["while both run"])
        send(open_to_all, "after the other's end")
        wait_for(lambda: server_of_redis.texts("events") == ["while both run", "after the other's end"])


def test_a_url_without_a_stream_is_said(serve: Callable[..., ServerProcess]) -> None:
    server = serve()
    begin(server, {**to("redis://127.0.0.1:1/"), "retries": {"attempts": 0}})
    send(server, "nowhere")
    (dead,) = wait_for(lambda: deliveries(server, state="dead"))
    assert "must end with the stream" in dead["error"]
