"""WAHA's contract, walked through the browser: every operation that the driver declares, every event of the engine.

The same scenario as for the simulator, once by plain requests, once through waha-py; the calls of the simulator's
control API are played by the stand-in's phone.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import Receiver, ServerProcess

from ..conftest import missing
from ..contract import facts
from ..contract.scenario import ANA, BO, CONTROL, CY, NOBODY, Scenario
from ..contract.test_waha_py import LAST, ThroughTheClient
from ..contract.test_walk import OTHER_STATUSES, OWN_PAYLOADS, OWN_SHAPES
from .conftest import environment, eventually
from .standin import Phone, StandIn

pytestmark = [pytest.mark.browser, pytest.mark.long]

#: What the browser has, although WAHA's own engine on WA-JS has it not: WA-JS can.
MORE = {
    "POST /api/sendList",
    "POST /api/sendPollVote",
    "POST /api/send/link-custom-preview",
    "POST /api/{session}/events",
    "GET /api/{session}/new-message-id",
    "POST /api/{session}/status/delete",
    "GET /api/{session}/status/new-message-id",
    "PUT /api/{session}/contacts/{chatId}",
    "POST /api/{session}/chats/{chatId}/messages/{messageId}/pin",
    "POST /api/{session}/chats/{chatId}/messages/{messageId}/unpin",
    "DELETE /api/{session}/chats/{chatId}/messages",
    "GET /api/messages",
    "GET /api/screenshot",
}
#: What no engine on WA-JS has.
REFUSED = {
    "POST /api/sendButtons",
    "POST /api/sendLinkPreview",
    "GET /api/{session}/auth/passkey/challenge",
    "POST /api/{session}/auth/passkey",
    "GET /api/{session}/auth/passkey/confirmation",
    "POST /api/{session}/auth/passkey/confirm",
}


class Played:
    """The simulator's control operations, played on the stand-in's phone."""

    def __init__(self, phone: Phone, receiver: Receiver) -> None:
        self.phone, self.receiver = phone, receiver

    def __call__(self, path: str, body: Any) -> Any:
        parts = path.removeprefix(f"{CONTROL}/").split("/")
        what = parts[0] if len(parts) == 1 else f"{parts[0]}_{parts[2]}"
        return getattr(self, what)(*parts[1:2], **{name.replace("from", "by"): value for name, value in body.items()})

    def messages(
        self,
        by: str,
        text: str | None = None,
        participant: str = "",
        pushName: str | None = None,
        file: Any = None,
        waiting: bool = False,
    ) -> Any:
        if by.endswith("@newsletter"):
            return self.phone.channel_post(by, str(text))
        if file is not None:
            return self.phone.receive_media(by, base64.b64decode(file["data"]), file["mimetype"], caption=text)
        if waiting:
            return ""  # the page tells of it when it can be read
        group = by if by.endswith("@g.us") else None
        return self.phone.receive(participant or by, text, group=group, name=pushName)

    def messages_votes(self, poll: str, by: str, votes: list[str], readable: bool = True) -> Any:
        names = [option["name"] for option in self.phone.message(poll)["pollOptions"]]
        return self.phone.vote(poll, by, *(names.index(vote) for vote in votes)) if readable else ""

    def messages_responses(self, event: str, **answer: Any) -> Any:
        return ""  # the page does not tell of these

    def contacts(self, id: str, name: str, about: str, picture: Any) -> Any:
        self.phone.knows(id.partition("@")[0], name)
        return self.phone.picture(id, base64.b64decode(picture["data"]))

    def presence(self, chatId: str, presence: str) -> Any:
        return self.phone.presence(chatId, typing={"typing": "composing"}[presence])

    def calls(self, by: str) -> Any:
        call = self.phone.call(by)
        self.receiver.wait_for(lambda event: event["event"] == "call.received" and event["payload"]["id"] == call, 60)
        return {"id": call}

    def calls_accept(self, call: str, **_: Any) -> Any:
        return self.phone.hang_up(call)

    calls_reject = calls_accept

    def groups(self, creator: str, subject: str, withMe: bool) -> Any:
        account = self.phone.account
        with self.phone.world.changed:
            account.contact(creator)
            made = account.new_group(subject, creator, [CY])
        return {"invite": made["inviteCode"]}

    def groups_requests(self, group: str, by: str) -> Any:
        return self.phone.ask_to_join(group, by)


class OnTheWeb(Scenario):
    """The scenario, where it differs in a browser, and with what it does not cause there."""

    phone: Phone

    def modes(self, place: str) -> None:
        """Two can only be read."""
        settings = f"{place}/settings/security"
        self.put(f"{settings}/member-add-mode", {"membersCanAddNewMember": True})
        assert self.get(f"{settings}/member-add-mode") == {"membersCanAddNewMember": True}
        for setting, member in (
            ("member-share-history-mode", "membersCanShareHistory"),
            ("membership-approval", "newMembersApprovalRequired"),
        ):
            assert self.put(f"{settings}/{setting}", {member: True})["statusCode"] == 501
            assert list(self.get(f"{settings}/{setting}").values()) in ([True], [False])

    def join_requests(self, place: str) -> None:
        who = self.phone.lid_of(CY)
        for answer in ("approve", "reject"):
            self.phone.ask_to_join(place.rpartition("/")[2], CY.partition("@")[0])
            assert [each["requesterId"] for each in self.get(f"{place}/participants/join-requests")] == [who]
            self.post(f"{place}/participants/join-requests/{answer}", {"participants": [{"id": who}]})
            assert self.get(f"{place}/participants/join-requests") == []
        self.post(f"{place}/participants/remove", {"participants": [{"id": who}]})

    def happens(self) -> None:
        """What the simulator tells of the account's own doings, done by others here; and what only others do."""
        phone = self.phone
        incoming = phone.receive(ANA, "changes its mind")
        phone.react(incoming, ANA, "🔥")
        phone.edit(incoming, "has changed it")
        phone.revoke(incoming)
        sent = self.send("sendText", text="read me")
        phone.acknowledge(sent, 2)
        phone.acknowledge(sent, 3)
        group = phone.group("Friends", ANA, BO, owner=ANA)
        in_group = self.send("sendText", group, text="all read me")
        phone.acknowledge(in_group, 3, by=BO)
        phone.group_change(group, ANA, "add", CY)
        phone.group_change(group, ANA, "promote", CY)
        phone.group_info(group, ANA, subject="Best friends")
        phone.group_info(group, ANA, desc="Only the best")
        phone.group_change(group, ANA, "remove", phone.me)
        label = phone.label("From the phone")
        phone.label_chat(label, ANA)
        phone.label_chat(label, ANA, on=False)

    def run(self) -> None:
        self.happens()
        super().run()


class Walk:
    """A server, what was called on it and what it answered, and what its webhook heard."""

    def __init__(self, server: ServerProcess, phone: Phone, receiver: Receiver) -> None:
        self.server, self.phone, self.receiver = server, phone, receiver
        self.play = Played(phone, receiver)
        self.answers: dict[str, list[Any]] = {}

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        if path.startswith(CONTROL):
            return self.play(path, body or {})
        answer = self.server.request(method, path, body, query=query, timeout_seconds=120)
        operation = facts.operation_of(method, path)
        if operation is not None:
            self.answers.setdefault(operation, []).append(answer)
        return answer.json() if _is_json(answer) else answer.body.decode(errors="replace")

    def has(self, operation: str) -> bool:
        if operation in REFUSED:
            return False
        return operation in MORE or "WPP" in facts.ENGINES.get(operation, ["WPP"])

    def faults(self, operation: str, answer: Any) -> list[str]:
        known = facts.OPERATIONS[operation]
        also, _ = OTHER_STATUSES.get(operation, (set(), ""))
        if not self.has(operation):
            return [] if answer.status == 501 else [f"{answer.status} instead of 501: {answer.text[:200]}"]
        if answer.status not in {*known["status"], *also}:
            return [f"undocumented status {answer.status}: {answer.text[:400]}"]
        if operation in {**OWN_SHAPES[""], **OWN_SHAPES["WPP"]} or answer.status >= 400:
            return []
        kinds = [kind for kind in known.get("answer", ()) if ": " not in kind]
        if not kinds or (kinds == ["object"] and not answer.body):
            return []
        return facts.faults(answer.json() if _is_json(answer) else answer.body.decode(errors="replace"), kinds[0])


def _is_json(answer: Any) -> bool:
    return bool(answer.body) and answer.headers.get("content-type", "").startswith("application/json")


@contextlib.contextmanager
def working(folder: Path, **more: str) -> Iterator[Walk]:
    """A server with a session ``s`` that works, and somebody known to it."""
    if not shutil.which("ffmpeg"):
        missing("ffmpeg is not installed")
    with StandIn() as whatsapp, Receiver() as receiver:
        whatsapp.world.absent.add(NOBODY.partition("@")[0])
        whatsapp.phone.channel("Bicycle couriers", description="News")
        settings = environment(whatsapp, receiver, WAHA_DEBUG_MODE="true", WHATSAPP_START_SESSION="s", **more)
        settings["WHATSAPP_HOOK_EVENTS"] = "*,engine.event"
        with ServerProcess(folder, key="secret", **settings) as server:
            server.wait_for_status("s", "SCAN_QR_CODE", timeout_seconds=60)
            whatsapp.phone.scan()
            server.wait_for_status("s", "WORKING", timeout_seconds=60)
            yield Walk(server, whatsapp.phone, receiver)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with working(tmp_path_factory.mktemp("walk")) as found:
        scenario = OnTheWeb(found.call)
        scenario.phone = found.phone
        scenario.run()
        found.call("GET", "/api/s/auth/qr")
        found.call("POST", "/api/s/auth/request-code", {"phoneNumber": "49301234567"})
        for path in ("challenge", "confirmation"):
            found.call("GET", f"/api/s/auth/passkey/{path}")
        found.call("POST", "/api/s/auth/passkey/confirm")
        empty = {"clientDataJSON": "", "authenticatorData": "", "signature": ""}
        found.call("POST", "/api/s/auth/passkey", {"id": "a", "rawId": "a", "type": "public-key", "response": empty})
        yield found


def test_every_operation_answers_as_the_contract_says(walk: Walk) -> None:
    called = walk.answers.keys() | {"POST /api/server/stop"}
    assert not facts.OPERATIONS.keys() - called, "operations that were not called"
    # A paired session has no code: the session's status is what these answer with.
    unpaired = {"GET /api/{session}/auth/qr", "POST /api/{session}/auth/request-code"}
    assert {answer.status for name in unpaired for answer in walk.answers[name]} == {422}
    wrong = {
        operation: found
        for operation, answers in walk.answers.items()
        if operation not in unpaired
        and (found := [fault for answer in answers for fault in walk.faults(operation, answer)])
    }
    assert not wrong, "\n".join(f"{operation}: {'; '.join(found)[:600]}" for operation, found in wrong.items())


def test_every_event_of_the_engine_is_told_as_the_contract_says(walk: Walk) -> None:
    expected = {event for event in facts.EVENTS if "WPP" in facts.ENGINES.get(event, ["WPP"])}

    def told() -> set[str]:
        return {event["event"] for event in walk.receiver.events}

    with contextlib.suppress(AssertionError):  # what is missing is said below, by name
        eventually(lambda: expected <= told(), 20)
    assert expected - told() == set(), "events that were not told"
    assert told() - expected == set(), "events that the engine does not have"
    wrong: dict[str, list[str]] = {}
    for event in walk.receiver.events:
        found = facts.faults(event, "Envelope", "event")
        if event["event"] not in OWN_PAYLOADS["WPP"]:
            found += facts.faults(event["payload"], facts.EVENTS[event["event"]], "payload")
        if found:
            wrong.setdefault(event["event"], []).extend(found)
    assert not wrong, "\n".join(f"{event}: {'; '.join(sorted(set(found)))[:600]}" for event, found in wrong.items())


class ThroughTheClientOnTheWeb(ThroughTheClient):
    """waha-py's methods, with the phone played here."""

    play: Played

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        if path.startswith(CONTROL):
            return self.play(path, body or {})
        return super().__call__(method, path, body, **query)


def test_waha_py_works_and_its_models_fit(tmp_path: Path) -> None:
    waha = pytest.importorskip("waha", reason="waha-py is not installed")
    with working(tmp_path) as found:
        client = waha.WahaClient(base_url=found.server.url, api_key="secret", timeout=120)
        with contextlib.closing(client):
            through = ThroughTheClientOnTheWeb(found.server, client, "WPP")
            through.play = found.play
            scenario = OnTheWeb(through)
            scenario.phone = found.phone
            scenario.run()
    pairing = {name for name in through.surface.methods if "/auth/" in name}
    assert through.surface.methods.keys() - through.called - LAST - pairing == set(), "methods that were not called"
    assert not through.faults, "\n".join(f"{name}: {fault}" for name, fault in through.faults.items())


def test_the_exceptions_are_operations_of_the_contract() -> None:
    assert set(facts.OPERATIONS) >= MORE | REFUSED
    assert json.dumps(sorted(MORE & REFUSED)) == "[]"
    assert all(re.match(r"[A-Z]+ /", name) for name in MORE)
