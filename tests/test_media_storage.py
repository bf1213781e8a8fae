"""Where published media lives: the contract on every storage, and a storage that a plugin brings."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Callable
from pathlib import Path

import pytest

from waxbill.clock import Clock
from waxbill.media.storage import Folder, MediaStorage, Published, may_be_named
from waxbill.settings import Settings
from waxbill.testing import ServerProcess
from waxbill.testing.storage import MediaStorageContract

from .test_media import PNG


class TestFolder(MediaStorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> MediaStorage:
        return Folder(Settings({"WAHA_LOCAL_STORE_BASE_DIR": str(tmp_path / "store")}).core, Clock())


class TestFolderOnAnotherFileSystem(MediaStorageContract):
    """Where files can't be linked, they are copied."""

    @pytest.fixture
    def storage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MediaStorage:
        def link(*_: object) -> None:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr("os.link", link)
        return Folder(Settings({"WHATSAPP_FILES_FOLDER": str(tmp_path / "published")}).core, Clock())


def test_files_go_when_their_time_is_over_with_one_timer_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    clock, source = Clock(), tmp_path / "source"
    source.write_bytes(b"x")
    settings = Settings({"WAHA_LOCAL_STORE_BASE_DIR": str(tmp_path / "store"), "WHATSAPP_FILES_LIFETIME": "10"})
    folder = Folder(settings.core, clock)
    timers = []
    later = clock.call_later
    monkeypatch.setattr(clock, "call_later", lambda *arguments: timers.append(later(*arguments)))
    for number in range(20):
        now = number / 4
        folder.put(Published("s", f"{number}.bin", "a/b", "m"), source)
    assert len(timers) == 1
    (tmp_path / "store/files/s/3.bin").unlink()
    (tmp_path / "store/files/s/4.bin").unlink()
    (tmp_path / "store/files/s/4.bin").mkdir()  # it can't be removed, and holds nobody up
    for now in (9.9, 10.0, 12.0, 14.9, 30.0):
        clock.run_due()
        left = [number for number in range(20) if folder.find("s", f"{number}.bin") and number != 4]
        assert left == [number for number in range(20) if number not in (3, 4) and number / 4 + 10 > now]
    assert clock.seconds_to_next() is None
    folder.put(Published("s", "later.bin", "a/b", "m"), source)
    assert clock.seconds_to_next() == 10


@pytest.mark.parametrize(
    ("session", "name"),
    [("..", "x"), ("s", ".hidden"), ("s", "a/b"), ("", "x"), ("s", ""), ("s/..", "x"), ("s", "a\nb"), ("s", "a b")],
)
def test_addresses_that_are_nobodys(session: str, name: str) -> None:
    assert not may_be_named(session, name)


TAPE = """
from waxbill import hookimpl
from waxbill.media.storage import MediaStorage, StorageError, Stored

class Tape(MediaStorage):
    kept = {}

    def put(self, file, source):
        if file.mimetype == "image/png":
            raise StorageError("the tape is torn")
        self.kept[file.session, file.name] = source.read_bytes()

    def find(self, session, name):
        found = self.kept.get((session, name))
        return None if found is None else Stored(len(found), 1700000000, "tape")

    def open(self, session, name, first, length):
        return Reel(self.kept[session, name][first : first + length])

    def remove(self, session, name):
        self.kept.pop((session, name), None)

    def forget(self, session):
        raise StorageError("a tape forgets nothing")

class Reel:
    def __init__(self, content):
        self.content = content

    def read(self, size):
        piece, self.content = self.content[:5], self.content[5:]
        if piece == b"break":
            raise StorageError("the tape broke")
        return piece

    def close(self):
        pass

@hookimpl
def waxbill_media_storage(kind, settings):
    return Tape if kind == "TAPE" else None
"""


def with_tape(folder: Path) -> dict[str, str]:
    """The environment of a server with a plugin that keeps media on a tape."""
    info = folder / "site/tape-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tape\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waxbill]\ntape = tape\n")
    (folder / "site/tape.py").write_text(TAPE)
    return {"PYTHONPATH": str(folder / "site"), "WAHA_MEDIA_STORAGE": "tape"}


def send(server: ServerProcess, content: bytes, mimetype: str) -> dict[str, object]:
    """Somebody sends a document; answers its ``media`` as a read shows it."""
    file = {"data": base64.b64encode(content).decode(), "mimetype": mimetype, "filename": "a.txt"}
    body = {"session": "s", "chatId": "49301234567@c.us", "file": file}
    sent = server.post("/api/sendFile", body)
    assert sent.status == 201, sent.body
    (message,) = server.get("/api/s/chats/49301234567@c.us/messages", query={"limit": 1}).json()
    return dict(message["media"])


def test_a_plugin_keeps_the_media(serve: Callable[..., ServerProcess], tmp_path: Path) -> None:
    server = serve(key="k", WHATSAPP_HOOK_EVENTS="", **with_tape(tmp_path))
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    media = send(server, b"a text on a tape", "text/plain")
    assert str(media["url"]).startswith("http")
    path = str(media["url"]).partition("/api")[2]
    whole = server.get(f"/api{path}")
    assert (whole.status, whole.body, whole.headers["etag"]) == (200, b"a text on a tape", '"tape"')
    part = server.get(f"/api{path}", headers={"Range": "bytes=-4"})
    assert (part.status, part.body) == (206, b"tape")
    assert not (server.folder / "store/files").exists()
    # What can't be kept is said in the message, which is sent all the same.
    assert send(server, PNG, "image/png")["error"] == {
        "message": "The media could not be stored.",
        "details": "the tape is torn",
    }
    # A storage that can't forget keeps no session from being deleted.
    assert server.delete("/api/sessions/s").status == 200


def test_a_file_that_breaks_off_is_not_taken_for_a_whole_one(
    serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = serve(key="k", **with_tape(tmp_path))
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    path = "/api" + str(send(server, b"12345break and more", "text/plain")["url"]).partition("/api")[2]
    with pytest.raises(http.client.IncompleteRead):
        server.get(path)
    assert server.get("/ping").status == 200


def test_a_storage_that_nobody_brings_stops_the_start(serve: Callable[..., ServerProcess]) -> None:
    with pytest.raises(RuntimeError, match=r"WAHA_MEDIA_STORAGE is 'GLACIER', but no installed plugin keeps media"):
        serve(WAHA_MEDIA_STORAGE="GLACIER")
