"""Workers on one PostgreSQL: how fast, how much memory, and that nothing is lost when parts of it go.

    python benchmarks/cluster.py rates [--rounds 3] [--seconds 5]
                                                           SQLite; PostgreSQL with 1, 2, 3 workers; medians
    python benchmarks/cluster.py proof [--sessions 300]    three workers on machines of their own (network namespaces,
                                                           which take root): one killed, one cut off, PostgreSQL
                                                           stopped, hung, and filled up

Needs PostgreSQL's programs (Debian: apt-get install postgresql), the rates also wrk. All processes are on this
machine, the load too, so with more workers than processors to spare the rates do not grow.

The proof sends to all sessions over all workers all the time, and at the end demands: every text that was answered with
201 has reached the webhook, those of one session in order (first arrivals), and by the journal of ownership no session
was with two workers. It prints how long a take-over took.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.run import memory
from tests.networks import Networks
from tests.postgres import Postgres
from tests.test_workers import CHAT, Cluster, alive, check_ownership, held_by, wait_for

from waxbill.testing import Receiver, ServerProcess

CONNECTIONS = (8, 64)


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has ended")


class Client(threading.Thread):
    """Sends texts over one connection, to one session after the other, until it is stopped."""

    def __init__(self, worker: ServerProcess, sessions: list[str], number: int) -> None:
        super().__init__(daemon=True)
        self._worker, self._sessions, self._number = worker, sessions, number
        self.accepted: dict[str, list[str]] = {name: [] for name in sessions}
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.slowest_seconds = 0.0
        self.stopped = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._worker.host, self._worker.port, timeout=150)
        count = 0
        while not self.stopped.is_set():
            count += 1
            name = self._sessions[count % len(self._sessions)]
            text = f"{self._number}-{count}"
            body = json.dumps({"session": name, "chatId": CHAT, "text": text})
            headers = {"Content-Type": "application/json", "X-Api-Key": self._worker.key}
            asked = time.monotonic()
            try:
                connection.request("POST", "/api/sendText", body, headers)
                answer = connection.getresponse()
                said = answer.read().decode()
            except (OSError, http.client.HTTPException):
                self.statuses[0] += 1
                connection.close()
                time.sleep(0.1)  # the worker was killed
                continue
            self.statuses[answer.status] += 1
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - asked)
            if answer.status == 201:
                self.accepted[name].append(text)
            elif answer.status == 503:
                time.sleep(0.05)  # sooner than it is told to come back
            else:
                self.wrong.append(f"{name} by {self._worker.environment['WAHA_WORKER_ID']}: {answer.status} {said}")


@contextmanager
def clients(pairs: list[tuple[ServerProcess, list[str]]]) -> Iterator[list[Client]]:
    made = [Client(worker, sessions, number) for number, (worker, sessions) in enumerate(pairs)]
    for client in made:
        client.start()
    try:
        yield made
    finally:
        for client in made:
            client.stopped.set()
        for client in made:
            client.join()


def load(pairs: list[tuple[ServerProcess, list[str]]], connections: int, seconds: int) -> float:
    """Texts a second, sent by wrk to each worker at the same time, for what sessions it has."""
    script = str(Path(__file__).with_name("send_text.lua"))
    running = [
        subprocess.Popen(
            [
                *("wrk", "-t1", f"-c{connections // len(pairs)}", f"-d{seconds}s", "--timeout", "30s", "--latency"),
                *("-s", script, f"{worker.url}/api/sendText", "--", *sessions),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for worker, sessions in pairs
    ]
    rate = 0.0
    for each in running:
        said = each.communicate()[0]
        found = json.loads(said.splitlines()[-1])
        if each.returncode or found["errors"]:
            raise SystemExit(f"Requests failed:\n{said}")
        rate += found["requests"] / found["seconds"]
    return rate


def begin(worker: ServerProcess, sessions: list[str]) -> None:
    for name in sessions:
        assert worker.post("/api/sessions", {"name": name}).status == 201
    wait_for(lambda: sum(each["status"] == "WORKING" for each in worker.get("/api/sessions").json()) >= len(sessions))


def rates(folder: Path, rounds: int, seconds: int) -> None:
    print(f"{os.cpu_count()} processors; {os.getloadavg()[0]:.1f} of them were busy before", flush=True)
    kinds = ["SQLite", *(f"PostgreSQL, {count} workers" for count in (1, 2, 3)), "PostgreSQL without fsync, 1 workers"]
    found: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind in kinds:  # in turn, so that what else the machine does falls on all of them
            inside = folder / f"{number}-{kinds.index(kind)}"
            inside.mkdir()
            found[kind].append(measure(inside, kind, seconds))
    heads = [f"sendText/s, {connections} connections" for connections in CONNECTIONS]
    print("| | idle, MB each |", *(f"{head} |" for head in heads), "after that, MB each | PostgreSQL, MB |")
    print("|---|" + "---:|" * (3 + len(heads)))
    for kind in kinds:
        middle = [statistics.median(figures) for figures in zip(*found[kind], strict=True)]
        idle, *sent, used, database = middle
        cells = [
            f"{idle:.1f}",
            *(f"{each:,.0f}" for each in sent),
            f"{used:.1f}",
            f"{database:.0f}" if database else "-",
        ]
        print(f"| {kind.replace('1 workers', '1 worker')} | " + " | ".join(cells) + " |")


def measure(folder: Path, kind: str, seconds: int) -> list[float]:
    """One round of a row of the table."""
    if kind == "SQLite":
        with ServerProcess(folder, FORCE_MOCK_MODE="true", WAXBILL_MOCK_SCAN_SECONDS="0") as alone:
            return measure_workers([alone], lambda: 0.0, seconds)
    with Postgres(folder, fsync="without" not in kind) as postgres, Receiver() as receiver:
        cluster = Cluster(folder, postgres, receiver)
        workers = [cluster.start(f"w{number}") for number in range(int(kind.split()[-2]))]
        wait_for(lambda: all(len(alive(worker)) == len(workers) for worker in workers))
        try:
            return measure_workers(workers, lambda: memory(postgres.pid)["pss"], seconds)
        finally:
            for worker in workers:
                worker.stop()


def measure_workers(workers: list[ServerProcess], database_mb: Callable[[], float], seconds: int) -> list[float]:
    idle = max(resident_mb(worker.pid) for worker in workers)
    begin(workers[0], [f"s{number}" for number in range(4 * len(workers))])
    # Each is asked for what is its own, as behind a router that knows.
    pairs = [(worker, sorted(held_by(worker))) for worker in workers]
    if not all(sessions for _, sessions in pairs):
        raise SystemExit(f"A worker got no session: {[len(sessions) for _, sessions in pairs]}")
    rates = [load(pairs, connections, seconds) for connections in CONNECTIONS]
    return [idle, *rates, max(resident_mb(worker.pid) for worker in workers), database_mb()]


def proof(folder: Path, sessions: int) -> bool:
    with (
        Networks() as networks,
        Postgres(folder, networks.address) as postgres,
        Receiver(host=networks.address) as receiver,
    ):
        cluster = Cluster(folder, postgres, receiver)
        cluster.networks = networks
        workers = [cluster.start(name) for name in ("a", "b", "c")]
        names = [f"s{number:03}" for number in range(sessions)]
        wait_for(lambda: all(len(alive(worker)) == 3 for worker in workers))
        for number, name in enumerate(names):
            cluster.begin(workers[number % 3], name)
        wait_for(lambda: cluster.working(workers[0], *names), 120)
        print(f"{sessions} sessions: {dict(Counter(cluster.owners().values()))}")
        gone_ms: dict[str, int] = {}
        # Each session is written to by one client only: then the order of its texts is known.
        pairs = [(workers[number], names[number::3]) for number in range(3)]
        with clients(pairs) as sending:

            def progress() -> None:
                before = sum(client.statuses[201] for client in sending)
                wait_for(lambda: sum(client.statuses[201] for client in sending) > before + 300, 120)

            progress()
            for what, happen, out in (
                ("a worker is killed", lambda: kill(cluster, "c", gone_ms), "c"),
                ("it comes back", cluster.workers["c"].start, ""),
                ("a worker's network is cut", lambda: cut(cluster, "b", gone_ms), "b"),
                ("its network is mended", lambda: networks.mend("b"), ""),
                ("PostgreSQL is stopped for 30 s", lambda: outage(postgres, 30), ""),
                ("PostgreSQL hangs for 15 s", lambda: hang(postgres, 15), ""),
                ("all connections are used up for 5 s", lambda: use_up(postgres, 5), ""),
            ):
                happen()
                began = time.monotonic()
                wait_for(lambda out=out: all_work(cluster, names, out), 120)
                print(f"{what}: all sessions work {time.monotonic() - began:.1f} s later", flush=True)
                progress()
        accepted = {name: client.accepted[name] for client in sending for name in client.accepted}
        total = {text for texts in accepted.values() for text in texts}
        wait_for(lambda: total <= set(cluster.bodies()), 120)
        statuses: Counter[int] = sum((client.statuses for client in sending), Counter())
        check_ownership(cluster.journal(), gone_ms)
        arrived: dict[str, list[str]] = {name: [] for name in names}
        for event in receiver.events:
            if event["event"] == "message.any":
                arrived[event["session"]].append(event["payload"]["body"])
        in_order = all(
            [text for text in dict.fromkeys(arrived[name]) if text in set(accepted[name])] == accepted[name]
            for name in names
        )
        repeated = sum(len(texts) - len(set(texts)) for texts in arrived.values())
        print(f"answers by status: {dict(statuses)}; {len(total)} accepted, none lost, {repeated} repeated")
        wrong = [said for client in sending for said in client.wrong]
        print(f"answers that are neither: {len(wrong)} {wrong[:3]}")
        print(f"slowest answer: {max(client.slowest_seconds for client in sending):.1f} s")
        print(f"in order: {in_order}; owners by the journal: one at a time")
        for worker in cluster.workers.values():
            worker.stop()
        return in_order


def kill(cluster: Cluster, name: str, gone_ms: dict[str, int]) -> None:
    gone_ms[name] = time.time_ns() // 1_000_000
    cluster.workers[name].kill()


def cut(cluster: Cluster, name: str, gone_ms: dict[str, int]) -> None:
    """Since when it has let go of its sessions is when the others may have them."""
    assert cluster.networks is not None
    cluster.networks.cut(name)
    before = cluster.workers[name].log.count("this worker stops its sessions")
    threading.Thread(target=note_fence, args=(cluster, name, before, gone_ms), daemon=True).start()


def note_fence(cluster: Cluster, name: str, before: int, gone_ms: dict[str, int]) -> None:
    wait_for(lambda: cluster.workers[name].log.count("this worker stops its sessions") > before)
    gone_ms[name] = time.time_ns() // 1_000_000


def all_work(cluster: Cluster, names: list[str], without: str) -> bool:
    """Whether every session works on some worker, but for one, each asked for its own."""
    found: set[str] = set()
    for worker in [worker for name, worker in cluster.workers.items() if name != without]:
        with contextlib.suppress(OSError):
            listed = worker.get("/api/sessions", headers={"X-Waxbill-From-Worker": "test"})
            if listed.status == 200:
                found |= {each["name"] for each in listed.json() if each["status"] == "WORKING"}
    return found == set(names)


def hang(postgres: Postgres, seconds: float) -> None:
    with postgres.frozen():
        time.sleep(seconds)


def outage(postgres: Postgres, seconds: float) -> None:
    postgres.stop()
    time.sleep(seconds)
    postgres.start()


def use_up(postgres: Postgres, seconds: float) -> None:
    import psycopg

    held = []
    try:
        while True:
            held.append(psycopg.connect(postgres.url()))
    except psycopg.OperationalError:
        time.sleep(seconds)
    finally:
        for connection in held:
            connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", choices=["rates", "proof"], nargs="?", default="rates")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=300)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if parsed.what == "rates":
            rates(Path(folder), parsed.rounds, parsed.seconds)
        elif not proof(Path(folder), parsed.sessions):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
