"""Where published media lives: what every storage does, and the core's own, a folder. Plugins may import it.

A storage keeps files by session and name; both are the server's own words (letters, digits and ``@._:-`` only, no name
begins with a dot). What is kept under a name never changes. How long it stays is the storage's own affair: the folder
goes by WHATSAPP_FILES_LIFETIME, a bucket by its owner's rules. A plugin brings one with ``waxbill_media_storage``;
``waxbill.testing.storage`` has the tests that each must pass.
"""

from __future__ import annotations

import abc
import logging
import os
import re
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec
from msgspec import UNSET, UnsetType

from ..model.media import S3MediaData
from ..settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..clock import Clock
    from ..plugins import Plugins
    from ..settings import CoreSettings, Settings

log = logging.getLogger("waxbill.media")

#: The names of sessions.
SESSION = re.compile(r"[A-Za-z0-9_-]+")
_NAME = re.compile(r"[A-Za-z0-9@_:-][A-Za-z0-9@._:-]*")


class StorageError(Exception):
    """Media could not be kept or read; the text says why, and what to do. ``again``: it may go well in a moment."""

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.again = again


class Published(msgspec.Struct, frozen=True):
    """A file to keep: whose it is, its name, and what is known of it. ``chat`` and ``filename`` where there is one."""

    session: str
    name: str
    mimetype: str
    message: str
    chat: str | None = None
    filename: str | None = None


class Stored(msgspec.Struct, frozen=True):
    """A file that is there: its size in bytes, when it was kept (Unix s), and a tag that differs when it does."""

    size: int
    modified: int
    tag: str


class Link(msgspec.Struct, frozen=True):
    """Where clients fetch a file, and its place in a bucket where it lies in one."""

    url: str
    s3: S3MediaData | UnsetType = UNSET


class MediaStorage(abc.ABC):
    """Keeps published media. Any thread may call it, several at once; several workers may share what it keeps.

    Each method raises StorageError when it can't do its work; no file is ever there in part.
    """

    #: Whether its calls may wait for something other than this machine's disk; then none is made in the server's loop.
    waits = True
    #: Whether every worker of a shared store reaches the same files.
    shared = True

    def start(self) -> None:  # noqa: B027
        """The server begins: the moment to remove what may not outlive a restart."""

    @abc.abstractmethod
    def put(self, file: Published, source: Path) -> None:
        """Keeps a copy of ``source``, which may be large and is not changed; a file that is there already may stay."""

    @abc.abstractmethod
    def find(self, session: str, name: str) -> Stored | None:
        """A file that is there, or None."""

    @abc.abstractmethod
    def open(self, session: str, name: str, first: int, length: int) -> BinaryIO:
        """``length`` bytes of a file, from ``first`` (from 0) on; read in pieces and closed by the caller.

        Its ``read`` raises StorageError when the bytes break off. Only one that never waits is seekable: the server
        reads it in its loop, as its client does.
        """

    @abc.abstractmethod
    def remove(self, session: str, name: str) -> None:
        """Removes a file that turned out not to be wanted; one that is not there is no error."""

    @abc.abstractmethod
    def forget(self, session: str) -> None:
        """A session is deleted or logged out: removes its files, unless the storage keeps them for their owner."""

    def link(self, session: str, name: str, base_url: str) -> Link:
        """Where clients fetch a file: from this server, unless the storage has a better place. Must not wait."""
        return Link(f"{base_url}/api/files/{session}/{name}")

    def close(self) -> None:  # noqa: B027
        """The server ends."""


def may_be_named(session: str, name: str) -> bool:
    """Whether a file of ours could have this address; what comes from outside is asked this first."""
    return bool(SESSION.fullmatch(session) and _NAME.fullmatch(name))


class Folder(MediaStorage):
    """The core's own: a folder of this machine, private to this user. Each file goes when its lifetime is over."""

    waits = False
    shared = False

    def __init__(self, core: CoreSettings, clock: Clock) -> None:
        self._lifetime = core.files_lifetime_seconds
        self._clock = clock
        #: What goes when its time is over (of the monotonic clock), the oldest first: one timer for all, and a fifth
        #: of the memory that one for each would take.
        self._going: deque[tuple[float, str, str]] = deque()
        self._adding = threading.Lock()
        self.path = core.files_folder if str(core.files_folder) != "." else core.store_dir / "files"

    def start(self) -> None:
        if self._lifetime:
            remove_tree(self.path)

    def put(self, file: Published, source: Path) -> None:
        target = self.path / file.session / file.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._copy(source, target)
        except FileExistsError:
            return  # another thread was first
        except OSError as error:
            raise StorageError(f"{self.path} can't be written: {error.strerror or error}") from error
        if self._lifetime:
            with self._adding:
                self._going.append((time.monotonic() + self._lifetime, file.session, file.name))
                if len(self._going) == 1:
                    self._clock.call_later(self._lifetime, self._expire)

    def _expire(self) -> None:
        """Removes what is too old, and comes again for what is next. The one timer calls it."""
        while True:
            due, session, name = self._going[0]
            left = due - time.monotonic()
            if left > 0:
                self._clock.call_later(left, self._expire)
                return
            try:
                self.remove(session, name)
            except StorageError as error:
                log.error("The file %s/%s could not be removed: %s", session, name, error)
            with self._adding:
                self._going.popleft()
                if not self._going:
                    return

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        try:
            os.link(source, target)  # no copy where both are on one file system
            return
        except FileExistsError:
            raise
        except OSError:
            import shutil  # it brings bz2 and lzma

        part = target.with_name(f".{os.urandom(8).hex()}")
        try:
            shutil.copyfile(source, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def find(self, session: str, name: str) -> Stored | None:
        try:
            state = (self.path / session / name).stat()
        except OSError:  # not there, or a name that is too long for the file system
            return None
        return Stored(state.st_size, int(state.st_mtime), f"{state.st_mtime_ns:x}-{state.st_size:x}")

    def open(self, session: str, name: str, first: int, length: int) -> BinaryIO:
        try:
            return _Part((self.path / session / name).open("rb"), first, length)  # type: ignore[return-value]
        except OSError as error:
            raise StorageError(f"The file can't be read: {error.strerror or error}") from error

    def remove(self, session: str, name: str) -> None:
        try:
            (self.path / session / name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"The file can't be removed: {error.strerror or error}") from error

    def forget(self, session: str) -> None:
        remove_tree(self.path / session)


class _Part:
    """A piece of an open file. The server reads it as its client does: no thread waits for one that is slow."""

    def __init__(self, file: BinaryIO, first: int, length: int) -> None:
        self._file, self._first, self._length = file, first, length
        self._at = 0

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._length - self._at
        self._file.seek(self._first + self._at)
        piece = self._file.read(left if size is None or size < 0 else min(size, left))
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._length)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()


def remove_tree(folder: Path) -> None:
    """Removes a folder with everything in it, if it is there."""
    if folder.exists():
        import shutil  # it brings bz2 and lzma

        shutil.rmtree(folder)


def open_storage(settings: Settings, plugins: Plugins, clock: Clock) -> MediaStorage:
    """The storage of the setting WAHA_MEDIA_STORAGE. Raises SettingError."""
    core = settings.core
    kind = core.media_storage.upper()
    if kind == "LOCAL":
        return Folder(core, clock)
    opener: Callable[[], MediaStorage] | None = plugins.first(
        "waxbill_media_storage", kind=kind, settings=settings, clock=clock
    )
    if opener is None:
        raise SettingError(
            f"WAHA_MEDIA_STORAGE is {core.media_storage[:80]!r}, but no installed plugin keeps media there. "
            "LOCAL is a folder of this machine; for S3, install waxbill[s3], for POSTGRESQL waxbill[postgres]."
        )
    return opener()
