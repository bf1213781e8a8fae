"""The store: transactions, groups, migrations, and files that can't be used."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill import sqlite as sqlite_module
from waxbill.delivery.outbox import Attempt, Outbox, Outcome
from waxbill.model.sessions import WebhookConfig
from waxbill.sqlite import SqliteStore
from waxbill.store import Store, StoreError, Unstorable

NOTES = "CREATE TABLE note (n INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)"


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteStore]:
    found = SqliteStore(tmp_path / "store.sqlite3")
    found.migrate("notes", [NOTES])
    yield found
    found.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each store in turn: they keep one contract."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    found = open_postgres(request.getfixturevalue("postgres").database())
    found.migrate("notes", [NOTES])
    yield found
    found.close()


def open_postgres(url: str, **options: Any) -> Any:
    from waxbill_postgres.store import PostgresStore

    return PostgresStore(url, **options)


def notes(store: Store) -> list[str]:
    return [text for (text,) in store.read().execute("SELECT text FROM note ORDER BY n")]


def add(store: Store, text: str | bool) -> int | None:
    with store.write() as db:
        return db.execute("INSERT INTO note (text) VALUES (?)", (text,)).lastrowid


def elsewhere(store: Store) -> list[str]:
    """The notes as another thread sees them."""
    found: list[list[str]] = []
    thread = threading.Thread(target=lambda: found.append(notes(store)))
    thread.start()
    thread.join()
    return found[0]


def test_a_transaction_is_kept_whole_or_not_at_all(store: Store) -> None:
    add(store, "kept")
    with pytest.raises(ZeroDivisionError), store.write():
        add(store, "undone")  # an inner write joins the outer one
        raise ZeroDivisionError
    assert notes(store) == ["kept"]


def test_in_a_group_each_write_fails_alone_and_all_share_one_commit(store: Store) -> None:
    with store.group():
        add(store, "1")
        with pytest.raises(ZeroDivisionError), store.write():
            add(store, "undone")
            raise ZeroDivisionError
        add(store, "2")
        assert (notes(store), elsewhere(store)) == (["1", "2"], [])
    assert notes(store) == elsewhere(store) == ["1", "2"]


def test_what_waits_for_the_commit_runs_after_it_and_never_for_what_was_undone(store: Store) -> None:
    ran: list[str] = []
    with store.group():
        with store.write():
            store.after_commit(lambda: ran.append("kept"))
        with pytest.raises(ZeroDivisionError), store.write():
            store.after_commit(lambda: ran.append("undone"))
            raise ZeroDivisionError
        assert ran == []
    assert ran == ["kept"]
    store.after_commit(lambda: ran.append("at once"))
    assert ran == ["kept", "at once"]


def test_writers_in_threads_take_turns(store: Store) -> None:
    def write(number: int) -> None:
        for _ in range(50):
            with store.write() as db:
                (count,) = db.execute("SELECT count(*) FROM note").fetchone()
                db.execute("INSERT INTO note (text) VALUES (?)", (str(count),))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes(store) == [str(number) for number in range(200)]


def test_migrations_run_once_and_forward_only(store: Store) -> None:
    scripts = [NOTES, "ALTER TABLE note ADD COLUMN at INTEGER; INSERT INTO note (text, at) VALUES ('x', 1)"]
    store.migrate("notes", scripts)
    store.migrate("notes", scripts)
    assert store.read().execute("SELECT text, at FROM note").fetchall() == [("x", 1)]
    with pytest.raises(StoreError, match="written by a newer waxbill"):
        store.migrate("notes", scripts[:1])


def test_a_migration_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(store.errors):
        store.migrate("other", ["CREATE TABLE half (a TEXT); CREATE TABLE half (a TEXT)"])
    assert (store.tables().keys(), store.parts().keys()) == ({"note"}, {"notes"})


def test_values_come_back_as_they_were(store: Store) -> None:
    store.migrate("values", ["CREATE TABLE kept (a TEXT, b BLOB, c INTEGER, d REAL) "])
    rows = [("ü'%?\\ :name", b"\0\xff'", 2**63 - 1, 0.1), ("", b"", -1, 1e300), (None, None, None, None)]
    with store.write() as db:
        db.executemany("INSERT INTO kept VALUES (?, ?, ?, ?)", rows)
        db.execute("INSERT INTO kept (a, c) VALUES (:text, :truth)", {"text": "%", "truth": True})
    found = store.read().execute("SELECT a, b, c, d FROM kept").fetchall()
    assert sorted(found, key=repr) == sorted([*rows, ("%", None, 1, None)], key=repr)


def test_text_is_compared_byte_by_byte(store: Store) -> None:
    for text in ("b", "a", "B", "ä", "A", "-"):
        add(store, text)
    found = store.read().execute("SELECT text FROM note ORDER BY text").fetchall()
    assert "".join(text for (text,) in found) == "-ABabä"


def test_keys_are_given_out_in_order(store: Store) -> None:
    assert store.settled("note") == 0
    first, second = add(store, "1"), add(store, "2")
    assert (first, second, store.settled("note")) == (1, 2, 2)
    with store.write() as db:
        db.execute("DELETE FROM note")
    assert (store.settled("note"), add(store, "3")) == (2, 3)


def test_lists_and_conflicts_are_said_in_one_way(store: Store) -> None:
    for text in ("a", "b", "c"):
        add(store, text)
    with store.write() as db:
        db.execute("INSERT OR IGNORE INTO note (n, text) VALUES (1, 'again')")
    listed = "SELECT text FROM note NOT INDEXED WHERE text IN (SELECT value FROM json_each(?)) ORDER BY n"
    assert store.read().execute(listed, ('["c", "a", "?"]',)).fetchall() == [("a",), ("c",)]
    assert store.read().execute("SELECT text FROM note WHERE text IN ()").fetchall() == []
    with store.write() as db:
        changed = db.execute("UPDATE note SET text = 'x' WHERE text LIKE '%a%' OR text = :other", {"other": "b"})
        assert changed.rowcount == 2


@pytest.mark.parametrize("grouped", [False, True])
def test_a_value_that_cannot_be_kept_undoes_its_own_write_only(store: Store, grouped: bool) -> None:
    with store.group() if grouped else contextlib.nullcontext():
        add(store, "1")
        with pytest.raises(OverflowError), store.write() as db:
            db.execute("INSERT INTO note (text) VALUES ('undone')")
            db.execute("INSERT INTO note (n) VALUES (?)", (2**70,))
        with pytest.raises((UnicodeEncodeError, Unstorable)):
            add(store, "\ud800")
        with pytest.raises(store.errors):
            store.read().execute("SELECT nothing FROM nowhere")
        add(store, "2")
        with contextlib.suppress(Unstorable):  # SQLite keeps it
            add(store, "nul \0")
        add(store, "3")
    assert [text for text in notes(store) if "nul" not in text] == ["1", "2", "3"]


def test_a_group_whose_first_write_fails_goes_on(store: Store) -> None:
    with store.group():
        with pytest.raises(store.errors), store.write() as db:
            db.execute("INSERT INTO nowhere VALUES (1)")
        add(store, "kept")
    assert notes(store) == ["kept"]


@pytest.mark.parametrize("grouped", [False, True])
def test_what_answers_nothing_is_there_for_what_follows_and_undone_with_its_call(store: Store, grouped: bool) -> None:
    with store.group() if grouped else contextlib.nullcontext():
        add(store, "1")
        with store.write() as db:
            db.executemany("INSERT INTO note (text) VALUES (?)", [("2 %s",), ("3",)])
            assert notes(store) == ["1", "2 %s", "3"]
            db.executemany("UPDATE note SET text = ? WHERE text = '3'", [("three",)])
        with pytest.raises(ZeroDivisionError), store.write() as db:
            db.execute("INSERT INTO note (text) VALUES ('undone')")
            db.executemany("INSERT INTO note (text) VALUES (?)", [("undone",)])
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), store.write() as db:
            db.executemany("INSERT INTO note (text) VALUES (?)", [("undone",)])
            raise ZeroDivisionError
        with store.write() as db:
            db.executemany("INSERT INTO note (text) VALUES (?)", [("4",)])
    assert notes(store) == elsewhere(store) == ["1", "2 %s", "three", "4"]


def test_the_files_are_private(sqlite: SqliteStore) -> None:
    for path in (sqlite.path, Path(f"{sqlite.path}-wal"), Path(f"{sqlite.path}.lock")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_second_process_is_kept_out(sqlite: SqliteStore) -> None:
    code = f"from pathlib import Path; from waxbill.sqlite import SqliteStore; SqliteStore(Path({str(sqlite.path)!r}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is in use by another waxbill" in ran.stderr


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    with pytest.raises(StoreError, match="can't be used"):
        SqliteStore(path)
    path.unlink()
    first = SqliteStore(path)
    first.migrate("notes", [NOTES])
    with first.write() as db:
        db.executemany("INSERT INTO note (text) VALUES (?)", [("x" * 2000,)] * 50)
    first.read().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    first.close()
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 6] = b"\xa5" * 4096 * 3
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        SqliteStore(path)


def test_a_file_system_without_shared_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has a stand-in for one, which has no locks either."""
    connect = sqlite3.connect

    def connect_without(path: Path, **options: Any) -> sqlite3.Connection:
        return connect(f"file:{path}?vfs=unix-none", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", connect_without)
    with pytest.raises(StoreError, match=r"shares? no memory.* Set WAHA_LOCAL_STORE_BASE_DIR to a folder on a disk"):
        SqliteStore(tmp_path / "store.sqlite3")
    monkeypatch.undo()
    SqliteStore(tmp_path / "store.sqlite3").close()  # nothing holds it


def test_a_group_whose_commit_fails_keeps_nothing_and_says_so(sqlite: SqliteStore) -> None:
    (pages,) = sqlite.read().execute("PRAGMA page_count").fetchone()
    sqlite.read().execute(f"PRAGMA max_page_count = {pages + 2}")  # stands for a full disk
    with pytest.raises(sqlite3.OperationalError), sqlite.group():
        add(sqlite, "small")
        with pytest.raises(sqlite3.OperationalError):
            add(sqlite, "x" * 100_000)
        with pytest.raises(sqlite3.OperationalError):
            add(sqlite, "after the failure")
        raise sqlite3.OperationalError("as the server's loop does")
    assert notes(sqlite) == []
    sqlite.read().execute("PRAGMA max_page_count = 1000000")
    add(sqlite, "again")
    assert notes(sqlite) == ["again"]


def test_whatever_a_receiver_says_is_noted(store: Store) -> None:
    outbox = Outbox(store)
    lanes = outbox.set_lanes("s", [WebhookConfig(url="http://x/", events=["message"])])["message"]
    outbox.put("evt_1", "message", "s", b"{}", lanes)
    outbox.put("evt_2", "message", "s", b"{}", lanes)
    first, second = outbox.head(lanes[0], 2)
    outbox.done([Attempt(first, 1, 1, Outcome(True, 200, answer="a\0b"))])
    outbox.failed(Attempt(second, 1, 1, Outcome(False, error="c\0d")), 1.0)
    found = outbox.log(session=None, event_id=None, limit=9, offset=0)
    assert [attempt["answer"] for attempt in found] == ["c\ufffdd", "a\ufffdb"]
    assert outbox.find(state="pending", session=None, limit=9, offset=0)[0].error == "c\ufffdd"


@pytest.fixture
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "_CHECKPOINT_BYTES", 64 * 1024)
    monkeypatch.setattr(sqlite_module, "_LOG_BYTES", 512 * 1024)


def add_until(store: SqliteStore, reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        for _ in range(64):
            add(store, "x" * 1000)


def log_mb(store: SqliteStore) -> float:
    return Path(f"{store.path}-wal").stat().st_size / 2**20


@pytest.mark.usefixtures("small_log")
def test_the_log_is_copied_into_the_file_beside_the_writers(sqlite: SqliteStore) -> None:
    before = sqlite.path.stat().st_size
    for _ in range(40 * 64):
        add(sqlite, "x" * 1000)
    assert sqlite.path.stat().st_size > before
    assert log_mb(sqlite) < 4
    assert len(notes(sqlite)) == 40 * 64


@pytest.mark.usefixtures("small_log")
def test_a_reader_that_reads_on_keeps_the_log_and_its_end_lets_it_begin_anew(sqlite: SqliteStore) -> None:
    add(sqlite, "first")
    reading = sqlite3.connect(sqlite.path)
    rows = reading.execute("SELECT text FROM note UNION ALL SELECT text FROM note")
    assert rows.fetchone() == ("first",)
    add_until(sqlite, lambda: log_mb(sqlite) > 4)
    rows.close()
    add_until(sqlite, lambda: sqlite._checkpoints._used() < 2 * 2**20)
    reading.close()
    largest = log_mb(sqlite)
    for _ in range(64 * 64):
        add(sqlite, "x" * 1000)
    assert log_mb(sqlite) == largest


@pytest.mark.usefixtures("small_log")
def test_a_log_that_can_not_be_copied_is_said_and_copied_later(
    sqlite: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 2**20, hard))  # stands for a full disk
    try:
        add_until(sqlite, lambda: "could not be copied" in caplog.text)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sqlite.path.stat().st_size <= 2 * 2**20
    add_until(sqlite, lambda: sqlite.path.stat().st_size > 3 * 2**20)
    (found,) = sqlite.read().execute("PRAGMA quick_check(1)").fetchone()
    assert found == "ok"
