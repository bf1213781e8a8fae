"""Durable, signed webhooks: how many a second, and how long from the event to its receipt.

    python benchmarks/deliveries.py [--count 5000]

One session sends texts over 8 connections; its webhook goes to a sink on loopback in a process of its own. The second
run has a dead receiver (nobody listens) as another webhook beside it. Latency is from the event's timestamp to its
arrival, at a rate that the sink keeps up with.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from waxbill.testing import ServerProcess

RATE = 200  # a second, while latency is measured


def sink(port_of: Any, done: Any, counts: Any) -> None:
    """Counts and times what arrives, in its own process: reads a request, answers, reads the next."""
    listener = socket.create_server(("127.0.0.1", 0))
    port_of.put(listener.getsockname()[1])

    def serve(connection: socket.socket) -> None:
        file = connection.makefile("rb")
        while True:
            length = 0
            while (line := file.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if not length:
                return
            body = file.read(length)
            arrived = time.time() * 1000
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            at = body.index(b'"timestamp":') + 12
            counts.put(arrived - int(body[at : body.index(b",", at)]))

    while not done.is_set():
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def send(port: int, count: int, pause: float = 0.0) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"session": "s", "chatId": "49301234567@c.us", "text": "hello"})
    for _ in range(count):
        connection.request("POST", "/api/sendText", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 201
        if pause:
            time.sleep(pause)
    connection.close()


def measure(count: int, *, dead: bool) -> dict[str, float]:
    port_of: Any = multiprocessing.Queue()
    counts: Any = multiprocessing.Queue()
    done = multiprocessing.Event()
    receiver = multiprocessing.Process(target=sink, args=(port_of, done, counts), daemon=True)
    receiver.start()
    url = f"http://127.0.0.1:{port_of.get()}/"
    webhooks: list[dict[str, Any]] = [{"url": url, "events": ["message.any"], "hmac": {"key": "secret"}}]
    if dead:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            gone = closed.getsockname()[1]
        webhooks.append({"url": f"http://127.0.0.1:{gone}/", "events": ["message.any"]})
    figures: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder), FORCE_MOCK_MODE="true", WAXBILL_MOCK_SCAN_SECONDS="0") as server,
    ):
        server.post("/api/sessions", {"name": "s", "config": {"webhooks": webhooks}})
        server.wait_for_status("s", "WORKING")
        time.sleep(0.5)
        figures["idle RSS, MB"] = rss(server.pid)
        send(server.port, RATE * 3, 1 / RATE)
        latencies = sorted(counts.get(timeout=30) for _ in range(RATE * 3))
        figures["event to receipt, p50, ms"] = statistics.median(latencies)
        figures["event to receipt, p99, ms"] = latencies[int(len(latencies) * 0.99)]
        begun = time.perf_counter()
        senders = [threading.Thread(target=send, args=(server.port, count // 8)) for _ in range(8)]
        for sender in senders:
            sender.start()
        for _ in range(count // 8 * 8):
            counts.get(timeout=60)
        figures["deliveries a second, signed, on disk"] = count // 8 * 8 / (time.perf_counter() - begun)
        for sender in senders:
            sender.join()
        figures["RSS under load, MB"] = rss(server.pid)
    done.set()
    receiver.terminate()
    return figures


def rss(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=5000)
    count = options.parse_args().count
    healthy, beside = measure(count, dead=False), measure(count, dead=True)
    print("| | healthy sink | with a dead one beside it |\n|---|---:|---:|")
    for name in healthy:
        print(f"| {name} | {healthy[name]:,.1f} | {beside[name]:,.1f} |")


if __name__ == "__main__":
    main()
