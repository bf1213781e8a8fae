"""What requests cost, and what memory is used, with 10, 1,000, 100,000 and 1,000,000 messages in one account.

    python benchmarks/store_size.py [--quick]

A hundred messages per chat (ten thousand chats at a million). The store is filled before the server starts; every
figure is the median over requests that are made one after another on one connection, in a real server process.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from waxbill.model import ids
from waxbill.sqlite import SqliteStore
from waxbill.testing import ServerProcess
from waxbill_mock.account.messages import Message, Messages

SIZES = (10, 1_000, 100_000, 1_000_000)
PER_CHAT = 100
REQUESTS = 200
SETTINGS = {"FORCE_MOCK_MODE": "true", "WHATSAPP_START_SESSION": "default", "WAXBILL_MOCK_SCAN_SECONDS": "0"}


def chat(number: int) -> str:
    return f"4930{number:08d}@c.us"


def fill(folder: Path, size: int) -> None:
    """Makes the session with a server, then puts messages of the last month into its account."""
    with ServerProcess(folder, **SETTINGS) as server:
        server.wait_for_status("default", "WORKING")
    store = SqliteStore(folder / "store" / "waxbill.sqlite3")
    (account,) = store.read().execute("SELECT id FROM mock_account").fetchone()
    messages = Messages(account)
    now = time.time_ns() // 1_000_000
    with store.write() as db:
        for number in range(size):
            mine = number % 3 == 0
            messages.add(
                db,
                Message(
                    id=0,
                    chat=chat(number % max(1, size // PER_CHAT)),
                    key=f"3EB0{number:018X}",
                    from_me=mine,
                    participant=None,
                    at_ms=now - (size - number) * 2_000,
                    kind="text",
                    body=f"message number {number}",
                    ack=3,
                    source="app",
                ),
            )
    store.close()


def measure(folder: Path, size: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    chats = max(1, size // PER_CHAT)
    draw = random.Random(1)
    with ServerProcess(folder, **SETTINGS) as server:
        server.wait_for_status("default", "WORKING")
        time.sleep(1)
        figures["idle RSS, MB"] = rss(server.pid)
        connection = http.client.HTTPConnection("127.0.0.1", server.port)

        def timed(name: str, request: Callable[[], tuple[str, str, object]]) -> None:
            taken = []
            for _ in range(REQUESTS):
                method, path, body = request()
                begun = time.perf_counter()
                connection.request(
                    method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"}
                )
                answer = connection.getresponse()
                answer.read()
                taken.append((time.perf_counter() - begun) * 1000)
                assert answer.status < 300, answer.status
            figures[name] = statistics.median(taken)

        def some() -> str:
            return chat(draw.randrange(chats))

        timed("overview, 20 chats, ms", lambda: ("GET", "/api/default/chats/overview", None))
        timed(
            "overview, from the middle, ms",
            lambda: ("GET", f"/api/default/chats/overview?offset={chats // 2}", None),
        )
        timed("messages of a chat, ms", lambda: ("GET", f"/api/default/chats/{some()}/messages", None))
        timed(
            "messages, filtered, ms",
            lambda: (
                "GET",
                f"/api/default/chats/{some()}/messages?filter.fromMe=true&filter.ack=READ"
                f"&filter.timestamp.gte={int(time.time()) - 86400}",
                None,
            ),
        )
        timed("one message, ms", lambda: ("GET", message_path(draw.randrange(size), chats), None))
        timed(
            "sendText, ms",
            lambda: ("POST", "/api/sendText", {"session": "default", "chatId": some(), "text": "hello"}),
        )
        connection.close()
        figures["RSS afterwards, MB"] = rss(server.pid)
    figures["store, MB"] = (folder / "store" / "waxbill.sqlite3").stat().st_size / 2**20
    return figures


def message_path(number: int, chats: int) -> str:
    there = chat(number % chats)
    message = ids.MessageId(number % 3 == 0, there, f"3EB0{number:018X}")
    return f"/api/default/chats/{there}/messages/{message}"


def rss(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="the two smallest sizes only")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code is what an installed server has
    sizes = SIZES[:2] if options.parse_args().quick else SIZES
    columns = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), size)
            columns.append(measure(Path(folder), size))
    print("| messages in the account | " + " | ".join(f"{size:,}" for size in sizes) + " |")
    print("|---|" + "---:|" * len(sizes))
    for name in columns[0]:
        form = "{:.1f}" if name.endswith("MB") else "{:.2f}"
        print(f"| {name} | " + " | ".join(form.format(column[name]) for column in columns) + " |")


if __name__ == "__main__":
    main()
