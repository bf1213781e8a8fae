"""Fuzzing a real server: by its own document, with what it makes used where it can be, and by bytes on the wire."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from waxbill.testing import ServerProcess

from .parsers import SEEDS

ROOT = Path(__file__).parent.parent.parent
KEY = "fuzz-key"
ENVIRONMENT: Mapping[str, str] = {
    "FORCE_MOCK_MODE": "true",
    "WAXBILL_MOCK_SCAN_SECONDS": "0",
    "WHATSAPP_START_SESSION": "default,s",
    "WAXBILL_AUDIT_KEEP": "1000",
    "WAHA_DEBUG_MODE": "false",
}
#: These end the server, its sessions or the test's own key, or wait for long.
LEFT_OUT = (
    "stop_server", "profile_cpu", "delete_session", "logout_session", "logout_named", "stop_named", "stop_session",
)  # fmt: skip
#: Checks of schemathesis that the contract of WAHA contradicts, and why.
UNCHECKED = (
    "not_a_server_error",  # WhatsApp's refusals are 500: see nothing_failed in checks.py
    "unsupported_method",  # 404, where schemathesis wants 405
    "positive_data_acceptance",  # what WhatsApp allows is more than a schema can say
)
_UPGRADE = (
    b"GET /ws?x-api-key=%s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
) % KEY.encode()


def by_document(
    server: ServerProcess,
    *,
    seconds: float,
    examples: int,
    seed: int,
    folder: Path,
    phases: str = "coverage,fuzzing,stateful",
) -> str:
    """Runs schemathesis with all checks; answers what it found, empty when that is nothing."""
    command = [
        str(Path(sys.executable).parent / "st"), "run", f"{server.url}/-json", "--no-color",
        "--header", f"X-Api-Key: {KEY}", "--checks", "all", "--exclude-checks", ",".join(UNCHECKED),
        "--phases", phases, "--max-examples", str(examples), "--seed", str(seed), "--max-time", f"{seconds:.0f}",
        "--suppress-health-check", "all", "--request-timeout", "20", "--mode", "all",
    ]  # fmt: skip
    for operation in LEFT_OUT:
        command += ["--exclude-operation-id", operation]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.checks", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    tested = re.search(r"(\d+) generated", ran.stdout)
    if tested is None or int(tested[1]) < 100:
        return f"schemathesis tested next to nothing:\n{ran.stdout[-3000:]}{ran.stderr[-2000:]}"
    return "" if ran.returncode == 0 else ran.stdout[max(0, ran.stdout.find("= FAILURES")) :][:8000]


def _bent(random_: random.Random) -> bytes:
    """A request, or what is left of one."""
    data = bytearray(random_.choice(SEEDS["requests"]) * random_.randint(1, 4))
    for _ in range(random_.randint(0, 6)):
        at = random_.randrange(len(data) + 1)
        what = random_.random()
        if what < 0.3:
            data[at:at] = random_.choice([b"\r\n", b"\0", b"\n", b"\xff\xfe", b"9" * 20, b": ", b"%00", b"A" * 40_000])
        elif what < 0.6:
            del data[at : at + random_.randint(1, 20)]
        elif data:
            data[at % len(data)] = random_.randrange(256)
    return bytes(data)


def by_noise(server: ServerProcess, *, seconds: float, seed: int) -> int:
    """Sends what is nearly HTTP, and nearly WebSocket, for a while; answers how many connections it took."""
    random_ = random.Random(seed)
    end, count = time.monotonic() + seconds, 0
    open_ones: list[socket.socket] = []
    while time.monotonic() < end:
        connection = socket.create_connection(("127.0.0.1", server.port), 10)
        connection.settimeout(0.02)
        count += 1
        with contextlib.suppress(OSError):
            if random_.random() < 0.2:
                connection.sendall(_UPGRADE)
                connection.recv(1000)
                frames = b"".join(random_.choice(SEEDS["websocket"]) for _ in range(random_.randint(1, 5)))
                connection.sendall(frames + random_.randbytes(random_.randint(0, 30)))
            else:
                connection.sendall(_bent(random_))
            connection.recv(65536)
        open_ones.append(connection)  # some stay, half said
        if len(open_ones) > 50:
            open_ones.pop(random_.randrange(len(open_ones))).close()
    for connection in open_ones:
        connection.close()
    return count


def rss_mb(server: ServerProcess) -> float:
    """What the server keeps in memory."""
    text = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) / 1024  # type: ignore[index]


def faults(server: ServerProcess) -> str:
    """What is wrong with a server after all that; empty when it is well."""
    found = []
    try:
        if server.get("/ping", timeout_seconds=20).status != 200:
            found.append("/ping does not answer 200")
    except OSError as error:
        found.append(f"the server does not answer: {error}")
    found += [line for line in server.log.splitlines() if "Traceback" in line or "uncaptured" in line]
    return "\n".join([*found, server.log[-3000:]]) if found else ""
