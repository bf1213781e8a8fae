"""What a memory limit decides at the start, and how a server ends: profiles, the store's place, the last requests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from waxbill import heap, profiles
from waxbill.settings import SettingError, Settings
from waxbill.store import folder_for
from waxbill.testing import Received, Receiver, ServerProcess

from .making import install

Serve = Callable[..., ServerProcess]


# -- profiles


@pytest.mark.parametrize(
    ("limit_mb", "name"),
    [
        (96, ["128mb"]),
        (128, ["128mb"]),
        (256, ["256mb"]),
        (300, ["256mb"]),
        (512, ["512mb"]),
        (700, ["512mb"]),
        (1024, []),
    ],
)
def test_auto_is_the_profile_for_the_limit_found(limit_mb: float, name: list[str]) -> None:
    assert list(profiles.chosen([], limit_mb)) == list(profiles.chosen(["auto"], limit_mb)) == name


def test_a_profile_that_is_named_also_sets_the_limit_where_there_is_room_for_more() -> None:
    assert profiles.chosen(["256mb"], 24_000)["256mb"]["MEMORY_LIMIT_MB"] == "256"
    assert "MEMORY_LIMIT_MB" not in profiles.chosen(["512mb"], 300)["512mb"]


def test_strict_defaults_and_those_for_a_limit_go_together(tmp_path: Path) -> None:
    core = Settings.load({"WAXBILL_PROFILE": "public, 256mb"}, tmp_path).core
    assert (core.allow_private_addresses, core.max_heap_mb) == (False, 128)
    with pytest.raises(SettingError, match="WAXBILL_PROFILE is '512mb,256mb', but must be one of auto"):
        Settings({"WAXBILL_PROFILE": "512mb,256mb"})


def test_whatever_is_set_by_itself_wins_over_the_profile(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WAXBILL_HOOK_WORKERS=7\n")
    settings = Settings.load({"WAXBILL_PROFILE": "256mb", "WAXBILL_THREADS": "9"}, tmp_path)
    core = settings.core
    assert (core.threads, core.hook_workers, core.max_heap_mb, core.memory_limit_mb) == (9, 7, 128, 256)
    sources = {row.name: row.source for row in settings.table()}
    assert sources["WAXBILL_THREADS"] == "WAXBILL_THREADS"
    assert sources["WAXBILL_HOOK_WORKERS"] == "WAXBILL_HOOK_WORKERS in .env"
    assert sources["MAX_HEAP_MB"] == "WAXBILL_PROFILE=256mb"


def test_every_setting_of_a_profile_exists() -> None:
    names = {row.name for row in Settings({}).table()}
    assert {name for values in profiles.PROFILES.values() for name in values} <= names


@pytest.mark.parametrize("form", [["--profile", "512mb"], ["--profile=512mb"]])
def test_serve_takes_a_profile(tmp_path: Path, form: list[str]) -> None:
    script = tmp_path / "waxbill"
    words = " ".join(form)
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m waxbill "$@" {words}\n')
    script.chmod(0o755)
    with ServerProcess(tmp_path, program=script, FORCE_MOCK_MODE="true") as server:
        health = server.get("/health").json()
        assert health["memory"]["limit_mb"] == 512
        limits = Path(f"/proc/{server.pid}/limits").read_text()
        (line,) = (line for line in limits.splitlines() if line.startswith("Max data size"))
        assert line.split()[3] == str(256 * 1024 * 1024)
        assert "profile 512mb" in server.log


def test_a_profile_that_does_not_exist_is_named(waxbill: Callable[..., Any]) -> None:
    ran = waxbill("serve", "--profile", "1gb")
    assert ran.returncode == 1
    assert "WAXBILL_PROFILE is '1gb', but must be one of auto, 512mb, 256mb, 128mb, off" in ran.stderr


# -- the cap on the heap is not for children


def test_a_child_can_be_freed_of_the_cap() -> None:
    code = (
        "import resource, subprocess, sys\n"
        "from waxbill import memory\n"
        "memory.cap(200)\n"
        "ask = 'import resource; input(); print(resource.getrlimit(resource.RLIMIT_DATA)[0])'\n"
        "for free in (False, True):\n"
        "    child = subprocess.Popen([sys.executable, '-c', ask], stdin=-1, stdout=-1, text=True)\n"
        "    if free: memory.uncap(child.pid)\n"
        "    print(child.communicate('\\n')[0].strip())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    capped, freed = ran.stdout.split()
    assert int(capped) == 200 * 1024 * 1024
    assert freed == "-1" or int(freed) > int(capped)


# -- no memory for a thread


def test_without_memory_for_more_threads_those_that_run_do_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    from waxbill.server import _Threads

    threads = _Threads(4)

    class Task:
        def __init__(self) -> None:
            self.done = threading.Event()

        def service(self) -> None:
            self.done.wait(5)

        def cancel(self) -> None: ...

    def no_memory(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    first, second = Task(), Task()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(threads, "start_new_thread", no_memory)
            with pytest.raises(MemoryError):
                threads.add_task(first)
        threads.add_task(first)
        with monkeypatch.context() as patched:
            patched.setattr(threads, "start_new_thread", no_memory)
            threads.add_task(second)
        assert len(threads.threads) == 1
        first.done.set()
        second.done.set()
    finally:
        assert threads.shutdown(cancel_pending=True, timeout=5)


# -- no driver


def test_without_a_driver_sessions_fail_with_the_reason_and_sends_answer_503(serve: Serve) -> None:
    real = {"FORCE_MOCK_MODE": "false", "ENABLE_REAL_WHATSAPP": "true", "WAXBILL_DISABLE_PLUGINS": "browser"}
    server = serve(WHATSAPP_START_SESSION="s", **real)
    assert server.wait_for_status("s", "FAILED") == "FAILED"
    text = {"session": "s", "chatId": "49301234567@c.us", "text": "x"}
    answer = server.post("/api/sendText", text)
    assert answer.status == 503
    assert "no real driver is installed" in answer.json()["message"]
    assert answer.headers["x-waxbill-driver"] == "none"
    assert server.post("/api/sendText", {**text, "session": "t"}).status == 404
    server.stop()
    simulated = serve(MOCK_FALLBACK="true", WHATSAPP_START_SESSION="s", **real)
    simulated.wait_for_status("s", "WORKING")
    assert simulated.post("/api/sendText", text).headers["x-waxbill-driver"] == "mock"


# -- the allocator's own figure


@pytest.mark.parametrize("shared", [True, False])
def test_threads_share_one_heap(shared: bool) -> None:
    """The C library reserves 64 MB of addresses for the heap of a thread that has one of its own."""
    code = f"""
import threading
from waxbill.heap import share_one
if {shared}:
    share_one()
threads = [threading.Thread(target=bytearray, args=(50_000,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
reserved = [line for line in open("/proc/self/maps") if " ---p " in line]
sizes = [int(end, 16) - int(start, 16) for start, _, end in (line.split()[0].partition("-") for line in reserved)]
print(sum(32 * 2**20 < size <= 64 * 2**20 for size in sizes))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (int(ran.stdout) == 0) == shared


def test_the_heap_in_use_grows_with_what_is_held() -> None:
    before = heap.used_mb()
    small = [str(number) * 10 for number in range(100_000)]  # Python's own allocator
    with_small = heap.used_mb()
    large = bytearray(20 * 1024 * 1024)  # the C library's
    with_large = heap.used_mb()
    assert before is not None
    assert with_small is not None
    assert with_large is not None
    assert 5 < with_small - before < 20
    assert 19 < with_large - with_small < 22
    assert small
    assert large


# -- where the store goes


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A place where nobody can make a folder, not even root: below a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "store"


def test_a_store_that_can_not_be_written_stops_the_start(unwritable: Path, waxbill: Callable[..., Any]) -> None:
    ran = waxbill("serve", FORCE_MOCK_MODE="true", PORT="0", WAHA_LOCAL_STORE_BASE_DIR=str(unwritable))
    assert ran.returncode == 1
    assert "can't be opened for writing" in ran.stderr
    assert "WAHA_LOCAL_STORE_BASE_DIR" in ran.stderr


def test_where_the_profile_allows_it_a_temporary_folder_is_used_and_told(
    unwritable: Path, serve: Serve, tmp_path: Path
) -> None:
    server = serve(WAHA_LOCAL_STORE_BASE_DIR=str(unwritable), WAXBILL_STORE_FALLBACK="true", TMPDIR=str(tmp_path))
    health = server.get("/health").json()
    assert health["status"] == "degraded"
    assert health["details"]["store"]["path"] == str(tmp_path / f"waxbill-{os.getuid()}/waxbill.sqlite3")
    assert str(unwritable) in health["details"]["store"]["warning"]
    assert f"The folder {unwritable} can't be written" in server.log
    server.post("/api/sessions", {"name": "kept"})
    server.restart()
    assert server.get("/api/sessions/kept").status == 200


def test_a_temporary_folder_that_somebody_else_prepared_is_not_used(
    unwritable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    from waxbill.store import StoreError

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    core = Settings({"WAHA_LOCAL_STORE_BASE_DIR": str(unwritable), "WAXBILL_STORE_FALLBACK": "true"}).core
    (tmp_path / "elsewhere").mkdir()
    trap = tmp_path / f"waxbill-{os.getuid()}"
    trap.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not a private folder"):
        folder_for(core)
    trap.unlink()
    trap.mkdir(mode=0o777)
    trap.chmod(0o777)
    with pytest.raises(StoreError, match="not a private folder"):
        folder_for(core)


# -- connections


def test_without_keep_alive_each_answer_ends_its_connection(serve: Serve) -> None:
    server = serve(KEEP_ALIVE="false")
    assert server.get("/ping").headers["connection"] == "close"
    server = serve(server.folder / "..")
    assert "connection" not in server.get("/ping").headers


SLOW = """
import threading
from waxbill import hookimpl
from waxbill.api.operation import Area

area = Area("Slow")
go_on = threading.Event()

@area.get("/slow", scope="any", waits=True)
def slow(call):
    '''Answer when told.'''
    print("SLOW BEGINS", flush=True, file=__import__("sys").stderr)
    go_on.wait(20)
    return {"finished": True}

@area.post("/go-on", scope="any")
def let(call):
    '''Tell.'''
    go_on.set()

@hookimpl
def waxbill_routes():
    return area
"""


def test_a_server_on_its_way_out_finishes_what_runs_and_says_so(serve: Serve, tmp_path: Path) -> None:
    install(tmp_path / "site", "slow", SLOW)
    server = serve(PYTHONPATH=str(tmp_path / "site"))
    slow, first, second = (http.client.HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(3))
    for kept in (first, second):
        kept.request("GET", "/ping")
        assert kept.getresponse().read()
    slow.request("GET", "/slow")
    assert server.wait_for_log(lambda line: "SLOW BEGINS" in line)
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait_for_log(lambda line: "Stopping: asked to by SIGTERM" in line)

    first.request("GET", "/health")
    answer = first.getresponse()
    assert (answer.status, answer.getheader("Connection")) == (503, "close")
    assert json.loads(answer.read())["status"] == "shutting_down"
    second.request("POST", "/go-on")
    assert second.getresponse().status == 201
    answer = slow.getresponse()
    assert (answer.status, answer.getheader("Connection")) == (200, None), "it was asked before"
    assert json.loads(answer.read()) == {"finished": True}
    assert server.wait(30) == 0
    for each in (slow, first, second):
        each.close()


def test_a_server_that_stops_with_a_backlog_ends_cleanly_and_delivers_the_rest_later(serve: Serve) -> None:
    go_on = threading.Event()

    def slowly(_: Received) -> int:
        go_on.wait(0.003)  # each delivery is under way for a moment, so that some are when the server stops
        return 200

    with Receiver(slowly) as receiver:
        server = serve(
            WHATSAPP_START_SESSION="s",
            WHATSAPP_HOOK_URL=receiver.url,
            WHATSAPP_HOOK_EVENTS="message.any",
            WAXBILL_STOP_SECONDS="0.1",
        )
        server.wait_for_status("s", "WORKING")
        for round_ in range(4):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            for number in range(300):
                body = json.dumps({"session": "s", "chatId": "49301234567@c.us", "text": f"{round_}-{number}"})
                connection.request("POST", "/api/sendText", body, {"Content-Type": "application/json"})
                assert connection.getresponse().read()
            connection.close()
            assert server.stop() == 0, server.log
            assert "Traceback" not in server.log
            server.start()
            server.wait_for_status("s", "WORKING")
        go_on.set()
        wanted = {f"{round_}-{number}" for round_ in range(4) for number in range(300)}
        arrived: set[str] = set()

        def all_arrived(event: dict[str, Any]) -> bool:
            arrived.add(event["payload"]["body"])
            return arrived >= wanted

        receiver.wait_for(all_arrived, 60)
