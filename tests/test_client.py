"""A client that others wrote for WAHA, against a real server process."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from waxbill.testing import Receiver, ServerProcess

waha = pytest.importorskip("waha", reason="waha-py is not installed")

CHAT = "49301234567@c.us"
WEBHOOK_KEY = "a key for signatures"


@pytest.fixture
def server(serve: Callable[..., ServerProcess]) -> ServerProcess:
    return serve(key="secret", WAXBILL_MOCK_SCAN_SECONDS="-1", WAXBILL_MOCK_DEVICE_SECONDS="0.05")


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Any]:
    client = waha.WahaClient(base_url=server.url, api_key="secret")
    yield client
    client.close()


def test_from_the_first_session_to_the_last_message(server: ServerProcess, client: Any, receiver: Receiver) -> None:
    webhook = {"url": receiver.url, "events": ["*"], "hmac": {"key": WEBHOOK_KEY}}
    created = client.sessions.create({"name": "shop", "start": False, "config": {"webhooks": [webhook]}})
    assert (created["name"], created["status"]) == ("shop", "STOPPED")

    client.sessions.start("shop")
    server.wait_for_status("shop", "SCAN_QR_CODE")
    picture = client.auth.get_qr("shop")
    assert picture["mimetype"] == "image/png"
    assert base64.b64decode(picture["data"]).startswith(b"\x89PNG\r\n\x1a\n")
    assert server.post("/api/waxbill/mock/shop/scan").status == 201
    server.wait_for_status("shop", "WORKING")
    assert client.sessions.get_me("shop")["id"].endswith("@c.us")

    sent = client.chatting.send_text({"session": "shop", "chatId": CHAT, "text": "Hello!"})
    sent_id = sent["id"]["_serialized"]
    event = receiver.wait_for(lambda event: event["event"] == "message.any")
    assert (event["payload"]["id"], event["payload"]["body"]) == (sent_id, "Hello!")
    receiver.wait_for(lambda event: event["event"] == "message.ack" and event["payload"]["ackName"] == "DEVICE")

    server.post("/api/waxbill/mock/shop/messages", {"from": "49301234567", "text": "Hi!"})
    receiver.wait_for(lambda event: event["event"] == "message" and event["payload"]["body"] == "Hi!")
    assert all(received.signed_with(WEBHOOK_KEY) for received in receiver.received)
    assert not any(received.signed_with("another key") for received in receiver.received)

    read = client.chats.get_chat_messages("shop", CHAT, {"limit": 10, "downloadMedia": False})
    assert [message["body"] for message in read] == ["Hi!", "Hello!"]

    stopped = client.sessions.stop("shop")
    assert stopped["status"] == "STOPPED"
    receiver.wait_for(lambda event: event["event"] == "session.status" and event["payload"]["status"] == "STOPPED")
    statuses = [e["payload"]["status"] for e in receiver.events if e["event"] == "session.status"]
    assert statuses == ["STARTING", "SCAN_QR_CODE", "WORKING", "STOPPED"]


def test_a_wrong_key_is_refused(server: ServerProcess) -> None:
    stranger = waha.WahaClient(base_url=server.url, api_key="guessed")
    try:
        with pytest.raises(Exception, match="401"):
            stranger.sessions.list()
    finally:
        stranger.close()
