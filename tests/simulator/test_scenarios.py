"""Scenarios: files that are checked, played, recorded and played again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import ServerProcess
from waxbill_mock.recording import recorded_scenario
from waxbill_mock.scenario import ScenarioError, play, read

from ..contract.scenario import ANA, BO, FILE
from ..simulating import Simulator

PIZZA = """\
session: s
clock: {now: 2026-01-01T09:00:00Z, frozen: true}
contacts:
  - {id: 49301234567, name: Ana}
  - {id: "49301234568", name: Bo}
groups:
  - {subject: Family, creator: Bo, participants: [Ana], as: family}
replies:
  - when: {contains: pizza}
    text: yes please
steps:
  - message: {from: Ana, text: hi}
    as: hello
  - edit: {messageId: $hello, text: hi there}
  - message: {from: $family, participant: Bo, text: dinner?}
    as: dinner
  - react: {messageId: $dinner, from: Ana, reaction: "👍"}
  - message: {from: Ana, poll: {name: What, options: [a, b]}}
    as: poll
  - vote: {messageId: $poll, from: Ana, votes: [a]}
  - advance: 1h
  - message: {from: Ana, file: {path: pixel.png}}
  - call: {from: Bo}
    as: ring
  - reject_call: {id: $ring}
  - delete: $dinner
"""


def write(folder: Path, text: str) -> Path:
    import base64

    (folder / "pixel.png").write_bytes(base64.b64decode(FILE["data"]))
    path = folder / "scenario.yaml"
    path.write_text(text)
    return path


def asking(simulator: Simulator) -> Callable[[str, str, Any], Any]:
    def ask(method: str, path: str, body: Any) -> Any:
        place, _, query = path.partition("?")
        answer = simulator.simulate_request(method, place, query_string=query, json=body)
        if answer.status_code >= 400:
            raise RuntimeError(f"{answer.status_code}: {answer.text}")
        return answer.json if answer.content.startswith((b"{", b"[")) else answer.text

    return ask


def test_a_scenario_does_what_its_control_operations_do(each: Simulator, tmp_path: Path) -> None:
    ids = play(write(tmp_path, PIZZA), asking(each))
    contacts = each.call("GET", "/api/contacts/all", session="s", sortBy="name")
    assert [contact["name"] for contact in contacts] == ["Ana", "Bo"]
    messages = each.call("GET", f"/api/{{s}}/chats/{ANA}/messages", limit=10)
    assert len(messages) == 3
    assert "hi there" in [message["body"] for message in messages]
    assert each.events("poll.vote", "call.rejected", "message.revoked")
    assert ids["family"].endswith("@g.us")
    each.call("POST", "/api/sendText", {"session": "s", "chatId": ANA, "text": "pizza?"})
    each.run_until(lambda: each.event("message")["payload"]["body"] == "yes please")


def test_a_recording_replays_to_the_same(each: Simulator, tmp_path: Path) -> None:
    ask = asking(each)
    play(write(tmp_path, PIZZA), ask)
    account: Any = each.server.sessions.get("s").account
    first = recorded_scenario(account)
    messages = each.call("GET", f"/api/{{s}}/chats/{ANA}/messages", limit=10)
    each.call("POST", "/api/waxbill/mock/reset", {}, status=201)
    assert recorded_scenario(account)["steps"] == []
    path = tmp_path / "recorded.yaml"
    path.write_text(dump(first))
    play(path, ask)
    assert recorded_scenario(account) == first
    assert each.call("GET", f"/api/{{s}}/chats/{ANA}/messages", limit=10) == messages


def dump(scenario: dict[str, Any]) -> str:
    import io

    from waxbill_mock.commands import _write

    file = io.StringIO()
    _write(scenario, file)
    return file.getvalue()


def test_what_a_bot_sent_is_expected_of_the_next_one(simulators: Callable[..., Simulator], tmp_path: Path) -> None:
    simulator = simulators()
    ask = asking(simulator)
    account: Any = simulator.server.sessions.get("s").account
    ask("POST", "/api/waxbill/mock/s/messages", {"from": ANA, "text": "hi"})
    answer = simulator.call("POST", "/api/sendText", {"session": "s", "chatId": ANA, "text": "hello"}, status=201)
    reaction = {"from": ANA, "reaction": "❤"}
    ask("POST", f"/api/waxbill/mock/s/messages/{answer['_data']['id']['_serialized']}/reactions", reaction)
    scenario = recorded_scenario(account)
    assert [next(iter(step)) for step in scenario["steps"]][-1] == "react"
    assert {"expect": {"chatId": ANA, "type": "text", "text": "hello"}, "as": "sent1"} in scenario["steps"]
    assert scenario["steps"][-1]["react"]["messageId"] == "$sent1"
    simulator.call("POST", "/api/waxbill/mock/reset", {})
    path = tmp_path / "recorded.yaml"
    path.write_text(dump(scenario).replace("hello", "good-bye"))
    simulator.call("POST", "/api/sendText", {"session": "s", "chatId": ANA, "text": "hello"})
    path.write_text(path.read_text().replace("type: text", "type: text, wait: 10ms"))
    with pytest.raises(ScenarioError, match=r"recorded.yaml:\d+: expect: .*No message fits .* \\\"hello\\\""):
        play(path, ask)


MISTAKES = [
    ("steps:\n  - message: {from: Ana, text: hi}\n", "2: message.from: nobody is called 'Ana' (known: nobody)"),
    ("steps:\n  - message:\n      from: '49301234567'\n      txt: hi\n", "4: message.txt: no such member"),
    ("steps:\n  - message:\n      from: '49301234567'\n      text: 5\n", "4: message.text must be a string"),
    ("steps:\n  - massage: {}\n", "2: massage: no such step"),
    ("steps:\n  - edit: {messageId: $x, text: a}\n", "2: edit.messageId: nothing is called $x"),
    ("steps:\n  - vote: {from: '49301234567', votes: [a]}\n", "2: vote.messageId is required"),
    ("steps:\n  - advance: soon\n", "2: advance.by must be a duration"),
    ("steps:\n  - message: {from: '49301234567', file: {path: gone.png}}\n", "2: message.file.path: there is no file"),
    ("session: s\nstpes: []\n", "2: stpes: no such member"),
    ("contacts:\n  - {id: '49301234567'}\n  - {name: Bo}\n", "3: contacts.1.id is required"),
    ("faults:\n  duplicateEvents: 2\n", "2: faults.duplicateEvents"),
    ("steps: 5\n", "1: steps: must be a list"),
    ("steps:\n  - message: {from: [}\n", "2: this is no YAML"),
    ("- a\n", "1: a scenario has members"),
    ("steps:\n  - react: {}\n    vote: {}\n", "2: a step has one name"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_is_named_with_line_and_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        read(write(tmp_path, text))
    assert str(raised.value).startswith(f"scenario.yaml:{said}")


def test_a_step_that_is_refused_is_named_with_its_line(simulators: Callable[..., Simulator], tmp_path: Path) -> None:
    text = f"session: s\nsteps:\n  - react: {{messageId: 3A00, from: '{BO}', reaction: x}}\n"
    with pytest.raises(ScenarioError, match=r"scenario.yaml:3: react: 404.*not found"):
        play(write(tmp_path, text), asking(simulators()))


def test_the_commands_load_and_record(
    serve: Callable[..., ServerProcess], waxbill: Callable[..., Any], tmp_path: Path
) -> None:
    server = serve(key="k")
    env = {"PORT": str(server.port), "WAHA_API_KEY": "k"}
    path = write(tmp_path, PIZZA)
    ran = waxbill("mock", "load", str(path), "--session", "shop", **env)
    assert ran.returncode == 0, ran.stderr
    assert "16 steps played on session 'shop'" in ran.stdout
    recorded = tmp_path / "recorded.yaml"
    ran = waxbill("record", "shop", "-o", str(recorded), **env)
    assert ran.returncode == 0, ran.stderr
    assert waxbill("mock", "check", str(recorded)).returncode == 0
    ran = waxbill("mock", "load", str(recorded), "--reset", **env)
    assert ran.returncode == 0, ran.stderr
    ran = waxbill("record", "shop", **env)
    assert "reject_call" in ran.stdout
    path.write_text("stpes: []\n")
    ran = waxbill("mock", "load", str(path), **env)
    assert (ran.returncode, ran.stderr) == (
        1,
        "waxbill: scenario.yaml:1: stpes: no such member; there are session, clock, seed, contacts, groups, faults, "
        "acks, replies, steps\n",
    )
