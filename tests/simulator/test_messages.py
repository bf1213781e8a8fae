"""Sending texts and reading them back, in every dialect."""

from __future__ import annotations

from typing import Any

import pytest

from waxbill.model import ids

CHAT = "49301234567@c.us"


def sent_id(answer: dict[str, Any]) -> str:
    """The rule for clients: ``id._serialized``, else ``id``, else made from ``key``."""
    if "key" in answer:
        return f"true_{answer['key']['remoteJid'].replace('@s.whatsapp.net', '@c.us')}_{answer['key']['id']}"
    found = answer["id"]
    return found["_serialized"] if isinstance(found, dict) else found


def test_a_sent_text_is_read_back(each: Any) -> None:
    sent = each.call("POST", "/api/sendText", {"session": "s", "chatId": CHAT, "text": "hello"}, status=201)
    (read,) = each.call("GET", f"/api/{{s}}/chats/{CHAT}/messages", status=200)
    assert read["id"] == sent_id(sent)
    assert (read["body"], read["fromMe"], read["source"]) == ("hello", True, "api")
    assert each.payload("message.any")["id"] == read["id"]
    assert not each.events("message")
    by_id = each.call("GET", f"/api/{{s}}/chats/{CHAT}/messages/{read['id']}", status=200)
    assert by_id == read


def test_an_incoming_text_makes_both_events_and_is_unread_until_seen(each: Any) -> None:
    each.call("POST", "/api/waxbill/mock/{s}/messages", {"from": "49301234567", "text": "hi"}, status=201)
    assert [event["event"] for event in each.events("message", "message.any")] == ["message", "message.any"]
    message = each.payload("message")
    assert (message["body"], message["fromMe"], message["from"]) == ("hi", False, CHAT)
    seen = each.call("POST", "/api/sendSeen", {"session": "s", "chatId": CHAT}, status=201)
    expected = [message["id"]] if each.engine in ("NOWEB", "GOWS") else None
    assert seen == {"ids": expected}
    (read,) = each.call("GET", f"/api/{{s}}/chats/{CHAT}/messages", status=200)
    assert read["ackName"] == "READ"


def test_a_reply_quotes_the_message(each: Any) -> None:
    first = sent_id(each.call("POST", "/api/sendText", {"session": "s", "chatId": CHAT, "text": "ok?"}))
    each.call("POST", "/api/sendText", {"session": "s", "chatId": CHAT, "text": "yes", "reply_to": first}, status=201)
    newest, _ = each.call("GET", f"/api/{{s}}/chats/{CHAT}/messages", status=200)
    assert newest["replyTo"]["id"].endswith(ids.message_key(first))
    assert newest["replyTo"]["body"] == "ok?"


def test_acknowledgements_advance_in_order(simulators: Any) -> None:
    simulator = simulators("WEBJS", WAXBILL_MOCK_DEVICE_SECONDS="0.01", WAXBILL_MOCK_READ_SECONDS="0.02")
    simulator.call("POST", "/api/sendText", {"session": "s", "chatId": CHAT, "text": "hello"}, status=201)
    simulator.run_until(lambda: len(simulator.events("message.ack")) >= 2)
    assert [event["payload"]["ackName"] for event in simulator.events("message.ack")] == ["DEVICE", "READ"]


@pytest.mark.parametrize(
    ("query", "bodies"),
    [
        ({}, ["3", "2", "1"]),
        ({"sortOrder": "asc"}, ["1", "2", "3"]),
        ({"limit": 1}, ["3"]),
        ({"limit": 1, "offset": 1}, ["2"]),
        ({"filter.fromMe": "false"}, ["2"]),
        ({"filter.ack": "READ"}, []),
        ({"filter.timestamp.gte": 4_000_000_000}, []),
        ({"filter.timestamp.lte": 4_000_000_000}, ["3", "2", "1"]),
    ],
)
def test_reading_sorts_pages_and_filters(simulators: Any, query: dict[str, Any], bodies: list[str]) -> None:
    simulator = simulators()
    simulator.call("POST", "/api/sendText", {"session": "s", "chatId": CHAT, "text": "1"}, status=201)
    simulator.call("POST", "/api/waxbill/mock/{s}/messages", {"from": "49301234567", "text": "2"}, status=201)
    simulator.call("POST", "/api/sendText", {"session": "s", "chatId": CHAT, "text": "3"}, status=201)
    found = simulator.call("GET", f"/api/{{s}}/chats/{CHAT}/messages", status=200, **query)
    assert [message["body"] for message in found] == bodies


def test_all_chats_can_be_read_where_the_engine_has_it(each: Any) -> None:
    each.call("POST", "/api/sendText", {"session": "s", "chatId": CHAT, "text": "hello"}, status=201)
    status = 200 if each.engine in ("NOWEB", "GOWS") else 501
    each.call("GET", "/api/{s}/chats/all/messages", status=status)
