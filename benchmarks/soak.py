"""Soaks waxbill's mock mode beside a bare Express server under the same load, and prints memory over time.

    python benchmarks/soak.py                  an hour
    python benchmarks/soak.py --minutes 10     as long as you like
    python benchmarks/soak.py --rate 200       texts per second to each of the two, over 8 connections

Both run at the same time and get the same texts at the same pace; one text in a hundred brings a picture of 200 kB.
The slope is that of the second half, by least squares, per 100,000 requests: what is left of growth when caches are
full. waxbill keeps every message on disk, Express in memory, as a bare server does. Needs node and npm.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from run import answer, cache_folder, express, free_port, machine, memory, start_waxbill, wait_until

CONNECTIONS = 8
ROWS = 12
_PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + os.urandom(200 * 1024)).decode()


@dataclass
class Sample:
    seconds: float
    requests: int
    rss_mb: float


@dataclass
class Soaked:
    """One server under load, and what was seen of it."""

    name: str
    pid: int
    port: int
    requests: int = 0
    failed: int = 0
    samples: list[Sample] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, rate: float, end: float) -> None:
        """One connection's share of the load: a text every so often, until the end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        due, number = time.monotonic(), 0
        while due < end:
            number += 1
            due += CONNECTIONS / rate
            time.sleep(max(0.0, due - time.monotonic()))  # the pace of the load
            body: dict[str, object] = {"session": "default", "chatId": f"4930{number % 5000:07d}@c.us", "text": "hello"}
            path = "/api/sendText"
            if number % 100 == 0 and "waxbill" in self.name:
                body["file"] = {"data": _PICTURE, "mimetype": "image/png", "filename": "a.png"}
                path = "/api/sendImage"
            elif number % 100 == 0:
                body["text"] = _PICTURE[: 64 * 1024]  # what the bare server takes at most
            try:
                connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
                found = connection.getresponse()
                found.read()
                good = found.status == 201
            except (OSError, http.client.HTTPException):
                connection.close()
                good = False
            with self.lock:
                self.requests += 1
                self.failed += not good

    @property
    def slope(self) -> float:
        """MB per 100,000 requests over the second half."""
        half = self.samples[len(self.samples) // 2 :]
        x = sum(sample.requests for sample in half) / len(half)
        y = sum(sample.rss_mb for sample in half) / len(half)
        spread = sum((sample.requests - x) ** 2 for sample in half)
        if not spread:
            return 0.0
        return 100_000 * sum((s.requests - x) * (s.rss_mb - y) for s in half) / spread


def soak(subjects: list[Soaked], minutes: float, rate: float) -> None:
    begun = time.monotonic()
    end = begun + 60 * minutes
    senders = [
        threading.Thread(target=subject.send, args=(rate, end)) for subject in subjects for _ in range(CONNECTIONS)
    ]
    for sender in senders:
        sender.start()
    every = max(0.5, 60 * minutes / 240)
    while time.monotonic() < end:
        time.sleep(every)  # the pace of the measurement
        for subject in subjects:
            now = time.monotonic() - begun
            subject.samples.append(Sample(now, subject.requests, memory(subject.pid)["rss"]))
    for sender in senders:
        sender.join()


def table(subjects: list[Soaked]) -> str:
    head = "| minutes | " + " | ".join(f"{subject.name}, RSS in MB" for subject in subjects) + " |"
    rows = [head, "|---:|" + "---:|" * len(subjects)]
    count = len(subjects[0].samples)
    for index in sorted({round(i * (count - 1) / (ROWS - 1)) for i in range(ROWS)}):
        at = subjects[0].samples[index].seconds / 60
        rows.append(f"| {at:.1f} | " + " | ".join(f"{s.samples[index].rss_mb:.1f}" for s in subjects) + " |")
    lines = {
        "requests": [f"{subject.requests:,}" for subject in subjects],
        "of these failed": [f"{subject.failed:,}" for subject in subjects],
        "slope, MB per 100,000 requests": [f"{subject.slope:.2f}" for subject in subjects],
    }
    return "\n".join([*rows, *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in lines.items())])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=60.0, help="how long (default: 60)")
    options.add_argument("--rate", type=float, default=300.0, help="texts per second to each server (default: 300)")
    chosen = options.parse_args()
    starters = {"waxbill mock, on disk": start_waxbill, "Express, in memory": express(cache_folder())}
    with tempfile.TemporaryDirectory() as folder:
        subjects, processes = [], []
        try:
            for name, start in starters.items():
                port = free_port()
                process = start(port, Path(folder) / str(port))
                processes.append(process)
                wait_until(lambda port=port: answer(port, "/ping"), process)
                subjects.append(Soaked(name, process.pid, port))
            wait_until(lambda: b'"WORKING"' in (answer(subjects[0].port, "/api/sessions") or b""), processes[0])
            soak(subjects, chosen.minutes, chosen.rate)
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
    print(f"{table(subjects)}\n\n{machine()}; {chosen.minutes:g} minutes, {chosen.rate:g} texts/s to each.")
    if subjects[0].failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
