"""What is inside requests and deliveries: headers, signatures, nesting and numbers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from waxbill.testing import Receiver, ServerProcess

from .raw import head, said, statuses

Serve = Callable[..., ServerProcess]
CHAT = "49301234567@c.us"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    environment = {"FORCE_MOCK_MODE": "true", "WHATSAPP_START_SESSION": "s", "WAXBILL_MOCK_SCAN_SECONDS": "0"}
    with ServerProcess(tmp_path_factory.mktemp("messages"), **environment) as found:
        found.wait_for_status("s", "WORKING")
        yield found


# -- headers of deliveries

EVIL = ["x\r\nX-Evil: 1", "x\nX-Evil: 1", "x\rX-Evil: 1", "x\0y", "x\x0bX-Evil: 1", "x\u2028y", "ä", "x\x7f"]


@pytest.mark.parametrize("value", EVIL)
@pytest.mark.parametrize("where", ["name", "value"])
def test_a_custom_header_adds_no_other(server: ServerProcess, where: str, value: str) -> None:
    header = {"name": "X-Mine", "value": "fine", where: value}
    config = {"webhooks": [{"url": "http://127.0.0.1:9/", "events": ["*"], "customHeaders": [header]}]}
    answer = server.post("/api/sessions", {"name": "t", "config": config, "start": False})
    assert answer.status == 400
    assert f"customHeaders.0.{where}" in answer.text
    assert server.get("/api/sessions/t").status == 404


@pytest.mark.parametrize(
    "url", ["http://h/\r\nX-Evil: 1", "http://h/ HTTP/1.1\r\nX: y", "http://h\0/", "http://h/\u2028"]
)
def test_a_webhooks_url_adds_none_either(server: ServerProcess, url: str) -> None:
    config = {"webhooks": [{"url": url, "events": ["*"]}]}
    assert server.post("/api/sessions", {"name": "t", "config": config, "start": False}).status == 400


# -- signatures


def test_the_signature_is_over_every_byte_that_is_sent(serve: Serve, receiver: Receiver) -> None:
    key = "k" * 300  # longer than the hash's block
    webhook = {"url": receiver.url, "events": ["message.any"], "hmac": {"key": key}}
    server = serve()
    server.post("/api/sessions", {"name": "s", "config": {"webhooks": [webhook]}})
    server.wait_for_status("s", "WORKING")
    server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": "ä\u2028👍"})
    receiver.wait_for_count(1)
    received = receiver.received[0]
    headers = {name.lower(): value for name, value in received.headers.items()}
    expected = hmac.new(key.encode(), received.body, hashlib.sha512).hexdigest()
    assert headers["x-webhook-hmac"] == expected


def test_a_delivery_that_is_played_again_shows_its_age(serve: Serve, receiver: Receiver) -> None:
    """Id and time are signed (standardwebhooks.com): who replays a delivery can't make it look new."""
    secret = base64.b64encode(b"s" * 24).decode()
    webhook = {"url": receiver.url, "events": ["message.any"], "hmac": {"key": f"whsec_{secret}"}}
    server = serve(WAXBILL_STANDARD_WEBHOOKS="true")
    server.post("/api/sessions", {"name": "s", "config": {"webhooks": [webhook]}})
    server.wait_for_status("s", "WORKING")
    server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": "x"})
    receiver.wait_for_count(1)
    received = receiver.received[0]
    headers = {name.lower(): value for name, value in received.headers.items()}

    def signature(moment: str, event: str) -> str:
        signed = f"{event}.{moment}.".encode() + received.body
        return "v1," + base64.b64encode(hmac.new(b"s" * 24, signed, "sha256").digest()).decode()

    moment, event = headers["webhook-timestamp"], headers["webhook-id"]
    assert headers["webhook-signature"] == signature(moment, event)
    assert headers["webhook-signature"] != signature(str(int(moment) + 600), event)


# -- nesting, numbers, pollution


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000, b'{"a":' * 500_000, b'{"session":"s","config":' + b'{"config":' * 100_000,
        b'{"name":' + b"9" * 1_000_000 + b"}", b'{"name":1e999999}', b'{"name":"\\ud800"}', b"\xef\xbb\xbf{}", b"\xff",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/sendText", "/api/sessions", "/api/keys", "/mcp"])
def test_absurd_json_is_refused_quickly(server: ServerProcess, path: str, body: bytes) -> None:
    answer = server.request("POST", path, body, timeout_seconds=20)
    assert answer.status in (200, 201, 202, 400, 401, 404, 422), answer.text[:300]
    if path != "/mcp":
        assert answer.status in (400, 422), answer.text[:300]
    assert "Traceback" not in server.log


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 10**30, 1e308])
def test_numbers_beyond_what_can_be_kept_are_a_bad_request(server: ServerProcess, number: float) -> None:
    body = {"session": "s", "since": number, "until": number}
    answer = server.post("/api/waxbill/deliveries/replay", body)
    assert answer.status == 400, answer.text
    limits = server.get(f"/api/s/chats/{CHAT}/messages", query={"limit": int(number), "offset": int(number)})
    assert limits.status == 400


def test_a_deeply_nested_form_is_refused(server: ServerProcess) -> None:
    name = "a." * 3000 + "b"
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n1\r\n',
        '--x\r\nContent-Disposition: form-data; name="c"\r\nContent-Type: application/json\r\n\r\n'
        + "[" * 100_000
        + "\r\n",
    ]
    for part in parts:
        body = (part + "--x--\r\n").encode()
        answer = server.request(
            "POST", "/api/sendFile", body, headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert answer.status == 400, answer.text[:300]
    assert "Traceback" not in server.log


def test_a_form_without_a_body_is_refused(server: ServerProcess) -> None:
    form = "Content-Type: multipart/form-data; boundary=x"
    for length in ((), ("Content-Length: 0",)):
        answer = said(server, head("POST", "/api/sendFile", form, "Connection: close", *length))
        assert statuses(answer) == [400]
    assert "Traceback" not in server.log


def test_a_parameter_that_comes_twice_is_refused(server: ServerProcess) -> None:
    answer = server.get(f"/api/s/chats/{CHAT}/messages?limit=1&limit=100")
    assert (answer.status, answer.json()["message"]) == (400, ["limit must be given once, not 2 times"])
    assert server.get("/api/sessions?all=true&all=false").status == 400


def test_many_parts_and_members_are_bounded(server: ServerProcess) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    body = (part * 5000 + "--x--\r\n").encode()
    answer = server.request("POST", "/api/sendFile", body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status == 400
    many: dict[str, Any] = {f"m{number}": number for number in range(50_000)}
    body = json.dumps({"session": "s", "chatId": CHAT, "text": "x", **many}).encode()
    assert server.request("POST", "/api/sendText", body, timeout_seconds=20).status == 201
