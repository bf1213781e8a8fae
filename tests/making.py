"""Files that tests are made with."""

from __future__ import annotations

import struct
import zlib


def png(side: int = 1) -> bytes:
    """A black square as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(side * (side + 1))))
        + chunk(b"IEND", b"")
    )
