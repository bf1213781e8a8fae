"""Webhooks: what arrives, signed how, how often, and after a kill."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from waxbill.delivery.retry import delay_seconds
from waxbill.model.events import EVENTS, select
from waxbill.model.sessions import RetriesConfiguration
from waxbill.testing import Received, Receiver, ServerProcess

CHAT = "49301234567@c.us"


def begin(server: ServerProcess, *webhooks: dict[str, Any], **config: Any) -> None:
    """Creates a paired session ``s`` with these webhooks."""
    created = server.post("/api/sessions", {"name": "s", "config": {"webhooks": list(webhooks), **config}})
    assert created.status == 201, created.text
    server.wait_for_status("s", "WORKING")


def send(server: ServerProcess, text: str) -> None:
    sent = server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": text})
    assert sent.status == 201, sent.text


def bodies(receiver: Receiver) -> list[str]:
    return [event["payload"]["body"] for event in receiver.events if event["event"] == "message.any"]


def test_the_envelope_and_the_headers_are_wahas(serve: Callable[..., ServerProcess], receiver: Receiver) -> None:
    server = serve(WAHA_WORKER_ID="w1")
    headers = [{"name": "X-Tenant", "value": "42"}]
    hook = {"url": receiver.url, "events": ["message.any"], "hmac": {"key": "k"}, "customHeaders": headers}
    begin(server, hook, metadata={"user": "7"})
    send(server, "grüße")
    event = receiver.wait_for(lambda event: True)
    assert re.fullmatch(r"evt_[0-9a-hjkmnp-tv-z]{26}", event["id"])
    assert event["timestamp"] > 1_600_000_000_000
    assert (event["event"], event["session"], event["engine"]) == ("message.any", "s", "WEBJS")
    assert event["metadata"] == {"user": "7"}
    assert event["me"]["id"].endswith("@c.us")
    assert event["payload"]["body"] == "grüße"
    assert event["environment"]["worker"] == {"id": "w1"}
    (received,) = receiver.received
    assert received.headers["content-type"] == "application/json"
    assert received.headers["x-tenant"] == "42"
    assert received.headers["x-webhook-hmac-algorithm"] == "sha512"
    assert received.headers["x-webhook-timestamp"].isdigit()
    assert received.headers["x-webhook-request-id"]
    assert received.signed_with("k")


def test_the_signature_is_that_of_wahas_documentation() -> None:
    example = b'{"event":"message","session":"default","engine":"WEBJS"}'
    expected = (
        "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1"
        "631777076153fa89"
    )
    assert Received("/", {"x-webhook-hmac": expected}, example, 0.0).signed_with("my-secret-key")


def test_session_and_global_webhooks_get_their_own_events(serve: Callable[..., ServerProcess]) -> None:
    with Receiver() as own, Receiver() as everyones:
        server = serve(WHATSAPP_HOOK_URL=everyones.url, WHATSAPP_HOOK_EVENTS="session.status,message")
        begin(server, {"url": own.url, "events": ["message.any"]})
        send(server, "1")
        server.post("/api/waxbill/mock/s/messages", {"from": "49301234567", "text": "2"})
        own.wait_for_count(2)
        everyones.wait_for(lambda event: event["event"] == "message")
    assert [event["event"] for event in own.events] == ["message.any", "message.any"]
    assert {event["event"] for event in everyones.events} == {"session.status", "message"}


def test_ignored_kinds_of_chats_make_no_events(serve: Callable[..., ServerProcess], receiver: Receiver) -> None:
    server = serve()
    begin(server, {"url": receiver.url, "events": ["message"]}, ignore={"channels": True})
    server.post("/api/waxbill/mock/s/messages", {"from": "120363000000000009@newsletter", "text": "ignored"})
    server.post("/api/waxbill/mock/s/messages", {"from": "49301234567", "text": "heard"})
    receiver.wait_for_count(1)
    assert [event["payload"]["body"] for event in receiver.events] == ["heard"]


def test_a_failing_receiver_gets_it_again_and_in_order(serve: Callable[..., ServerProcess]) -> None:
    failures = iter([500, 503, 404])
    with Receiver(lambda received: next(failures, 200)) as receiver:
        server = serve()
        retries = {"policy": "constant", "delaySeconds": 0.05, "attempts": 5}
        begin(server, {"url": receiver.url, "events": ["message.any"], "retries": retries})
        for text in "abc":
            send(server, text)
        receiver.wait_for_count(6)
    assert bodies(receiver) == ["a", "a", "a", "a", "b", "c"]
    assert len({received.json()["id"] for received in receiver.received[:4]}) == 1


def test_after_the_last_attempt_a_delivery_is_a_dead_letter_and_the_next_goes_on(
    serve: Callable[..., ServerProcess],
) -> None:
    with Receiver(lambda received: 500 if received.json()["payload"]["body"] == "poison" else 200) as receiver:
        server = serve()
        retries = {"policy": "constant", "delaySeconds": 0.01, "attempts": 2}
        begin(server, {"url": receiver.url, "events": ["message.any"], "retries": retries})
        send(server, "poison")
        send(server, "fine")
        receiver.wait_for_count(4)
        assert server.wait_for_log(lambda line: "dead letter" in line)
        assert server.get("/health").json()["deliveries"]["dead"] == 1
    assert bodies(receiver) == ["poison", "poison", "poison", "fine"]


def test_a_slow_receiver_holds_up_no_other_lane(serve: Callable[..., ServerProcess]) -> None:
    import threading

    release = threading.Event()
    with Receiver(lambda received: release.wait(10) and 200) as slow, Receiver() as fast:
        server = serve()
        begin(
            server,
            {"url": slow.url, "events": ["message.any"]},
            {"url": fast.url, "events": ["message.any"]},
        )
        for text in "abc":
            send(server, text)
        fast.wait_for_count(3)
        assert len(slow.received) <= 1
        release.set()
        slow.wait_for_count(3)
    assert bodies(slow) == bodies(fast) == ["a", "b", "c"]


def test_what_was_not_delivered_before_a_kill_is_delivered_after_it(serve: Callable[..., ServerProcess]) -> None:
    with Receiver(lambda received: 503) as receiver:
        server = serve()
        retries = {"policy": "constant", "delaySeconds": 0.2, "attempts": 1000}
        begin(server, {"url": receiver.url, "events": ["message.any"], "retries": retries})
        for text in "abc":
            send(server, text)
        receiver.wait_for_count(1)
        server.kill()
        receiver.answer = lambda received: 200
        seen = len(receiver.received)
        again = serve(server.folder)
        receiver.wait_for_count(seen + 3)
        assert bodies(receiver)[seen:] == ["a", "b", "c"]
        again.wait_for_status("s", "WORKING")
        read = again.get(f"/api/s/chats/{CHAT}/messages").json()
        assert [message["body"] for message in read] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("policy", "delays"),
    [("constant", [2.0, 2.0, 2.0]), ("linear", [2.0, 4.0, 6.0]), ("exponential", [2.0, 4.0, 8.0])],
)
def test_the_policies(policy: Any, delays: list[float]) -> None:
    retries = RetriesConfiguration(policy=policy, delaySeconds=2, attempts=3)
    found = [delay_seconds(retries, failed) for failed in (1, 2, 3)]
    for delay, expected in zip(found, delays, strict=True):
        assert delay is not None
        assert expected <= delay <= expected * (1.2 if policy == "exponential" else 1)
    assert delay_seconds(retries, 4) is None


def test_without_a_policy_there_are_fifteen_more_attempts_two_seconds_apart() -> None:
    assert [delay_seconds(None, failed) for failed in (1, 15, 16)] == [2.0, 2.0, None]


def test_names_of_events_and_their_patterns() -> None:
    assert select(["*"])[0] == frozenset(EVENTS)
    assert "engine.event" in select(["engine.event"])[0]
    assert select(["message", "nope", "x.*"]) == (frozenset({"message"}), ["nope", "x.*"])
