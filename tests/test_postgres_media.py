"""Media in a PostgreSQL: the contract, what clients get, how long it stays, and what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.media.storage import MediaStorage, Published, StorageError
from waxbill.settings import SettingError
from waxbill.testing import ServerProcess
from waxbill.testing.storage import MediaStorageContract
from waxbill_postgres.media import PIECE_BYTES, PostgresMedia
from waxbill_postgres.store import PostgresStore

from .postgres import Postgres
from .test_media import PNG
from .test_media_storage import send
from .test_store import NOTES

Serve = Callable[..., ServerProcess]
FILE = Published("s", "a.png", "image/png", "a")


def opened(url: str, lifetime_seconds: int = 0, wait_seconds: float = 5.0) -> PostgresMedia:
    return PostgresMedia(url, pool=4, wait_seconds=wait_seconds, lifetime_seconds=lifetime_seconds)


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.database()


class TestPostgresMedia(MediaStorageContract):
    @pytest.fixture
    def storage(self, url: str) -> Iterator[MediaStorage]:
        made = opened(url)
        yield made
        made.close()

    @pytest.fixture
    def another(self, url: str) -> Iterator[MediaStorage]:
        made = opened(url)
        yield made
        made.close()


def rows(postgres: Postgres, url: str) -> tuple[int, int]:
    """How many files and pieces there are."""
    said = "SELECT (SELECT count(*) FROM published_file), (SELECT count(*) FROM published_piece)"
    ((files, pieces),) = postgres.ask(said, url.rpartition("/")[2])
    return files, pieces


def test_nothing_is_left_of_what_is_not_wanted(postgres: Postgres, url: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(PIECE_BYTES + 1))
    storage = opened(url)
    storage.put(FILE, source)
    storage.put(FILE, source)
    assert rows(postgres, url) == (1, 2)
    storage.remove("s", "a.png")
    assert rows(postgres, url) == (0, 0)
    for number in range(50):
        storage.put(Published("s", f"{number}.png", "image/png", "a"), source)
    storage.forget("s")
    assert rows(postgres, url) == (0, 0)
    storage.close()


def test_files_go_when_their_time_is_over_and_not_at_a_restart(postgres: Postgres, url: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(PNG)
    database = url.rpartition("/")[2]
    storage = opened(url, lifetime_seconds=180)
    for name in ("old.png", "new.png"):
        storage.put(Published("s", name, "image/png", "a"), source)
    postgres.ask("UPDATE published_file SET kept = kept - 180 WHERE name = 'old.png'", database)
    assert storage.find("s", "old.png") is None  # at once, whenever it is removed
    with pytest.raises(StorageError):
        storage.open("s", "old.png", 0, 1)
    storage.put(Published("s", "old.png", "image/png", "a"), source)  # it is wanted again before it is removed
    assert storage.find("s", "old.png") is not None
    postgres.ask("UPDATE published_file SET kept = kept - 180 WHERE name = 'old.png'", database)
    postgres.ask("UPDATE published_piece SET at = at - 3601", database)
    postgres.ask("INSERT INTO published_piece SELECT 7, 0, 'left over', extract(epoch FROM now()) - 3601", database)
    storage.close()
    again = opened(url, lifetime_seconds=180)
    again.start()
    end = time.monotonic() + 30
    while rows(postgres, url) != (1, 1):
        assert time.monotonic() < end, rows(postgres, url)
        time.sleep(0.02)  # its thread does it
    assert again.find("s", "new.png") is not None
    again.close()


def test_copies_of_the_store_leave_media_out(url: str) -> None:
    storage, store = opened(url), PostgresStore(url)
    store.migrate("notes", [NOTES])
    assert list(store.tables()) == ["note"]
    storage.close()
    store.close()


def test_a_file_that_is_removed_while_it_is_read_breaks_off(url: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(3 * PIECE_BYTES))
    storage = opened(url)
    storage.put(FILE, source)
    file = storage.open("s", "a.png", 0, 3 * PIECE_BYTES)
    assert len(file.read(100)) == 100
    storage.remove("s", "a.png")
    with pytest.raises(StorageError):
        file.read()
    storage.close()


def test_workers_serve_what_one_of_them_published(serve: Serve, url: str, tmp_path: Path) -> None:
    environment = {"WAXBILL_STORE": url, "WAHA_MEDIA_STORAGE": "POSTGRESQL"}
    server = serve(key="k", **environment)
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    content = PNG + bytes(range(256)) * 4000
    media: Any = send(server, content, "image/png")
    path = "/api/files/s/" + media["url"].rpartition("/")[2]
    found = server.get(path)
    assert (found.body, found.headers["content-type"]) == (content, "image/png")
    part = server.get(path, headers={"Range": "bytes=300000-300009"})
    assert (part.status, part.body) == (206, content[300000:300010])
    assert part.headers["content-range"] == f"bytes 300000-300009/{len(content)}"
    head = server.request("HEAD", path)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(content)))
    assert server.get(path, headers={"If-None-Match": head.headers["etag"]}).status == 304
    assert server.get(path, headers={"X-Api-Key": "wrong"}).status == 401
    server.restart()
    assert server.get(path).body == content
    assert server.request("DELETE", "/api/sessions/s").status == 200
    assert server.get(path).status == 404


def test_a_large_file_passes_both_ways_through_a_little_memory(serve: Serve, url: str, tmp_path: Path) -> None:
    storage = opened(url)
    source = tmp_path / "source"
    source.write_bytes(bytes(40 * 1024 * 1024))
    server = serve(key="k", WAHA_MEDIA_POSTGRESQL_URL=url, WAHA_MEDIA_STORAGE="POSTGRESQL")
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")

    def peak_mb() -> float:
        return int(Path(f"/proc/{server.pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024

    for size in (1, 40 * 1024 * 1024):
        before = peak_mb()
        source.write_bytes(bytes(size))
        storage.put(Published("s", f"{size}.bin", "application/octet-stream", "a"), source)
        assert len(server.get(f"/api/files/s/{size}.bin").body) == size
    assert peak_mb() - before < 20, "40 MB were held"
    storage.close()


def test_a_database_that_is_away_costs_the_media_and_no_message(serve: Serve, postgres: Postgres, url: str) -> None:
    media_there = {"WAHA_MEDIA_POSTGRESQL_URL": url, "WAHA_MEDIA_STORAGE": "POSTGRESQL"}
    server = serve(key="k", WAXBILL_POSTGRES_WAIT_SECONDS="0.5", **media_there)
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    postgres.stop()
    try:
        media: Any = send(server, PNG, "image/png")
        assert media["url"] is None
        assert "can't be asked" in media["error"]["details"]
    finally:
        postgres.start()
    media = send(server, PNG, "image/png")
    assert server.get("/api/files/s/" + media["url"].rpartition("/")[2]).body == PNG


def test_a_database_that_can_not_be_used_is_said(serve: Serve) -> None:
    with pytest.raises(SettingError, match="WAHA_MEDIA_POSTGRESQL_URL"):
        opened("postgresql://nobody:secret@127.0.0.1:1/none")
    with pytest.raises(RuntimeError, match="WAHA_MEDIA_POSTGRESQL_URL is not set"):
        serve(WAHA_MEDIA_STORAGE="POSTGRESQL")
    with pytest.raises(RuntimeError) as failed:
        serve(WAHA_MEDIA_STORAGE="POSTGRESQL", WAHA_MEDIA_POSTGRESQL_URL="postgresql://nobody:secret@127.0.0.1:1/none")
    assert "secret" not in str(failed.value)
