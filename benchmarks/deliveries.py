"""Durable, signed webhooks: how many a second, and how long from the event to its receipt, beside axios.

    python benchmarks/deliveries.py [--count 10000] [--rounds 3]

The receiver is a process of its own on loopback (node). Throughput is that of a backlog: texts are sent while their
webhook is paused, then it is resumed. axios posts the same bodies from memory, unsigned and four at a time. Latency is
from the request that sends a text to the arrival of its event, at 1,000 texts a second. Then the same with a dead
receiver (nobody listens) as another webhook beside it. Needs node and npm.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.run import HERE, cache_folder, free_port, machine, memory, popen, wait_until

from waxbill.testing import ServerProcess

AXIOS = "1.12.2"
RATE, SECONDS = 1000, 5


@contextlib.contextmanager
def sink() -> Iterator[int]:
    port = free_port()
    process = popen(["node", str(HERE / "peers/sink.js")], PORT=str(port))
    try:
        wait_until(lambda: latencies(port) is not None, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def latencies(port: int) -> list[float] | None:
    """How long the events since the last call were on their way, in ms; None when nobody listens yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        found: list[float] = json.loads(connection.getresponse().read())
        return found
    except OSError:
        return None
    finally:
        connection.close()


def collect(port: int, count: int) -> list[float]:
    found: list[float] = []
    end = time.monotonic() + 120
    while len(found) < count:
        time.sleep(0.02)
        found += latencies(port) or []
        if time.monotonic() > end:
            raise SystemExit(f"{len(found)} of {count} events arrived")
    return found


def send(port: int, count: int, rate: float = 0.0) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    text = {"session": "s", "chatId": "49301234567@c.us", "text": "hello"}
    begun = time.monotonic()
    for number in range(count):
        if rate:
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            text["text"] = f"{time.time() * 1000:.3f}"
        connection.request("POST", "/api/sendText", json.dumps(text), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise SystemExit(f"sendText answered {answer.status}")
    connection.close()


def deliveries(count: int, *, dead: bool) -> tuple[dict[str, float], str]:
    """The figures of waxbill, and the body of one event."""
    figures: dict[str, float] = {}
    webhooks: list[dict[str, Any]] = []
    with sink() as port, tempfile.TemporaryDirectory() as folder:
        webhooks.append({"url": f"http://127.0.0.1:{port}/", "events": ["message.any"], "hmac": {"key": "secret"}})
        if dead:
            webhooks.append({"url": f"http://127.0.0.1:{free_port()}/", "events": ["message.any"]})
        with ServerProcess(
            Path(folder), FORCE_MOCK_MODE="true", WAXBILL_MOCK_SCAN_SECONDS="0", WAXBILL_EVENTS_KEEP="1000000"
        ) as server:
            server.post("/api/sessions", {"name": "s", "config": {"webhooks": webhooks}})
            server.wait_for_status("s", "WORKING")
            figures["idle RSS, MB"] = memory(server.pid)["rss"]
            send(server.port, 200)
            collect(port, 200)
            send(server.port, RATE * SECONDS, RATE)
            found = sorted(collect(port, RATE * SECONDS))
            figures["request to receipt at 1,000/s, p50, ms"] = statistics.median(found)
            figures["request to receipt at 1,000/s, p99, ms"] = found[int(len(found) * 0.99)]
            lane = server.get("/api/waxbill/webhooks").json()[0]["id"]
            server.post(f"/api/waxbill/webhooks/{lane}/pause")
            senders = [threading.Thread(target=send, args=(server.port, count // 8)) for _ in range(8)]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            begun = time.perf_counter()
            server.post(f"/api/waxbill/webhooks/{lane}/resume")
            collect(port, count // 8 * 8)
            figures["deliveries a second"] = count // 8 * 8 / (time.perf_counter() - begun)
            figures["RSS after that, MB"] = memory(server.pid)["rss"]
            newest = server.get("/api/waxbill/deliveries", query={"state": "done", "limit": 1}).json()[0]
            body = server.get(f"/api/waxbill/deliveries/events/{newest['event_id']}").text
    return figures, body


def axios(count: int, body: str) -> dict[str, float]:
    folder = cache_folder() / f"axios-{AXIOS}"
    if not (folder / "node_modules").exists():
        folder.mkdir(exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), f"axios@{AXIOS}"], check=True)
    shutil.copy(HERE / "peers/axios.js", folder / "post.js")
    with sink() as port:
        command = ["node", str(folder / "post.js"), f"http://127.0.0.1:{port}/", str(count), body]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        collect(port, count)
    return {"deliveries a second": found["rate"], "RSS after that, MB": found["rss"] / 2**20}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    columns: dict[str, list[dict[str, float]]] = {"waxbill": [], "with a dead receiver beside it": [], "axios": []}
    for _ in range(chosen.rounds):
        healthy, body = deliveries(chosen.count, dead=False)
        columns["waxbill"].append(healthy)
        columns["with a dead receiver beside it"].append(deliveries(chosen.count, dead=True)[0])
        columns["axios"].append(axios(chosen.count, body))
    print("| | waxbill, on disk, signed | with a dead receiver beside it | axios, in memory, unsigned |")
    print("|---|---:|---:|---:|")
    for name in columns["waxbill"][0]:
        cells = [
            f"{statistics.median(each[name] for each in rounds):,.2f}" if name in rounds[0] else "-"
            for rounds in columns.values()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\n{machine()}; axios {AXIOS}; medians of {chosen.rounds} rounds.")


if __name__ == "__main__":
    main()
