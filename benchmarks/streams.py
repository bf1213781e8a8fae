"""What live streams cost: memory per idle WebSocket, events a second to all of them, and everything at once.

    python benchmarks/streams.py [--clients 1000] [--texts 100] [--seconds 20]

The clients are sockets of one process that counts bytes: a WebSocket frame of the same event is the same for all. The
last part is a whole small installation: 100 sessions, the sockets, and wrk with 64 connections, all in one server.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import resource
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from waxbill.testing import ServerProcess

HERE = Path(__file__).resolve().parent
BODY = json.dumps({"session": "default", "chatId": "49301234567@c.us", "text": "hello"})
SETTINGS = {"FORCE_MOCK_MODE": "true", "WAXBILL_MOCK_SCAN_SECONDS": "0", "WAXBILL_MAX_STREAMS": "10000"}


def rss_kb(server: ServerProcess) -> int:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def connect(port: int) -> socket.socket:
    """A WebSocket for message.any, past its handshake."""
    client = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET /ws?events=message.any HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096)
    if b" 101 " not in head.splitlines()[0]:
        raise SystemExit(f"The handshake failed: {head!r}")
    return client


class Clients:
    """Sockets that are read by one thread; ``received`` counts bytes."""

    def __init__(self, port: int, count: int) -> None:
        self.sockets = [connect(port) for _ in range(count)]
        self.received = 0
        self.lost = 0
        self._poll = select.epoll()
        self._by_fd = {client.fileno(): client for client in self.sockets}
        for fd, client in self._by_fd.items():
            client.setblocking(False)
            self._poll.register(fd, select.EPOLLIN)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        buffer = bytearray(1024 * 1024)
        while not self._stop.is_set():
            for fd, _ in self._poll.poll(0.1):
                size = self._by_fd[fd].recv_into(buffer)
                if not size:
                    self._poll.unregister(fd)
                    self.lost += 1
                self.received += size

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        for client in self.sockets:
            client.close()


@contextlib.contextmanager
def serving(sessions: int = 1) -> Iterator[ServerProcess]:
    names = ["default", *(f"s{number}" for number in range(1, sessions))]
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder), WHATSAPP_START_SESSION=",".join(names), **SETTINGS) as server,
    ):
        for name in names:
            server.wait_for_status(name, "WORKING", timeout_seconds=30)
        yield server


def send(port: int, count: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(count):
        connection.request("POST", "/api/sendText", BODY, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise SystemExit(f"sendText answered {answer.status}")
    connection.close()


def frame_size(server: ServerProcess) -> int:
    """Bytes of one event's frame."""
    with connect(server.port) as client:
        send(server.port, 1)
        data = client.recv(1 << 16)
        while len(data) < 4 + int.from_bytes(data[2:4], "big"):
            data += client.recv(1 << 16)
        return len(data)


def broadcast(count: int, texts: int) -> None:
    with serving() as server:
        size = frame_size(server)
        before = rss_kb(server)
        clients = Clients(server.port, count)
        print(f"memory per idle WebSocket      {(rss_kb(server) - before) / count:.2f} KB  ({count} of them)")
        expected = size * texts * count
        begun = time.monotonic()
        send(server.port, texts)
        while clients.received < expected and not clients.lost:
            time.sleep(0.005)
        seconds = time.monotonic() - begun
        print(f"events to all of them          {texts * count / seconds:,.0f} a second ({size} bytes each)")
        clients.close()
        if clients.lost or clients.received != expected:
            raise SystemExit(f"{clients.lost} clients were dropped; {clients.received} of {expected} bytes arrived")


def all_at_once(count: int, seconds: int) -> None:
    with serving(100) as server:
        clients = Clients(server.port, count)
        before = rss_kb(server)
        command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", str(HERE / "send_text.lua")]
        url = f"http://127.0.0.1:{server.port}/api/sendText"
        ran = subprocess.run([*command, url], capture_output=True, text=True, check=True)
        found = json.loads(ran.stdout.splitlines()[-1])
        peak = next(
            int(line.split()[1])
            for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
        print(
            f"100 sessions, {count} sockets: {before / 1024:.1f} MB; with {found['requests'] / found['seconds']:,.0f} "
            f"sendText/s at 64 connections: {peak / 1024:.1f} MB at most; {found['errors']:.0f} errors, "
            f"{clients.received / 1e6:,.0f} MB to the sockets, {clients.lost} of them dropped as too slow"
        )
        clients.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clients", type=int, default=1000)
    options.add_argument("--texts", type=int, default=100)
    options.add_argument("--seconds", type=int, default=20)
    chosen = options.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not on the PATH; install it (Debian: apt-get install wrk).")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    broadcast(chosen.clients, chosen.texts)
    all_at_once(chosen.clients, chosen.seconds)


if __name__ == "__main__":
    main()
