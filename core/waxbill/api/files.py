"""Files: published media, served with ranges and without anything that a browser would run."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import falcon

from ..media.types import HARMLESS
from ..model.errors import FileMissing
from .operation import Area, Call, Reply

area = Area("📁 Files", prefix="/api/files")

_CONTENT_TYPES = {"oga": "audio/ogg; codecs=opus", "jpeg": "image/jpeg", "mp4": "video/mp4", "webp": "image/webp"}


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

    def close(self) -> None:
        self._file.close()


@area.get("/{session}/{file}", scope="any", waits=True)
def get_file(call: Call, file: str) -> Reply | None:
    """Get a media file."""
    path = call.server.files.find(call.session_name, file)
    if path is None:
        raise FileMissing(f"The file '{file[:120]}' is not there")
    return _serve(call.request, call.response, path)


def content_type(path: Path) -> str:
    ending = path.suffix[1:]
    if ending in _CONTENT_TYPES:
        return _CONTENT_TYPES[ending]
    import mimetypes

    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _serve(req: falcon.Request, resp: falcon.Response, path: Path) -> Reply | None:
    """Streams the file or the range asked for; 304 where the client has it already, 416 for an impossible range."""
    state = path.stat()
    kind = content_type(path)
    resp.set_headers(
        {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Content-Disposition": "inline" if kind.startswith(HARMLESS) else "attachment",
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, max-age=0",
            "ETag": f'"{state.st_mtime_ns:x}-{state.st_size:x}"',
        }
    )
    resp.last_modified = datetime.fromtimestamp(int(state.st_mtime), UTC)
    if req.get_header("If-None-Match") == resp.get_header("ETag"):
        return Reply(status=304, content_type=kind)
    asked = req.range if req.range_unit == "bytes" else None
    first, last = 0, state.st_size - 1
    if asked is not None:
        first = asked[0] if asked[0] >= 0 else max(0, state.st_size + asked[0])
        last = last if asked[1] < 0 else min(asked[1], last)
        if first > last:
            return Reply(status=416, content_type=kind, headers={"Content-Range": f"bytes */{state.st_size}"})
        resp.set_header("Content-Range", f"bytes {first}-{last}/{state.st_size}")
    resp.status = falcon.HTTP_206 if asked is not None else falcon.HTTP_200
    resp.content_type = kind
    resp.set_stream(_Part(path.open("rb"), first, last - first + 1), last - first + 1)
    return None
