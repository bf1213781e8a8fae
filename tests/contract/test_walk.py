"""The contract, walked: every operation and every event of WAHA, in each dialect where the engine has it."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from waxbill.api.operation import Operation

from ..conftest import ON_POSTGRES, missing
from ..simulating import ENGINES, Simulator
from . import facts
from .scenario import ANA, PNG, Scenario, pair

#: Answers that engines give in a shape of their own, whatever the document says, by engine ("" is every engine).
OWN_SHAPES = {
    "": {
        "GET /api/{session}/auth/qr": "an image",
        "GET /api/screenshot": "an image",
        "POST /api/{session}/chats/{chatId}/archive": "true, or nothing",
        "POST /api/{session}/chats/{chatId}/unarchive": "true or false, or nothing",
        "POST /api/{session}/chats/{chatId}/unread": "true, a flag, or nothing",
        "GET /api/{session}/groups": "a list; an object by group id in NOWEB",
        "GET /health": "the document has terminus' report; ours has it and more, with words of our own for status",
        "POST /api/{session}/media/convert/voice": "the sound itself",
        "POST /api/{session}/media/convert/video": "the film itself",
    },
    "WEBJS": dict.fromkeys(
        [
            "POST /api/sendText", "GET /api/sendText", "POST /api/sendImage", "POST /api/sendFile",
            "POST /api/sendVoice", "POST /api/sendVideo", "POST /api/sendLocation", "POST /api/sendContactVcard",
            "POST /api/sendPoll", "POST /api/reply",
        ],
        "the library's message, whose id is an object",
    ) | {"POST /api/forwardMessage": "a flag", "GET /api/{session}/channels": "subscribersCount is null in the list"},
    "WPP": {"POST /api/forwardMessage": "a flag"},
    "NOWEB": dict.fromkeys(
        [
            "POST /api/sendText", "GET /api/sendText", "POST /api/sendImage", "POST /api/sendFile",
            "POST /api/sendVoice", "POST /api/sendVideo", "POST /api/sendLocation", "POST /api/sendContactVcard",
            "POST /api/reply", "POST /api/sendLinkPreview", "POST /api/sendButtons", "POST /api/sendList",
            "POST /api/send/link-custom-preview",
        ],
        "the protocol's message, without an id",
    ) | {"GET /api/{session}/groups": "an object by group id"},
    "GOWS": dict.fromkeys(
        [
            "POST /api/sendText", "GET /api/sendText", "POST /api/sendImage", "POST /api/sendFile",
            "POST /api/sendVoice", "POST /api/sendVideo", "POST /api/sendLocation", "POST /api/sendContactVcard",
            "POST /api/sendPoll", "POST /api/reply", "POST /api/sendList", "POST /api/send/link-custom-preview",
            "POST /api/{session}/events",
        ],
        "id and _data, nothing more",
    ),
}  # fmt: skip
#: The same for payloads of events.
OWN_PAYLOADS = {
    "WPP": {"message.revoked": "parsed keys instead of messages"},
    "GOWS": {"poll.vote.failed": "selectedOptions is null"},
}
#: Statuses beside those of the document.
OTHER_STATUSES = {
    "POST /mcp": ({200}, "what the protocol asks for; the document's 201 is its generator's default"),
    "GET /api/screenshot": ({422}, "NOWEB and GOWS have a picture only while they show a QR code"),
}
#: Operations that the simulator has in no dialect.
NOWHERE = {"GET /api/server/debug/browser/trace/{session}": "no browser runs"}
#: Operations that every dialect answers, although the matrix has gaps there.
EVERYWHERE = {
    "GET /api/screenshot": "while a QR code is shown",
    "GET /api/messages": "the deprecated form of what every engine has under /chats",
}
#: Operations that the matrix does not have, and the engines that refuse them.
REFUSED = {
    "POST /api/sendButtons": {"WEBJS", "WPP", "GOWS"},
    "POST /api/sendLinkPreview": {"WEBJS", "WPP", "GOWS"},
    "GET /api/{session}/auth/passkey/challenge": {"WEBJS", "WPP", "NOWEB"},
    "POST /api/{session}/auth/passkey": {"WEBJS", "WPP", "NOWEB"},
    "GET /api/{session}/auth/passkey/confirmation": {"WEBJS", "WPP", "NOWEB"},
    "POST /api/{session}/auth/passkey/confirm": {"WEBJS", "WPP", "NOWEB"},
    "GET /api/{session}/presence": {"WEBJS"},
    "GET /api/{session}/new-message-id": {"WEBJS", "WPP"},
}


class Walk:
    """Everything that a scenario called, with what was answered."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.answers: dict[str, list[Any]] = {}

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = self.simulator.simulate_request(method, path, json=body, params=query or None)
        self.simulator.server.clock.run_due()
        operation = facts.operation_of(method, path)
        if operation is not None:
            self.answers.setdefault(operation, []).append(answer)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json if answer.content and is_json else answer.content.decode(errors="replace")

    def has(self, operation: str) -> bool:
        engine = self.simulator.engine
        if operation in NOWHERE or engine in REFUSED.get(operation, ()):
            return False
        return operation in EVERYWHERE or engine in facts.ENGINES.get(operation, ENGINES)

    def faults(self, operation: str, answer: Any) -> list[str]:
        """What is wrong with one answer of an operation."""
        known = facts.OPERATIONS[operation]
        also, _ = OTHER_STATUSES.get(operation, (set(), ""))
        if not self.has(operation):
            return [] if answer.status_code == 501 else [f"{answer.status_code} instead of 501: {answer.text[:200]}"]
        if answer.status_code not in {*known["status"], *also}:
            return [f"undocumented status {answer.status_code}: {answer.text[:300]}"]
        engine = self.simulator.engine
        if operation in {**OWN_SHAPES[""], **OWN_SHAPES[engine]} or answer.status_code >= 400:
            return []
        kinds = [kind for kind in known.get("answer", ()) if ": " not in kind]
        if not kinds or (kinds == ["object"] and not answer.content):
            return []
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        value = answer.json if answer.content and is_json else answer.content.decode(errors="replace")
        return facts.faults(value, kinds[0])


@pytest.fixture(scope="module", params=(*ENGINES, ON_POSTGRES))
def walk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if not shutil.which("ffmpeg"):
        missing("ffmpeg is not installed")
    engine, _, other_store = request.param.partition(" on ")
    simulator = Simulator(
        tmp_path_factory.mktemp("walk"),
        engine,
        {
            **({"WAXBILL_STORE": request.getfixturevalue("postgres").database()} if other_store else {}),
            "WAHA_DEBUG_MODE": "true",
            "WAXBILL_MOCK_SCAN_SECONDS": "-1",
            "WAXBILL_MOCK_DEVICE_SECONDS": "0",
            "WAXBILL_MOCK_READ_SECONDS": "0",
        },
        pair=pairing,
    )
    walk = simulator.walk
    Scenario(walk.call).run()
    simulator.run_until(lambda: bool(simulator.events("message.ack")))
    yield walk
    simulator.server.close()


def pairing(simulator: Simulator) -> None:
    walk = simulator.walk = Walk(simulator)
    pair(walk.call, simulator.engine)
    simulator.run_until(lambda: simulator.server.sessions.get("s").status == "WORKING")


def test_every_operation_answers_as_the_contract_says(walk: Walk) -> None:
    # Stopping the server is seen in a process of its own, see below.
    called = walk.answers.keys() | {"POST /api/server/stop"}
    assert not facts.OPERATIONS.keys() - called, "operations that were not called"
    wrong = {
        operation: found
        for operation, answers in walk.answers.items()
        if (found := [fault for answer in answers for fault in walk.faults(operation, answer)])
    }
    assert not wrong, "\n".join(f"{operation}: {'; '.join(found)[:600]}" for operation, found in wrong.items())


def test_every_event_of_the_engine_is_told_as_the_contract_says(walk: Walk) -> None:
    engine = walk.simulator.engine
    told = {event["event"] for event in walk.simulator.events()}
    expected = {event for event in facts.EVENTS if engine in facts.ENGINES.get(event, ENGINES)}
    expected -= (
        {"message.ack.group"} if engine == "WEBJS" else set()
    )  # with tagsEventsOn only, see the simulator's tests
    expected -= {"presence.update"} if engine == "WEBJS" else set()
    assert expected - told == set(), "events that were not told"
    assert told - expected == set(), "events that the engine does not have"
    wrong: dict[str, list[str]] = {}
    for event in walk.simulator.events_as_json():
        found = facts.faults(event, "Envelope", "event")
        if event["event"] not in OWN_PAYLOADS.get(engine, {}):
            found += facts.faults(event["payload"], facts.EVENTS[event["event"]], "payload")
        if found:
            wrong.setdefault(event["event"], []).extend(found)
    assert not wrong, "\n".join(f"{event}: {'; '.join(sorted(set(found)))[:600]}" for event, found in wrong.items())


def _declared(simulator: Simulator) -> dict[str, Operation]:
    return {
        f"{operation.method} {operation.path}": operation
        for area in simulator.server.all_areas()
        for operation in area.operations
    }


def test_every_request_and_parameter_is_declared(simulators: Callable[..., Simulator]) -> None:
    """By name, whatever the fields of paths are called: the body's members, and the query's."""
    declared = {_anonymous(name): operation for name, operation in _declared(simulators()).items()}
    wrong = []
    for name, known in facts.OPERATIONS.items():
        operation = declared[_anonymous(name)]
        query = {field.encode_name for field in msgspec.structs.fields(operation.query)} if operation.query else set()
        wrong += [f"{name}: no parameter {each}" for each in known.get("query", {}) if each not in query]
        members = facts.TYPES.get(known.get("body", ""))
        if isinstance(members, dict):
            body = {field.encode_name for field in msgspec.structs.fields(operation.body)}
            wrong += [f"{name}: no member {each}" for each in members if each not in body]
        if bool(known.get("deprecated")) != operation.deprecated:
            wrong.append(f"{name}: deprecated is {operation.deprecated}")
    assert not wrong, "\n".join(wrong)


def _anonymous(name: str) -> str:
    return re.sub(r"{\w+}", "{}", name)


def test_stopping_the_server(serve: Any) -> None:
    server = serve()
    answer = server.post("/api/server/stop", {})
    assert (answer.status, answer.json()) == (201, {"stopping": True})
    assert server.wait_for_log(lambda line: "Stopping" in line)


def test_sound_and_film_are_converted(simulators: Callable[..., Simulator], tmp_path: Path) -> None:
    if not shutil.which("ffmpeg"):
        missing("ffmpeg is not installed")
    tone = tmp_path / "tone.wav"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=0.2", str(tone)], check=True)
    simulator = simulators()
    data = base64.b64encode(tone.read_bytes()).decode()
    answer = simulator.simulate_post("/api/s/media/convert/voice", json={"data": data})
    assert (answer.status_code, answer.content[:4]) == (201, b"OggS")
    refused = simulator.simulate_post("/api/s/media/convert/video", json={"data": PNG[:40]})
    assert refused.status_code == 422
    assert "could not be converted" in refused.json["message"]
    sent = {"session": "s", "chatId": ANA, "convert": True, "file": {"data": data}}
    assert simulator.simulate_post("/api/sendVoice", json=sent).status_code == 201
    (message,) = simulator.call("GET", f"/api/{{s}}/chats/{ANA}/messages")
    assert message["media"]["mimetype"] == "audio/ogg; codecs=opus"
