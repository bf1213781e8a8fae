"""The store: transactions, groups, migrations, and files that can't be used."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from waxbill import sqlite as sqlite_module
from waxbill.sqlite import SqliteStore
from waxbill.store import StoreError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    found = SqliteStore(tmp_path / "store.sqlite3")
    found.migrate("notes", ["CREATE TABLE note (text TEXT)"])
    yield found
    found.close()


def notes(store: SqliteStore) -> list[str]:
    return [text for (text,) in store.read().execute("SELECT text FROM note ORDER BY rowid")]


def add(store: SqliteStore, text: str) -> None:
    with store.write() as db:
        db.execute("INSERT INTO note VALUES (?)", (text,))


def test_a_transaction_is_kept_whole_or_not_at_all(store: SqliteStore) -> None:
    add(store, "kept")
    with pytest.raises(ZeroDivisionError), store.write():
        add(store, "undone")  # an inner write joins the outer one
        raise ZeroDivisionError
    assert notes(store) == ["kept"]


def test_in_a_group_each_write_fails_alone_and_all_share_one_commit(store: SqliteStore, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "store.sqlite3")
    with store.group():
        add(store, "1")
        with pytest.raises(ZeroDivisionError), store.write():
            add(store, "undone")
            raise ZeroDivisionError
        add(store, "2")
        assert other.execute("SELECT count(*) FROM note").fetchone() == (0,)
    assert other.execute("SELECT count(*) FROM note").fetchone() == (2,)
    other.close()
    assert notes(store) == ["1", "2"]


def test_what_waits_for_the_commit_runs_after_it_and_never_for_what_was_undone(store: SqliteStore) -> None:
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


def test_writers_in_threads_take_turns(store: SqliteStore) -> None:
    def write(number: int) -> None:
        for _ in range(50):
            with store.write() as db:
                (count,) = db.execute("SELECT count(*) FROM note").fetchone()
                db.execute("INSERT INTO note VALUES (?)", (str(count),))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes(store) == [str(number) for number in range(200)]


def test_migrations_run_once_and_forward_only(store: SqliteStore) -> None:
    scripts = [
        "CREATE TABLE note (text TEXT)",
        "ALTER TABLE note ADD COLUMN at INTEGER; INSERT INTO note VALUES ('x', 1)",
    ]
    store.migrate("notes", scripts)
    store.migrate("notes", scripts)
    assert store.read().execute("SELECT text, at FROM note").fetchall() == [("x", 1)]
    with pytest.raises(StoreError, match="written by a newer waxbill"):
        store.migrate("notes", scripts[:1])


def test_a_migration_that_fails_leaves_nothing(store: SqliteStore) -> None:
    with pytest.raises(sqlite3.OperationalError):
        store.migrate("other", ["CREATE TABLE half (a TEXT); CREATE TABLE half (a TEXT)"])
    tables = store.read().execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall()
    assert tables == []


def test_the_files_are_private(store: SqliteStore) -> None:
    for path in (store.path, Path(f"{store.path}-wal"), Path(f"{store.path}.lock")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_second_process_is_kept_out(store: SqliteStore) -> None:
    code = f"from pathlib import Path; from waxbill.sqlite import SqliteStore; SqliteStore(Path({str(store.path)!r}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is in use by another waxbill" in ran.stderr


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    with pytest.raises(StoreError, match="can't be used"):
        SqliteStore(path)
    path.unlink()
    first = SqliteStore(path)
    first.migrate("notes", ["CREATE TABLE note (text TEXT)"])
    with first.write() as db:
        db.executemany("INSERT INTO note VALUES (?)", [("x" * 2000,)] * 50)
    first.read().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    first.close()
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 6] = b"\xa5" * 4096 * 3
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        SqliteStore(path)


def test_a_group_whose_commit_fails_keeps_nothing_and_says_so(store: SqliteStore) -> None:
    (pages,) = store.read().execute("PRAGMA page_count").fetchone()
    store.read().execute(f"PRAGMA max_page_count = {pages + 2}")  # stands for a full disk
    with pytest.raises(sqlite3.OperationalError), store.group():
        add(store, "small")
        with pytest.raises(sqlite3.OperationalError):
            add(store, "x" * 100_000)
        with pytest.raises(sqlite3.OperationalError):
            add(store, "after the failure")
        raise sqlite3.OperationalError("as the server's loop does")
    assert notes(store) == []
    store.read().execute("PRAGMA max_page_count = 1000000")
    add(store, "again")
    assert notes(store) == ["again"]


def test_the_log_is_copied_into_the_file_beside_the_writers(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "_CHECKPOINT_BYTES", 64 * 1024)
    monkeypatch.setattr(sqlite_module, "_LOG_BYTES", 512 * 1024)
    before = store.path.stat().st_size
    for _ in range(40):
        for _ in range(64):
            add(store, "x" * 1000)
    assert store.path.stat().st_size > before
    assert Path(f"{store.path}-wal").stat().st_size < 4 * 1024 * 1024
    assert len(notes(store)) == 40 * 64
