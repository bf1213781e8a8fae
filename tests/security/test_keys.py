"""Keys and limits: who gets in, how often, who did what, and how fast messages leave."""

from __future__ import annotations

import base64
import hashlib
import itertools
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from waxbill.limits import Guesses, Rate, source
from waxbill.model.errors import TooManyRequests
from waxbill.pace import Pace
from waxbill.settings import Settings
from waxbill.testing import Answer, ServerProcess

from .raw import dialled, head, said, statuses, until_closed

Serve = Callable[..., ServerProcess]
CHAT = "49301234567@c.us"
ANYBODY = {"X-Api-Key": ""}


# -- who gets in

#: All that answers without a key: what WAHA leaves open, and the pages, which ask for their own password.
OPEN = {"/ping", "/", "/-json", "/-assets/{file}", "/ws", "/dashboard"}


def test_nothing_but_what_must_be_open_is_open(serve: Serve) -> None:
    server = serve(key="secret", WHATSAPP_START_SESSION="s")
    server.wait_for_status("s", "WORKING")
    document = server.get("/-json").json()
    checked = 0
    for path, methods in document["paths"].items():
        for method in methods:
            filled = path.replace("{session}", "s")
            while "{" in filled:
                filled = f"{filled[: filled.index('{')]}x{filled[filled.index('}') + 1 :]}"
            status = server.request(
                method.upper(), filled, {} if method in ("post", "put") else None, headers=ANYBODY
            ).status
            if path in OPEN or path.startswith("/dashboard"):
                continue
            assert status == 401, f"{method} {path} answers {status} to anybody"
            checked += 1
    assert checked > 150
    assert server.get("/ping", headers=ANYBODY).status == 200


@pytest.mark.parametrize(
    "given", ["secre", "secrett", "SECRET", " secret", "secret ", "", "\xff", "sécret", "secret\t", "x" * 5000]
)
def test_only_the_whole_key_is_the_key(serve: Serve, given: str) -> None:
    server = serve(key="secret")
    request = head("GET", "/api/sessions", f"X-Api-Key:{given}", "Connection: close")
    expected = 200 if given.strip(" \t") == "secret" else 401  # white space around a header's value is not part of it
    assert statuses(said(server, request)) == [expected]


def test_two_keys_are_none(serve: Serve) -> None:
    server = serve(key="secret")
    twice = head("GET", "/api/sessions", "X-Api-Key: secret", "X-Api-Key: secret", "Connection: close")
    assert statuses(said(server, twice)) == [401]
    assert server.get("/api/sessions?x-api-key=secret&x-api-key=secret", headers=ANYBODY).status == 401


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the function that is made for it; equal strings are never compared by ==, which stops at the first letter."""
    from waxbill.api import access

    class Watched(bytes):
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared by ==")

        __hash__ = bytes.__hash__

    compared: list[tuple[Any, Any]] = []

    def compare(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return bytes.__eq__(one, other)

    monkeypatch.setattr(access, "compare_digest", compare)
    found = access.Access(Settings({"WAHA_API_KEY": "secret"}).core, api_keys=None)  # type: ignore[arg-type]
    found._plain = Watched(b"secret")
    assert found.valid("secret")
    assert not found.valid("secreT")
    assert len(compared) == 2


@pytest.mark.parametrize("digest", ["sha512:", "sha512:abc", "sha512:" + "g" * 128, "sha512:ÿ" + "a" * 127])
def test_a_hash_that_is_none_is_said_at_the_start(waxbill: Any, digest: str) -> None:
    ran = waxbill("serve", PORT="0", WAHA_API_KEY=digest, FORCE_MOCK_MODE="true")
    assert ran.returncode == 1
    assert "128 hexadecimal digits" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("key", ["admin", "sha512:" + hashlib.sha512(b"admin").hexdigest()])
def test_a_key_that_everybody_tries_first_opens_this_machine_only(serve: Serve, key: str) -> None:
    server = serve(WAHA_API_KEY=key)
    assert "everybody tries first" in server.log
    assert f"Listening on http://127.0.0.1:{server.port}" in server.log
    assert server.get("/api/sessions", headers={"X-Api-Key": "admin"}).status == 200


def test_on_a_public_address_such_a_key_is_replaced(serve: Serve) -> None:
    server = serve(WAHA_API_KEY="admin", WAXBILL_HOST="0.0.0.0")
    assert server.get("/api/sessions", headers={"X-Api-Key": "admin"}).status == 401
    (line,) = [line for line in server.log.splitlines() if "WAHA_API_KEY=" in line]
    assert server.get("/api/sessions", headers={"X-Api-Key": line.partition("=")[2]}).status == 200


def test_the_public_profile_is_strict_and_can_be_overruled(serve: Serve, waxbill: Any) -> None:
    refused = waxbill("serve", PORT="0", FORCE_MOCK_MODE="true", WAXBILL_PROFILE="public")
    assert (refused.returncode, "so a key is needed" in refused.stderr) == (1, True)
    server = serve(key="secret", WAXBILL_PROFILE="public", WHATSAPP_SWAGGER_ENABLED="true")
    listed = waxbill("settings", WAXBILL_PROFILE="public").stdout
    for name in ("WAXBILL_RATE_LIMIT", "WAXBILL_ALLOW_PRIVATE_ADDRESSES", "WAXBILL_AUDIT_KEEP"):
        (line,) = [line for line in listed.splitlines() if line.startswith(name)]
        assert "WAXBILL_PROFILE=public" in line
    assert server.get("/", headers=ANYBODY).status == 200
    assert server.get("/api/waxbill/audit").json() == []


# -- how often


def test_a_rate_lets_through_what_it_says() -> None:
    now = [1000.0]
    rate = Rate(60, burst=3, clock=lambda: now[0])
    assert [rate.wait("a") for _ in range(4)] == [0, 0, 0, pytest.approx(1.0)]
    assert rate.wait("b") == 0, "everybody has their own"
    now[0] += 1.0
    assert [rate.wait("a"), rate.wait("a")] == [0, pytest.approx(1.0)]
    now[0] += 3600
    assert [rate.wait("a") for _ in range(4)] == [0, 0, 0, pytest.approx(1.0)], "what was not used is not saved up"


def test_a_rate_keeps_no_names_without_end() -> None:
    rate = Rate(60, burst=3)
    for number in range(25_000):
        rate.wait(str(number))
    assert len(rate._due) <= 10_000


def test_guesses_cost_more_and_more() -> None:
    now = [1000.0]
    guesses = Guesses(clock=lambda: now[0])
    for _ in range(4):
        guesses.check("x")
        guesses.note("x", right=False)
    guesses.check("x")
    waits = []
    for _ in range(12):
        guesses.note("x", right=False)
        with pytest.raises(TooManyRequests) as refused:
            guesses.check("x")
        waits.append(refused.value.retry_after_seconds)
        guesses.check("y")
        now[0] += waits[-1] or 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    guesses.note("x", right=True)
    guesses.check("x")


def test_who_guesses_the_password_of_the_api_page_has_to_wait(serve: Serve) -> None:
    server = serve(key="secret", WHATSAPP_SWAGGER_PASSWORD="engine")

    def ask(password: str) -> Answer:
        given = base64.b64encode(f"admin:{password}".encode()).decode()
        return server.get("/-assets/start.js", headers={"Authorization": f"Basic {given}"})

    assert server.get("/-assets/start.js").status == 401, "to be asked is no guess"
    assert ask("engine").status == 200
    assert [ask(f"engine{n}").status for n in range(5)] == [401] * 5
    late = ask("engine")
    assert late.status == 429
    assert int(late.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !", "Basic " + "A" * 5000, "Bearer x", "Basic /w==", "Basic YWRtaW4="]
)
def test_no_header_of_another_form_opens_the_api_page(serve: Serve, header: str) -> None:
    server = serve(WHATSAPP_SWAGGER_PASSWORD="engine")
    assert server.get("/-assets/start.js", headers={"Authorization": header}).status == 401
    assert "Traceback" not in server.log


def test_passwords_may_be_set_as_their_hash(serve: Serve) -> None:
    digest = "sha512:" + hashlib.sha512(b"engine").hexdigest()
    server = serve(key="secret", WHATSAPP_SWAGGER_PASSWORD=digest, WAHA_DASHBOARD_PASSWORD=digest)
    given = base64.b64encode(b"admin:engine").decode()
    assert server.get("/-assets/start.js", headers={"Authorization": f"Basic {given}"}).status == 200
    page = {"X-Waxbill-Dashboard": "1", "X-Api-Key": ""}
    body = {"username": "admin", "password": "engine"}
    assert server.post("/dashboard/login", body, headers=page).status == 200
    assert server.post("/dashboard/login", {**body, "password": digest}, headers=page).status == 401
    assert server.post("/dashboard/login", {**body, "username": "root"}, headers=page).status == 401


def test_addresses_of_one_customer_are_one() -> None:
    assert source("192.0.2.1") == "192.0.2.1"
    assert source("::ffff:192.0.2.1") == "192.0.2.1"
    assert source("2001:db8:1:2::1") == source("2001:db8:1:2:ffff::9") != source("2001:db8:1:3::1")
    assert source("fe80::1%eth0") == source("fe80::2")


def test_each_key_has_its_own_rate_and_is_told_when_to_come_back(serve: Serve) -> None:
    server = serve(key="secret", WAXBILL_RATE_LIMIT="60", WHATSAPP_START_SESSION="s")
    other = server.post("/api/keys", {"isAdmin": True}).json()["key"]
    answers = [server.get("/api/sessions") for _ in range(15)]
    refused = [answer for answer in answers if answer.status == 429]
    assert 0 < len(refused) < 15
    assert int(refused[0].headers["retry-after"]) >= 1
    assert refused[0].json()["statusCode"] == 429
    assert server.get("/api/sessions", headers={"X-Api-Key": other}).status == 200
    wrong = {server.get("/api/sessions", headers={"X-Api-Key": f"guess{n}"}).status for n in range(15)}
    assert wrong == {401, 429}, "guesses are limited by where they come from"
    assert server.get("/api/sessions", headers={"X-Api-Key": other}).status == 200


def test_a_proxy_is_believed_only_where_it_is_trusted(serve: Serve) -> None:
    def statuses_of(server: ServerProcess) -> set[int]:
        return {
            server.get("/api/sessions", headers={"X-Api-Key": "guess", "X-Forwarded-For": f"192.0.2.{n}"}).status
            for n in range(15)
        }

    server = serve(key="secret", WAXBILL_RATE_LIMIT="60")
    assert statuses_of(server) == {401, 429}, "a client that makes up addresses is still one"
    server.stop()
    server = serve(key="secret", WAXBILL_RATE_LIMIT="60", WAXBILL_TRUSTED_PROXY="127.0.0.1")
    assert statuses_of(server) == {401}


# -- who did what


def test_the_audit_log_says_who_did_what(serve: Serve) -> None:
    server = serve(key="secret", WAXBILL_AUDIT_KEEP="1000", WHATSAPP_START_SESSION="s,t")
    for name in ("s", "t"):
        server.wait_for_status(name, "WORKING")
    made = server.post("/api/keys", {"isAdmin": False, "session": "s", "actions": {"read": True, "send": True}}).json()
    own = {"X-Api-Key": made["key"]}
    text = {"session": "s", "chatId": CHAT, "text": "nobody else's business"}
    assert server.post("/api/sendText", text, headers=own).status == 201
    assert server.post("/api/sendText", {**text, "session": "t"}, headers=own).status == 403
    assert server.post("/api/sendText", {**text, "chatId": 5}, headers=own).status == 400
    assert server.post("/api/sendText", text, headers={"X-Api-Key": "wrong"}).status == 401
    assert server.get("/api/sessions", headers=own).status == 200
    assert server.get("/api/waxbill/audit", headers=own).status == 403
    rows = server.get("/api/waxbill/audit").json()
    shown = [(row["caller"], row["operation"], row["session"], row["status"]) for row in rows]
    assert shown == [
        (made["id"], "list_audit", "", 403),
        (made["id"], "send_text", "", 400),
        (made["id"], "send_text", "t", 403),
        (made["id"], "send_text", "s", 201),
        ("server", "create_key", "s", 201),
    ]
    assert rows[0]["address"] == "127.0.0.1"
    assert abs(rows[0]["at"] / 1000 - time.time()) < 60
    assert "business" not in server.get("/api/waxbill/audit").text
    assert [row["session"] for row in server.get("/api/waxbill/audit", query={"session": "t"}).json()] == ["t"]
    older = server.get("/api/waxbill/audit", query={"before": rows[2]["id"], "limit": 1}).json()
    assert older == [rows[3]]


def test_the_audit_log_is_bounded(serve: Serve) -> None:
    server = serve(WAXBILL_AUDIT_KEEP="20")
    for _ in range(250):
        server.post("/api/sessions/nobody/start")
    rows = server.get("/api/waxbill/audit", query={"limit": 1000}).json()
    assert len(rows) == 20
    import sqlite3

    with sqlite3.connect(server.folder / "store/waxbill.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM audit").fetchone()[0] <= 120


def test_without_the_setting_there_is_no_audit_log(serve: Serve) -> None:
    assert serve().get("/api/waxbill/audit").status == 404


# -- how fast


def pace(now: list[float], **environment: str) -> Pace:
    settings = Settings({"WAXBILL_SENDS_PER_MINUTE": "60", "WAXBILL_SENDS_JITTER": "0", **environment})
    return Pace(settings.core, clock=lambda: now[0])


def test_messages_leave_one_after_the_other() -> None:
    now = [1000.0]
    line = pace(now)
    assert line.turn("s") is None
    turns = [line.turn("s") for _ in range(3)]
    assert [turn.due for turn in turns if turn] == [1001.0, 1002.0, 1003.0]
    assert [turn.position for turn in turns if turn] == [1, 2, 3]
    assert line.turn("t") is None, "every session has its own line"
    now[0] = 1002.5
    assert line.state("s") == (60.0, 1, 1.5)
    now[0] = 1010.0
    assert line.turn("s") is None


def test_a_line_that_is_full_or_too_long_says_so() -> None:
    now = [1000.0]
    line = pace(now, WAXBILL_SENDS_QUEUE="2")
    assert [line.turn("s") is None for _ in range(3)] == [True, False, False]
    with pytest.raises(TooManyRequests, match="2 messages of the session 's' wait") as refused:
        line.turn("s")
    assert refused.value.retry_after_seconds == 1
    line = pace(now, WAXBILL_SENDS_WAIT_SECONDS="10")
    for _ in range(11):
        line.turn("s")
    with pytest.raises(TooManyRequests):
        line.turn("s")


def test_the_gaps_vary_around_what_was_asked() -> None:
    now = [1000.0]
    line = pace(now, WAXBILL_SENDS_JITTER="0.5", WAXBILL_SENDS_QUEUE="1000", WAXBILL_SENDS_WAIT_SECONDS="3600")
    line.turn("s")
    due = [turn.due for turn in (line.turn("s") for _ in range(500)) if turn]
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert 0.5 <= min(gaps) < 0.7
    assert 1.3 < max(gaps) <= 1.5
    assert sum(gaps) / len(gaps) == pytest.approx(1.0, abs=0.1)


def paced(serve: Serve, **environment: str) -> ServerProcess:
    settings = {"WAXBILL_SENDS_PER_MINUTE": "120", "WAXBILL_SENDS_JITTER": "0", "WHATSAPP_START_SESSION": "s,t"}
    server = serve(**{**settings, **environment})
    for name in ("s", "t"):
        server.wait_for_status(name, "WORKING")
    return server


def send(server: ServerProcess, text: str, session: str = "s") -> Answer:
    return server.post("/api/sendText", {"session": session, "chatId": CHAT, "text": text})


def test_paced_sends_wait_without_a_thread_and_leave_in_order(serve: Serve) -> None:
    server = paced(serve, WAXBILL_THREADS="1")
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: send(server, str(n)), range(6)))
        assert server.get("/ping").status == 200
    assert {answer.status for answer in answers} == {201}
    assert time.monotonic() - begun >= 2.4, "five gaps of half a second"
    positions = sorted(int(answer.headers.get("x-waxbill-queue-position", 0)) for answer in answers)
    assert positions == [0, 1, 2, 3, 4, 5]
    stamps = sorted(float(answer.headers.get("x-waxbill-queue-seconds", 0)) for answer in answers)
    assert stamps[-1] >= 2.0
    assert len(server.get(f"/api/s/chats/{CHAT}/messages").json()) == 6


def test_media_is_paced_in_the_same_line(serve: Serve) -> None:
    server = paced(serve)
    image = {"session": "s", "chatId": CHAT, "file": {"mimetype": "image/png", "data": "iVBORw0KGgo="}}
    assert send(server, "first").status == 201
    answer = server.post("/api/sendImage", image)
    assert answer.status == 201
    assert answer.headers["x-waxbill-queue-position"] == "1"
    assert "x-waxbill-queue-position" not in server.post("/api/sendSeen", {"session": "s", "chatId": CHAT}).headers


def test_the_length_of_the_line_can_be_seen_and_is_bounded(serve: Serve) -> None:
    server = paced(serve, WAXBILL_SENDS_PER_MINUTE="6", WAXBILL_SENDS_QUEUE="2", WAXBILL_STOP_SECONDS="1")
    assert server.get("/api/waxbill/sends/s").json() == {"perMinute": 6.0, "waiting": 0, "seconds": 0.0}
    assert send(server, "first").status == 201
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(send(server, "later"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    while server.get("/api/waxbill/sends/s").json()["waiting"] < 2:
        pass
    full = send(server, "too many")
    assert (full.status, int(full.headers["retry-after"]) > 0) == (429, True)
    assert send(server, "somebody else's", "t").status == 201
    assert server.stop() == 0
    for thread in threads:
        thread.join(10)
    assert [answer.status for answer in answers] == [503, 503], "what waits at the end was not sent, and is told so"


def test_who_hangs_up_in_the_line_sends_nothing(serve: Serve) -> None:
    server = paced(serve, WAXBILL_SENDS_PER_MINUTE="60")
    assert send(server, "first").status == 201
    body = b'{"session": "s", "chatId": "49301234567", "text": "taken back"}'
    with dialled(server) as connection:
        connection.sendall(head("POST", "/api/sendText", f"Content-Length: {len(body)}") + body)
        while server.get("/api/waxbill/sends/s").json()["waiting"] != 1:
            pass
        connection.shutdown(socket.SHUT_WR)
        assert until_closed(connection) == b""
    assert send(server, "last").status == 201
    assert [each["body"] for each in server.get(f"/api/s/chats/{CHAT}/messages").json()] == ["last", "first"]


def test_a_call_that_fails_anyway_takes_no_place(serve: Serve) -> None:
    server = paced(serve, WAXBILL_SENDS_PER_MINUTE="1")
    assert send(server, "x", "nobody").status == 404
    server.post("/api/sessions/t/stop")
    assert send(server, "x", "t").status == 422
    assert send(server, "first").status == 201
