"""WebSocket as bytes: whatever a client sends, it costs the server little, and nobody else anything."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from waxbill.testing import ServerProcess

from .raw import dialled, head, statuses

KEY = "?x-api-key=secret"
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: " + "A" * 22 + "==",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    environment = {"FORCE_MOCK_MODE": "true", "WHATSAPP_START_SESSION": "s", "WAXBILL_MOCK_SCAN_SECONDS": "0"}
    with ServerProcess(tmp_path_factory.mktemp("websocket"), key="secret", **environment) as found:
        found.wait_for_status("s", "WORKING")
        yield found


def frame(
    opcode: int, data: bytes = b"", *, last: bool = True, masked: bool = True, reserved: int = 0, length: int = -1
) -> bytes:
    """A frame; ``length`` is what it says, where that is not what it has."""
    size = len(data) if length < 0 else length
    begin = bytes([(0x80 if last else 0) | reserved | opcode])
    flag = 0x80 if masked else 0
    if size < 126:
        begin += bytes([flag | size])
    elif size < 65536:
        begin += bytes([flag | 126]) + struct.pack(">H", size)
    else:
        begin += bytes([flag | 127]) + struct.pack(">Q", size)
    if not masked:
        return begin + data
    mask = b"\x11\x22\x33\x44"
    return begin + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


@contextlib.contextmanager
def opened(server: ServerProcess) -> Iterator[socket.socket]:
    with dialled(server) as connection:
        connection.sendall(head("GET", f"/ws{KEY}", *UPGRADE))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += connection.recv(1)
        assert statuses(answer) == [101]
        yield connection


def close_code(connection: socket.socket) -> int:
    """The code that the server closes with; 0 for none."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            data += piece
    at = data.find(b"\x88")
    return struct.unpack(">H", data[at + 2 : at + 4])[0] if at >= 0 and data[at + 1] >= 2 else 0


BROKEN = {
    "no mask": frame(1, b"x", masked=False),
    "an unknown opcode": frame(3, b"x"),
    "an unknown control opcode": frame(11, b"x"),
    "reserved bits": frame(1, b"x", reserved=0x40),
    "a control frame in pieces": frame(9, b"x", last=False),
    "a control frame that is too long": frame(9, b"x" * 126),
    "a continuation of nothing": frame(0, b"x"),
    "a message inside another": frame(1, b"x", last=False) + frame(1, b"y"),
    "text that is none": frame(1, b"\xff\xfe"),
    "a close code that is none": frame(8, b"\x03\xec"),
    "a close reason of one byte": frame(8, b"\x03"),
    "a length of 2**63": frame(1, b"x", length=2**63),
    "a long length for a short frame": b"\x81\xfe\x00\x01\0\0\0\0x",
}


@pytest.mark.parametrize("form", BROKEN)
def test_a_frame_that_breaks_the_protocol_ends_the_connection(server: ServerProcess, form: str) -> None:
    with opened(server) as connection:
        connection.sendall(BROKEN[form])
        assert close_code(connection) in (1002, 1007, 1009)
    assert server.get("/ping").status == 200
    assert "Traceback" not in server.log


@pytest.mark.parametrize("how", ["one frame", "fragments", "tiny fragments"])
def test_a_message_without_end_is_cut_off(server: ServerProcess, how: str) -> None:
    with opened(server) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if how == "one frame":
                connection.sendall(frame(2, b"x" * 10, length=2**40))
                for _ in range(100):
                    connection.sendall(b"x" * 10_000)
            else:
                connection.sendall(frame(2, b"x", last=False))
                piece = frame(0, b"x" * (1 if how == "tiny fragments" else 10_000), last=False)
                for _ in range(100):
                    connection.sendall(piece * (1000 if how == "tiny fragments" else 1))
        assert close_code(connection) in (0, 1009)


def test_a_flood_of_pings_whose_answers_nobody_reads_costs_no_memory(server: ServerProcess) -> None:
    def rss_kb() -> int:
        with open(f"/proc/{server.pid}/status") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1])

    before = rss_kb()
    with opened(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(2)
        pings = frame(9, b"x" * 125) * 500
        end = time.monotonic() + 6
        with contextlib.suppress(TimeoutError, BrokenPipeError, ConnectionResetError):
            while time.monotonic() < end:
                connection.sendall(pings)
        assert server.get("/ping", timeout_seconds=10).status == 200
        assert rss_kb() - before < 16_000
    assert os.path.exists(f"/proc/{server.pid}")


@pytest.mark.parametrize(
    "headers",
    [
        UPGRADE[:2],
        (*UPGRADE[:2], "Sec-WebSocket-Version: 8", UPGRADE[3]),
        UPGRADE[:3],
        ("Connection: close", *UPGRADE[1:]),
        (UPGRADE[0], "Upgrade: h2c", *UPGRADE[2:]),
    ],
)
def test_what_is_no_handshake_opens_nothing(server: ServerProcess, headers: tuple[str, ...]) -> None:
    with dialled(server) as connection:
        connection.sendall(head("GET", f"/ws{KEY}", *headers))
        assert statuses(connection.recv(65536)) == [426]


def test_a_handshake_in_http_1_0_without_a_host_is_none(server: ServerProcess) -> None:
    with dialled(server) as connection:
        connection.sendall(head("GET", f"/ws{KEY}", *UPGRADE, version="1.0", host=""))
        assert statuses(connection.recv(65536)) == [426]
    assert "Traceback" not in server.log
