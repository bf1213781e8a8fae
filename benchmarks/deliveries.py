"""Durable, signed webhooks: how many a second, and how long from the event to its receipt, beside axios.

    python benchmarks/deliveries.py [--count 10000] [--rounds 3]

The receiver is a process of its own on loopback (node). Throughput is that of a backlog: texts are sent while their
webhook is paused, then it is resumed. axios posts the same bodies from memory, unsigned and four at a time. Latency is
measured at 1,000 texts a second, twice: from the request that sends a text to the arrival of its event, and from the
moment in which the event was made, before it is on disk. Then the same with a dead receiver (nobody listens) as another
webhook beside it. Needs node and npm.
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
#: When an event came: its id with the number of its lane, the moment, and when the request for it left (Unix ms).
Arrival = tuple[str, float, float]
# A plugin that writes down when each event was made.
PLUGIN = """
import time
import waxbill

file = open("made", "w")

@waxbill.hookimpl
def waxbill_startup(server):
    put = server.outbox.put

    def note(event_id, *more):
        file.write(f"{event_id.removeprefix('evt_')} {time.time() * 1000:.3f}\\n")
        put(event_id, *more)

    server.outbox.put = note

@waxbill.hookimpl
def waxbill_shutdown(server):
    file.close()
"""


@contextlib.contextmanager
def sink() -> Iterator[int]:
    port = free_port()
    process = popen(["node", str(HERE / "peers/sink.js")], PORT=str(port))
    try:
        wait_until(lambda: arrivals(port) is not None, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def arrivals(port: int) -> list[Arrival] | None:
    """What came since the last call; None when nobody listens yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        found: list[Arrival] = json.loads(connection.getresponse().read())
        return found
    except OSError:
        return None
    finally:
        connection.close()


def collect(port: int, count: int) -> list[Arrival]:
    found: list[Arrival] = []
    end = time.monotonic() + 120
    while len(found) < count:
        time.sleep(0.02)
        found += arrivals(port) or []
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


def note_events(folder: Path) -> None:
    """Puts the plugin where the server finds it: its own folder."""
    info = folder / "noting-1.0.dist-info"
    info.mkdir()
    (folder / "noting.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waxbill]\nnoting = noting\n")


def shares(name: str, found: list[float]) -> dict[str, float]:
    found.sort()
    return {
        f"{name} at 1,000/s, p50, ms": statistics.median(found),
        f"{name} at 1,000/s, p99, ms": found[int(len(found) * 0.99)],
    }


def deliveries(count: int, *, dead: bool) -> tuple[dict[str, float], str]:
    """The figures of waxbill, and the body of one event."""
    figures: dict[str, float] = {}
    webhooks: list[dict[str, Any]] = []
    with sink() as port, tempfile.TemporaryDirectory() as folder:
        webhooks.append({"url": f"http://127.0.0.1:{port}/", "events": ["message.any"], "hmac": {"key": "secret"}})
        if dead:
            webhooks.append({"url": f"http://127.0.0.1:{free_port()}/", "events": ["message.any"]})
        note_events(Path(folder))
        with ServerProcess(
            Path(folder), FORCE_MOCK_MODE="true", WAXBILL_MOCK_SCAN_SECONDS="0", WAXBILL_EVENTS_KEEP="1000000"
        ) as server:
            server.post("/api/sessions", {"name": "s", "config": {"webhooks": webhooks}})
            server.wait_for_status("s", "WORKING")
            figures["idle RSS, MB"] = memory(server.pid)["rss"]
            send(server.port, 200)
            collect(port, 200)
            send(server.port, RATE * SECONDS, RATE)
            timed = collect(port, RATE * SECONDS)
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
        lines = (Path(folder) / "made").read_text().splitlines()
        made = {event_id: float(at) for event_id, _, at in (line.partition(" ") for line in lines)}
        figures |= shares("event to receipt", [at - made[name.rpartition("-")[0]] for name, at, _ in timed])
        figures |= shares("request to receipt", [at - sent for _, at, sent in timed])
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
