"""Kills a server again and again while it sends and delivers, and shows that nothing was lost.

    python benchmarks/crash.py [--kills 25]

A client sends texts as fast as they are answered. The receiver of the webhook fails one delivery in five and sleeps
at one in ten. The server is killed (SIGKILL) at random moments and started again. At the end every text that was
answered with 201 must have arrived at the receiver, in the order of its sending; repeats are counted.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from waxbill.testing import Received, Receiver, ServerProcess

CHAT = "49301234567@c.us"
RETRIES = {"policy": "constant", "delaySeconds": 0.05, "attempts": 1000}


@dataclass
class Result:
    kills: int = 0
    #: Texts that the server has answered with 201, in the order of sending.
    accepted: list[int] = field(default_factory=list)
    #: Texts that the receiver has answered with 200, in the order of their arrival.
    delivered: list[int] = field(default_factory=list)

    @property
    def lost(self) -> set[int]:
        return set(self.accepted) - set(self.delivered)

    @property
    def repeated(self) -> int:
        return len(self.delivered) - len(set(self.delivered))

    @property
    def in_order(self) -> bool:
        """Whether the first arrivals are in the order of sending."""
        first = list(dict.fromkeys(self.delivered))
        return first == sorted(first)


def run(folder: Path, kills: int, seed: int = 1) -> Result:
    draw = random.Random(seed)
    result = Result()
    lock = threading.Lock()
    stop = threading.Event()

    def answer(received: Received) -> int:
        with lock:
            chance = draw.random()
        if chance < 0.2:
            return 503
        if chance < 0.3:
            time.sleep(0.02)  # a slow receiver is part of the test
        with lock:
            result.delivered.append(int(received.json()["payload"]["body"]))
        return 200

    with Receiver(answer) as receiver:
        server = ServerProcess(
            folder, FORCE_MOCK_MODE="true", WAXBILL_MOCK_SCAN_SECONDS="0", WAXBILL_HOOK_PAUSE_AFTER="0"
        )
        server.start()
        webhook = {"url": receiver.url, "events": ["message.any"], "retries": RETRIES}
        assert server.post("/api/sessions", {"name": "s", "config": {"webhooks": [webhook]}}).status == 201
        server.wait_for_status("s", "WORKING")

        def send() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
                try:
                    body = json.dumps({"session": "s", "chatId": CHAT, "text": str(number)})
                    connection.request("POST", "/api/sendText", body, {"Content-Type": "application/json"})
                    if connection.getresponse().status == 201:
                        result.accepted.append(number)
                except (OSError, http.client.HTTPException):
                    time.sleep(0.01)  # the server is dead or not up yet
                finally:
                    connection.close()

        sender = threading.Thread(target=send)
        sender.start()
        try:
            for _ in range(kills):
                time.sleep(draw.uniform(0.05, 0.6))  # a random moment
                server.kill()
                result.kills += 1
                server.start()
                server.wait_for_status("s", "WORKING")
        finally:
            stop.set()
            sender.join()
        end = time.monotonic() + 120
        while server.get("/health").json()["deliveries"]["pending"] and time.monotonic() < end:
            time.sleep(0.05)
        server.stop()
    return result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=25)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), chosen.kills, chosen.seed)
    print(f"kills by SIGKILL             {result.kills}")
    print(f"texts answered with 201      {len(result.accepted)}")
    print(f"texts that arrived           {len(set(result.delivered))}")
    print(f"arrived more than once       {result.repeated}")
    print(f"lost                         {len(result.lost)}")
    print(f"in order                     {'yes' if result.in_order else 'NO'}")
    if result.lost or not result.in_order:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
