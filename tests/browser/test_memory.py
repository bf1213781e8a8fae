"""What a session costs, and what the driver can do about it."""

from __future__ import annotations

import datetime
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from waxbill import memory
from waxbill.app import Server
from waxbill.builtin import load_plugins
from waxbill.model.messages import MessageTextRequest
from waxbill.model.sessions import SessionConfig
from waxbill.settings import Settings
from waxbill_browser import processes
from waxbill_browser.fit import misfit

from ..test_imports import modules, spy
from .conftest import PEER, Drive, environment, eventually, in_page, of_kind, running, send
from .standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.long]


class Inside:
    """A server in this process, so that its driver can be asked; one session, ``one``, that works."""

    def __init__(self, folder: Path, whatsapp: StandIn, **more: str) -> None:
        settings = Settings({**environment(whatsapp, **more), "WAHA_LOCAL_STORE_BASE_DIR": str(folder)})
        self.server = Server(settings, load_plugins(settings))
        sessions = self.server.sessions
        sessions.create("one", SessionConfig())
        sessions.start("one")
        eventually(lambda: sessions.get("one").status == "SCAN_QR_CODE")
        whatsapp.phone.scan()
        eventually(lambda: sessions.get("one").status == "WORKING")

    @property
    def driver(self) -> Any:
        return self.server.driver

    @property
    def life(self) -> Any:
        return self.driver.accounts["one"].life

    def relieve(self, rung: str) -> list[str]:
        reading = memory.read()
        return self.server.plugins.call(
            "waxbill_relieve_memory", rung=rung, level="critical", reading=reading, server=self.server
        )


@pytest.fixture
def inside(tmp_path: Path, whatsapp: StandIn) -> Any:
    made = Inside(tmp_path, whatsapp)
    yield made
    made.server.close()
    assert not processes.under(tmp_path / "sessions")


def test_the_drivers_processes_are_known_by_part_and_session(inside: Inside) -> None:
    found = inside.driver.processes()
    assert [each.part for each in found] == ["chromedriver", "browser"]
    assert {each.session for each in found} == {"one"}
    assert all(processes.alive(each.pid) for each in found)


def test_levers_free_a_pages_garbage_and_keep_it_working(inside: Inside, whatsapp: StandIn) -> None:
    page = inside.life.current_page
    heap = "performance.memory.usedJSHeapSize"
    script = "window.kept = new Array(1000).fill(0).map((_, i) => ({ i })); " + (
        "for (let i = 0; i < 300; i++) { new Array(100000).fill(0).map((_, j) => ({ j })) }" + f"; {heap}"
    )
    page.devtools.call("Runtime.evaluate", 60, expression=script)
    before = processes.pss_mb(inside.life.pids())
    assert any("collected the garbage of 1 page" in done for done in inside.relieve("levers"))
    assert processes.pss_mb(inside.life.pids()) < before
    kept = page.devtools.call("Runtime.evaluate", expression="window.kept.length")
    assert kept["result"]["value"] == 1000
    assert inside.server.sessions.get("one").status == "WORKING"


def test_reload_loads_the_page_anew(inside: Inside, whatsapp: StandIn) -> None:
    hellos = whatsapp.phone.account.devices[0].hellos
    assert any("loaded the page of session 'one'" in done for done in inside.relieve("reload"))
    eventually(lambda: whatsapp.phone.account.devices[0].hellos > hellos and inside.life.phase == "at work")
    assert inside.server.sessions.get("one").status == "WORKING"


def test_hibernate_spares_what_is_used_and_closes_what_is_not(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not inside.relieve("hibernate")
    monkeypatch.setattr("waxbill_browser.driver._TIRED_SECONDS", 0.0)
    eventually(lambda: inside.relieve("hibernate") == ["put one to sleep"])  # not before it has caught up
    eventually(lambda: not inside.life.pids())
    assert inside.driver.asleep() == 1
    assert inside.server.sessions.get("one").status == "WORKING"
    sent = inside.driver.accounts["one"].send_text(MessageTextRequest(session="one", chatId=PEER, text="woken"))
    assert sent["body"] == "woken"


def test_requests_that_wait_for_a_page_are_bounded(tmp_path: Path, whatsapp: StandIn) -> None:
    made = Inside(tmp_path, whatsapp, WAXBILL_BROWSER_MOST_WAITING="2", WAXBILL_BROWSER_RETRY_SECONDS="3")
    account = made.driver.accounts["one"]
    os.kill(processes.browser_of(tmp_path / "sessions" / "one" / "browser"), signal.SIGKILL)
    eventually(lambda: made.life.phase == "loading")
    with ThreadPoolExecutor(5) as threads:
        asked = [threads.submit(account.run, "state") for _ in range(5)]
        outcomes = [type(each.exception()).__name__ for each in asked]
    assert sorted(outcomes) == ["NoneType"] * 2 + ["Unavailable"] * 3
    made.server.close()


def test_pictures_are_not_loaded_when_told_so(drive: Drive, whatsapp: StandIn) -> None:
    server = drive(WAXBILL_BROWSER_BLOCK_PICTURES="always")
    refused = "fetch('https://pps.whatsapp.net/v/t61/x.jpg').then(() => 'loaded', (error) => error.message)"
    assert in_page(server, refused) == "Failed to fetch"
    assert send(server, "still works")["body"] == "still works"


def test_pages_are_loaded_anew_at_the_hour(drive: Drive, whatsapp: StandIn) -> None:
    server = drive(
        WAXBILL_BROWSER_RELOAD_HOUR=str(datetime.datetime.now().astimezone().hour), WAXBILL_BROWSER_HEALTH_SECONDS="0.5"
    )
    eventually(lambda: whatsapp.phone.account.devices[0].hellos > 1)
    server.wait_for_status("one", "WORKING", timeout_seconds=60)
    hellos = whatsapp.phone.account.devices[0].hellos
    assert send(server, "after")["body"] == "after"
    assert whatsapp.phone.account.devices[0].hellos == hellos


def test_what_a_session_costs_is_told(drive: Drive) -> None:
    server = drive(WAXBILL_BROWSER_HEALTH_SECONDS="0.5")
    eventually(lambda: server.get("/api/sessions/one").json()["engine"].get("memoryMb", 0) > 50)
    engine = server.get("/api/sessions/one").json()["engine"]
    assert engine["WWebVersion"].startswith("2.3000.")
    assert engine["WAJSVersion"] == "4.6.0"


def test_an_account_that_does_not_fit_is_said_early(drive: Drive) -> None:
    server = drive(WAXBILL_BROWSER_HEALTH_SECONDS="0.5", MEMORY_LIMIT_MB="100", MEMORY_DRY_RUN="true")
    assert server.wait_for_log(lambda line: "Session 'one': it holds" in line and "may not fit on this" in line, 60)
    assert "32 should be" in server.get("/api/memory").json()["misfits"]["one"]


def test_an_account_that_fits_is_no_misfit(drive: Drive) -> None:
    server = drive(WAXBILL_BROWSER_HEALTH_SECONDS="0.5", MEMORY_LIMIT_MB="512")
    eventually(lambda: "memoryMb" in server.get("/api/sessions/one").json()["engine"])
    assert server.get("/api/memory").json()["misfits"] == {}


@pytest.mark.parametrize(
    ("used", "limit", "fits"),
    [(349, 512, True), (351, 512, False), (170, 256, True), (180, 256, False), (7800, 8000, True)],
)
def test_what_should_be_left_is_what_the_watch_begins_to_free_at(used: float, limit: float, fits: bool) -> None:
    reading = msgspec.structs.replace(memory.read(), used_mb=used, limit_mb=limit)
    assert (misfit(200.0, reading) == "") is fits


def test_a_server_whose_session_works_has_loaded_nothing_for_its_start(drive: Drive, tmp_path: Path) -> None:
    server = drive(PYTHONPATH=spy(tmp_path))
    send(server, "at work")
    loaded = modules(server)
    assert "waxbill_browser.devtools" in loaded
    assert not {"selenium", "urllib3", "http.client", "urllib.request", "importlib.metadata", "ssl", "hashlib"} & loaded


def test_a_heap_limit_of_the_server_is_not_the_browsers(drive: Drive) -> None:
    server = drive(MAX_HEAP_MB="300")
    for pid in running(server):
        if "guard.sh" not in Path(f"/proc/{pid}/cmdline").read_text():
            lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
            assert next(line for line in lines if line.startswith("Max data")).split()[3] == "unlimited"
    assert of_kind(server, "--max-old-space-size=300")


def test_a_browser_stays_among_the_servers_own_and_leaves_no_zombie(drive: Drive) -> None:
    server = drive()
    browser = processes.browser_of(server.folder / "store" / "sessions" / "one" / "browser")
    assert browser in processes.children(server.pid)
    os.kill(browser, signal.SIGKILL)
    server.wait_for_log(lambda line: "attempt 1 of" in line, 60)
    server.wait_for_status("one", "WORKING", timeout_seconds=60)
    server.post("/api/sessions/one/stop")
    eventually(lambda: not processes.children(server.pid))


def test_what_could_not_be_stored_is_not_forgotten(
    tmp_path: Path, whatsapp: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of any kind that fails while a message is told: the page is loaded anew, and the message told then."""

    class StoreDown(Exception):
        pass

    made = Inside(tmp_path, whatsapp, WHATSAPP_HOOK_URL="http://127.0.0.1:9/", WHATSAPP_HOOK_EVENTS="message")
    account = made.driver.accounts["one"]
    monkeypatch.setattr(made.server.store, "errors", (StoreDown,))
    tell, faults = account.on_tell, [StoreDown("the database has gone")]

    def on_tell(event: str, data: Any) -> Any:
        if event == "message" and faults:
            raise faults.pop()
        return tell(event, data)

    monkeypatch.setattr(account, "on_tell", on_tell)
    key = whatsapp.phone.receive("49301234567", "keep me").split("_")[2]
    store = made.server.store
    eventually(lambda: not faults)

    def told() -> int:
        with store.write() as db:
            return int(
                db.execute("SELECT count(*) FROM browser_message WHERE told AND key = ?", (f"0{key}",)).fetchone()[0]
            )

    eventually(lambda: told() == 1)
    made.server.close()
