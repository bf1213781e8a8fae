"""Sessions: their whole life over the API, and what it leaves in the store."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

HOOK: dict[str, Any] = {"url": "http://h", "events": []}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def simulator(simulators: Callable[..., Any]) -> Any:
    """Codes are scanned by the control call only."""
    return simulators(WAXBILL_MOCK_SCAN_SECONDS="0")


def statuses(simulator: Any, session: str) -> list[str]:
    return [e["payload"].status for e in simulator.events("session.status") if e["session"] == session]


def status(simulator: Any, session: str) -> str:
    return str(simulator.call("GET", f"/api/sessions/{session}", status=200)["status"])


def test_a_session_goes_through_all_statuses(simulator: Any) -> None:
    assert statuses(simulator, "s") == ["STARTING", "SCAN_QR_CODE", "WORKING"]
    stopped = simulator.call("POST", "/api/sessions/s/stop", status=201)
    assert (stopped["name"], stopped["status"]) == ("s", "STOPPED")
    simulator.call("POST", "/api/sessions/s/start", status=201)
    simulator.run_until(lambda: status(simulator, "s") == "WORKING")
    # A paired session needs no new code.
    assert statuses(simulator, "s")[3:] == ["STOPPED", "STARTING", "WORKING"]
    payload = simulator.payload("session.status")
    assert [point["status"] for point in payload["statuses"]] == ["STOPPED", "STARTING", "WORKING"]
    assert all(point["timestamp"] > 1_600_000_000_000 for point in payload["statuses"])


def test_the_list_has_what_runs_and_with_all_everything(simulator: Any) -> None:
    simulator.call("POST", "/api/sessions", {"name": "idle", "start": False}, status=201)
    assert [session["name"] for session in simulator.call("GET", "/api/sessions")] == ["s"]
    for yes in ("true", "True", "1"):
        found = simulator.call("GET", "/api/sessions", all=yes, status=200)
        assert [session["name"] for session in found] == ["s", "idle"]
    assert "engine" not in found[0]
    assert found[0]["me"]["id"].endswith("@c.us")
    assert found[1]["me"] is None


def test_one_session_has_its_engine_and_its_configuration(simulator: Any) -> None:
    config = {"metadata": {"tenant": "42"}, "webhooks": [{"url": "https://example.com/a", "events": ["message"]}]}
    simulator.call("POST", "/api/sessions", {"name": "full", "start": False, "config": config}, status=201)
    found = simulator.call("GET", "/api/sessions/full", status=200)
    assert found["engine"]["engine"] == "WEBJS"
    assert found["config"]["metadata"] == {"tenant": "42"}
    assert found["config"]["webhooks"][0]["url"] == "https://example.com/a"
    assert found["timestamps"] == {"activity": found["timestamps"]["activity"]}


def test_a_generated_name_is_unique(simulator: Any) -> None:
    names = {simulator.call("POST", "/api/sessions", {"start": False}, status=201)["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("session_") for name in names)


def test_create_start_and_stop_are_idempotent_where_waha_is(simulator: Any) -> None:
    simulator.call("POST", "/api/sessions", {"name": "s"}, status=422)
    simulator.call("POST", "/api/sessions/s/start", status=201)
    assert status(simulator, "s") == "WORKING"
    simulator.call("POST", "/api/sessions/s/stop", status=201)
    simulator.call("POST", "/api/sessions/s/stop", status=201)
    assert status(simulator, "s") == "STOPPED"
    simulator.call("DELETE", "/api/sessions/s", status=200)
    simulator.call("DELETE", "/api/sessions/s", status=200)
    simulator.call("GET", "/api/sessions/s", status=404)


def test_update_replaces_the_configuration_and_starts_a_running_session_again(simulator: Any) -> None:
    simulator.forget_events()
    changed = simulator.call("PUT", "/api/sessions/s", {"config": {"metadata": {"a": "b"}}}, status=200)
    assert changed["config"]["metadata"] == {"a": "b"}
    simulator.run_until(lambda: status(simulator, "s") == "WORKING")
    assert statuses(simulator, "s") == ["STARTING", "WORKING"]
    simulator.call("PUT", "/api/sessions/s", {"config": {}}, status=200)
    assert "metadata" not in simulator.call("GET", "/api/sessions/s")["config"]


def test_restart_and_logout(simulator: Any) -> None:
    simulator.forget_events()
    simulator.call("POST", "/api/sessions/s/restart", status=201)
    simulator.run_until(lambda: statuses(simulator, "s") == ["STARTING", "WORKING"])
    simulator.forget_events()
    simulator.call("POST", "/api/sessions/s/logout", status=201)
    simulator.run_until(lambda: status(simulator, "s") == "WORKING")
    # It had to be paired anew.
    assert statuses(simulator, "s")[:2] == ["STARTING", "SCAN_QR_CODE"]


def test_logout_forgets_the_chats_and_stop_does_not(simulator: Any) -> None:
    path = "/api/s/chats/49301234567@c.us/messages"
    simulator.call("POST", "/api/sendText", {"session": "s", "chatId": "49301234567", "text": "x"}, status=201)
    simulator.call("POST", "/api/sessions/s/restart", status=201)
    simulator.run_until(lambda: status(simulator, "s") == "WORKING")
    assert len(simulator.call("GET", path, status=200)) == 1
    simulator.call("POST", "/api/sessions/s/logout", status=201)
    simulator.run_until(lambda: status(simulator, "s") == "WORKING")
    assert simulator.call("GET", path, status=200) == []


def test_me_is_empty_until_somebody_is_logged_in(simulators: Callable[..., Any]) -> None:
    simulator = simulators()
    simulator.call("POST", "/api/sessions", {"name": "new", "start": False}, status=201)
    assert simulator.call("GET", "/api/sessions/new/me", status=200) is None
    me = simulator.call("GET", "/api/sessions/s/me", status=200)
    assert me["id"].endswith("@c.us")
    assert me["lid"].endswith("@lid")


def test_the_deprecated_forms(simulator: Any) -> None:
    simulator.call("POST", "/api/sessions/start", {"name": "old"}, status=201)
    simulator.run_until(lambda: status(simulator, "old") == "WORKING")
    simulator.call("POST", "/api/sessions/stop", {"name": "old"}, status=201)
    assert status(simulator, "old") == "STOPPED"
    simulator.call("POST", "/api/sessions/start", {"name": "old", "config": {"metadata": {"v": "2"}}}, status=201)
    assert simulator.call("GET", "/api/sessions/old")["config"]["metadata"] == {"v": "2"}
    simulator.call("POST", "/api/sessions/stop", {"name": "old", "logout": True}, status=201)
    simulator.call("GET", "/api/sessions/old", status=404)
    simulator.call("POST", "/api/sessions/start", {"name": "old"}, status=201)
    simulator.call("POST", "/api/sessions/logout", {"name": "old"}, status=201)
    simulator.call("GET", "/api/sessions/old", status=404)


def test_a_session_may_be_called_like_an_operation(simulator: Any) -> None:
    simulator.call("POST", "/api/sessions", {"name": "start", "start": False}, status=201)
    assert simulator.call("GET", "/api/sessions/start", status=200)["name"] == "start"
    simulator.call("DELETE", "/api/sessions/start", status=200)
    simulator.call("GET", "/api/sessions/start", status=404)


# -- pairing


@pytest.fixture
def unpaired(simulators: Callable[..., Any]) -> Any:
    """A session ``new`` that waits for its code to be scanned."""
    simulator = simulators(WAXBILL_MOCK_FIRST_QR_SECONDS="60")
    simulator.server.driver._settings = type(simulator.server.driver._settings)(scan_seconds=-1, first_qr_seconds=0.05)
    simulator.call("POST", "/api/sessions", {"name": "new"}, status=201)
    simulator.run_until(lambda: status(simulator, "new") == "SCAN_QR_CODE")
    return simulator


def test_the_code_is_a_picture_base64_or_text(unpaired: Any) -> None:
    raw = unpaired.call("GET", "/api/new/auth/qr", format="raw", status=200)
    assert raw["value"].startswith("2@")
    for accept in ("image/png", "*/*", "application/json, image/png"):
        picture = unpaired.simulate_get("/api/new/auth/qr", headers={"Accept": accept})
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(PNG)
    coded = unpaired.simulate_get("/api/new/auth/qr", headers={"Accept": "application/json"}).json
    assert coded["mimetype"] == "image/png"
    assert base64.b64decode(coded["data"]).startswith(PNG)
    shown = unpaired.simulate_get("/api/screenshot", params={"session": "new"})
    assert shown.content.startswith(PNG)


def test_the_code_rotates_and_each_new_one_is_told(unpaired: Any) -> None:
    def value() -> str:
        return str(unpaired.call("GET", "/api/new/auth/qr", format="raw", status=200)["value"])

    first = value()
    unpaired.run_until(lambda: statuses(unpaired, "new").count("SCAN_QR_CODE") == 2)
    assert value() != first


def test_a_scan_pairs(unpaired: Any) -> None:
    unpaired.call("POST", "/api/waxbill/mock/new/scan", status=201)
    assert status(unpaired, "new") == "WORKING"
    refused = unpaired.call("GET", "/api/new/auth/qr", status=422)
    assert refused["status"] == "WORKING"
    assert refused["expected"] == ["SCAN_QR_CODE"]
    assert set(refused) == {"error", "session", "status", "expected"}


def test_a_pairing_code_has_two_groups_of_four(unpaired: Any) -> None:
    code = unpaired.call("POST", "/api/new/auth/request-code", {"phoneNumber": "+49301234567"}, status=201)["code"]
    assert [len(part) for part in code.split("-")] == [4, 4]
    unpaired.call("POST", "/api/new/auth/request-code", {"phoneNumber": "not a number"}, status=422)
    unpaired.call("POST", "/api/new/auth/request-code", {}, status=400)


def test_codes_that_nobody_scans_end_in_failed_with_the_reason(simulators: Callable[..., Any]) -> None:
    simulator = simulators()
    kind = type(simulator.server.driver._settings)
    simulator.server.driver._settings = kind(scan_seconds=-1, qr_codes=2, first_qr_seconds=0.01, next_qr_seconds=0.01)
    simulator.call("POST", "/api/sessions", {"name": "new"}, status=201)
    simulator.run_until(lambda: status(simulator, "new") == "FAILED")
    assert statuses(simulator, "new") == ["STARTING", "SCAN_QR_CODE", "SCAN_QR_CODE", "FAILED"]
    assert "not scanned" in simulator.call("GET", "/api/sessions/new")["engine"]["reason"]
    simulator.call("POST", "/api/sendText", {"session": "new", "chatId": "49301234567", "text": "x"}, status=422)


# -- bad input


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "../../etc"}, "letters, digits, '-' or '_'"),
        ({"name": "a/b"}, "letters, digits, '-' or '_'"),
        ({"name": "x" * 55}, "1 to 54"),
        ({"name": 7}, "name must be a string (it is a whole number)"),
        ({"name": "n", "config": []}, "config must be an object"),
        ({"name": "n", "start": "yes"}, "start must be true or false"),
        ({"name": "n", "config": {"webhooks": [{"events": ["*"]}]}}, "config.webhooks.0.url is required"),
        ({"name": "n", "config": {"webhooks": [{"url": "nowhere", "events": ["*"]}]}}, "config.webhooks.0.url must be"),
        ({"name": "n", "config": {"webhooks": [{"url": "http://h:99999/", "events": []}]}}, "0.url must be a URL"),
        ({"name": "n", "config": {"webhooks": [{"url": "http://h/ x", "events": []}]}}, "0.url must be a URL"),
        ({"name": "n", "config": {"webhooks": [{"url": "http://h", "events": ["nope"]}]}}, "'nope' is no event"),
        (
            {"name": "n", "config": {"webhooks": [{**HOOK, "customHeaders": [{"name": "A", "value": "a\r\nB: c"}]}]}},
            "customHeaders.0.value must be printable",
        ),
        (
            {"name": "n", "config": {"webhooks": [{"url": "http://h", "events": [], "retries": {"delaySeconds": -1}}]}},
            "retries.delaySeconds must be",
        ),
        ({"name": "n", "config": {"proxy": {"server": "no port"}}}, "config.proxy.server must be host:port"),
        ({"name": "n", "config": {"proxy": {"server": "h:99999"}}}, "config.proxy.server must be host:port"),
        ({"name": "n", "config": {"client": {"deviceName": "a\nb"}}}, "config.client.deviceName must be"),
        ({"name": "n", "config": {"browser": {"userAgent": "a\r\nb"}}}, "config.browser.userAgent must be"),
        ({"name": "n", "config": {"browser": {"userAgent": "käse"}}}, "config.browser.userAgent must be ASCII"),
        ({"name": "n", "config": {"browser": {"locale": "german"}}}, "config.browser.locale must be a language"),
        ({"name": "n", "config": {"browser": {"timeZone": "Mars/Olympus"}}}, "config.browser.timeZone must be"),
        ({"name": "n", "config": {"browser": {"timeZone": "../../etc/passwd"}}}, "config.browser.timeZone must be"),
    ],
)
def test_what_can_not_be_a_session_is_refused_and_leaves_nothing(simulator: Any, body: Any, words: str) -> None:
    before = Path(simulator.server.store.path.parent)
    names = {session["name"] for session in simulator.call("GET", "/api/sessions", all="true")}
    answer = simulator.call("POST", "/api/sessions", body, status=400)
    assert any(words in fault for fault in answer["message"]), answer
    assert (answer["error"], answer["statusCode"]) == ("Bad Request", 400)
    assert {session["name"] for session in simulator.call("GET", "/api/sessions", all="true")} == names
    assert simulator.server.store.read().execute("SELECT count(*) FROM session").fetchone() == (1,)
    assert not (before / "sessions").exists() or not any((before / "sessions").glob("**/etc"))


def test_nulls_are_absent_and_unknown_members_pass(simulator: Any) -> None:
    body = {"name": "n", "start": None, "config": {"webhooks": None, "noweb": None, "debug": None}, "unknown": 1}
    simulator.call("POST", "/api/sessions", body, status=201)
    simulator.run_until(lambda: status(simulator, "n") == "WORKING")


def test_unknown_members_are_refused_in_strict_mode(simulators: Callable[..., Any]) -> None:
    simulator = simulators(WAHA_HTTP_STRICT_MODE="true")
    answer = simulator.call("POST", "/api/sessions", {"name": "n", "config": {"nope": 1}}, status=400)
    assert answer["message"] == ["property config.nope should not exist"]
    simulator.call("GET", "/api/sessions/n", status=404)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_unknown_session_is_404(simulator: Any, method: str) -> None:
    answer = simulator.call(method, "/api/sessions/nobody", {} if method == "PUT" else None, status=404)
    assert answer["message"].startswith("Session 'nobody' not found")
    sent = simulator.call(
        "POST", "/api/sendText", {"session": "nobody", "chatId": "49301234567", "text": "x"}, status=404
    )
    assert sent["statusCode"] == 404


def test_a_stopped_session_answers_422_in_the_shape_of_the_gate(simulator: Any) -> None:
    simulator.call("POST", "/api/sessions/s/stop", status=201)
    answer = simulator.call("POST", "/api/sendText", {"session": "s", "chatId": "49301234567", "text": "x"}, status=422)
    assert answer["status"] == "STOPPED"
    assert answer["expected"] == ["WORKING"]
    assert answer["error"].startswith("Session status is not as expected")


@pytest.mark.parametrize(
    "body",
    [
        {"session": "s", "chatId": "nobody@nowhere", "text": "x"},
        {"session": "s", "chatId": "", "text": "x"},
        {"session": "s", "chatId": "../../x@c.us", "text": "x"},
        {"session": "s", "chatId": "49301234567@c.us"},
        {"session": "s", "text": "x"},
        {"session": "s", "chatId": 49301234567, "text": "x"},
        {"session": "s", "chatId": "49301234567@c.us", "text": ["x"]},
        [],
        "text",
        7,
    ],
)
def test_a_message_that_can_not_be_is_refused_and_nothing_is_kept(simulator: Any, body: Any) -> None:
    answer = simulator.call("POST", "/api/sendText", body, status=400)
    assert isinstance(answer["message"], list)
    assert simulator.call("GET", "/api/s/chats/49301234567@c.us/messages") == []
    assert not simulator.events("message.any")


@pytest.mark.parametrize("text", ["{", '{"session": "s",}', "\xff", '{"a":' * 100_000, '{"a": NaN}'])
def test_text_that_is_no_json_is_a_400(simulator: Any, text: str) -> None:
    answer = simulator.simulate_post("/api/sendText", body=text.encode("latin-1"))
    assert answer.status_code == 400
    assert str(answer.json["message"]).startswith("The body is not valid JSON")
    assert "Traceback" not in answer.text


def test_unknown_paths_and_methods_are_404_as_in_waha(simulator: Any) -> None:
    assert simulator.call("GET", "/api/nothing/here", status=404)["message"] == "Cannot GET /api/nothing/here"
    assert simulator.call("DELETE", "/api/sendText", status=404)["message"] == "Cannot DELETE /api/sendText"


def test_trailing_slashes_head_and_empty_bodies_work(simulator: Any) -> None:
    assert simulator.call("GET", "/api/sessions/", status=200)
    head = simulator.simulate_head("/api/sessions")
    assert (head.status_code, head.content) == (200, b"")
    answer = simulator.simulate_post("/api/sessions/s/stop", headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert simulator.simulate_post("/api/sessions", headers={"Content-Type": "application/json"}).status_code == 201


def test_an_account_knows_when_it_stops_whether_the_session_is_another_workers(
    simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions, stopped = simulator.server.sessions, []

    def watch() -> None:
        account = sessions.get("s").account
        monkeypatch.setattr(account, "stop", lambda: stopped.append(account.host.lost))

    watch()
    simulator.call("POST", "/api/sessions/s/restart", status=201)
    watch()
    sessions.abandon(sessions.take_out("s"))
    assert stopped == [False, True]


def test_sessions_stop_at_the_same_time(simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for its browser to end: one after the other would be too late for who takes them over."""
    sessions = simulator.server.sessions
    together, stopped = threading.Barrier(3), []

    def watch(name: str) -> None:
        def stop() -> None:
            together.wait(10)
            stopped.append(name)

        monkeypatch.setattr(sessions.get(name).account, "stop", stop)

    for name in ("t", "u"):
        simulator.call("POST", "/api/sessions", {"name": name})
    for name in ("s", "t", "u"):
        watch(name)
    sessions.stop_all()
    assert sorted(stopped) == ["s", "t", "u"]


def test_sessions_stop_where_the_store_fails(simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, stopped = simulator.server.sessions, []
    simulator.call("POST", "/api/sessions", {"name": "t"})
    for name in ("s", "t"):
        monkeypatch.setattr(sessions.get(name).account, "stop", partial(stopped.append, name))

    def fail() -> None:
        raise simulator.server.store.errors[0]("the disk is full")

    monkeypatch.setattr(simulator.server.store, "write", fail)
    sessions.stop_all()
    assert sorted(stopped) == ["s", "t"]
