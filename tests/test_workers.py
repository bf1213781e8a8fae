"""Several workers on one PostgreSQL: sessions belong to one, requests find it, nothing is lost when one dies."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import Receiver, ServerProcess

from .conftest import missing
from .networks import Networks, NoNetworks
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
        #: Where each worker has a machine of its own.
        self.networks: Networks | None = None

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
        made = self.networks.server(name, folder, **settings) if self.networks else ServerProcess(folder, **settings)
        self.workers[name] = made.start()
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

    def busiest(self, among: str) -> str:
        """Which of these workers has most sessions."""
        owners = list(self.owners().values())
        return max(among, key=owners.count)

    def bodies(self) -> list[str]:
        return [event["payload"]["body"] for event in self.receiver.events if event["event"] == "message.any"]


@pytest.fixture
def cluster(tmp_path: Path, postgres: Postgres, receiver: Receiver) -> Iterator[Cluster]:
    found = Cluster(tmp_path, postgres, receiver)
    yield found
    for name, worker in found.workers.items():
        worker.__exit__(None, None, None)
        print(f"worker {name}:\n{worker.log}")  # shown when the test fails


def wait_for(reached: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if found := reached():
                return found
        assert time.monotonic() < end
        time.sleep(0.05)  # the state of other processes


def alive(worker: ServerProcess) -> list[str]:
    """The workers that live, as one of them sees it; none while it can't ask the database."""
    listed = worker.get("/api/waxbill/workers")
    return [each["id"] for each in listed.json() if each["alive"]] if listed.status == 200 else []


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
    listed = worker.get("/api/sessions?all=true", headers={"X-Waxbill-From-Worker": "test"})
    assert listed.status == 200, listed.text
    return {each["name"] for each in listed.json()}


class Traffic:
    """Texts to all sessions by all workers, from ``with`` to the end of the block."""

    def __init__(self, workers: list[ServerProcess], names: list[str]) -> None:
        self._names = names
        self.accepted: list[str] = []
        self.wrong: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=each) for each in enumerate(workers)]

    def _run(self, of: int, worker: ServerProcess) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            text = f"{of}-{number}"
            try:
                answer = send(worker, self._names[(number * 7 + of) % len(self._names)], text)
            except (OSError, http.client.HTTPException):  # the one that was killed
                return
            if answer.status == 201:
                self.accepted.append(text)
            elif answer.status != 503:
                self.wrong.append(answer.text)

    def goes_on(self) -> None:
        """Waits until more was accepted."""
        before = len(self.accepted)
        wait_for(lambda: len(self.accepted) > before + 100)

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


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


def test_a_name_that_is_taken_is_refused_wherever_a_new_session_of_it_would_go(cluster: Cluster) -> None:
    a = cluster.start("a")
    names = [f"s{number}" for number in range(8)]
    cluster.begin(a, *names)
    b = cluster.start("b")  # where about half of them would go now
    wait_for(lambda: alive(a) == alive(b) == ["a", "b"])
    for worker in (a, b):
        assert [worker.post("/api/sessions", {"name": name}).status for name in names] == [422] * 8


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
    with Traffic(workers, names) as traffic:
        traffic.goes_on()
        victim = cluster.busiest("bc")
        moved = [name for name, owner in cluster.owners().items() if owner == victim]
        assert moved
        gone_ms = {victim: time.time_ns() // 1_000_000}
        cluster.workers[victim].kill()
        killed = time.monotonic()
        wait_for(lambda: victim not in cluster.owners().values() and cluster.working(workers[0], *names))
        took = time.monotonic() - killed
        traffic.goes_on()
    assert not traffic.wrong
    wait_for(lambda: set(traffic.accepted) <= set(cluster.bodies()))
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
        wait_for(lambda: (held_by(a), held_by(b)) == (set(), set()))  # it says so, and begins
        assert send(a, "s0", "refused").status == 503
    wait_for(lambda: cluster.working(a, *names))
    assert (held_by(a) & held_by(b), held_by(a) | held_by(b)) == (set(), set(names))
    for name in names:
        wait_for(lambda name=name: send(b, name, name).status == 201)  # a connection may still be found broken
    wait_for(lambda: set(names) <= set(cluster.bodies()))


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose workers have a machine each, with PostgreSQL and the receiver on this one."""
    try:
        with (
            Networks() as networks,
            Postgres(tmp_path, networks.address) as postgres,
            Receiver(host=networks.address) as receiver,
        ):
            found = Cluster(tmp_path, postgres, receiver)
            found.networks = networks
            yield found
            for worker in found.workers.values():
                worker.__exit__(None, None, None)
    except NoNetworks as error:
        missing(str(error))


@pytest.mark.long
def test_a_worker_that_is_cut_off_has_let_go_before_others_take_over_and_comes_back(apart: Cluster) -> None:
    networks = apart.networks
    assert networks is not None
    workers = [apart.start(name) for name in "abc"]
    names = [f"s{number}" for number in range(12)]
    for number, name in enumerate(names):
        apart.begin(workers[number % 3], name)
    wait_for(lambda: apart.working(workers[0], *names))
    victim = apart.busiest("abc")
    cut, rest = apart.workers[victim], [worker for name, worker in apart.workers.items() if name != victim]
    its = held_by(cut)
    assert its
    with Traffic(workers, names) as traffic:
        traffic.goes_on()
        networks.cut(victim)
        wait_for(lambda: "this worker stops its sessions" in cut.log)
        gone_ms = {victim: time.time_ns() // 1_000_000}
        assert not its & (held_by(rest[0]) | held_by(rest[1]))  # nobody has taken them yet
        wait_for(lambda: held_by(rest[0]) | held_by(rest[1]) == set(names))
        assert held_by(cut) == set()
        wait_for(lambda: apart.working(rest[0], *names))
        traffic.goes_on()
        assert send(cut, names[0], "refused").status == 503
        networks.mend(victim)
        for worker in workers:
            wait_for(lambda worker=worker: alive(worker) == ["a", "b", "c"])
        wait_for(lambda: send(cut, names[0], "back").status == 201)
        traffic.goes_on()
    assert not traffic.wrong
    wait_for(lambda: {"back", *traffic.accepted} <= set(apart.bodies()))
    check_ownership(apart.journal(), gone_ms)
    for worker in rest:
        worker.stop()
    wait_for(lambda: held_by(cut) == set(names))  # it is one of them again
    check_ownership(apart.journal(), gone_ms)


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


@pytest.mark.long
def test_sessions_wait_for_their_worker_where_they_are_not_to_move(cluster: Cluster) -> None:
    a, b = (cluster.start(name, WAXBILL_TAKE_OVER="false") for name in "ab")
    wait_for(lambda: alive(a) == alive(b) == ["a", "b"])
    cluster.begin(a, *[f"s{number}" for number in range(8)])
    wait_for(lambda: set(cluster.owners().values()) == {"a", "b"})
    owners = cluster.owners()
    its = [name for name, owner in owners.items() if owner == "a"]
    for end in (a.stop, a.kill):
        end()
        wait_for(lambda: alive(b) == ["b"])
        refused = send(b, its[0], "refused")
        assert (refused.status, "waits for its worker 'a'" in refused.text) == (503, True)
        assert cluster.owners() == owners
        a.start()
        wait_for(lambda: cluster.working(b, *owners))
        wait_for(lambda: send(b, its[0], "sent").status == 201)
    check_ownership(cluster.journal())


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
