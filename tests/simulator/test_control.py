"""Time that is set, chance that is repeatable, faults, scripted replies, an outbox to wait for, kept states."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from waxbill.clock import Clock
from waxbill.testing import ServerProcess
from waxbill_mock import world as world_module
from waxbill_mock.world import World

from ..conftest import ON_POSTGRES
from ..contract.scenario import ANA, BO, CONTROL, FILE
from ..simulating import ENGINES, Simulator

Simulators = Callable[..., Simulator]
MOCK = "/api/waxbill/mock"
NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z


@pytest.fixture
def simulator(simulators: Simulators) -> Simulator:
    return simulators()


def stop_time(simulator: Simulator) -> None:
    simulator.call("PUT", f"{MOCK}/clock", {"now": NOON, "frozen": True}, status=200)


def send(simulator: Simulator, text: str, status: int = 201, chat: str = ANA) -> Any:
    return simulator.call("POST", "/api/sendText", {"session": "s", "chatId": chat, "text": text}, status=status)


def sent(simulator: Simulator, **query: Any) -> list[Any]:
    return [message["text"] for message in simulator.call("GET", f"{MOCK}/outbox", status=200, **query)]


# -- time and chance


def test_time_stands_still_and_moves_on_demand(each: Simulator) -> None:
    stop_time(each)
    send(each, "hi")
    message = each.call("GET", f"/api/{{s}}/chats/{ANA}/messages")[0]
    assert (message["timestamp"], message["ackName"]) == (NOON // 1000, "SERVER")
    assert each.event("message.any")["timestamp"] == NOON
    assert each.call("POST", f"{MOCK}/clock/advance", {"by": "600ms"}, status=201)["now"] == "2026-01-01T12:00:00.600Z"
    assert each.payload("message.ack")["ackName"] == "DEVICE"
    ran = each.call("POST", f"{MOCK}/clock/advance", {"by": "1h"})["ran"]
    assert ran >= 1
    assert [event["payload"]["ackName"] for event in each.events_as_json() if event["event"] == "message.ack"] == [
        "DEVICE",
        "READ",
    ]
    each.call("PUT", f"{MOCK}/clock", {"real": True}, status=200)
    assert each.call("GET", f"{MOCK}/clock")["real"] is True


def test_time_that_is_set_and_stopped_is_exact_while_the_clock_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(NOON + 5000)
    monkeypatch.setattr(world_module, "now_ms", lambda: next(ticks))  # a millisecond later at every look
    world, ran = World(Clock()), []
    world.call_later(60, lambda: ran.append(world.now_ms()))
    assert (world.freeze(NOON), world.now_ms(), world.now_ms()) == (0, NOON, NOON)
    world.resume()
    assert NOON < world.now_ms() < NOON + 100
    assert (world.freeze(NOON + 3_600_000), world.now_ms()) == (1, NOON + 3_600_000)
    assert len(ran) == 1
    assert abs(ran[0] - NOON - 60_000) < 100, "what was due ran at its own time"


def test_a_status_is_gone_after_a_simulated_day(simulator: Simulator) -> None:
    stop_time(simulator)
    simulator.call("POST", "/api/{s}/status/text", {"text": "today"}, status=201)
    statuses = "/api/{s}/chats/status@broadcast/messages"
    assert len(simulator.call("GET", statuses)) == 1
    simulator.call("POST", f"{MOCK}/clock/advance", {"by": "25h"})
    assert simulator.call("GET", statuses) == []


def test_qr_codes_expire_by_simulated_time(simulators: Simulators) -> None:
    def unscanned(simulator: Simulator) -> None:
        simulator.call("PUT", f"{MOCK}/clock", {"frozen": True})
        simulator.call("POST", f"{MOCK}/clock/advance", {"by": "59s"})
        assert len(simulator.events("session.status")) == 2
        simulator.call("POST", f"{MOCK}/clock/advance", {"by": "10m"})

    simulator = simulators(pair=unscanned, WAXBILL_MOCK_SCAN_SECONDS="-1")
    statuses = [event["payload"].status for event in simulator.events("session.status")]
    assert statuses == ["STARTING", *["SCAN_QR_CODE"] * 6, "FAILED"]


def test_time_that_is_released_runs_on_from_where_it_was(simulator: Simulator) -> None:
    stop_time(simulator)
    send(simulator, "hi")
    simulator.call("PUT", f"{MOCK}/clock", {"frozen": False})
    assert 0 <= simulator.call("GET", f"{MOCK}/clock")["nowMs"] - NOON < 60_000
    simulator.event("message.ack")


def test_the_same_seed_and_time_lead_to_the_same_ids(simulators: Simulators) -> None:
    def live(simulator: Simulator) -> list[Any]:
        stop_time(simulator)
        simulator.call("PUT", f"{MOCK}/seed", {"seed": 42}, status=200)
        answers = [send(simulator, "hi"), simulator.call("POST", f"{CONTROL}/messages", {"from": ANA, "text": "yo"})]
        answers.append(simulator.call("POST", f"{CONTROL}/groups", {"creator": BO, "subject": "G"}, status=201))
        answers.append(simulator.call("POST", f"{CONTROL}/calls", {"from": BO}))
        return answers

    first, second = live(simulators()), live(simulators())
    assert first == second
    other = simulators()
    stop_time(other)
    other.call("PUT", f"{MOCK}/seed", {"seed": 43})
    assert other.call("POST", f"{CONTROL}/groups", {"creator": BO, "subject": "G"}) != first[2]


# -- faults


def test_operations_fail_as_often_as_they_were_told_to(simulator: Simulator) -> None:
    fault = {"operation": "sendText", "errorRate": 1, "times": 2, "status": 429, "message": "Slow down."}
    simulator.call("PUT", f"{CONTROL}/faults", {"operations": [fault]}, status=200)
    assert send(simulator, "a", 429)["message"] == "Slow down."
    simulator.call("POST", f"{CONTROL}/replies", {"when": {}, "text": "ok"}, status=201)  # resets no count
    send(simulator, "b", 429)
    send(simulator, "c")
    assert sent(simulator) == ["c"]


def test_a_failing_operation_with_500_looks_like_the_engines_own(simulator: Simulator) -> None:
    simulator.call("PUT", f"{CONTROL}/faults", {"operations": [{"errorRate": 1}]})
    assert send(simulator, "a", 500)["exception"]["name"] == "SimulatedFault"
    simulator.call("DELETE", f"{CONTROL}/faults", status=200)
    send(simulator, "b")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"operation": "sentText"}, "send_text"),
        ({"latency": "2 weeks"}, "latency must be a duration"),
        ({"latency": "10m"}, "at most 60 s"),
        ({"errorRate": 1.5}, "errorRate"),
        ({"status": 200}, "status"),
    ],
)
def test_a_fault_that_can_not_be_simulated_is_refused(simulator: Simulator, fault: Any, said: str) -> None:
    answer = simulator.call("PUT", f"{CONTROL}/faults", {"operations": [fault]}, status=400)
    assert said in str(answer["message"])
    send(simulator, "fine")


def test_events_come_twice_or_late(simulator: Simulator) -> None:
    def told(faults: Any) -> list[Any]:
        simulator.call("PUT", f"{CONTROL}/faults", faults, status=200)
        simulator.forget_events()
        for text in ("1", "2"):
            simulator.call("POST", f"{CONTROL}/messages", {"from": ANA, "text": text})
        simulator.run_until(lambda: len(simulator.events("message")) >= 2)
        return [event["payload"]["body"] for event in simulator.events("message", "message.any")]

    assert told({"duplicateEvents": 1}) == ["1"] * 4 + ["2"] * 4
    assert len({event["id"] for event in simulator.events()}) == len(simulator.events()), "each is an event of its own"
    simulator.call("PUT", f"{CONTROL}/faults", {"shuffledEvents": 1})
    simulator.forget_events()
    simulator.call("POST", f"{CONTROL}/messages", {"from": ANA, "text": "x"})
    assert [event["event"] for event in simulator.events("message", "message.any")] == ["message.any", "message"]
    assert told({}) == ["1", "1", "2", "2"]


def test_media_that_can_not_be_fetched(each: Simulator) -> None:
    faults = {"incomingMediaFails": True, "outgoingMediaFails": True}
    each.call("PUT", f"{CONTROL}/faults", faults, status=200)
    shown = each.call("POST", f"{CONTROL}/messages", {"from": ANA, "file": FILE}, status=201)
    assert shown["hasMedia"]
    assert shown["media"]["url"] is None
    assert "could not be downloaded" in shown["media"]["error"]["message"]
    body = {"session": "s", "chatId": ANA, "file": {"url": "http://127.0.0.1:9/x.png"}}
    assert "simulated fault" in each.call("POST", "/api/sendImage", body, status=422)["message"]
    each.call("POST", "/api/sendImage", {**body, "file": FILE}, status=201)


def test_a_lost_connection_comes_back(simulator: Simulator) -> None:
    simulator.forget_events()
    simulator.call("POST", f"{CONTROL}/disconnect", {"seconds": 0.2}, status=201)
    assert simulator.call("GET", "/api/sessions/s")["status"] == "STARTING"
    simulator.run_until(lambda: simulator.call("GET", "/api/sessions/s")["status"] == "WORKING")
    assert [event["payload"].status for event in simulator.events("session.status")] == ["STARTING", "WORKING"]


def test_a_banned_number_stays_banned_until_it_is_not(simulator: Simulator) -> None:
    simulator.call("PUT", f"{CONTROL}/faults", {"banned": True}, status=200)
    found = simulator.call("GET", "/api/sessions/s")
    assert (found["status"], found["me"]) == ("FAILED", None)
    assert "banned" in found["engine"]["reason"]
    simulator.call("POST", "/api/sessions/s/restart")
    simulator.run_until(lambda: len(simulator.events("session.status")) == 7)
    assert simulator.call("GET", "/api/sessions/s")["status"] == "FAILED"
    simulator.call("PUT", f"{CONTROL}/faults", {})
    simulator.call("POST", "/api/sessions/s/restart")
    simulator.run_until(lambda: simulator.call("GET", "/api/sessions/s")["status"] == "WORKING")


def test_faults_can_be_set_before_a_session_starts_and_go_when_it_is_deleted(simulator: Simulator) -> None:
    simulator.call("POST", "/api/sessions", {"name": "t", "start": False}, status=201)
    faults = f"{MOCK}/t/faults"
    simulator.call("PUT", faults, {"qrNeverScanned": True}, status=200)
    simulator.call("POST", "/api/sessions/t/start")
    simulator.run_until(lambda: simulator.call("GET", "/api/sessions/t")["status"] == "SCAN_QR_CODE")
    account: Any = simulator.server.sessions.get("t").account
    assert "scan" not in account._timers
    simulator.call("DELETE", "/api/sessions/t")
    simulator.call("POST", "/api/sessions", {"name": "t", "start": False})
    assert simulator.call("GET", faults)["qrNeverScanned"] is False


def test_the_phone_logs_the_device_out(simulator: Simulator) -> None:
    simulator.call("POST", f"{CONTROL}/phone/logout", status=201)
    found = simulator.call("GET", "/api/sessions/s")
    assert (found["status"], found["me"]) == ("FAILED", None)
    assert "logged out on the phone" in found["engine"]["reason"]
    simulator.call("POST", "/api/sessions/s/restart")
    simulator.run_until(lambda: simulator.call("GET", "/api/sessions/s")["status"] == "WORKING")


# -- people who answer by themselves


def test_a_scripted_reply_comes_after_its_time(each: Simulator) -> None:
    stop_time(each)
    reply = {"when": {"regex": r"\border\b"}, "text": "two pizzas", "after": "2s", "quote": True}
    each.call("POST", f"{CONTROL}/replies", reply, status=201)
    send(each, "hello")
    send(each, "your ORDER?")
    each.call("POST", f"{MOCK}/clock/advance", {"by": "1s"})
    assert each.events("message") == []
    each.call("POST", f"{MOCK}/clock/advance", {"by": "1s"})
    (event,) = each.events("message")
    assert (event["payload"]["body"], event["payload"]["from"]) == ("two pizzas", ANA)
    assert event["payload"]["replyTo"]["body"] == "your ORDER?"


def test_scripted_reactions_votes_and_members_of_groups(simulator: Simulator) -> None:
    group = simulator.call("POST", f"{CONTROL}/groups", {"creator": BO, "subject": "G", "participants": [ANA]})["id"]
    for rule in (
        {"when": {"type": "poll"}, "votes": ["b"], "participant": ANA},
        {"when": {"contains": "thanks"}, "reaction": "👍", "times": 1},
        {"when": {"chatId": group}, "text": "hm"},
    ):
        simulator.call("POST", f"{CONTROL}/replies", rule, status=201)
    poll = {"session": "s", "chatId": group, "poll": {"name": "?", "options": ["a", "b"], "multipleAnswers": False}}
    simulator.call("POST", "/api/sendPoll", poll, status=201)
    assert simulator.payload("poll.vote")["vote"]["selectedOptions"] == ["b"]
    send(simulator, "Thanks!", chat=group)
    assert simulator.payload("message.reaction")["reaction"]["text"] == "👍"
    send(simulator, "thanks again", chat=group)
    assert simulator.payload("message")["participant"] == BO, "the rule before answered its one time"
    assert len(simulator.call("GET", f"{CONTROL}/replies")) == 3
    simulator.call("DELETE", f"{CONTROL}/replies")
    assert simulator.call("GET", f"{CONTROL}/replies") == []


@pytest.mark.parametrize(
    "rule", [{"when": {}}, {"when": {"regex": "("}, "text": "x"}, {"when": {}, "text": "x", "after": "soon"}]
)
def test_a_reply_that_can_not_work_is_refused(simulator: Simulator, rule: Any) -> None:
    simulator.call("POST", f"{CONTROL}/replies", rule, status=400)


def test_acknowledgements_by_hand(each: Simulator) -> None:
    stop_time(each)
    send(each, "before")
    each.call("POST", f"{MOCK}/clock/advance", {"by": "1s"})
    each.call("PUT", f"{CONTROL}/acks", {"device": "hand", "read": "hand"}, status=200)
    send(each, "after")
    each.forget_events()
    each.call("POST", f"{MOCK}/clock/advance", {"by": "1d"})
    assert each.events("message.ack") == []
    after, before = each.call("GET", f"/api/{{s}}/chats/{ANA}/messages", limit=2)
    assert (before["ackName"], after["ackName"]) == ("DEVICE", "SERVER")
    for ack in ("DEVICE", "PLAYED"):
        each.call("POST", f"{CONTROL}/messages/{after['id']}/ack", {"ack": ack}, status=201)
        assert each.payload("message.ack")["ackName"] == ack
    each.call("PUT", f"{CONTROL}/acks", {"device": "1s", "read": "2s"})
    each.forget_events()
    send(each, "last")
    each.call("POST", f"{MOCK}/clock/advance", {"by": "1m"})
    acks = [
        (e["payload"]["id"].split("_")[2], e["payload"]["ackName"])
        for e in each.events_as_json()
        if e["event"] == "message.ack"
    ]
    newest = each.call("GET", f"/api/{{s}}/chats/{ANA}/messages", limit=1)[0]["id"].split("_")[2]
    assert (before["id"].split("_")[2], "READ") in acks, "what was sent before goes on"
    assert [ack for key, ack in acks if key == newest] == ["DEVICE", "READ"]
    assert after["id"].split("_")[2] not in [key for key, _ in acks]


# -- what the bot sent


def test_the_outbox_has_what_the_bot_sent_and_nothing_else(each: Simulator) -> None:
    each.call("POST", f"{CONTROL}/messages", {"from": ANA, "text": "from Ana"})
    each.call("POST", f"{CONTROL}/phone/messages", {"chatId": ANA, "text": "from the phone"})
    send(each, "Hello Ana")
    each.call("POST", "/api/sendImage", {"session": "s", "chatId": BO, "file": FILE, "caption": "look"}, status=201)
    first, second = each.call("GET", f"{MOCK}/outbox", status=200)
    assert (first["text"], first["type"], first["chatId"], first["session"]) == ("Hello Ana", "text", ANA, "s")
    assert (second["type"], second["file"]["mimetype"], second["text"]) == ("image", "image/png", "look")
    assert second["seq"] > first["seq"]
    assert sent(each, contains="ANA") == ["Hello Ana"]
    assert sent(each, text="hello ana") == ["Hello Ana"]
    assert sent(each, regex="^l") == ["look"]
    assert sent(each, type="image", chatId="49301234568") == ["look"]
    assert sent(each, after=first["seq"]) == ["look"]
    assert sent(each, limit=1) == ["look"]
    each.call("POST", f"{CONTROL}/messages/{first['id']}/reactions", {"from": ANA, "reaction": "❤"})
    seen = each.call("GET", f"{CONTROL}/messages/{first['id']}", status=200)
    assert [(each["who"], each["value"]) for each in seen["reactions"]] == [(ANA, "❤")]


def test_waiting_takes_no_thread_and_ends_with_the_message(serve: Callable[..., ServerProcess]) -> None:
    server = serve(WAXBILL_THREADS="1")
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    answers: list[Any] = []

    def wait(text: str) -> None:
        answers.append(server.get(f"{MOCK}/outbox", query={"text": text, "wait": "60s"}, timeout_seconds=90))

    waiting = [threading.Thread(target=wait, args=(str(n),)) for n in range(20)]
    for thread in waiting:
        thread.start()
    for n in range(20):
        assert server.post("/api/sendText", {"session": "s", "chatId": ANA, "text": str(n)}).status == 201
    image = {"session": "s", "chatId": ANA, "file": FILE}
    assert server.post("/api/sendImage", image).status == 201, "the one thread is free"
    for thread in waiting:
        thread.join()
    assert sorted(int(answer.json()[0]["text"]) for answer in answers) == list(range(20))


def test_a_message_that_is_sent_by_a_thread_is_waited_for_as_well(serve: Callable[..., ServerProcess]) -> None:
    server = serve()
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    answers: list[Any] = []
    query = {"type": "image", "count": 2, "wait": "1m"}
    thread = threading.Thread(
        target=lambda: answers.append(server.get(f"{MOCK}/outbox", query=query, timeout_seconds=90))
    )
    thread.start()
    for _ in range(2):
        assert server.post("/api/sendImage", {"session": "s", "chatId": ANA, "file": FILE}).status == 201
    thread.join()
    assert answers[0].status == 200, answers[0].text
    assert [message["type"] for message in answers[0].json()] == ["image", "image"]


def test_waiting_in_vain_says_what_came_instead(simulator: Simulator) -> None:
    send(simulator, "good-bye")
    answer = simulator.call("GET", f"{MOCK}/outbox", text="hello", wait="10ms", status=404)
    assert answer["message"] == f'No message fits within 10ms. The bot sent to {ANA}: "good-bye".'
    simulator.call("GET", f"{MOCK}/outbox", wait="forever", status=400)
    simulator.call("GET", f"{MOCK}/outbox", session="nobody", status=404)


def test_requests_that_wait_do_not_keep_a_server_from_stopping(serve: Callable[..., ServerProcess]) -> None:
    server = serve()
    answers: list[Any] = []
    query = {"wait": "5m"}
    thread = threading.Thread(
        target=lambda: answers.append(server.get(f"{MOCK}/outbox", query=query, timeout_seconds=90))
    )
    thread.start()
    server.get(f"{MOCK}/clock")
    while server.get("/health").status != 200:
        pass
    assert server.stop() == 0
    thread.join()
    assert [answer.status for answer in answers] == [404]


# -- states


def state_of(simulator: Simulator) -> Any:
    chats = simulator.call("GET", "/api/{s}/chats/overview")
    messages = {
        chat["id"]: simulator.call("GET", f"/api/{{s}}/chats/{chat['id']}/messages", limit=100) for chat in chats
    }
    groups = simulator.call("GET", "/api/{s}/groups")
    contacts = simulator.call("GET", "/api/contacts/all", session="s")
    return [chats, messages, groups, contacts, simulator.call("GET", f"{CONTROL}/replies")]


def live(simulator: Simulator) -> None:
    stop_time(simulator)
    simulator.call("POST", f"{CONTROL}/messages", {"from": ANA, "text": "hi", "pushName": "Ana"})
    simulator.call("POST", f"{CONTROL}/messages", {"from": ANA, "file": FILE})
    answer = simulator.call("POST", f"{CONTROL}/messages", {"from": BO, "poll": {"name": "?", "options": ["a", "b"]}})
    simulator.call("POST", f"{CONTROL}/messages/{answer['id']}/votes", {"from": BO, "votes": ["a"]}, status=201)
    simulator.call("POST", f"{CONTROL}/groups", {"creator": BO, "subject": "G", "participants": [ANA]}, status=201)
    simulator.call("POST", f"{CONTROL}/replies", {"when": {"text": "x"}, "text": "y"}, status=201)
    send(simulator, "mine")


def test_a_state_of_another_store_can_not_be_kept(simulators: Callable[..., Simulator]) -> None:
    refused = simulators(ON_POSTGRES).call("PUT", f"{MOCK}/snapshots/one", {}, status=422)
    assert "Snapshots are SQLite files" in refused["message"]


@pytest.mark.parametrize("each", ENGINES, indirect=True)
def test_a_kept_state_comes_back_whole(each: Simulator) -> None:
    live(each)
    before = state_of(each)
    kept = each.call("PUT", f"{MOCK}/snapshots/one", {}, status=200)
    assert (kept["sessions"], kept["messages"], kept["clockMs"]) == (["s"], 4, NOON)
    send(each, "later")
    each.call("DELETE", f"/api/{{s}}/chats/{ANA}")
    each.call("POST", f"{MOCK}/clock/advance", {"by": "1d"})
    assert each.call("POST", f"{MOCK}/snapshots/one/restore", status=201) == {"sessions": ["s"]}
    assert each.call("GET", f"{MOCK}/clock")["nowMs"] == NOON
    assert state_of(each) == before
    each.call("POST", f"{MOCK}/reset", status=201)
    assert state_of(each) == [[], {}, {} if each.engine == "NOWEB" else [], [], []]
    assert each.call("GET", "/api/sessions/s")["status"] == "WORKING"
    each.call("POST", f"{MOCK}/snapshots/one/restore")
    assert state_of(each) == before
    url = before[1][ANA][0]["media"] or before[1][ANA][1]["media"]
    assert each.simulate_get(url["url"].partition("3000")[2]).status_code == 200
    send(each, "on we go")
    each.call("POST", f"{MOCK}/clock/advance", {"by": "1m"})
    assert [e["payload"]["ackName"] for e in each.events_as_json() if e["event"] == "message.ack"][-1] == "READ"


def test_resetting_one_session_leaves_the_others_and_their_acknowledgements(simulator: Simulator) -> None:
    simulator.begin("t")
    for text in ("1", "2", "3"):
        send(simulator, text)
    simulator.call("POST", f"{MOCK}/s/reset", status=201)
    assert sent(simulator) == []
    simulator.call("POST", "/api/sendText", {"session": "t", "chatId": BO, "text": "from t"}, status=201)
    assert sent(simulator) == ["from t"]
    simulator.run_until(lambda: any(event["session"] == "t" for event in simulator.events("message.ack")))


def test_a_state_of_a_paired_session_pairs_it_again(simulator: Simulator) -> None:
    send(simulator, "x")
    simulator.call("PUT", f"{MOCK}/snapshots/paired", {"sessions": ["s"]}, status=200)
    simulator.call("POST", f"{CONTROL}/phone/logout")
    simulator.call("POST", f"{MOCK}/snapshots/paired/restore", {"sessions": ["s"]}, status=201)
    simulator.run_until(lambda: simulator.call("GET", "/api/sessions/s")["status"] == "WORKING")
    assert sent(simulator) == ["x"]


def test_snapshots_are_listed_deleted_and_named_plainly(simulator: Simulator) -> None:
    simulator.call("PUT", f"{MOCK}/snapshots/a", {})
    assert [kept["name"] for kept in simulator.call("GET", f"{MOCK}/snapshots")] == ["a"]
    simulator.call("PUT", f"{MOCK}/snapshots/b", {"sessions": ["nobody"]}, status=404)
    for path in ("..", ".a", "a%2Fb", "x" * 65):
        assert simulator.simulate_put(f"{MOCK}/snapshots/{path}", json={}).status_code in (400, 404)
    simulator.call("DELETE", f"{MOCK}/snapshots/a", status=200)
    simulator.call("POST", f"{MOCK}/snapshots/a/restore", status=404)


# -- on another driver


def test_a_control_call_on_another_driver_is_a_conflict_with_the_reason(
    serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    echo = Path(__file__).parents[2] / "examples/plugins/echo-driver"
    info = tmp_path / "site/waxbill_echo-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: waxbill-echo\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waxbill]\necho = waxbill_echo\n")
    path = f"{tmp_path / 'site'}:{echo}"
    server = serve(FORCE_MOCK_MODE="false", WAXBILL_DRIVER="echo", PYTHONPATH=path, key="k")
    for method, path in (("POST", f"{MOCK}/s/messages"), ("GET", f"{MOCK}/clock"), ("GET", f"{MOCK}/what/ever")):
        answer = server.request(method, path)
        assert answer.status == 409, answer.text
        assert "The driver is 'echo', not the simulator" in answer.json()["message"]
        assert "FORCE_MOCK_MODE=true" in answer.json()["message"]
    assert server.request("GET", f"{MOCK}/clock", headers={"X-Api-Key": "wrong"}).status == 401
    assert f"{MOCK}/clock" not in server.get("/-json").text


def test_control_operations_are_in_the_document_and_loaded_with_their_first_request(simulator: Simulator) -> None:
    assert simulator.server.late_areas
    assert f"{MOCK}/clock" in simulator.call("GET", "/-json")["paths"]
    assert simulator.call("GET", f"{MOCK}/nothing/here", status=404)["message"].startswith("Cannot GET")
    assert not simulator.server.late_areas
    assert msgspec.json.encode(simulator.call("GET", f"{MOCK}/clock"))
