"""The other views of the dashboard: events, deliveries, memory, the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from waxbill.testing import Receiver, ServerProcess

from ..postgres import Postgres
from .page import Page

pytestmark = pytest.mark.browser

ANA = "49301234567@c.us"


def working(server: ServerProcess, session: str = "s", **config: object) -> ServerProcess:
    server.post("/api/sessions", {"name": session, "config": config})
    server.wait_for_status(session, "WORKING")
    return server


def says(server: ServerProcess, text: str, session: str = "s") -> None:
    answer = server.post(f"/api/waxbill/mock/{session}/messages", {"from": ANA, "text": text})
    assert answer.status == 201, answer.text


def rows(page: Page) -> list[str]:
    return [each.text for each in page.all(".event-list li")]


def test_events_are_shown_as_they_happen_filtered_paused_and_copied(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = working(working(serve()), "other")
    page = pages(server).open("events")
    says(server, "first words")
    page.sees("first words", ".event-list")
    assert {text.split()[1] for text in rows(page)} >= {"message", "message.any"}
    says(server, "from elsewhere", "other")
    page.sees("from elsewhere", ".event-list")

    page.choose("Event", "message")
    page.wait(lambda: len(rows(page)) == 2)
    page.choose("Session", "other")
    page.wait(lambda: len(rows(page)) == 1)
    page.choose("Session", "All sessions")
    page.fill("Filter by any text", "first")
    page.wait(lambda: len(rows(page)) == 1)
    page.one(".event-list summary").click()
    page.sees('"body": "first words"', ".event-list .json")

    page.fill("Filter by any text", "x")
    page.named("Filter by any text").send_keys("\b")
    page.press("Pause")
    says(server, "while paused")
    page.wait(lambda: page.script("return document.querySelector('[aria-pressed=true]') !== null"))
    says(server, "a last one")
    # That the second has come to the server's list shows that the first would have been shown.
    assert not any("while paused" in text for text in rows(page))
    page.press("Resume")
    page.wait(lambda: any("while paused" in text for text in rows(page)))

    page.driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    page.press("Copy this event", ".event-list li:first-child")
    page.sees("Copied", ".toast")
    read = "navigator.clipboard.readText().then(arguments[0])"
    assert json.loads(page.driver.execute_async_script(read))["payload"]["body"] in ("while paused", "a last one")


def test_the_engine_s_own_events_are_shown_when_asked_for(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = working(serve())
    page = pages(server).open("events")
    page.press("Engine's own events")

    def told() -> bool:
        says(server, "hi")  # again, until the stream with these events is there
        return any("engine.event" in text for text in rows(page))

    page.wait(told)


def test_deliveries_are_shown_with_attempts_and_body_and_replayed(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    answers = [500, 200]
    with Receiver(lambda received: answers.pop(0) if answers else 200) as receiver:
        webhook = {"url": receiver.url, "events": ["message"], "retries": {"delaySeconds": 0.01, "attempts": 3}}
        server = working(serve(), webhooks=[webhook])
        says(server, "deliver me")
        receiver.wait_for_count(2)
        page = pages(server).open("deliveries")
        page.sees(receiver.url, ".card")
        page.sees("Delivered", "tbody")
        page.press("message", "tbody")
        page.sees("deliver me", "dialog .json")
        attempts = [each.text for each in page.all("dialog .attempts li")]
        assert len(attempts) == 2
        assert any(" 500 " in text for text in attempts)
        page.press("Close", "dialog")
        page.press("Replay", "tbody")
        receiver.wait_for_count(3)
        assert receiver.events[0] == receiver.events[2]
        page.press("Pause", ".card")
        page.sees("Paused", ".card")
        says(server, "wait")
        page.sees("Waiting", "tbody")
        page.press("Resume", ".card")
        receiver.wait_for_count(4)
        page.sees("Delivering", ".card")


def test_dead_letters_are_shown_replayed_and_dropped(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    good = False
    with Receiver(lambda received: 200 if good else 503) as receiver:
        webhook = {"url": receiver.url, "events": ["message"], "retries": {"delaySeconds": 0.01, "attempts": 1}}
        server = working(serve(WAXBILL_HOOK_PAUSE_AFTER="0"), webhooks=[webhook])
        says(server, "one")
        page = pages(server).open("deliveries")
        page.sees("Given up", "tbody")
        page.sees("the receiver answered 503", "tbody")
        good = True
        page.press("Replay what was given up")
        page.sees("Delivered", "tbody")
        good = False
        says(server, "two")
        page.choose("State", "Given up")
        page.sees("Given up", "tbody")
        page.press("Drop it")
        page.press("Drop", "dialog")
        page.wait(lambda: not page.all("tbody tr"))


def test_memory_is_shown_with_its_parts(serve: Callable[..., ServerProcess], pages: Callable[..., Page]) -> None:
    server = working(serve(MEMORY_LIMIT_MB="512", MEMORY_CHECK_SECONDS="0.2"))
    page = pages(server).open("memory")
    page.sees("512 MB", ".figure")
    page.sees("server", ".parts")
    page.wait(lambda: len((page.one(".chart polyline").get_attribute("points") or "").split()) >= 3)
    assert "limit 512 MB" in (page.one(".chart svg").accessible_name or "")


def test_what_the_watchdog_did_is_shown(serve: Callable[..., ServerProcess], pages: Callable[..., Page]) -> None:
    server = serve(MEMORY_LIMIT_MB="512", MEMORY_THRESHOLD_MB="24", MEMORY_CHECK_SECONDS="0.2", MEMORY_DRY_RUN="true")
    page = pages(server).open("memory")
    page.wait(lambda: page.all(".figure .level-high, .figure .level-critical"))
    page.sees("(only said)", ".attempts")
    page.sees("The watchdog only says what it would do")
    assert page.all(".chart .threshold")


def test_without_the_monitor_the_sum_is_shown(serve: Callable[..., ServerProcess], pages: Callable[..., Page]) -> None:
    server = serve(MEMORY_LIMIT_MB="512", WAXBILL_DISABLE_PLUGINS="monitor")
    page = pages(server).open("memory")
    page.sees("The monitor is not installed")
    page.sees("512 MB", ".figure")
    page.forget_complaints()  # the browser notes the 404


def test_settings_and_plugins_are_shown_without_secrets(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = serve(WHATSAPP_HOOK_HMAC_KEY="hush-hush", WAXBILL_MAX_BODY_MB="7")
    page = pages(server).open("server")
    page.sees("WHATSAPP_HOOK_HMAC_KEY")
    assert "hush-hush" not in page.text()
    page.sees("waxbill_mock-")
    page.press("Only what was set")
    page.wait(lambda: "WHATSAPP_DEFAULT_ENGINE" not in page.text())
    page.fill("Search settings", "MAX_BODY")
    page.wait(lambda: len(page.all("tr.set")) == 1)
    assert "7" in page.one("tr.set").text


def test_workers_are_shown_where_several_share_the_sessions(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page], postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.database()
    (tmp_path / "second").mkdir()
    server = serve(WAXBILL_STORE=url, WAHA_WORKER_ID="first")
    serve(tmp_path / "second", WAXBILL_STORE=url, WAHA_WORKER_ID="second")
    page = pages(server).open("server")
    page.sees("this one", "[aria-label=Workers]")
    page.sees("second", "[aria-label=Workers]")
