"""The server process: start, keys, limits, raw HTTP, and an end that loses nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import Answer, ServerProcess

from .making import install

CHAT = "49301234567@c.us"
END = "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
Serve = Callable[..., ServerProcess]


def working(server: ServerProcess, name: str = "s") -> ServerProcess:
    assert server.post("/api/sessions", {"name": name}).status == 201
    server.wait_for_status(name, "WORKING")
    return server


def raw(server: ServerProcess, request: bytes) -> bytes:
    """Sends bytes as they are and reads until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


# -- start


def test_the_start_says_driver_mode_reason_memory_and_address(serve: Serve) -> None:
    server = serve(MEMORY_LIMIT_MB="512")
    assert "waxbill: WhatsApp simulator (mock mode): FORCE_MOCK_MODE is set" in server.log
    assert "Memory: limit 512 MB (MEMORY_LIMIT_MB)" in server.log
    assert f"Listening on http://127.0.0.1:{server.port}" in server.log
    assert "No API key is set" in server.log


def test_log_lines_can_be_json(serve: Serve) -> None:
    server = serve(WAHA_LOG_FORMAT="JSON")
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert any(line["msg"].startswith("Listening on") and line["level"] == "info" for line in lines)


def test_a_port_in_use_is_said_in_one_sentence(serve: Serve, waxbill: Any, tmp_path: Path) -> None:
    server = serve()
    ran = waxbill("serve", PORT=str(server.port), WAHA_LOCAL_STORE_BASE_DIR=str(tmp_path / "other"))
    assert ran.returncode == 1
    assert f"Can't listen on port {server.port}: Address already in use" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_second_server_on_the_same_store_is_refused(serve: Serve, waxbill: Any) -> None:
    server = serve()
    ran = waxbill("serve", PORT="0", WAHA_LOCAL_STORE_BASE_DIR=str(server.folder / "store"))
    assert ran.returncode == 1
    assert "is in use by another waxbill" in ran.stderr


def test_without_a_driver_there_is_a_sentence_that_says_what_to_install(waxbill: Any) -> None:
    ran = waxbill("serve", PORT="0", WAXBILL_DISABLE_PLUGINS="mock,browser")
    assert ran.returncode == 1
    assert "pip install 'waxbill[mock]'" in ran.stderr


def test_an_unknown_driver_fails_the_sessions_with_the_reason(serve: Serve) -> None:
    server = serve(WAXBILL_DRIVER="pigeon")
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "FAILED")
    reason = server.get("/api/sessions/s").json()["engine"]["reason"]
    assert reason.startswith("WAXBILL_DRIVER is 'pigeon', but the installed drivers are:")


def test_sessions_of_the_settings_are_made_and_started(serve: Serve) -> None:
    server = serve(WHATSAPP_START_SESSION="a,b")
    for name in ("a", "b"):
        server.wait_for_status(name, "WORKING")


# -- keys


def test_a_key_is_asked_for_everywhere_but_at_ping(serve: Serve) -> None:
    server = serve(key="secret")
    anonymous = {"X-Api-Key": ""}
    assert server.get("/ping", headers=anonymous).status == 200
    for headers in (anonymous, {"X-Api-Key": "wrong"}):
        answer = server.get("/api/sessions", headers=headers)
        assert (answer.status, answer.json()) == (401, {"message": "Unauthorized", "statusCode": 401})
    assert server.get("/api/sessions").status == 200
    assert server.get("/api/sessions?x-api-key=secret", headers=anonymous).status == 200
    assert server.get("/health", headers=anonymous).status == 401


def test_a_key_may_be_set_as_its_hash(serve: Serve) -> None:
    server = serve(WAHA_API_KEY="sha512:" + hashlib.sha512(b"secret").hexdigest())
    assert server.get("/api/sessions", headers={"X-Api-Key": "secret"}).status == 200
    assert server.get("/api/sessions", headers={"X-Api-Key": "other"}).status == 401


def test_paths_can_be_left_open(serve: Serve) -> None:
    server = serve(key="secret", WAHA_API_KEY_EXCLUDE_PATH="health,api/server/(.*)")
    anonymous = {"X-Api-Key": ""}
    assert server.get("/health", headers=anonymous).status == 200
    assert server.get("/api/server/version", headers=anonymous).status == 200
    assert server.get("/api/sessions", headers=anonymous).status == 401


def test_a_public_address_without_a_key_gets_one_that_stays(serve: Serve) -> None:
    server = serve(WAXBILL_HOST="0.0.0.0")
    (line,) = [line for line in server.log.splitlines() if "WAHA_API_KEY=" in line]
    key = line.partition("WAHA_API_KEY=")[2]
    assert len(key) == 32
    assert server.get("/api/sessions").status == 401
    server.restart()
    assert "WAHA_API_KEY=" not in server.log
    assert server.get("/api/sessions", headers={"X-Api-Key": key}).status == 200
    assert key.encode() not in (server.folder / "store/waxbill.sqlite3").read_bytes()


def test_secrets_do_not_leave_the_server(serve: Serve) -> None:
    server = serve(key="very-secret", WHATSAPP_HOOK_HMAC_KEY="also-secret")
    shown = server.get("/api/server/environment", query={"all": "true"})
    assert shown.json()["WAHA_API_KEY"] == "***"
    assert "very-secret" not in shown.text + server.log
    assert "also-secret" not in shown.text + server.log


# -- limits and raw HTTP


def test_a_body_that_is_too_large_is_refused_before_it_is_read(serve: Serve) -> None:
    server = serve(WAXBILL_MAX_BODY_MB="1")
    head = b"POST /api/sendText HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    answer = raw(server, head)  # not one byte of the body is sent
    assert answer.startswith(b"HTTP/1.1 413 ")
    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert body["statusCode"] == 413
    assert "larger than 1 MB" in body["message"]


def test_a_chunked_body_that_grows_too_large_is_refused(serve: Serve) -> None:
    server = serve(WAXBILL_MAX_BODY_MB="1")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(b"POST /api/sendText HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        answer = b""
        try:
            for _ in range(64):
                connection.sendall(chunk)
            answer = connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            answer = answer or connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/sendText HTTP/1.1\r\nHost: localhost\r\nContent-Length: nine\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nBad Header: y\r\n\r\n",
    ],
)
def test_malformed_requests_are_refused_and_the_server_goes_on(serve: Serve, request_bytes: bytes) -> None:
    server = serve()
    answer = raw(server, request_bytes)
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400")), answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["statusCode"] == 400
    assert server.get("/ping").status == 200


def test_requests_on_one_connection_are_answered_in_order(serve: Serve) -> None:
    server = serve()
    one = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
    other = b"GET /api/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(server, one + one + other)
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"404"]


def test_the_usual_head_is_the_one_that_waitress_writes(serve: Serve) -> None:
    server = serve()
    for path in ("/ping", "/api/sessions", "/api/nothing"):
        heads = [
            raw(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n{END}".encode()).split(b"\r\n\r\n")[0]
            for more in ("", "Connection: keep-alive\r\n")  # with the second it is waitress's
        ]
        assert re.sub(rb"Date: \w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT", b"", heads[0]) == re.sub(
            rb"Date: [^\r]*", b"", heads[1]
        )


def test_an_idle_connection_holds_up_nobody(serve: Serve) -> None:
    server = serve()
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    try:
        for connection in idle:
            connection.sendall(b"POST /api/sendText HTTP/1.1\r\nContent-Le")
        assert server.get("/ping", timeout_seconds=5).status == 200
    finally:
        for connection in idle:
            connection.close()


def test_a_browser_may_ask_from_another_page(serve: Serve) -> None:
    server = serve(key="secret")
    asked = {"Origin": "https://bot.example", "Access-Control-Request-Method": "POST"}
    answer = server.request("OPTIONS", "/api/sendText", headers={**asked, "X-Api-Key": ""})
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] in ("*", "X-Api-Key")


# -- many at once


def test_many_senders_at_once_lose_nothing(serve: Serve) -> None:
    server = working(serve())

    def send(number: int) -> Answer:
        return server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": str(number)})

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(200)))
    assert {answer.status for answer in answers} == {201}
    read = server.get(f"/api/s/chats/{CHAT}/messages", query={"limit": 1000}).json()
    assert sorted(int(message["body"]) for message in read) == list(range(200))
    assert len({message["id"] for message in read}) == 200


def test_requests_that_wait_run_in_threads_and_hold_up_no_others(serve: Serve) -> None:
    server = serve(WAXBILL_MOCK_SCAN_SECONDS="-1")
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "SCAN_QR_CODE")
    waiting = threading.Thread(
        target=server.post, args=("/api/sendText", {"session": "s", "chatId": CHAT, "text": "x"}), daemon=True
    )
    waiting.start()  # it waits up to five seconds for the session to work
    for _ in range(20):
        assert server.get("/ping", timeout_seconds=2).status == 200
    assert server.post("/api/waxbill/mock/s/scan").status == 201
    waiting.join(6)
    assert not waiting.is_alive()
    assert len(server.get(f"/api/s/chats/{CHAT}/messages").json()) == 1


# -- the end


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_was_answered_is_there_after_a_restart(serve: Serve, how: str) -> None:
    server = working(serve())
    sent = [server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": str(n)}) for n in range(5)]
    assert {answer.status for answer in sent} == {201}
    assert getattr(server, how)() == (0 if how == "stop" else -9)
    server = serve(server.folder)
    server.wait_for_status("s", "WORKING")
    read = server.get(f"/api/s/chats/{CHAT}/messages").json()
    assert [message["body"] for message in read] == ["4", "3", "2", "1", "0"]


def test_a_stopped_session_stays_stopped_after_a_restart(serve: Serve) -> None:
    server = working(serve())
    working(server, "t")
    server.post("/api/sessions/t/stop")
    server.restart()
    server.wait_for_status("s", "WORKING")
    assert server.get("/api/sessions/t").json()["status"] == "STOPPED"


def test_a_request_that_runs_when_the_stop_comes_is_answered(serve: Serve) -> None:
    server = serve(WAXBILL_MOCK_SCAN_SECONDS="0.5")
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "SCAN_QR_CODE")
    before = server.get("/api/sessions").json()[0]["timestamps"]["activity"]
    answers: list[Answer] = []

    def send() -> None:
        answers.append(server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": "x"}))

    waiting = threading.Thread(target=send)
    waiting.start()
    while server.get("/api/sessions").json()[0]["timestamps"]["activity"] == before:
        pass  # until the request has arrived
    assert server.stop() == 0
    waiting.join(10)
    assert [answer.status for answer in answers] == [201]


def test_the_api_can_stop_the_server(serve: Serve) -> None:
    server = serve()
    assert server.post("/api/server/stop", {}).json() == {"stopping": True}
    assert server.wait_for_log(lambda line: "Stopping" in line)


def test_a_failing_disk_is_a_503_and_nothing_is_half_done(serve: Serve) -> None:
    server = working(serve())
    # Another process that holds the write lock stands for a disk that can't be written.
    blocker = sqlite3.connect(server.folder / "store/waxbill.sqlite3", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        answer = server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": "x"}, timeout_seconds=20)
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "try again" in answer.json()["message"]
    assert server.get(f"/api/s/chats/{CHAT}/messages").json() == []
    assert server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": "y"}).status == 201


# -- the reference


def test_the_reference_is_served_with_its_document(serve: Serve) -> None:
    server = serve(key="secret")
    page = server.get("/", headers={"X-Api-Key": ""})
    assert page.status == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    document = server.get("/-json", headers={"X-Api-Key": ""}).json()
    assert len(document["paths"]) > 100


def test_the_reference_can_have_a_password_or_be_off(serve: Serve, tmp_path: Path) -> None:
    server = serve(WHATSAPP_SWAGGER_PASSWORD="pass")
    assert server.get("/").status == 401
    given = base64.b64encode(b"admin:pass").decode()
    assert server.get("/", headers={"Authorization": f"Basic {given}"}).status == 200
    off = serve(tmp_path / "off", WHATSAPP_SWAGGER_ENABLED="false") if (tmp_path / "off").mkdir() is None else server
    assert off.get("/-json").status == 404
    assert off.get("/").headers["location"] == "/dashboard"


# -- the monitor


def test_a_request_that_waits_again_and_again_keeps_nothing_of_its_tries(
    serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    code = """
import weakref
from waxbill import hookimpl
from waxbill.api.operation import Area, Call, Parked

area = Area("Test")
tries = weakref.WeakSet()

class Try:
    pass

class Waiting(Parked):
    left = 20

@area.get("/api/tries")
def count(call: Call) -> int:
    this = Try()
    tries.add(this)
    waiting = call.server.resumed or Waiting(lambda again: call.server.clock.call_later(0, again))
    waiting.left -= 1
    if waiting.left:
        raise waiting
    return len(tries)

@hookimpl
def waxbill_routes(app, server):
    return [area]
"""
    install(tmp_path / "site", "tries", code)
    server = serve(PYTHONPATH=str(tmp_path / "site"))
    assert server.get("/api/tries").json() == 1
