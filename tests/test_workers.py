"""Several workers on one PostgreSQL: sessions belong to one, requests find it, nothing is lost when one dies."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import Receiver, ServerProcess

from .postgres import Postgres
from .test_deliveries import QUICK
from .test_streams import connected, next_event
from .test_webhooks import CHAT

#: What is promised, from the death of a worker.
TAKE_OVER_SECONDS = 15.0


class Cluster:
    """Workers by name, each a process of its own, on one database."""

    def __init__(self, folder: Path, postgres: Postgres, receiver: Receiver) -> None:
        self.folder, self.postgres, self.receiver = folder, postgres, receiver
        self.url = postgres.database()
        self.workers: dict[str, ServerProcess] = {}

    def start(self, name: str, **environment: str) -> ServerProcess:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        settings = {
            "WAXBILL_STORE": self.url,
            "WAHA_WORKER_ID": name,
            "FORCE_MOCK_MODE": "true",
            "WAXBILL_MOCK_SCAN_SECONDS": "0",
            **environment,
        }
        self.workers[name] = ServerProcess(folder, **settings).start()
        return self.workers[name]

    def begin(self, worker: ServerProcess, *sessions: str) -> None:
        webhook = {"url": self.receiver.url, "events": ["message.any"], "retries": {**QUICK, "attempts": 1000}}
        for name in sessions:
            created = worker.post("/api/sessions", {"name": name, "config": {"webhooks": [webhook]}})
            assert created.status == 201, created.text

    def owners(self) -> dict[str, str]:
        """Whose each session is, as the database has it."""
        return dict(self.postgres.ask("SELECT session, worker FROM ownership", self.url.rpartition("/")[2]))

    def journal(self) -> list[tuple[str, str, str, int]]:
        """Who took and left which session, and when (Unix ms), in order."""
        return self.postgres.ask(
            "SELECT session, worker, what, at_ms FROM ownership_journal ORDER BY n", self.url.rpartition("/")[2]
        )

    def working(self, worker: ServerProcess, *sessions: str) -> bool:
        listed = worker.get("/api/sessions?all=true")
        states = {each["name"]: each["status"] for each in listed.json()} if listed.status == 200 else {}
        return all(states.get(name) == "WORKING" for name in sessions)

    def bodies(self) -> list[str]:
        return [event["payload"]["body"] for event in self.receiver.events if event["event"] == "message.any"]


@pytest.fixture
def cluster(tmp_path: Path, postgres: Postgres, receiver: Receiver) -> Iterator[Cluster]:
    found = Cluster(tmp_path, postgres, receiver)
    yield found
    for worker in found.workers.values():
        worker.__exit__(None, None, None)


def wait_for(reached: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if found := reached():
                return found
        assert time.monotonic() < end
        time.sleep(0.05)  # the state of other processes


def alive(worker: ServerProcess) -> list[str]:
    """The workers that live, as one of them sees it."""
    return [each["id"] for each in worker.get("/api/waxbill/workers").json() if each["alive"]]


def send(worker: ServerProcess, session: str, text: str) -> Any:
    return worker.post("/api/sendText", {"session": session, "chatId": CHAT, "text": text})


def check_ownership(journal: list[tuple[str, str, str, int]], gone_ms: dict[str, int] | None = None) -> None:
    """No session was taken by one worker while it belonged to another that was there (``gone_ms``: since when not)."""
    owner: dict[str, str] = {}
    for session, worker, what, at_ms in journal:
        before = owner.get(session, "")
        if what == "leave":
            assert before == worker, f"{worker} left {session}, which belonged to '{before}'"
            owner[session] = ""
        else:
            gone = (gone_ms or {}).get(before, at_ms + 1) <= at_ms
            assert before in ("", worker) or gone, f"{worker} took {session} from {before}"
            owner[session] = worker


def held_by(worker: ServerProcess) -> set[str]:
    """The sessions that a worker has itself, without those that it asks the others for."""
    listed = worker.get("/api/sessions?all=true", headers={"X-Waxbill-From-Worker": "test"}).json()
    return {each["name"] for each in listed}


class Cable:
    """A connection to PostgreSQL that can be cut: then nothing goes through, and neither end is told.

    The kernel of the cut machine would not answer PostgreSQL's keepalives; here it does, so the end that they bring
    about is made when it is due.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._whole = threading.Event()
        self._whole.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self._whole.is_set():
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._pairs.append((client, server))
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if not self._whole.is_set():
                    return
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def cut(self, keepalive_seconds: float) -> None:
        self._whole.clear()
        threading.Timer(keepalive_seconds, self._end, [1]).start()

    def _end(self, side: int) -> None:
        for pair in self._pairs:
            with contextlib.suppress(OSError):
                pair[side].shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._whole.clear()
        self._listener.close()
        for side in (0, 1):
            self._end(side)
        for pair in self._pairs:
            for end in pair:
                end.close()


def test_a_request_for_a_session_is_answered_by_its_owner(cluster: Cluster) -> None:
    a, b = cluster.start("a"), cluster.start("b")
    cluster.begin(a, "one")
    owner = cluster.owners()["one"]
    wait_for(lambda: cluster.working(b, "one"))
    for worker in (a, b):
        assert send(worker, "one", "hello").status == 201
        found = worker.get("/api/sessions/one").json()
        assert (found["status"], found["assignedWorker"]) == ("WORKING", owner)
        listed = worker.get("/api/sessions").json()
        assert [(each["name"], each["assignedWorker"]) for each in listed] == [("one", owner)]
        assert worker.post("/api/sessions", {"name": "one"}).status == 422
        assert worker.get("/api/sessions/none").status == 404
        wait_for(lambda worker=worker: alive(worker) == ["a", "b"])
        assert sum(each["sessions"] for each in worker.get("/api/waxbill/workers").json()) == 1
    bad = b.post("/api/sendText", {"session": "one", "chatId": CHAT})
    assert bad.status == 400
    wait_for(lambda: len(cluster.bodies()) == 2)
    for worker in (a, b):
        assert len(worker.get(f"/api/one/chats/{CHAT}/messages?limit=10").json()) == 2
    other = b if owner == "a" else a
    assert other.request("DELETE", "/api/sessions/one").status == 200
    assert (a.get("/api/sessions/one").status, cluster.owners()) == (404, {})


def test_streams_see_the_events_of_all_workers(cluster: Cluster) -> None:
    a, b = cluster.start("a"), cluster.start("b")
    cluster.begin(a, "one")
    wait_for(lambda: cluster.working(b, "one"))
    with connected(a, "events=message.any") as first, connected(b, "events=message.any") as second:
        time.sleep(3)  # longer than the look for what was not announced: the owner knows of both clients now
        for number in range(20):
            assert send(a if number % 2 else b, "one", str(number)).status == 201
        for client in (first, second):
            assert [next_event(client)["payload"]["body"] for _ in range(20)] == [str(n) for n in range(20)]


def test_a_worker_that_ends_hands_its_sessions_over(cluster: Cluster) -> None:
    a = cluster.start("a")
    names = [f"s{number}" for number in range(6)]
    cluster.begin(a, *names)
    wait_for(lambda: cluster.working(a, *names))
    b = cluster.start("b")
    wait_for(lambda: alive(b) == ["a", "b"])
    a.stop()
    wait_for(lambda: set(cluster.owners().values()) == {"b"} and cluster.working(b, *names))
    assert all(send(b, name, name).status == 201 for name in names)
    check_ownership(cluster.journal())


@pytest.mark.long
def test_nothing_is_lost_and_no_session_has_two_owners_when_a_worker_is_killed(cluster: Cluster) -> None:
    workers = [cluster.start(name) for name in "abc"]
    names = [f"s{number}" for number in range(30)]
    for number, name in enumerate(names):
        cluster.begin(workers[number % 3], name)
    wait_for(lambda: cluster.working(workers[0], *names))
    accepted: list[str] = []
    wrong: list[str] = []
    stopped = threading.Event()

    def traffic(worker: ServerProcess, of: int) -> None:
        number = 0
        while not stopped.is_set():
            number += 1
            name = names[(number * 7 + of) % len(names)]
            text = f"{of}-{number}"
            try:
                answer = send(worker, name, text)
            except (OSError, http.client.HTTPException):  # the one that was killed
                return
            if answer.status == 201:
                accepted.append(text)
            elif answer.status != 503:
                wrong.append(answer.text)

    threads = [threading.Thread(target=traffic, args=(worker, of)) for of, worker in enumerate(workers)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(accepted) > 100)
    victim = max("bc", key=lambda name: list(cluster.owners().values()).count(name))
    moved = [name for name, owner in cluster.owners().items() if owner == victim]
    assert moved
    gone_ms = {victim: time.time_ns() // 1_000_000}
    cluster.workers[victim].kill()
    killed = time.monotonic()
    wait_for(lambda: victim not in cluster.owners().values() and cluster.working(workers[0], *names))
    took = time.monotonic() - killed
    before = len(accepted)
    wait_for(lambda: len(accepted) > before + 50)
    stopped.set()
    for thread in threads:
        thread.join()
    assert not wrong
    wait_for(lambda: set(accepted) <= set(cluster.bodies()))
    check_ownership(cluster.journal(), gone_ms)
    rest = [held_by(worker) for name, worker in cluster.workers.items() if name != victim]
    assert (rest[0] & rest[1], rest[0] | rest[1]) == (set(), set(names))
    print(f"{len(moved)} sessions were taken over within {took:.1f} s")
    assert took < TAKE_OVER_SECONDS * 3  # a loaded machine is slow; benchmarks/cluster.py measures it


@contextlib.contextmanager
def stopped(postgres: Postgres) -> Iterator[None]:
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


@pytest.mark.long
@pytest.mark.parametrize("away", [stopped, Postgres.frozen])
def test_workers_go_on_when_the_database_was_away_for_long(
    cluster: Cluster, away: Callable[[Postgres], contextlib.AbstractContextManager[None]]
) -> None:
    a, b = cluster.start("a"), cluster.start("b")
    names = [f"s{number}" for number in range(8)]
    cluster.begin(a, *names)
    wait_for(lambda: cluster.working(a, *names))
    owners = [worker for worker in (a, b) if held_by(worker)]
    with away(cluster.postgres):
        assert wait_for(lambda: all("this worker stops its sessions" in worker.log for worker in owners))
        assert (held_by(a), held_by(b)) == (set(), set())
        assert send(a, "s0", "refused").status == 503
    wait_for(lambda: cluster.working(a, *names))
    assert (held_by(a) & held_by(b), held_by(a) | held_by(b)) == (set(), set(names))
    for name in names:
        wait_for(lambda name=name: send(b, name, name).status == 201)  # a connection may still be found broken
    wait_for(lambda: set(names) <= set(cluster.bodies()))


@pytest.mark.long
def test_a_worker_that_is_cut_off_has_let_go_before_another_takes_over(cluster: Cluster) -> None:
    cable = Cable(cluster.postgres.port)
    through = cluster.url.replace(str(cluster.postgres.port), str(cable.port))
    names = ["one", "two", "three"]
    a = cluster.start("a", WAXBILL_STORE=through)
    cluster.begin(a, *names)
    wait_for(lambda: cluster.working(a, *names))
    b = cluster.start("b")
    wait_for(lambda: alive(b) == ["a", "b"])
    cable.cut(keepalive_seconds=7)
    try:
        let_go = wait_for(lambda: time.monotonic() if "this worker stops its sessions" in a.log else None)
        assert held_by(b) == set()
        taken = wait_for(lambda: time.monotonic() if held_by(b) == set(names) else None)
        assert taken > let_go
        wait_for(lambda: cluster.working(b, *names))
        assert all(send(b, name, name).status == 201 for name in names)
    finally:
        cable.close()
    a.kill()
    assert [(session, worker) for session, worker, what, _ in cluster.journal() if what == "take"] == [
        *((name, "a") for name in names),
        *((name, "b") for name in names),
    ]


def test_two_workers_of_one_name_are_not_let_in(cluster: Cluster, waxbill: Any) -> None:
    cluster.start("a")
    second = waxbill("serve", WAXBILL_STORE=cluster.url, WAHA_WORKER_ID="a", FORCE_MOCK_MODE="true", PORT="0")
    assert (second.returncode, "give each its own WAHA_WORKER_ID" in second.stderr) == (1, True)


def test_a_worker_that_was_killed_comes_back_for_its_sessions(cluster: Cluster) -> None:
    a = cluster.start("a")
    cluster.begin(a, "one")
    wait_for(lambda: cluster.working(a, "one"))
    a.kill()
    a.start()
    wait_for(lambda: cluster.working(a, "one"))
    assert send(a, "one", "back").status == 201


def test_keys_that_one_worker_makes_are_known_to_the_others(cluster: Cluster) -> None:
    a, b = cluster.start("a", WAHA_API_KEY="key"), cluster.start("b", WAHA_API_KEY="key")
    a.key = b.key = "key"
    wait_for(lambda: alive(a) == alive(b) == ["a", "b"])
    cluster.begin(a, "one")
    made = b.post("/api/keys", {"session": "one"})
    assert made.status == 201, made.text
    b.key = a.key = made.json()["key"]
    wait_for(lambda: a.get("/api/sessions/one").status == 200)
    assert b.get("/api/sessions/one").status == 200
    assert a.get("/api/sessions").json()[0]["name"] == "one"


def test_an_app_is_found_by_its_id_whichever_worker_is_asked(cluster: Cluster) -> None:
    a, b = (cluster.start(name, WAXBILL_AUDIT_KEEP="1000") for name in "ab")
    cluster.begin(a, "one")
    wait_for(lambda: cluster.working(b, "one"))
    made = a.post(
        "/api/apps", {"session": "one", "app": "calls", "config": {"dm": {"reject": False}, "group": {"reject": False}}}
    )
    assert made.status == 201, made.text
    for worker in (a, b):
        found = worker.get(f"/api/apps/{made.json()['id']}")
        assert (found.status, found.json()["session"]) == (200, "one")
        assert worker.get("/api/apps/app_none").status == 404
    entries = [each for each in b.get("/api/waxbill/audit").json() if each["operation"] == "create_app"]
    assert len(entries) == 1
