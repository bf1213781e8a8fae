"""Files: published media, served with ranges and without anything that a browser would run."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import PurePath
from typing import BinaryIO

import falcon

from ..media.storage import StorageError, Stored
from ..media.types import HARMLESS
from ..model.errors import FileMissing, Unavailable
from .operation import Area, Call, Reply

log = logging.getLogger("waxbill.media")

area = Area("📁 Files", prefix="/api/files")

_CONTENT_TYPES = {"oga": "audio/ogg; codecs=opus", "jpeg": "image/jpeg", "mp4": "video/mp4", "webp": "image/webp"}
_PIECE_BYTES = 64 * 1024
# What waitress takes of an answer before it waits for the client: with more, one that is slow holds a thread.
_HELD_BYTES = 16 * 1024 * 1024
_RETRY_SECONDS = 5


@area.get("/{session}/{file}", scope="any", waits=True)
def get_file(call: Call, file: str) -> Reply | None:
    """Get a media file."""
    return serve(call, file)


def serve(call: Call, name: str) -> Reply | None:
    """Answers with a published file of the call's session, wherever it lives. For operations of plugins, too."""
    try:
        stored = call.server.files.find(call.session_name, name)
        if stored is None:
            raise FileMissing(f"The file '{name[:120]}' is not there")
        return _serve(call, name, stored)
    except StorageError as error:
        raise Unavailable(f"The file can't be had now: {error}", _RETRY_SECONDS) from error


def content_type(name: str) -> str:
    ending = PurePath(name).suffix[1:]
    if ending in _CONTENT_TYPES:
        return _CONTENT_TYPES[ending]
    import mimetypes

    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _serve(call: Call, name: str, stored: Stored) -> Reply | None:
    """Streams the file or the range asked for; 304 where the client has it already, 416 for an impossible range."""
    req, resp = call.request, call.response
    kind = content_type(name)
    resp.set_headers(
        {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Content-Disposition": "inline" if kind.startswith(HARMLESS) else "attachment",
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, max-age=0",
            "ETag": f'"{stored.tag}"',
        }
    )
    resp.last_modified = datetime.fromtimestamp(stored.modified, UTC)
    if req.get_header("If-None-Match") == resp.get_header("ETag"):
        return Reply(status=304, content_type=kind)
    asked = req.range if req.range_unit == "bytes" else None
    first, last = 0, stored.size - 1
    if asked is not None:
        first = asked[0] if asked[0] >= 0 else max(0, stored.size + asked[0])
        last = last if asked[1] < 0 else min(asked[1], last)
        if first > last:
            return Reply(status=416, content_type=kind, headers={"Content-Range": f"bytes */{stored.size}"})
        resp.set_header("Content-Range", f"bytes {first}-{last}/{stored.size}")
    _stream(call, name, first, last - first + 1)
    resp.status = falcon.HTTP_206 if asked is not None else falcon.HTTP_200
    resp.content_type = kind
    return None


def _stream(call: Call, name: str, first: int, length: int) -> None:
    """The body of the answer: read by the server's loop where the storage never waits, else by this thread."""
    files = call.server.files
    if not files.storage.waits:
        call.response.set_stream(files.storage.open(call.session_name, name, first, length), length)
        return
    large = length > _HELD_BYTES
    if large and not files.large_reads.acquire(blocking=False):
        raise Unavailable("As many large files are being fetched as may be at once. Try again in a moment.", 1)
    release = files.large_reads.release if large else _nothing
    try:
        file = files.storage.open(call.session_name, name, first, length)
    except BaseException:
        release()
        raise
    call.response.content_length = length
    call.response.stream = _Pieces(file, name, release)


def _nothing() -> None:
    pass


class _Pieces:
    """A file, piece by piece. Where it breaks off, so does the answer: its client sees that from the length."""

    def __init__(self, file: BinaryIO, name: str, release: Callable[[], None]) -> None:
        self._file, self._name, self._release = file, name, release

    def __iter__(self) -> Iterator[bytes]:
        try:
            while piece := self._file.read(_PIECE_BYTES):
                yield piece
        except StorageError as error:
            log.error("The file %s broke off while it was fetched: %s", self._name, error)

    def close(self) -> None:
        self._release()
        self._file.close()
