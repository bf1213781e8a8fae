"""Media: taken in from a URL, from base64 or from an upload, and published for clients.

A published file is named by us (session, message id, ending); ``storage.py`` says where it lives.
"""

from __future__ import annotations

import binascii
import logging
import os
import re
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar

import msgspec

from ..admission import Admission
from ..model.errors import BadRequest, StorageFull, Unprocessable
from ..model.media import WAMedia
from . import types
from .storage import SESSION, Folder, MediaStorage, Published, StorageError, Stored, may_be_named, remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..clock import Clock
    from ..settings import CoreSettings

log = logging.getLogger("waxbill.media")

_CHUNK = 64 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9@._:-]")
# WAHA tries five times, and no longer than this in all.
_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.5)
_GIVE_UP_SECONDS = 12.0

T = TypeVar("T")


class Taken(msgspec.Struct, frozen=True):
    """A file that was taken in: where it lies, its sniffed type, its size in bytes, its name where it has one."""

    path: Path
    mimetype: str
    size: int
    filename: str | None


class Files:
    """The media of a server. Any thread may call it; ``take`` may wait for the network, as may a storage that says so.

    Without a ``storage``, published files lie in a folder.
    """

    def __init__(self, core: CoreSettings, clock: Clock, storage: MediaStorage | None = None) -> None:
        self._core = core
        self._clock = clock
        self.storage = storage or Folder(core, clock)
        #: Start of the URLs of published files, without a trailing slash.
        self.base_url = core.public_url
        self._incoming = core.store_dir / "incoming"
        self.most_bytes = core.max_media_mb * 1024 * 1024
        self.admission = Admission()
        #: For files so large that their reader may hold a thread: some threads are left for everybody else.
        self.large_reads = threading.BoundedSemaphore(max(1, core.threads // 2))
        self._uploads: set[str] = set()
        self._local = threading.local()

    def clean(self) -> None:
        """For the start: removes what the last run left half taken, and what it published unless that is kept."""
        remove_tree(self._incoming)
        self.storage.start()

    def take(
        self,
        *,
        url: str | None = None,
        data: str | None = None,
        mimetype: str | None = None,
        filename: str | None = None,
    ) -> Taken:
        """Takes in a file from exactly one of ``url`` and ``data`` (base64); the caller moves or removes it.

        Raises BadRequest for input that can't be a file and Unprocessable for a URL that can't be fetched.
        """
        if (url is None) == (data is None):
            raise BadRequest("file needs exactly one of url and data")
        if data is not None and data in self._uploads:
            return self.taken(self.upload_path(data), mimetype, filename)
        path, file = self.scratch()
        try:
            with file:
                if data is not None:
                    self._decode(data, file)
                else:
                    mimetype = self._fetch(url or "", file) or mimetype
            return self.taken(path, mimetype, filename)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def taken(self, path: Path, mimetype: str | None, filename: str | None) -> Taken:
        """A file that already lies in the incoming folder, with its type sniffed."""
        size = path.stat().st_size
        if not size:
            raise BadRequest("file is empty; send at least one byte")
        found = types.sniff(path, mimetype)
        return Taken(path, found, size, types.file_name(filename, found) if filename else None)

    def converted(self, taken: Taken, kind: Literal["voice", "video"]) -> Taken:
        """The file as WhatsApp plays it, by ffmpeg; the file given is removed.

        Raises NotImplementedByEngine where ffmpeg is missing and Unprocessable for what it can't read.
        """
        from . import convert

        target = taken.path.with_suffix(".out")
        try:
            (convert.voice if kind == "voice" else convert.video)(taken.path, target)
        finally:
            taken.path.unlink(missing_ok=True)
        mimetype = "audio/ogg; codecs=opus" if kind == "voice" else "video/mp4"
        return Taken(target, mimetype, target.stat().st_size, taken.filename)

    # -- uploads: files that came with a request, until it is answered

    def upload(self) -> str:
        """A name for a file that comes with the request; to be given as ``data``, which no client can guess."""
        path, file = self.scratch()
        file.close()
        name = f"upload:{path.name}"
        self._uploads.add(name)
        self._local.uploads = [*getattr(self._local, "uploads", ()), name]
        return name

    def upload_path(self, name: str) -> Path:
        return self._incoming / name.removeprefix("upload:")

    def end_uploads(self) -> None:
        """The request that this thread read is answered: what nobody took of its uploads is removed."""
        for name in getattr(self._local, "uploads", ()):
            self._uploads.discard(name)
            self.upload_path(name).unlink(missing_ok=True)
        self._local.uploads = ()

    def scratch(self) -> tuple[Path, BinaryIO]:
        """A new private file in the incoming folder, open for writing."""
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._incoming / os.urandom(12).hex()
        return path, open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def _decode(self, data: str, into: BinaryIO) -> None:
        """Decodes base64 piece by piece, so that the bytes are never whole in memory beside their text."""
        if data.startswith("data:"):
            data = data.partition(",")[2]
        if len(data) * 3 // 4 > self.most_bytes:
            raise BadRequest(f"file.data is larger than {self._core.max_media_mb} MB (WAXBILL_MAX_MEDIA_MB)")
        step = 4 * 16 * 1024
        try:
            for start in range(0, len(data), step):
                into.write(binascii.a2b_base64(data[start : start + step].encode("ascii"), strict_mode=True))
        except (binascii.Error, UnicodeEncodeError) as error:
            raise BadRequest(f"file.data is not base64: {error}") from None

    def _fetch(self, url: str, into: BinaryIO) -> str:
        self.admission.admit("Media from a URL, whose size is not known,")
        from .fetch import Limits, Refused, fetch  # http.client and TLS: 5 MB

        limits = Limits(self.most_bytes, self._core.fetch_seconds, self._core.allow_private_addresses)
        try:
            return fetch(url, into, limits, self._clock).content_type
        except Refused as refusal:
            raise Unprocessable(f"file.url can't be fetched: {refusal}") from refusal

    def wanted(self, mimetype: str) -> bool:
        """Whether the settings say to publish media of a type (WHATSAPP_DOWNLOAD_MEDIA, WHATSAPP_FILES_MIMETYPES)."""
        prefixes = self._core.files_mimetypes
        return self._core.download_media and (not prefixes or mimetype.startswith(prefixes))

    def publish(
        self,
        session: str,
        message_id: str,
        source: Path,
        mimetype: str,
        filename: str | None,
        *,
        chat: str | None = None,
    ) -> WAMedia:
        """Keeps a file where clients can fetch it; one that is there already stays. Never raises: where it can't be
        kept, ``error`` says why, as WAHA has it."""
        if not self.wanted(mimetype):
            return WAMedia(url=None, mimetype=mimetype, filename=filename)
        file = self._file(session, message_id, mimetype, filename, chat)
        try:
            self._tried(lambda: self._keep(file, source))
        except StorageError as error:
            return self._failed(file, error)
        return self._link(file)

    def published(self, session: str, message_id: str, mimetype: str, filename: str | None) -> WAMedia | None:
        """What clients are told of a file that was published before; None for one that is not there (any more)."""
        file = self._file(session, message_id, mimetype, filename)
        try:
            found = self._tried(lambda: self.storage.find(session, file.name))
        except StorageError as error:
            return self._failed(file, error)
        return self._link(file) if found else None

    def withdraw(self, session: str, message_id: str, mimetype: str) -> None:
        """Removes what was published for a message that there is not after all; says in the log where that fails."""
        name = self._file(session, message_id, mimetype, None).name
        try:
            self.storage.remove(session, name)
        except StorageError as error:
            log.error("The media %s/%s is not wanted, but could not be removed: %s", session, name, error)

    def _keep(self, file: Published, source: Path) -> None:
        if self.storage.find(file.session, file.name) is None:
            self.storage.put(file, source)

    @staticmethod
    def _tried(action: Callable[[], T]) -> T:
        """Does something with the storage, again where that may help."""
        end = time.monotonic() + _GIVE_UP_SECONDS
        for pause in _PAUSES_SECONDS:
            try:
                return action()
            except StorageError as error:
                if not error.again or time.monotonic() + pause > end:
                    raise
            time.sleep(pause)
        return action()

    @staticmethod
    def _file(session: str, message_id: str, mimetype: str, filename: str | None, chat: str | None = None) -> Published:
        name = f"{_UNSAFE.sub('_', message_id)}.{types.ending(mimetype)}"
        return Published(session, name, mimetype, message_id, chat, filename)

    def _link(self, file: Published) -> WAMedia:
        link = self.storage.link(file.session, file.name, self.base_url)
        return WAMedia(url=link.url, mimetype=file.mimetype, filename=file.filename, s3=link.s3)

    @staticmethod
    def _failed(file: Published, error: StorageError) -> WAMedia:
        log.error("The media %s/%s could not be published: %s", file.session, file.name, error)
        said = {"message": "The media could not be stored.", "details": str(error)}
        return WAMedia(url=None, mimetype=file.mimetype, filename=file.filename, error=said)

    def find(self, session: str, name: str) -> Stored | None:
        """A published file by its address, or None for one that is not there. Raises StorageError."""
        return self.storage.find(session, name) if may_be_named(session, name) else None

    def check_room(self, session: str) -> None:
        """Raises StorageFull where the disk is nearly full, or the session has as many files as it may have."""
        core = self._core
        disk = os.statvfs(core.store_dir)
        if disk.f_bavail * disk.f_frsize < core.keep_free_mb * 1024 * 1024:
            raise StorageFull(f"The disk has less than {core.keep_free_mb} MB free (WAXBILL_KEEP_FREE_MB): make room.")
        if core.session_quota_mb and self._used(session) >= core.session_quota_mb * 1024 * 1024:
            raise StorageFull(
                f"The session '{session}' has {core.session_quota_mb} MB of files (WAXBILL_SESSION_QUOTA_MB): "
                "clear or delete chats, or ask for more."
            )

    def _used(self, session: str) -> int:
        """Bytes of a session's files; a file that is also published counts once."""
        if not SESSION.fullmatch(session):
            return 0
        files = (path.lstat() for path in (self._core.store_dir / "sessions" / session).rglob("*"))
        return sum(state.st_size for state in files if not stat.S_ISDIR(state.st_mode))

    def forget(self, session: str) -> None:
        """Removes what was published for a session, unless the storage keeps it; says in the log where that fails."""
        try:
            self.storage.forget(session)
        except StorageError as error:
            log.error("The media of session '%s' could not be removed: %s", session, error)
