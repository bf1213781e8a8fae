"""Live events over WebSocket (with a client that others wrote) and as Server-Sent Events."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from waxbill.delivery.outbox import Outbox
from waxbill.sqlite import SqliteStore
from waxbill.streams.connection import Connection
from waxbill.streams.hub import Hub
from waxbill.streams.sse import EventStream
from waxbill.testing import ServerProcess

websocket = pytest.importorskip("websocket", reason="websocket-client is not installed")

Serve = Callable[..., ServerProcess]
CHAT = "49301234567@c.us"


@pytest.fixture
def server(serve: Serve) -> ServerProcess:
    server = serve(key="secret", WHATSAPP_START_SESSION="s,t")
    for name in ("s", "t"):
        server.wait_for_status(name, "WORKING")
    return server


@contextmanager
def connected(server: ServerProcess, query: str = "", key: str = "secret") -> Iterator[Any]:
    url = f"ws://127.0.0.1:{server.port}/ws?x-api-key={key}&{query}"
    client = websocket.create_connection(url, timeout=10)
    with client.sock:  # the client forgets to close its socket when the server has let go first
        yield client
        client.close()


def send(server: ServerProcess, text: str, session: str = "s") -> None:
    assert server.post("/api/sendText", {"session": session, "chatId": CHAT, "text": text}).status == 201


def next_event(client: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(client.recv())
    return event


def texts(client: Any, count: int) -> list[str]:
    return [next_event(client)["payload"]["body"] for _ in range(count)]


def closing(client: Any) -> tuple[int, str]:
    """The code and the reason with which the server closes."""
    while True:
        opcode, data = client.recv_data(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2], "big"), data[2:].decode()


def test_events_come_as_they_go_to_webhooks(server: ServerProcess) -> None:
    with connected(server, "session=s&events=message.any") as client:
        send(server, "grüße")
        event = next_event(client)
    assert (event["event"], event["session"], event["payload"]["body"]) == ("message.any", "s", "grüße")
    assert event["id"].startswith("evt_")
    assert event["environment"]["version"]


def test_sessions_and_events_are_chosen(server: ServerProcess) -> None:
    with (
        connected(server, "session=t&events=message.any") as one,
        connected(server, "events=message.any,session.status") as both,
        connected(server, "events=message.any&events=nope&events=session.status") as repeated,
        connected(server) as everything,
    ):
        send(server, "in s", "s")
        send(server, "in t", "t")
        assert texts(one, 1) == ["in t"]
        assert texts(both, 2) == texts(repeated, 2) == texts(everything, 2) == ["in s", "in t"]
        server.post("/api/sessions/s/stop")
        for client in (both, repeated, everything):
            assert next_event(client)["payload"]["status"] == "STOPPED"


def test_acknowledgements_are_told_to_who_came_after_the_session_started(serve: Serve) -> None:
    server = serve(key="secret", WHATSAPP_START_SESSION="s", WAXBILL_MOCK_READ_SECONDS="0.6")
    server.wait_for_status("s", "WORKING")
    send(server, "before anybody listened")
    with connected(server, "session=s&events=message.ack") as client:
        sent = server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": "x"}).json()["id"]["_serialized"]
        told = [next_event(client)["payload"] for _ in range(2)]
    assert [(each["id"], each["ackName"]) for each in told] == [(sent, "DEVICE"), (sent, "READ")]


def test_a_session_may_come_later(server: ServerProcess) -> None:
    with connected(server, "session=later&events=session.status") as client:
        server.post("/api/sessions", {"name": "later"})
        assert next_event(client)["payload"]["status"] == "STARTING"


@pytest.mark.parametrize("key", ["", "guessed"])
def test_a_wrong_key_is_told_with_a_close_code(server: ServerProcess, key: str) -> None:
    with connected(server, key=key) as client:
        assert closing(client) == (1008, "Unauthorized")


def test_a_sessions_key_hears_of_its_session_only(server: ServerProcess) -> None:
    key = server.post("/api/keys", {"session": "t", "actions": {"read": True}}).json()["key"]
    deaf = server.post("/api/keys", {"session": "t", "actions": {"send": True}}).json()["key"]
    with connected(server, "session=s", key) as client:
        assert closing(client) == (1008, "Forbidden")
    with connected(server, "", deaf) as client:
        assert closing(client) == (1008, "Forbidden")
    with connected(server, "events=message.any", key) as client:
        send(server, "not for t", "s")
        send(server, "for t", "t")
        assert texts(client, 1) == ["for t"]


def test_pings_are_answered_and_what_clients_say_is_not_listened_to(server: ServerProcess) -> None:
    with connected(server, "events=message.any") as client:
        client.send("hello?")
        client.ping("are you there")
        opcode, data = client.recv_data(control_frame=True)
        assert (opcode, data) == (websocket.ABNF.OPCODE_PONG, b"are you there")
        send(server, "still here")
        assert texts(client, 1) == ["still here"]


def test_a_message_that_is_too_long_ends_the_connection(server: ServerProcess) -> None:
    with connected(server) as client:
        client.send("x" * 100_000)
        assert closing(client)[0] == 1009


def test_the_end_of_the_server_is_said(server: ServerProcess) -> None:
    with connected(server) as client:
        client.settimeout(10)
        stopping = server.post("/api/server/stop", {})
        assert stopping.status == 201
        assert closing(client)[0] == 1001


def test_who_reads_too_slowly_is_dropped_and_holds_up_nobody(server: ServerProcess) -> None:
    long_text = "x" * 60_000
    with (
        connected(server, "events=message.any") as slow,
        connected(server, "events=message.any") as fast,
    ):
        for number in range(200):
            send(server, f"{number} {long_text}")
            assert next_event(fast)["payload"]["body"].startswith(f"{number} ")
        received = 0
        while True:
            opcode, data = slow.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                break
            received += 1
    assert int.from_bytes(data[:2], "big") == 1013
    assert received < 200


def test_a_client_that_comes_back_gets_what_it_missed(server: ServerProcess) -> None:
    with connected(server, "events=message.any") as client:
        send(server, "seen")
        last = next_event(client)["id"]
    for number in range(500):
        send(server, str(number))
    with connected(server, f"events=message.any&lastEventId={last}") as client:
        send(server, "new")
        assert texts(client, 501) == [*map(str, range(500)), "new"]


def test_a_client_that_falls_behind_what_is_kept_is_told(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "waxbill.sqlite3")
    outbox, hub = Outbox(store), Hub(store, 3600)
    ours, theirs = socket.socketpair()
    try:
        with store.write():
            for number in range(600):
                outbox.put(f"evt_{number:03}", "message.any", "s", b"x" * 10_000, ())
        hub.add(Connection(ours, EventStream(), b"", "*", frozenset({"message.any"}), "evt_000"))
        theirs.settimeout(10)
        received = theirs.recv(1000)
        assert outbox.prune(0, 0, outbox.prune(0, 0) or 0) is None
        while b": 1013" not in received[-100:]:
            received += theirs.recv(1 << 20)
    finally:
        hub.close()
        theirs.close()
        store.close()
    assert received.startswith(b"id: evt_001")
    assert b"id: evt_599" not in received


def test_what_was_missed_comes_after_a_kill(server: ServerProcess) -> None:
    with connected(server, "events=message.any") as client:
        send(server, "seen")
        last = next_event(client)["id"]
    send(server, "missed")
    server.kill()
    server.start()
    server.wait_for_status("s", "WORKING")
    with connected(server, f"events=message.any&lastEventId={last}") as client:
        assert texts(client, 1) == ["missed"]


def test_there_are_as_many_streams_as_allowed(serve: Serve) -> None:
    server = serve(key="secret", WAXBILL_MAX_STREAMS="1")
    with connected(server), connected(server) as second:
        assert closing(second)[0] == 1013
        answer = server.get("/api/events/stream")
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")


def test_a_plain_request_is_told_to_upgrade(server: ServerProcess) -> None:
    answer = server.get("/ws")
    assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")
    assert "no WebSocket handshake" in answer.json()["message"]


def test_many_clients_cost_little(serve: Serve) -> None:
    server = serve(key="secret", WHATSAPP_START_SESSION="s")
    server.wait_for_status("s", "WORKING")

    def memory() -> int:
        lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

    with connected(server, "events=message.any") as first:
        send(server, "warm")
        texts(first, 1)
        before = memory()
        with ExitStack() as stack:
            clients = [stack.enter_context(connected(server, "events=message.any")) for _ in range(200)]
            send(server, "for all")
            for client in [first, *clients]:
                assert texts(client, 1) == ["for all"]
            assert (memory() - before) / len(clients) < 20, "KB for each"


# -- Server-Sent Events


@contextmanager
def listening(server: ServerProcess, query: str = "", **headers: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", f"/api/events/stream?{query}", headers={"X-Api-Key": "secret", **headers})
    try:
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()


def next_message(response: http.client.HTTPResponse) -> dict[str, str]:
    fields: dict[str, str] = {}
    while True:
        line = response.readline().decode().rstrip("\n")
        if not line and fields:
            return fields
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def test_the_same_events_for_plain_http(server: ServerProcess) -> None:
    with listening(server, "events=message.any") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        send(server, "first")
        message = next_message(response)
        assert message["event"] == "message.any"
        assert json.loads(message["data"])["payload"]["body"] == "first"
    send(server, "missed")
    with listening(server, "events=message.any", **{"Last-Event-ID": message["id"]}) as response:
        again = next_message(response)
    assert json.loads(again["data"])["payload"]["body"] == "missed"


@pytest.mark.parametrize(
    ("query", "key", "status"), [("", "guessed", 401), ("events=nope", "secret", 400), ("session=s", "", 401)]
)
def test_streams_that_are_refused(server: ServerProcess, query: str, key: str, status: int) -> None:
    with listening(server, query, **{"X-Api-Key": key}) as response:
        assert response.status == status


def test_clients_that_go_away_are_forgotten(server: ServerProcess) -> None:
    for _ in range(30):
        with connected(server, "events=message.any"):
            pass
    with connected(server, "events=message.any") as client:
        send(server, "after them")
        assert texts(client, 1) == ["after them"]
    end = time.monotonic() + 10
    while len(list(Path(f"/proc/{server.pid}/fd").iterdir())) > 40:
        assert time.monotonic() < end, "their sockets are still open"
        time.sleep(0.05)  # nothing tells when the kernel has closed them
