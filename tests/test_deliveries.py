"""Deliveries for operators, and receivers that misbehave."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from waxbill.delivery.http import proxy_for
from waxbill.delivery.outbox import PORTION, Outbox
from waxbill.model.sessions import WebhookConfig
from waxbill.sqlite import SqliteStore
from waxbill.store import Store
from waxbill.testing import Receiver, ServerProcess

from .simulating import Simulator
from .test_webhooks import begin, bodies, send

Serve = Callable[..., ServerProcess]
QUICK = {"policy": "constant", "delaySeconds": 0.02, "attempts": 1}


def hook(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "events": ["message.any"], "retries": QUICK, **more}


def wait_for(reached: Callable[[], Any], seconds: float = 10.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := reached()):
        assert time.monotonic() < end
        time.sleep(0.01)  # the API has no call that waits for it
    return found


def deliveries(server: ServerProcess, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("/api/waxbill/deliveries", query=query).json()
    return found


def replay(server: ServerProcess, **body: Any) -> int:
    answer = server.post("/api/waxbill/deliveries/replay", body)
    assert answer.status == 201, answer.text
    return int(answer.json()["replayed"])


def test_what_was_delivered_is_listed_with_its_attempts(serve: Serve) -> None:
    answers = iter([500])
    with Receiver(lambda received: next(answers, 200)) as receiver:
        server = serve()
        begin(server, hook(receiver.url))
        send(server, "hello")
        receiver.wait_for_count(2)
        done = wait_for(lambda: deliveries(server, state="done"))
    assert [(d["event"], d["session"], d["state"], d["attempts"], d["url"]) for d in done] == [
        ("message.any", "s", "done", 2, receiver.url)
    ]
    attempts = server.get("/api/waxbill/deliveries/attempts", query={"eventId": done[0]["event_id"]}).json()
    assert [(a["attempt"], a["status"], a["ok"]) for a in attempts] == [(2, 200, True), (1, 500, False)]
    assert all(a["ms"] > 0 for a in attempts)
    body = server.get(f"/api/waxbill/deliveries/events/{done[0]['event_id']}")
    assert body.body == receiver.received[0].body
    assert deliveries(server, state="dead") == deliveries(server, state="pending") == []


def test_dead_letters_are_replayed_and_dropped(serve: Serve) -> None:
    with Receiver(lambda received: 500) as receiver:
        server = serve()
        begin(server, hook(receiver.url))
        for text in "ab":
            send(server, text)
        dead = wait_for(lambda: len(deliveries(server, state="dead")) == 2 and deliveries(server, state="dead"))
        assert "500" in dead[0]["error"]
        receiver.answer = lambda received: 200
        receiver.received.clear()
        assert replay(server, eventIds=[dead[1]["event_id"]], dead=True) == 1
        receiver.wait_for_count(1)
        assert bodies(receiver) == ["a"]
        assert receiver.events[0]["id"] == dead[1]["event_id"], "the id stays the same"
        wait_for(lambda: len(deliveries(server, state="dead")) == 1)
        assert server.delete("/api/waxbill/deliveries/dead?session=nobody").json() == {"forgotten": 0}
        assert server.delete("/api/waxbill/deliveries/dead").json() == {"forgotten": 1}
        assert deliveries(server, state="dead") == []


def test_a_time_range_and_a_session_are_replayed_in_order(serve: Serve, receiver: Receiver) -> None:
    server = serve()
    begin(server, hook(receiver.url))
    for text in "abc":
        send(server, text)
    first, middle, last = (event["timestamp"] for event in receiver.wait_for_count(3))
    wait_for(lambda: not deliveries(server, state="pending"))
    receiver.received.clear()
    assert replay(server, session="s") == 3
    receiver.wait_for_count(3)
    assert bodies(receiver) == ["a", "b", "c"]
    wait_for(lambda: not deliveries(server, state="pending"))
    assert replay(server, since=last + 60_000) == 0
    assert replay(server, since=first - 1000, until=last + 1000) == 3
    receiver.wait_for_count(6)
    assert replay(server, session="nobody") == 0
    assert server.post("/api/waxbill/deliveries/replay", {}).status == 400
    assert middle


def test_a_webhook_is_paused_by_hand_and_resumed(serve: Serve, receiver: Receiver) -> None:
    server = serve()
    begin(server, hook(receiver.url))
    (lane,) = server.get("/api/waxbill/webhooks").json()
    assert server.post(f"/api/waxbill/webhooks/{lane['id']}/pause").status == 201
    send(server, "wait")
    wait_for(lambda: server.get("/api/waxbill/webhooks").json()[0]["pending"] == 1)
    restarted = server.restart()
    restarted.wait_for_status("s", "WORKING")
    assert restarted.get("/api/waxbill/webhooks").json()[0]["paused"] == "hand"
    assert receiver.received == []
    assert restarted.post(f"/api/waxbill/webhooks/{lane['id']}/resume").status == 201
    receiver.wait_for_count(1)
    assert restarted.post("/api/waxbill/webhooks/999/pause").status == 404
    assert restarted.post("/api/waxbill/webhooks/x/pause").status == 400


def test_a_webhook_that_keeps_failing_is_paused_and_woken_by_a_probe(serve: Serve) -> None:
    with Receiver(lambda received: 500) as receiver:
        server = serve(WAXBILL_HOOK_PAUSE_AFTER="2", WAXBILL_HOOK_PROBE_SECONDS="0.1")
        begin(server, hook(receiver.url))
        for text in "abcd":
            send(server, text)
        assert server.wait_for_log(lambda line: "is paused" in line)
        (lane,) = server.get("/api/waxbill/webhooks").json()
        assert (lane["paused"], lane["dead"], lane["pending"]) == ("failing", 2, 2)
        receiver.answer = lambda received: 200
        assert server.wait_for_log(lambda line: "is resumed" in line)
        receiver.wait_for(lambda event: event["payload"]["body"] == "d")
        wait_for(lambda: server.get("/api/waxbill/webhooks").json()[0]["pending"] == 0)
        assert server.get("/api/waxbill/webhooks").json()[0]["paused"] == ""
    assert bodies(receiver)[-2:] == ["c", "d"], "what came meanwhile waited in line"


def test_the_journal_has_an_end(serve: Serve, receiver: Receiver) -> None:
    server = serve(WAXBILL_EVENTS_KEEP="2")
    begin(server, hook(receiver.url))
    for text in "abcd":
        send(server, text)
    receiver.wait_for_count(4)
    wait_for(lambda: len(deliveries(server, state="done")) == 4)
    server.restart()
    assert len(deliveries(server, state="done")) == 2
    assert replay(server, session="s") == 2


def counted(store: Store) -> tuple[int, int]:
    """How many events and attempts there are."""
    (events,) = store.read().execute("SELECT count(*) FROM event WHERE name = 'message'").fetchone()
    (attempts,) = store.read().execute("SELECT count(*) FROM attempt").fetchone()
    return events, attempts


def test_the_journal_is_shortened_in_portions(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.sqlite3")
    outbox = Outbox(store)
    (lane,) = outbox.set_lanes("s", [WebhookConfig(url="http://127.0.0.1:1", events=["message"])])["message"]
    with store.write() as db:
        for number in range(3 * PORTION):
            outbox.put(f"evt_{number}", "message", "s", b"", (lane,) if number == 10 else ())
        logged = [(event, n) for event in range(1, PORTION + 1) for n in range(3)]
        db.executemany("INSERT INTO attempt VALUES (NULL, ?, 1, ?, 0, 0, 500, 1.0, '')", logged)
    after: int | None = 0
    steps = []
    while after is not None:
        before = counted(store)
        after = outbox.prune(3600, 100, after)
        steps.append([was - now for was, now in zip(before, counted(store), strict=True)])
    assert all(most <= PORTION for step in steps for most in step), steps
    assert counted(store) == (101, 0)  # the last hundred, and the one that somebody waits for
    assert store.read().execute("SELECT upto FROM pruned").fetchone() == (3 * PORTION - 100,)
    store.close()


def test_others_have_their_turn_while_the_journal_is_shortened(simulators: Callable[..., Simulator]) -> None:
    server = simulators(WAXBILL_EVENTS_KEEP="0").server
    with server.store.write():
        for number in range(3 * PORTION):
            server.outbox.put(f"evt_{number}", "message", "s", b"", ())
    server.start()  # at a start, and every minute
    assert counted(server.store)[0] == 2 * PORTION
    wait_for(lambda: server.clock.run_due() and not counted(server.store)[0])


def test_only_admins_see_deliveries(serve: Serve) -> None:
    server = serve(key="secret", WHATSAPP_START_SESSION="s")
    key = server.post("/api/keys", {"session": "s"}).json()["key"]
    for path in ("deliveries", "deliveries/attempts", "webhooks"):
        assert server.get(f"/api/waxbill/{path}", headers={"X-Api-Key": key}).status == 403
        assert server.get(f"/api/waxbill/{path}", headers={"X-Api-Key": "guessed"}).status == 401


def test_the_command_line_lists_and_replays(serve: Serve, receiver: Receiver, waxbill: Any) -> None:
    server = serve(key="secret")
    begin(server, hook(receiver.url))
    send(server, "hello")
    receiver.wait_for_count(1)
    wait_for(lambda: deliveries(server, state="done"))
    settings = {"PORT": str(server.port), "WAHA_API_KEY": "secret"}
    listed = waxbill("deliveries", "list", **settings)
    assert "message.any" in listed.stdout, listed.stderr
    assert receiver.url in waxbill("deliveries", "webhooks", **settings).stdout
    assert "200" in waxbill("deliveries", "attempts", **settings).stdout
    assert waxbill("deliveries", "replay", "--session", "s", **settings).stdout.startswith("1 deliveries")
    receiver.wait_for_count(2)
    paused = waxbill("deliveries", "pause", "1", **settings)
    assert paused.stdout == "webhook 1: paused\n"
    refused = waxbill("deliveries", "list", **{**settings, "WAHA_API_KEY": "wrong"})
    assert (refused.returncode, "key" in refused.stderr) == (1, True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = waxbill("deliveries", "list", PORT=str(free.getsockname()[1]))
    assert (nobody.returncode, "No server answers" in nobody.stderr) == (1, True)


def test_standard_webhooks_can_be_verified(serve: Serve, receiver: Receiver) -> None:
    server = serve(WAXBILL_STANDARD_WEBHOOKS="true")
    secret = base64.b64encode(b"a shared secret of 24 byt").decode()
    begin(server, hook(receiver.url, hmac={"key": f"whsec_{secret}"}))
    send(server, "signed")
    event = receiver.wait_for(lambda event: True)
    (received,) = receiver.received
    assert received.headers["webhook-id"] == event["id"]
    signed = b".".join((event["id"].encode(), received.headers["webhook-timestamp"].encode(), received.body))
    expected = base64.b64encode(hmac.new(base64.b64decode(secret), signed, hashlib.sha256).digest()).decode()
    assert received.headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 60


# -- receivers that misbehave


@contextmanager
def answering(answer: Callable[[socket.socket], None], wrap: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on loopback that reads a request and then does as told; answers its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve_one(connection: socket.socket) -> None:
        try:
            with wrap.wrap_socket(connection, server_side=True) if wrap else connection as client:
                client.recv(65536)
                answer(client)
        except OSError:
            return  # the other side had enough, which is what these tests are about

    def serve_all() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    threading.Thread(target=serve_all, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        stopping.set()
        listener.close()


def dead_letter(server: ServerProcess, url: str, **more: Any) -> str:
    """What is said of a delivery that dies at this receiver, while another one gets it."""
    with Receiver() as healthy:
        begin(server, {**hook(url), "retries": {"attempts": 0}}, hook(healthy.url))
        send(server, "hello")
        healthy.wait_for_count(1)
        (dead,) = wait_for(lambda: deliveries(server, state="dead"), 20)
    assert dead["url"] == url
    assert server.wait_for_log(lambda line: "dead letter" in line and url in line)
    assert replay(server, dead=True) == 1, "it is not lost"
    return str(dead["error"])


def test_one_that_never_answers(serve: Serve) -> None:
    with answering(lambda client: time.sleep(20)) as port:
        assert "timed out" in dead_letter(serve(WAXBILL_HOOK_TIMEOUT_SECONDS="0.3"), f"http://127.0.0.1:{port}/")


def test_one_that_answers_forever_slowly(serve: Serve) -> None:
    def drip(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        for _ in range(400):
            client.sendall(b"a")
            time.sleep(0.05)  # the pace of the attack

    with answering(drip) as port:
        server = serve(WAXBILL_HOOK_TIMEOUT_SECONDS="1", WAXBILL_HOOK_TOTAL_SECONDS="0.5")
        assert "within 0.5 s" in dead_letter(server, f"http://127.0.0.1:{port}/")


def test_one_that_sends_ten_gigabytes(serve: Serve) -> None:
    sent = 0

    def flood(client: socket.socket) -> None:
        nonlocal sent
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
        while True:
            sent += client.send(bytes(65536))

    with answering(flood) as port:
        server = serve()
        begin(server, hook(f"http://127.0.0.1:{port}/"))
        send(server, "hello")
        wait_for(lambda: deliveries(server, state="done"))
        line = next(
            line for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if line.startswith("VmHWM")
        )
    assert sent < 64 * 1024 * 1024
    assert int(line.split()[1]) < 80 * 1024


def test_one_with_a_bad_certificate(serve: Serve, tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with answering(lambda client: client.sendall(b"HTTP/1.1 200 OK\r\n\r\n"), context) as port:
        assert "certificate" in dead_letter(serve(), f"https://localhost:{port}/").lower()


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "http://0.0.0.0:9/"])
def test_addresses_that_no_delivery_goes_to(serve: Serve, url: str) -> None:
    assert "Refused" in dead_letter(serve(), url)


def test_private_addresses_can_be_switched_off(serve: Serve, receiver: Receiver) -> None:
    server = serve(WAXBILL_ALLOW_PRIVATE_ADDRESSES="false")
    begin(server, {**hook(receiver.url), "retries": {"attempts": 0}})
    send(server, "hello")
    (dead,) = wait_for(lambda: deliveries(server, state="dead"))
    assert "private" in dead["error"]
    assert receiver.received == []


def test_redirects_are_followed_only_where_that_is_allowed(serve: Serve, receiver: Receiver) -> None:
    def elsewhere(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 307 Moved\r\nContent-Length: 0\r\nLocation: " + receiver.url.encode() + b"\r\n\r\n")

    with answering(elsewhere) as port:
        url = f"http://127.0.0.1:{port}/"
        strict = serve()
        begin(strict, {**hook(url), "retries": {"attempts": 0}})
        send(strict, "kept")
        (dead,) = wait_for(lambda: deliveries(strict, state="dead"))
        assert "307" in dead["error"]
        assert receiver.received == []
        strict.environment["WAXBILL_HOOK_REDIRECTS"] = "1"
        strict.restart()
        strict.wait_for_status("s", "WORKING")
        send(strict, "followed")
        receiver.wait_for_count(1)
    assert bodies(receiver) == ["followed"]


def test_one_host_gets_no_more_deliveries_at_once_than_allowed(serve: Serve) -> None:
    flying, most = 0, 0
    lock, release = threading.Lock(), threading.Event()

    def hold(received: Any) -> int:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        release.wait(10)
        with lock:
            flying -= 1
        return 200

    with Receiver(hold) as slow, Receiver() as fast:
        server = serve(WAXBILL_HOOK_PER_HOST="2", WAXBILL_HOOK_WORKERS="4")
        begin(server, *(hook(f"{slow.url}/{number}") for number in range(4)), hook(fast.url))
        send(server, "hello")
        fast.wait_for_count(1)
        slow.wait_for_count(2)
        release.set()
        slow.wait_for_count(4)
    assert most == 2


def test_connections_to_many_receivers_are_not_all_kept(serve: Serve) -> None:
    many = [f"127.0.0.{number}" for number in range(1, 31)]
    with Receiver(host="0.0.0.0") as receiver:
        server = serve(WAXBILL_HOOK_WORKERS="1")
        begin(server, *(hook(f"http://{address}:{receiver.port}/") for address in many))
        for count in (30, 60):
            send(server, "hello")
            receiver.wait_for_count(count)
        wait_for(lambda: not deliveries(server, state="pending"))
        connected = [
            connection
            for connection in psutil.Process(server.pid).net_connections("tcp")
            if connection.raddr and connection.raddr.port == receiver.port
        ]
    assert 1 <= len(connected) <= 8


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "proxy"),
        ({"http_proxy": "proxy:3128"}, "proxy"),
        ({"HTTPS_PROXY": "http://proxy:3128"}, None),
        ({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "other,.example.com"}, None),
        ({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "ample.com"}, "proxy"),
        ({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, None),
    ],
)
def test_proxies_of_the_environment(environment: dict[str, str], expected: str | None) -> None:
    found = proxy_for("http", "hooks.example.com", environment)
    assert (found.hostname if found else None) == expected


def test_a_delivery_goes_through_the_proxy(serve: Serve) -> None:
    asked: list[bytes] = []

    def proxy(client: socket.socket) -> None:
        asked.append(b"asked")
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with answering(proxy) as port:
        server = serve(HTTP_PROXY=f"http://127.0.0.1:{port}")
        begin(server, hook("http://hooks.invalid/in"))
        send(server, "hello")
        wait_for(lambda: deliveries(server, state="done"))
    assert asked
