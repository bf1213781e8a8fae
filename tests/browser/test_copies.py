"""Profiles that travel: a real Chromium on two workers of one PostgreSQL, and what is not brought back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import Receiver, ServerProcess
from waxbill_browser import binaries

from ..conftest import missing
from ..postgres import Postgres
from .conftest import environment, eventually, in_page, pair, running, send
from .standin import StandIn

pytestmark = pytest.mark.browser


#: One piece in everything that a page can keep: IndexedDB (as a file of its own), the origin's file system, a cache.
_WRITE = """(async () => {
  localStorage.setItem('written', 'on the first');
  const open = indexedDB.open('written', 1);
  open.onupgradeneeded = () => open.result.createObjectStore('pieces');
  await new Promise((done) => { open.onsuccess = done; });
  const put = open.result.transaction('pieces', 'readwrite').objectStore('pieces').put(new Blob(['x'.repeat(1e5)]), 1);
  await new Promise((done) => { put.transaction.oncomplete = done; });
  const file = await (await navigator.storage.getDirectory()).getFileHandle('written', { create: true });
  const writer = await file.createWritable();
  await writer.write('in a file');
  await writer.close();
  await (await caches.open('written')).put('/written', new Response('x'));
})()"""
_READ = """(async () => {
  const open = indexedDB.open('written', 1);
  await new Promise((done) => { open.onsuccess = done; });
  const get = open.result.transaction('pieces').objectStore('pieces').get(1);
  await new Promise((done) => { get.onsuccess = done; });
  const file = await (await navigator.storage.getDirectory()).getFileHandle('written');
  const text = await (await file.getFile()).text();
  return [localStorage.getItem('written'), (await get.result.text()).length, text, await caches.has('written')];
})()"""


class Workers:
    """Servers with folders of their own on one database, which drive the stand-in; they start and end one by one."""

    def __init__(self, folder: Path, whatsapp: StandIn, receiver: Receiver, postgres: Postgres) -> None:
        self._folder, self._whatsapp, self._receiver, self._postgres = folder, whatsapp, receiver, postgres
        self.url = postgres.database()
        self.started: list[ServerProcess] = []

    def start(self, name: str, **more: str) -> ServerProcess:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        settings = environment(self._whatsapp, self._receiver, WAXBILL_STORE=self.url, WAHA_WORKER_ID=name, **more)
        worker = ServerProcess(folder, key="", **settings)
        self.started.append(worker)
        return worker.start()

    def paired(self, name: str, **more: str) -> ServerProcess:
        """A worker with a session ``one`` that works."""
        worker = self.start(name, **more)
        assert worker.post("/api/sessions", {"name": "one"}).status == 201
        pair(worker, self._whatsapp)
        return worker

    def ask(self, said: str) -> list[tuple[Any, ...]]:
        return self._postgres.ask(said, self.url.rpartition("/")[2])

    def pieces(self) -> int:
        """How many pieces the good copies have."""
        return int(self.ask("SELECT coalesce(sum(pieces), 0) FROM browser_profile")[0][0])

    def kept(self) -> list[tuple[Any, ...]]:
        """Everything that is kept of profiles."""
        return self.ask("SELECT session, n FROM browser_profile_piece")

    def codes(self) -> int:
        """How many times a QR code was shown."""
        return sum(worker.log.count("Session 'one' is SCAN_QR_CODE") for worker in self.started)


@pytest.fixture
def workers(tmp_path: Path, whatsapp: StandIn, receiver: Receiver, postgres: Postgres) -> Iterator[Workers]:
    try:
        binaries.find()
    except binaries.Missing as error:
        missing(str(error))
    found = Workers(tmp_path, whatsapp, receiver, postgres)
    yield found
    for worker in found.started:
        worker.__exit__(None, None, None)
        print(worker.log)  # shown when the test fails


def working(worker: ServerProcess) -> None:
    """The worker has taken the session up, and it works."""
    assert worker.wait_for_log(lambda line: "Session 'one' is WORKING" in line, 90)


def test_a_session_that_is_handed_over_needs_no_qr_code(workers: Workers) -> None:
    first = workers.paired("first")
    in_page(first, _WRITE)
    assert in_page(first, _READ) == ["on the first", 100_000, "in a file", True]
    second = workers.start("second")
    first.stop()
    working(second)
    assert workers.codes() == 1
    assert "its profile comes from the store" in second.log
    assert in_page(second, _READ) == ["on the first", 100_000, "in a file", False]
    assert send(second, "from another machine")["body"] == "from another machine"
    assert workers.kept() == []  # what runs is not what was kept

    in_page(second, "localStorage.setItem('written', 'on the second')")
    first = workers.start("first")
    second.stop()
    working(first)  # which has an older profile of its own
    assert workers.codes() == 1
    assert in_page(first, "localStorage.getItem('written')") == "on the second"


@pytest.mark.long
def test_a_session_whose_worker_is_killed_is_paired_anew(workers: Workers) -> None:
    first = workers.paired("first")
    second = workers.start("second")
    first.stop()
    working(second)
    first = workers.start("first")
    second.kill()
    assert first.wait_for_log(lambda line: "Session 'one' is SCAN_QR_CODE" in line, 90)
    assert "had a newer profile and ended without keeping it in the store" in first.log
    assert workers.codes() == 2


@pytest.mark.long
def test_a_worker_that_was_killed_goes_on_with_its_own_profile(workers: Workers) -> None:
    workers.paired("first").kill()
    working(workers.start("first"))
    assert workers.codes() == 1


@pytest.mark.long
def test_a_session_that_sleeps_survives_its_worker(workers: Workers) -> None:
    first = workers.paired("first", WAXBILL_BROWSER_IDLE_MINUTES="0.01")
    eventually(workers.pieces)
    second = workers.start("second")
    first.kill()
    working(second)
    assert workers.codes() == 1


@pytest.mark.long
def test_a_session_that_wakes_is_not_the_one_that_was_kept(workers: Workers) -> None:
    first = workers.paired("first", WAXBILL_BROWSER_IDLE_MINUTES="0.01")
    eventually(workers.pieces)
    send(first, "wake up")
    eventually(workers.pieces)  # it sleeps again
    first.stop()
    working(workers.start("second"))
    assert workers.codes() == 1


@pytest.mark.long
def test_a_profile_that_is_too_large_stays_where_it_is(workers: Workers) -> None:
    first = workers.paired("first", WAXBILL_BROWSER_PROFILE_MB="1")
    in_page(first, _WRITE.replace("repeat(1e5)", "repeat(2e6)"))
    first.stop()
    assert "it has more than 1 MB (WAXBILL_BROWSER_PROFILE_MB)" in first.log
    assert (workers.pieces(), workers.kept()) == (0, [])
    working(workers.start("first"))


@pytest.mark.long
def test_a_worker_that_has_to_let_go_of_its_session_keeps_no_copy(workers: Workers, postgres: Postgres) -> None:
    first = workers.paired("first")
    with postgres.frozen():
        assert first.wait_for_log(lambda line: "this worker stops its sessions" in line, 60)
        eventually(lambda: not running(first))
    eventually(lambda: first.log.count("Session 'one' is WORKING") == 2)
    assert "kept in the store" not in first.log
    assert (workers.codes(), workers.kept()) == (1, [])


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE browser_profile_piece SET data = set_byte(data, 100, get_byte(data, 100) # 255)",
        "DELETE FROM browser_profile_piece",
        "UPDATE browser_profile SET digest = ''",
    ],
    ids=["a byte", "all", "the checksum"],
)
def test_a_damaged_copy_is_said_and_paired_anew(workers: Workers, whatsapp: StandIn, damage: str) -> None:
    workers.paired("first").stop()
    workers.ask(damage)
    second = workers.start("second")
    pair(second, whatsapp)
    assert "the copy of its profile in the store is damaged" in second.log
    assert workers.codes() == 2
    second.stop()
    working(workers.start("third"))
    assert workers.codes() == 2


@pytest.mark.parametrize("way", ["logout", "delete"])
def test_log_out_and_deletion_remove_the_copy(workers: Workers, way: str) -> None:
    first = workers.paired("first")
    first.post("/api/sessions/one/stop")
    eventually(workers.pieces)
    if way == "logout":
        assert first.post("/api/sessions/one/logout").status == 201
    else:
        assert first.delete("/api/sessions/one").status == 200
    assert (workers.ask("SELECT * FROM browser_profile"), workers.kept()) == ([], [])


@pytest.mark.long
def test_where_nobody_shares_the_store_copies_are_made_when_asked_for(
    workers: Workers, tmp_path: Path, waxbill: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    shared, workers.url = workers.url, f"sqlite:{tmp_path / 'store.sqlite3'}"
    first = workers.paired("first")
    first.stop()
    assert "kept in the store" not in first.log
    first = workers.start("first", WAXBILL_BROWSER_KEEP_PROFILES="on")
    working(first)
    first.stop()
    assert "its profile is kept in the store" in first.log
    copied = waxbill("store", "copy", workers.url, shared)
    assert copied.returncode == 0, copied.stderr
    workers.url = shared
    working(workers.start("second"))
    assert workers.codes() == 1
