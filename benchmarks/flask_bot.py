"""Memory of a bot and its server: the Flask example beside waxbill, after a conversation.

``python benchmarks/flask_bot.py [messages]`` starts examples/flask-bot/run.py, lets people write to the bot, and prints
the resident memory (MB) of both processes, idle and at the end. Goal: 80 MB together.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from waxbill.testing import Client, WhatsApp

BOT = Path(__file__).parent.parent / "examples/flask-bot"


def resident_mb(pid: int) -> float:
    return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    server = Client()
    server.port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "PORT": str(server.port),
            "BOT_PORT": str(free_port()),
            "WAHA_LOCAL_STORE_BASE_DIR": folder,
            "WAXBILL_MOCK_SCAN_SECONDS": "0",
            "WAHA_LOG_LEVEL": "error",
        }
        bot = subprocess.Popen([sys.executable, str(BOT / "run.py")], env=environment, stdout=subprocess.PIPE)
        assert bot.stdout is not None
        bot.stdout.readline()
        try:
            wait_until_it_listens(server)
            server.wait_for_status("default", "WORKING")
            (child,) = Path(f"/proc/{bot.pid}/task/{bot.pid}/children").read_text().split()
            pids = {"server": int(child), "bot": bot.pid}
            show("idle", pids)
            whatsapp = WhatsApp(server)
            people = [whatsapp.contact(name) for name in ("Ana", "Bo", "Cy")]
            for n in range(messages):
                people[n % 3].says("x" * (n % 50 + 1))
            whatsapp.ask(
                "GET", "/api/waxbill/mock/outbox", count=min(messages, 1000), limit=1000, wait="60s", wait_seconds=60
            )
            people[0].says("lunch")
            people[0].votes(people[0].received.wait_for(type="poll", timeout_seconds=30), "Pizza")
            people[0].received.wait_for(contains="So far", timeout_seconds=30)
            show(f"after {messages} messages", pids)
        finally:
            bot.terminate()
            bot.wait()


def wait_until_it_listens(server: Client) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            continue
        return


def show(when: str, pids: dict[str, int]) -> None:
    parts = {name: resident_mb(pid) for name, pid in pids.items()}
    print(
        f"{when}: "
        + ", ".join(f"{name} {mb:.1f}" for name, mb in parts.items())
        + f", together {sum(parts.values()):.1f} MB"
    )


if __name__ == "__main__":
    main()
