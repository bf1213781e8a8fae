"""A profile as it travels: what of it, as one compressed stream in pieces, and back into a folder.

The stream has files and nothing else: for each the length of its path, its size, its path below the profile, its
bytes; a path of length 0 is the end. So there are no links, devices or owners in it. It comes back from a database
that others may have written to: what does not fit is Damaged. Neither a file nor the stream is ever whole in memory.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

#: Most bytes of a piece.
PIECE_BYTES = 256 * 1024
_BLOCK_BYTES = 64 * 1024
_HEAD = struct.Struct(">HQ")
_MOST_PATH_BYTES = 1024
#: What a file takes beside its bytes: many empty ones are much, too.
_FILE_BYTES = 4096
#: Where a site keeps what it can't fetch again. Caches, service workers and Chromium's own settings stay behind.
_KEPT = frozenset({"Cookies", "Cookies-journal", "File System", "IndexedDB", "Local Storage", "WebStorage"})
_CACHE = "CacheStorage"


class TooLarge(Exception):
    """There is more than may travel; the text says how much may."""


class Damaged(Exception):
    """The pieces are no profile; the text says why."""


def travels(path: str) -> bool:
    """Whether a file or folder of a profile travels; the path is below the profile."""
    top, *below = path.split("/")
    return top == "Default" and bool(below) and below[0] in _KEPT and _CACHE not in below


def pack(profile: Path, most_bytes: int) -> Iterator[bytes]:
    """The pieces of a profile that no browser uses. Raises TooLarge when it has more bytes, unpacked; OSError."""
    packer = zlib.compressobj(1)
    waiting = bytearray()
    for block in _blocks(profile, most_bytes):
        waiting += packer.compress(block)
        while len(waiting) >= PIECE_BYTES:
            yield bytes(waiting[:PIECE_BYTES])
            del waiting[:PIECE_BYTES]
    waiting += packer.flush()
    for first in range(0, len(waiting), PIECE_BYTES):
        yield bytes(waiting[first : first + PIECE_BYTES])


def _blocks(profile: Path, most_bytes: int) -> Iterator[bytes]:
    left = most_bytes
    for path in _files(profile):
        with open(path, "rb", opener=_no_link) as file:
            size = os.fstat(file.fileno()).st_size
            left -= _FILE_BYTES + size
            if left < 0:
                raise TooLarge(f"it has more than {most_bytes // 1024 // 1024} MB (WAXBILL_BROWSER_PROFILE_MB)")
            name = os.fsencode(path.relative_to(profile))
            yield _HEAD.pack(len(name), size) + name
            while size:
                block = file.read(min(size, _BLOCK_BYTES))
                if not block:
                    raise OSError(f"{path} became shorter while it was read")
                yield block
                size -= len(block)
    yield _HEAD.pack(0, 0)


def _files(profile: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(profile / "Default"):
        below = Path(folder).relative_to(profile)
        names[:] = sorted(name for name in names if travels(str(below / name)))
        for name in sorted(files):
            path = Path(folder) / name
            if travels(str(below / name)) and stat.S_ISREG(path.lstat().st_mode):
                yield path


def unpack(pieces: Iterable[bytes], folder: Path, most_bytes: int) -> None:
    """Makes the files of a profile in an empty folder. Raises Damaged, also for more bytes; OSError for a full disk."""
    stream = _Stream(pieces)
    left = most_bytes
    while True:
        length, size = _HEAD.unpack(stream.exactly(_HEAD.size))
        if not length:
            break
        if length > _MOST_PATH_BYTES:
            raise Damaged("a path is too long")
        path = _checked(stream.exactly(length))
        left -= _FILE_BYTES + size
        if left < 0:
            raise Damaged(f"it has more than {most_bytes} bytes")
        try:
            for parent in list(path.parents)[-2::-1]:
                (folder / parent).mkdir(mode=0o700, exist_ok=True)
            file = open(folder / path, "xb", opener=_no_link)  # noqa: SIM115
        except FileExistsError as error:
            raise Damaged(f"{path} is there twice") from error
        with file:
            while size:
                size -= file.write(stream.some(min(size, _BLOCK_BYTES)))
    stream.end()


def _checked(name: bytes) -> PurePosixPath:
    """A path that stays where profiles keep such files."""
    text = os.fsdecode(name)
    odd = any(part in (b"", b".", b"..") or len(part) > 255 for part in name.split(b"/"))
    if odd or b"\0" in name or not travels(text):
        raise Damaged(f"{text[:100]!r} is no file of a profile that travels")
    return PurePosixPath(text)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


class _Stream:
    """What is in the pieces, as it is asked for."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._unpacker = zlib.decompressobj()
        self._packed = b""

    def some(self, most: int) -> bytes:
        """At least one byte and at most so many."""
        found = self._next(most)
        if not found:
            raise Damaged("it ends early")
        return found

    def exactly(self, size: int) -> bytes:
        found = self.some(size)
        while len(found) < size:
            found += self.some(size - len(found))
        return found

    def end(self) -> None:
        if self._next(1) or self._unpacker.unused_data or next(self._pieces, b""):
            raise Damaged("something follows its end")

    def _next(self, most: int) -> bytes:
        """The next bytes; none after the last."""
        while not self._unpacker.eof:
            try:
                found = self._unpacker.decompress(self._packed, most)
            except zlib.error as error:
                raise Damaged(str(error)) from error
            self._packed = self._unpacker.unconsumed_tail
            if found:
                return found
            if not self._packed and not self._unpacker.eof:
                self._packed = next(self._pieces, b"")
                if not self._packed:
                    raise Damaged("it ends early")
        return b""
