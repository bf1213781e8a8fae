"""Servers inside real memory limits: what the kernel would kill lives, and what can't live ends without a loss."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import Receiver, ServerProcess

from .conftest import missing
from .control_groups import ControlGroup
from .hoarding import plant

pytestmark = pytest.mark.cgroup

Groups = Callable[[int], ControlGroup]
CHAT = "49301234567@c.us"
#: What makes the ladder climb in seconds instead of minutes.
QUICK = {"MEMORY_CHECK_SECONDS": "0.05", "MEMORY_COOLDOWN_SECONDS": "0.3", "MAX_HEAP_MB": "0"}
_STEP = re.compile(r"Memory (\w+): .*; (\w+): ([^;]*).*; freed (-?[\d.]+) MB")


@pytest.fixture
def limited(tmp_path: Path, control_group: Groups) -> Iterator[Callable[..., tuple[ServerProcess, ControlGroup]]]:
    """Starts a mock server with the planted leak inside a limit: ``limited(96, HOARD_MB_PER_SECOND="20")``."""
    planted = plant(tmp_path / "site")
    started: list[ServerProcess] = []

    def start(limit_mb: int, **environment: str) -> tuple[ServerProcess, ControlGroup]:
        group = control_group(limit_mb)
        environment = {
            "FORCE_MOCK_MODE": "true", "WAXBILL_MOCK_SCAN_SECONDS": "0", "WHATSAPP_START_SESSION": "s",
            **QUICK, **planted, **environment,
        }  # fmt: skip
        server = ServerProcess(tmp_path, program=group.program(tmp_path), **environment)
        started.append(server)
        server.start()
        server.wait_for_status("s", "WORKING", timeout_seconds=30)
        return server, group

    yield start
    for server in started:
        if server.running:
            server.kill()


def steps(server: ServerProcess) -> list[tuple[str, str, float]]:
    """Level, rung and MB freed of every step in the log."""
    found = (_STEP.search(line) for line in server.log.splitlines())
    return [(match[1], match[2], float(match[4])) for match in found if match]


def text(server: ServerProcess, words: str) -> int:
    return server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": words}).status


# -- the limit is read right


@pytest.mark.parametrize("limit_mb", [96, 256, 512])
def test_the_limit_and_the_profile_for_it_are_found(limited: Any, limit_mb: int) -> None:
    server, group = limited(limit_mb)
    health = server.get("/health").json()
    assert health["memory"]["limit_mb"] == limit_mb
    report = server.get("/api/memory").json()
    assert report["source"] == f"control group {group.version}"
    assert report["threshold_mb"] == pytest.approx(limit_mb * 350 / 512, abs=0.1)
    # All that is in the group is the server: the group's figure and the sum of its processes are the same, about.
    assert abs(report["used_mb"] - report["parts"]["server"]["uss_mb"]) < 12


def test_a_driver_that_does_not_fit_is_refused_in_words(tmp_path: Path, control_group: Groups, waxbill: Any) -> None:
    group = control_group(96)
    real = tmp_path / "site"
    info = real / "heavy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: heavy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waxbill]\nheavy = heavy\n")
    (real / "heavy.py").write_text(
        "from waxbill import DriverSpec, hookimpl\n"
        "@hookimpl\n"
        "def waxbill_driver():\n"
        "    return DriverSpec(name='heavy', title='Heavy', need_mb=240, real=True, operations=frozenset(),\n"
        "                      factory=lambda *_: None)\n"
    )
    program = group.program(tmp_path)
    server = ServerProcess(tmp_path, program=program, PYTHONPATH=str(real), WAXBILL_DISABLE_PLUGINS="browser")
    with server:
        health = server.get("/health").json()
        assert health["mode"] == "mock"
        assert re.search(
            r"heavy: it needs 240 MB and a reserve of 32 MB, and \d\d MB of 96 MB are free", health["reason"]
        )


def test_the_browser_is_refused_where_it_does_not_fit(tmp_path: Path, control_group: Groups) -> None:
    group = control_group(96)
    server = ServerProcess(
        tmp_path, program=group.program(tmp_path), ENABLE_REAL_WHATSAPP="true", WHATSAPP_START_SESSION="s"
    )
    with server:
        assert server.wait_for_status("s", "FAILED") == "FAILED"
        health = server.get("/health").json()
        assert health["mode"] == "none"
        if "it needs" not in health["reason"]:
            missing(f"the browser can't run here at all ({health['reason']})")
        words = r"browser: it needs \d+ MB and a reserve of 32 MB, and \d\d MB of 96 MB are free \(control group"
        assert re.search(words, health["reason"])
        assert re.search(words, server.get("/api/sessions/s").json()["engine"]["reason"])
        answer = server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": "x"})
        assert answer.status == 503
        assert re.search(words, answer.json()["message"])


# -- each rung


@pytest.mark.parametrize("rung", ["collect", "caches", "levers", "reload", "hibernate"])
@pytest.mark.parametrize("limit_mb", [96, 256, 512])
def test_the_rung_that_frees_it_ends_the_climb(limited: Any, limit_mb: int, rung: str) -> None:
    # A leap to between the threshold and critical, which one rung gives back.
    until = limit_mb * 350 / 512 + limit_mb * 0.06 - 20
    server, group = limited(limit_mb, HOARD_FREED_BY=rung, HOARD_MB_PER_SECOND="99999", HOARD_UNTIL_MB=str(until))
    assert server.wait_for_log(re.compile(rf"; {rung}: .*freed").search, 30)
    assert server.wait_for_log(re.compile("Memory is normal").search, 30)
    taken = steps(server)
    assert max(freed for _, found, freed in taken if found == rung) > until * 0.9
    climbed = [found for _, found, _ in taken]
    assert "refuse" not in climbed
    assert climbed[-1] == rung
    assert text(server, "still here") == 201
    assert group.kills == 0


@pytest.mark.parametrize("limit_mb", [96, 256, 512])
def test_new_sessions_and_large_media_are_refused_until_memory_is_free(limited: Any, limit_mb: int) -> None:
    until = limit_mb * 350 / 512 + limit_mb * 0.06 - 20
    server, group = limited(limit_mb, HOARD_MB_PER_SECOND=str(limit_mb / 2), HOARD_UNTIL_MB=str(until))
    assert server.wait_for_log(re.compile("; refuse: ").search, 30)
    large = {"session": "s", "chatId": CHAT, "file": {"data": "A" * 2_000_000, "mimetype": "image/png"}}
    for path, body in (("/api/sessions", {"name": "t"}), ("/api/sendImage", large)):
        answer = server.post(path, body)
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "memory is high" in answer.json()["message"]
    assert server.get("/api/sessions/t").status == 404, "nothing was half done"
    health = server.get("/health")
    assert (health.status, health.json()["status"], health.json()["memory"]["level"]) == (200, "degraded", "high")
    assert text(server, "small things go on") == 201
    server.post("/hoard/free")
    assert server.wait_for_log(re.compile("Memory is normal").search, 30)
    assert server.post("/api/sessions", {"name": "t"}).status == 201
    assert server.post("/api/sendImage", large).status == 201
    assert group.kills == 0


@pytest.mark.parametrize("limit_mb", [96, 256, 512])
def test_a_leak_that_nothing_stops_ends_in_a_restart_that_loses_nothing(
    limited: Any, limit_mb: int, receiver: Receiver
) -> None:
    server, group = limited(
        limit_mb,
        HOARD_MB_PER_SECOND=str(limit_mb / 8),
        WHATSAPP_HOOK_URL=receiver.url,
        WHATSAPP_HOOK_EVENTS="message.any",
    )
    accepted: list[str] = []
    turned_away: list[str] = []

    def send(thread: int) -> None:
        number = 0
        while True:
            number += 1
            words = f"{thread}-{number}"
            try:
                status = text(server, words)
            except OSError:
                return  # the door is closed
            (accepted if status == 201 else turned_away).append(words)

    senders = [threading.Thread(target=send, args=(i,)) for i in range(4)]
    for sender in senders:
        sender.start()
    code = server.wait(120)
    for sender in senders:
        sender.join()
    rungs = [rung for level, rung, _ in steps(server) if level == "critical"]
    assert (code, rungs[-1]) == (1, "drain"), server.log
    assert {"collect", "caches", "refuse"} <= {rung for _, rung, _ in steps(server)}
    assert "Stopping: memory is critical and nothing else helped" in server.log
    assert group.kills == 0
    assert turned_away == []
    assert len(accepted) > 20

    server.environment["HOARD_MB_PER_SECOND"] = "0"
    server.start()
    server.wait_for_status("s", "WORKING", timeout_seconds=30)
    kept = server.get(f"/api/s/chats/{CHAT}/messages", query={"limit": 100_000}).json()
    assert {message["body"] for message in kept} >= set(accepted)
    arrived: set[str] = set()

    def all_arrived(event: dict[str, Any]) -> bool:
        arrived.add(event["payload"]["body"])
        return arrived >= set(accepted)

    receiver.wait_for(all_arrived, 60)


# -- the heap's cap


def test_a_request_that_needs_more_than_the_cap_fails_alone(limited: Any) -> None:
    server, group = limited(
        256, MAX_HEAP_MB="80", WAXBILL_MAX_BODY_MB="100", MEMORY_COOLDOWN_SECONDS="60", MEMORY_CHECK_SECONDS="60"
    )
    body = {"session": "s", "chatId": CHAT, "text": "x" * 40_000_000}
    answers: list[tuple[int, Any]] = []

    def send() -> None:
        answer = server.post("/api/sendText", body, timeout_seconds=120)
        answers.append((answer.status, answer.json()))

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert [status for status, _ in answers] == [503, 503, 503]
    assert answers[0][1]["error"] == "Service Unavailable"
    assert "MAX_HEAP_MB" in answers[0][1]["message"]
    assert text(server, "small") == 201
    assert group.kills == 0


def test_a_leak_below_the_limit_but_near_the_cap_is_noticed(limited: Any) -> None:
    server, group = limited(512, MAX_HEAP_MB="96", HOARD_MB_PER_SECOND="20")
    assert server.wait(60) == 1
    assert steps(server)[-1][:2] == ("critical", "drain")
    assert group.peak_mb < 200
    assert group.kills == 0


# -- load


@pytest.mark.long
@pytest.mark.parametrize("limit_mb", [96, 256, 512])
def test_load_is_never_killed(limited: Any, limit_mb: int, receiver: Receiver) -> None:
    """200 connections that stay open, 10,000 chats, and media as large as is allowed, for a while."""
    from .loading import load

    server, group = limited(
        limit_mb,
        HOARD_MB_PER_SECOND="0",
        MEMORY_CHECK_SECONDS="0.5",
        MEMORY_COOLDOWN_SECONDS="2",
        MAX_HEAP_MB="",
        WHATSAPP_HOOK_URL=receiver.url,
        WHATSAPP_HOOK_EVENTS="message.any",
    )
    result = load(server, connections=200, chats=10_000, seconds=40)
    assert server.running, server.log
    assert group.kills == 0
    assert result.unexpected == []
    assert result.sent > 10_000
    assert result.media > 0, "large media is taken when there is room"
    assert result.media + result.refused > 10
    assert server.get("/ping").status == 200
    overview = server.get("/api/s/chats/overview", query={"limit": 1, "offset": 9_999}).json()
    assert len(overview) == 1
    assert server.stop() == 0


def test_a_signal_ends_the_server_with_exit_code_0(limited: Any) -> None:
    server, _ = limited(96)
    assert server.stop() == 0
    assert f"asked to by {signal.SIGTERM.name}" in server.log
