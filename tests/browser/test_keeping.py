"""Which profile a start takes, and who may keep one: with real stores and folders, without a browser."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from waxbill.settings import CoreSettings
from waxbill.sqlite import SqliteStore
from waxbill.store import Store
from waxbill_browser import packing, seen
from waxbill_browser.copies import Copies, Copy, Row, Run, source
from waxbill_browser.link import Lost
from waxbill_browser.settings import BrowserSettings

KEYS = "Default/IndexedDB/keys"
OLD, NEW = Run(5, "a"), Run(6, "b")


class Worker:
    """A server as far as profiles go: a folder, a connection to the store, a session ``one`` that is paired."""

    def __init__(self, folder: Path, store: Store, **settings: Any) -> None:
        self.store = store
        store.migrate("browser", seen.SCHEMA)
        with store.write() as db:
            seen.Seen("one").pair(db)
        made = BrowserSettings(**{"keep_profiles": "on", **settings})
        self.copies = Copies(made, CoreSettings(), store)
        self.host: Any = SimpleNamespace(name="one", folder=folder / "one", store=store, lost=False)
        self.host.folder.mkdir(parents=True, exist_ok=True)
        self.copy = Copy(self.host, self.copies)
        self.profile = self.host.folder / "browser"

    def begin(self) -> Worker:
        """What happens before a browser is started."""
        self.copy.take(lambda: False)
        return self

    def pair(self, keys: bytes = b"keys") -> Worker:
        self.write(keys)
        self.copy.paired()
        return self

    def write(self, keys: bytes) -> None:
        (self.profile / KEYS).parent.mkdir(parents=True, exist_ok=True)
        (self.profile / KEYS).write_bytes(keys)

    def end(self) -> Worker:
        """The browser was closed, and the copy is made."""
        self.copy.keep()
        self.done()
        return self

    def done(self) -> None:
        for _, future in list(self.copies._under_way.values()):
            future.result(30)

    @property
    def keys(self) -> bytes | None:
        return (self.profile / KEYS).read_bytes() if (self.profile / KEYS).exists() else None


MakeWorker = Callable[..., Worker]


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens a store for each worker; SQLite's is one for all."""
    opened: list[Any] = []
    if request.param == "postgres":
        from waxbill_postgres.store import PostgresStore

        url = request.getfixturevalue("postgres").database()

    def make() -> Store:
        if request.param == "postgres":
            opened.append(PostgresStore(url, wait_seconds=5))
        elif not opened:
            opened.append(SqliteStore(tmp_path / "store.sqlite3"))
        found: Store = opened[-1]
        return found

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def worker(stores: Callable[[], Store], tmp_path: Path) -> Iterator[MakeWorker]:
    made: list[Worker] = []

    def make(name: str, **settings: Any) -> Worker:
        made.append(Worker(tmp_path / name, stores(), **settings))
        return made[-1]

    yield make
    for each in made:
        each.copies.close()


def pieces(worker: Worker) -> int:
    """How many there are of the session, good ones or not."""
    (found,) = worker.store.read().execute("SELECT count(*) FROM browser_profile_piece").fetchone()
    return int(found)


def good(worker: Worker) -> int:
    """How many pieces the good copy has."""
    row = worker.store.read().execute("SELECT pieces FROM browser_profile WHERE session = 'one'").fetchone()
    return int(row[0]) if row else 0


def watched(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> list[threading.Event]:
    """What tells each of the worker's copies from now on that it is given up."""
    found: list[threading.Event] = []
    begin = worker.copies.begin

    def watch(session: str, work: Callable[[threading.Event], None]) -> None:
        def run(given_up: threading.Event) -> None:
            found.append(given_up)
            work(given_up)

        begin(session, run)

    monkeypatch.setattr(worker.copies, "begin", watch)
    return found


@pytest.mark.parametrize(
    ("mark", "row", "paired", "expected"),
    [
        (None, None, False, "folder"),  # the first start of all
        (None, None, True, "folder"),  # an older waxbill's
        (OLD, None, True, "folder"),  # a store without copies
        (OLD, None, False, "nowhere"),  # left over from a session that was deleted elsewhere
        (OLD, Row("a", OLD, 0, ""), True, "folder"),  # after a crash
        (OLD, Row("a", OLD, 3, "x"), True, "folder"),  # the same as the copy
        (NEW, Row("a", OLD, 3, "x"), True, "folder"),  # an older copy, as in a store that was restored
        (OLD, Row("b", NEW, 3, "x"), True, "store"),
        (None, Row("b", NEW, 3, "x"), True, "store"),
        (OLD, Row("b", NEW, 0, ""), True, "nowhere"),  # another worker has crashed
        (Run(6, "c"), Row("b", NEW, 0, ""), True, "nowhere"),  # two runs of one number
        (None, Row("b", NEW, 0, ""), True, "folder"),  # nothing that could be older
    ],
)
def test_the_newest_profile_is_taken_and_never_an_older_one(
    mark: Run | None, row: Row | None, paired: bool, expected: str
) -> None:
    assert source(mark, row, paired=paired) == expected


def test_a_profile_goes_from_worker_to_worker(worker: MakeWorker) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair(b"one").end()
    assert good(first) == pieces(first) == 1
    second.begin()
    assert second.keys == b"one"
    assert (good(second), pieces(second)) == (0, 0)
    second.write(b"two")
    second.end()
    first.begin()
    assert first.keys == b"two"
    first.end()
    first.begin()  # the next start here: its own is as new as the copy
    assert first.keys == b"two"


def test_a_newer_profile_here_is_kept_whatever_the_store_says(worker: MakeWorker) -> None:
    first = worker("first")
    first.begin().pair(b"old").end()
    backup = first.store.read().execute("SELECT holder, number, run, pieces, digest FROM browser_profile").fetchone()
    saved = first.store.read().execute("SELECT * FROM browser_profile_piece").fetchall()
    first.begin().write(b"new")
    with first.store.write() as db:  # the store is restored from a backup
        db.execute("UPDATE browser_profile SET holder = ?, number = ?, run = ?, pieces = ?, digest = ?", backup)
        db.executemany("INSERT INTO browser_profile_piece VALUES (?, ?, ?, ?)", saved)
    first.begin()
    assert first.keys == b"new"


def test_an_older_profile_is_removed_when_the_newer_one_is_lost(
    worker: MakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair(b"one").end()
    second.begin()  # and it is killed
    first.begin()
    assert not first.profile.exists()
    assert "had a newer profile and ended without keeping it" in caplog.text
    first.pair(b"paired anew").end()
    second.begin()
    assert second.keys == b"paired anew"


def test_a_worker_that_died_has_the_newest_profile_until_another_is_paired(worker: MakeWorker) -> None:
    first, second = worker("first").begin().pair(b"of the first"), worker("second")
    second.begin()  # it shows a QR code that nobody scans
    assert first.begin().keys == b"of the first"
    second.begin().pair(b"of the second")
    assert first.begin().keys is None


def test_a_worker_that_lost_the_session_keeps_nothing(worker: MakeWorker) -> None:
    first = worker("first").begin().pair()
    first.host.lost = True
    first.end()
    assert pieces(first) == 0


def test_a_worker_whose_session_was_started_elsewhere_keeps_nothing(
    worker: MakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = worker("first").begin().pair(b"of the first"), worker("second")
    second.begin()
    first.end()  # it was cut off, and does not know
    assert "another worker has started the session" in caplog.text
    assert (good(first), pieces(first)) == (0, 0)
    second.pair(b"of the second").end()
    first.begin()
    assert first.keys == b"of the second"


def test_a_copy_that_another_start_overtakes_is_not_good(worker: MakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = worker("first").begin().pair(), worker("second")
    whole = packing.pack

    def overtaken(profile: Path, most_bytes: int) -> Iterator[bytes]:
        yield from whole(profile, most_bytes)
        monkeypatch.setattr(packing, "pack", whole)
        second.begin().pair(b"of the second").end()  # all pieces are there, and it is to be made good

    monkeypatch.setattr(packing, "pack", overtaken)
    first.end()
    assert (good(first), pieces(first)) == (1, 1)
    assert worker("third").begin().keys == b"of the second"


def test_the_next_start_here_gives_up_a_copy_and_others_write_meanwhile(
    worker: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = worker("first").begin().pair(random.Random(1).randbytes(5 * packing.PIECE_BYTES))
    whole, begun, given_up = packing.pack, threading.Event(), watched(first, monkeypatch)

    def slow(profile: Path, most_bytes: int) -> Iterator[bytes]:
        for piece in whole(profile, most_bytes):
            yield piece
            begun.set()
            assert given_up[0].wait(30)

    monkeypatch.setattr(packing, "pack", slow)
    first.copy.keep()
    assert begun.wait(30)
    with first.store.write() as db:  # nothing of the copy holds the store
        db.execute("UPDATE browser_session SET paired_at = 7")
    assert pieces(first) == 1
    first.begin()
    assert (good(first), pieces(first)) == (0, 0)


def test_a_server_that_stops_gives_up_what_takes_too_long(
    worker: MakeWorker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = worker("first", profile_seconds=0.1).begin().pair()
    whole, given_up = packing.pack, watched(first, monkeypatch)

    def slow(profile: Path, most_bytes: int) -> Iterator[bytes]:
        assert given_up[0].wait(30)
        yield from whole(profile, most_bytes)

    monkeypatch.setattr(packing, "pack", slow)
    first.copy.keep()
    first.copies.close()
    assert "not all were done within 0.1 s (WAXBILL_BROWSER_PROFILE_SECONDS)" in caplog.text
    assert (good(first), pieces(first)) == (0, 0)


def test_a_server_that_stops_waits_for_the_copies(worker: MakeWorker) -> None:
    first = worker("first").begin().pair()
    first.copy.keep()
    first.copies.close()
    assert good(first) == 1


def test_a_profile_that_is_too_large_leaves_no_copy(worker: MakeWorker, caplog: pytest.LogCaptureFixture) -> None:
    first = worker("first", profile_mb=1).begin().pair(random.Random(1).randbytes(900_000)).end()
    assert good(first) > 1
    first.begin().write(random.Random(1).randbytes(1_100_000))
    first.end()
    assert "more than 1 MB (WAXBILL_BROWSER_PROFILE_MB)" in caplog.text
    assert (good(first), pieces(first)) == (0, 0)


def test_a_disk_that_is_full_costs_no_copy(worker: MakeWorker, stores: Callable[[], Store]) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair(bytes(100_000)).end()
    if isinstance(second.store, SqliteStore):
        second.store.read().execute("PRAGMA query_only = 1")  # its own files are on the same disk
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            second.begin()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    if isinstance(second.store, SqliteStore):
        second.store.read().execute("PRAGMA query_only = 0")
    assert [path.name for path in second.host.folder.iterdir()] == []
    assert second.begin().keys == bytes(100_000)


def test_a_start_that_is_stopped_costs_no_copy(worker: MakeWorker) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair().end()
    with pytest.raises(Lost):
        second.copy.take(lambda: True)
    assert second.begin().keys == b"keys"


def test_what_a_killed_start_left_behind_is_no_profile(worker: MakeWorker) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair().end()
    left = second.host.folder / "browser.new" / "Default" / "Cookies"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert second.begin().keys == b"keys"
    assert not (second.profile / "Default" / "Cookies").exists()
    assert not left.exists()


@pytest.mark.parametrize("size", [0, packing.PIECE_BYTES + 1])
def test_a_piece_of_another_size_is_refused(worker: MakeWorker, size: int, caplog: pytest.LogCaptureFixture) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair().end()
    with first.store.write() as db:
        db.execute("UPDATE browser_profile_piece SET data = ?", (bytes(size),))
    second.begin()
    assert "damaged (piece 0 of 1 is not there or too large)" in caplog.text
    assert (second.keys, good(second), pieces(second)) == (None, 0, 0)


def test_pieces_of_another_copy_are_noticed(worker: MakeWorker, caplog: pytest.LogCaptureFixture) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair(b"old").end()
    (old,) = first.store.read().execute("SELECT data FROM browser_profile_piece").fetchone()
    first.begin().write(b"new")
    first.end()
    with first.store.write() as db:
        db.execute("UPDATE browser_profile_piece SET data = ?", (old,))
    second.begin()
    assert "damaged (its checksum is another one)" in caplog.text
    assert second.keys is None


def test_an_account_that_is_not_paired_is_not_kept(worker: MakeWorker) -> None:
    first = worker("first").begin().pair()
    with first.store.write() as db:
        seen.Seen("one").forget(db)
    first.end()
    assert pieces(first) == 0


def test_a_log_out_removes_everything_and_other_folders_do_not_come_back(worker: MakeWorker) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair(b"first pairing").end()
    second.begin().end()
    second.copies.forget("one")
    assert second.store.read().execute("SELECT * FROM browser_profile").fetchall() == []
    assert pieces(second) == 0
    second.begin().pair(b"second pairing").end()
    assert first.begin().keys == b"second pairing"


def test_a_profile_of_a_session_that_was_deleted_elsewhere_is_removed(worker: MakeWorker) -> None:
    first = worker("first").begin().pair()
    with first.store.write() as db:
        seen.Seen("one").forget(db)
        db.execute("DELETE FROM browser_profile")
    first.begin()
    assert not first.profile.exists()


def test_what_was_kept_is_removed_where_copies_are_off(worker: MakeWorker) -> None:
    worker("first").begin().pair(b"old").end()
    first = worker("first", keep_profiles="off").begin()
    assert (first.keys, good(first), pieces(first)) == (b"old", 0, 0)
    first.write(b"new")
    first.end()
    assert pieces(first) == 0
    first = worker("first").begin()
    assert first.keys == b"new"
    first.end()
    assert worker("second").begin().keys == b"new"


def test_copies_are_made_by_themselves_only_where_workers_take_sessions_over(
    stores: Callable[[], Store], tmp_path: Path
) -> None:
    store, auto = stores(), BrowserSettings()
    assert Copies(auto, CoreSettings(), store).on is store.shared
    assert not Copies(auto, CoreSettings(take_over=False), store).on
    assert Copies(BrowserSettings(keep_profiles="on"), CoreSettings(take_over=False), store).on


def test_a_profile_that_processes_still_use_is_not_replaced_and_not_kept(
    worker: MakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair(b"new").end()
    second.write(b"old")
    user = subprocess.Popen(
        [sys.executable, "-c", "input(print('here', flush=True))", f"--user-data-dir={second.profile}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert user.stdout is not None
    user.stdout.readline()
    try:
        with pytest.raises(Lost, match="processes still use"):
            second.begin()
        first.copies.forget("one")
        second.begin().end()
    finally:
        user.communicate(b"\n")
    assert "processes still use it" in caplog.text
    assert (second.keys, pieces(second)) == (b"old", 0)


def test_a_note_of_the_last_run_that_can_not_be_read_makes_no_profile_the_newest(worker: MakeWorker) -> None:
    first, second = worker("first"), worker("second")
    first.begin().pair(b"one").end()
    second.begin().write(b"two")
    second.end()
    (first.profile / "waxbill-run").write_text("")
    assert first.begin().keys == b"two"
