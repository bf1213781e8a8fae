"""QR codes as PNG and as text. Imported by the pairing API; the encoder itself only when a code is asked for."""

from __future__ import annotations

import struct
import zlib

# As WAHA's own codes: 4 pixels a module, 4 modules of quiet zone.
_SCALE = 4
_BORDER = 4


def matrix(text: str) -> list[list[bool]]:
    """The modules of a QR code, quiet zone included; True is dark."""
    import qrcode  # 3.7 MB: not before the first code

    code = qrcode.QRCode(border=_BORDER)
    code.add_data(text)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.get_matrix()]


def png(text: str) -> bytes:
    """A QR code as a PNG of one bit a pixel (PNG specification, sections 5 and 11)."""
    rows = matrix(text)
    size = len(rows) * _SCALE
    lines = bytearray()
    for row in rows:
        bits = "".join(("0" if dark else "1") * _SCALE for dark in row)
        packed = int(bits.ljust(-(-size // 8) * 8, "0"), 2).to_bytes(-(-size // 8), "big")
        lines += (b"\0" + packed) * _SCALE

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def ascii_art(text: str) -> str:
    """A QR code for a terminal, two modules to a character."""
    rows = matrix(text)
    rows += [[False] * len(rows[0])] * (len(rows) % 2)
    blocks = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(blocks[upper, lower] for upper, lower in zip(*pair, strict=True)) for pair in pairs)
