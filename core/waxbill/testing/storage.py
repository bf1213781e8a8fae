"""What every storage of media must do: a suite for pytest that the author of one inherits. Needs pytest.

::

    from waxbill.testing.storage import MediaStorageContract

    class TestTape(MediaStorageContract):
        @pytest.fixture
        def storage(self, tmp_path):
            return Tape(tmp_path)  # a new one, empty, that forgets sessions when it is told to
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ..media.storage import MediaStorage, Published, StorageError

_NAME = "false_49301234567@c.us_3EB0C767D26A1D5C0A5B.jpeg"
# More than any storage should have in memory at once, and no multiple of a power of two.
_LARGE_BYTES = 12 * 1024 * 1024 + 7


class MediaStorageContract:
    """The tests. A fixture ``storage`` gives an empty storage; ``another`` one that shares its files, where it can."""

    @pytest.fixture
    def another(self) -> MediaStorage | None:
        """A second storage over the same files, as another worker has it; None where ``shared`` is false."""
        return None

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "source"
        path.write_bytes(b"0123456789")
        return path

    def file(self, session: str = "default", name: str = _NAME) -> Published:
        return Published(session, name, "image/jpeg", name.rpartition(".")[0], "49301234567@c.us", "Bild \u2603.jpg")

    def read(self, storage: MediaStorage, first: int, length: int, name: str = _NAME) -> bytes:
        file = storage.open("default", name, first, length)
        try:
            pieces = []
            while piece := file.read(64 * 1024):
                pieces.append(piece)
            return b"".join(pieces)
        finally:
            file.close()

    def test_what_was_put_is_found_and_read(self, storage: MediaStorage, source: Path) -> None:
        assert storage.find("default", _NAME) is None
        began = int(time.time())
        storage.put(self.file(), source)
        found = storage.find("default", _NAME)
        assert found is not None
        assert found.size == 10
        assert began - 60 <= found.modified <= time.time() + 60 or found.modified == int(source.stat().st_mtime)
        assert found.tag
        assert '"' not in found.tag
        assert self.read(storage, 0, 10) == b"0123456789"
        assert source.read_bytes() == b"0123456789"

    def test_a_part_is_read_alone(self, storage: MediaStorage, source: Path) -> None:
        storage.put(self.file(), source)
        assert self.read(storage, 3, 4) == b"3456"
        assert self.read(storage, 9, 1) == b"9"

    def test_the_source_may_go_at_once(self, storage: MediaStorage, source: Path) -> None:
        storage.put(self.file(), source)
        source.unlink()
        assert self.read(storage, 0, 10) == b"0123456789"

    def test_what_is_there_already_is_put_again_without_harm(self, storage: MediaStorage, source: Path) -> None:
        storage.put(self.file(), source)
        storage.put(self.file(), source)
        assert self.read(storage, 0, 10) == b"0123456789"

    def test_files_of_one_name_in_two_sessions_are_two(self, storage: MediaStorage, source: Path) -> None:
        storage.put(self.file("other"), source)
        assert storage.find("default", _NAME) is None

    def test_a_large_file_comes_back_as_it_went(self, storage: MediaStorage, source: Path) -> None:
        text = os.urandom(1024)
        source.write_bytes((text * (_LARGE_BYTES // 1024 + 1))[:_LARGE_BYTES])
        storage.put(self.file(), source)
        found = storage.find("default", _NAME)
        assert found is not None
        assert found.size == _LARGE_BYTES
        assert self.read(storage, 0, _LARGE_BYTES) == source.read_bytes()
        assert self.read(storage, 1024 * 1024 * 5 - 1, 1025) == (text[-1:] + text)

    def test_names_with_every_letter_that_may_be_in_them(self, storage: MediaStorage, source: Path) -> None:
        for name in ("true_120363000000000001@g.us_AA_1@lid.oga", "a:b-c_d.e.bin", "x" * 200 + ".mp4"):
            storage.put(self.file(name=name), source)
            assert self.read(storage, 0, 10, name) == b"0123456789"

    def test_a_file_is_removed_and_no_other(self, storage: MediaStorage, source: Path) -> None:
        other = _NAME.replace("false", "true")
        for name in (_NAME, other):
            storage.put(self.file(name=name), source)
        storage.remove("default", _NAME)
        assert storage.find("default", _NAME) is None
        assert storage.find("default", other) is not None
        storage.remove("default", _NAME)

    def test_a_session_is_forgotten_and_no_other(self, storage: MediaStorage, source: Path) -> None:
        for session in ("default", "default-2", "other"):
            storage.put(self.file(session), source)
        storage.forget("default")
        assert storage.find("default", _NAME) is None
        assert storage.find("default-2", _NAME) is not None
        assert storage.find("other", _NAME) is not None
        storage.forget("default")
        storage.forget("never-there")

    def test_what_is_not_there_can_not_be_read(self, storage: MediaStorage) -> None:
        with pytest.raises(StorageError):
            self.read(storage, 0, 1, "missing.bin")

    def test_a_source_that_can_not_be_read_leaves_nothing(self, storage: MediaStorage, tmp_path: Path) -> None:
        with pytest.raises(StorageError):
            storage.put(self.file(), tmp_path / "missing")
        assert storage.find("default", _NAME) is None

    def test_threads_put_the_same_file_at_once(self, storage: MediaStorage, source: Path) -> None:
        failed: list[BaseException] = []

        def put() -> None:
            try:
                storage.put(self.file(), source)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=put) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert self.read(storage, 0, 10) == b"0123456789"

    def test_only_what_never_waits_is_read_in_the_loop(self, storage: MediaStorage, source: Path) -> None:
        storage.put(self.file(), source)
        file = storage.open("default", _NAME, 0, 10)
        try:
            seekable = getattr(file, "seekable", None)
            assert (seekable is not None and seekable()) is not storage.waits
        finally:
            file.close()

    def test_the_link_names_the_file(self, storage: MediaStorage, source: Path) -> None:
        storage.put(self.file(), source)
        link = storage.link("default", _NAME, "http://example.com")
        assert link.url.startswith(("http://", "https://"))
        assert _NAME in link.url.replace("%40", "@")

    def test_another_worker_finds_what_was_put(
        self, storage: MediaStorage, another: MediaStorage | None, source: Path
    ) -> None:
        storage.put(self.file(), source)
        if not storage.shared:
            assert another is None
            return
        assert another is not None
        assert another.find("default", _NAME) == storage.find("default", _NAME)
        assert self.read(another, 2, 3) == b"234"
