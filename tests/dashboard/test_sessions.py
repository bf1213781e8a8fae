"""Sessions on the dashboard: made, paired, stopped, logged out, deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from waxbill.testing import ServerProcess

from .page import Page

pytestmark = pytest.mark.browser


def test_a_session_is_created_and_paired_by_buttons(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = serve(WAXBILL_MOCK_SCAN_SECONDS="-1")
    page = pages(server).open()
    page.press("Create a session")
    page.fill("Name", "shop", "dialog")
    page.press("Create and start", "dialog")
    page.sees("Waiting for a scan")
    picture = "const i = document.querySelector('img.qr'); return i && i.complete && i.naturalWidth"
    assert page.wait(lambda: page.script(picture)) > 50
    page.press("Scan with the simulated phone")
    page.sees("Working", ".card")
    assert server.get("/api/sessions/shop").json()["status"] == "WORKING"
    page.press("Open chats")
    page.sees("No chats yet.")


def test_a_status_that_changes_elsewhere_is_seen_without_a_reload(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = serve()
    page = pages(server).open("sessions")
    server.post("/api/sessions", {"name": "later"})
    page.sees("Working", ".card")
    server.post("/api/sessions/later/stop")
    page.sees("Stopped", ".card")
    server.delete("/api/sessions/later")
    # Nothing tells that a session is gone; a look at the view again does.
    page.open("sessions")
    page.sees("A session is one WhatsApp account")


def test_a_qr_code_that_rotates_is_shown_anew(serve: Callable[..., ServerProcess], pages: Callable[..., Page]) -> None:
    server = serve(WAXBILL_MOCK_SCAN_SECONDS="-1", WAXBILL_MOCK_FIRST_QR_SECONDS="3")
    page = pages(server).open("sessions")
    server.post("/api/sessions", {"name": "s"})
    source = "return document.querySelector('img.qr')?.src"
    first = page.wait(lambda: page.script(source))
    page.wait(lambda: page.script(source) not in (None, first))


def test_it_is_stopped_started_logged_out_and_deleted(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = serve()
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    page = pages(server).open("sessions")
    page.press("Stop", ".card")
    page.sees("Stopped", ".card")
    page.press("Start", ".card")
    page.sees("Working", ".card")
    page.press("Log out", ".card")
    page.press("Log out", "dialog")
    page.wait(lambda: not page.all("dialog"))
    server.wait_for_status("s", "WORKING")  # the simulated phone scans at once
    page.press("More for this session", ".card")
    page.press("Delete", ".menu")
    page.press("Delete", "dialog")
    page.sees("A session is one WhatsApp account")
    assert server.get("/api/sessions?all=true").json() == []


def test_a_pairing_code_is_shown(serve: Callable[..., ServerProcess], pages: Callable[..., Page]) -> None:
    server = serve(WAXBILL_MOCK_SCAN_SECONDS="-1")
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "SCAN_QR_CODE")
    page = pages(server).open("sessions")
    page.press("Use a code instead")
    page.fill("Number of the phone", "49301234567", "dialog")
    page.press("Get a code", "dialog")
    assert page.wait(lambda: len(page.one("output.code").text) == 9)


def test_things_are_broken_on_purpose(serve: Callable[..., ServerProcess], pages: Callable[..., Page]) -> None:
    server = serve()
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    page = pages(server).open("sessions")
    page.press("More for this session", ".card")
    page.press("Break things", ".menu")
    page.fill("Operation", "sendText", "dialog")
    page.fill("Fails, in percent", "100", "dialog")
    page.fill("With the status", "503", "dialog")
    page.press("Nobody scans the QR code", "dialog")
    page.press("Break it so", "dialog")
    page.wait(lambda: not page.all("dialog"))
    text = {"session": "s", "chatId": "49301234567", "text": "x"}
    assert server.post("/api/sendText", text).status == 503
    assert server.get("/api/waxbill/mock/s/faults").json()["qrNeverScanned"] is True
    # It shows what is broken now, and mends it.
    page.press("More for this session", ".card")
    page.press("Break things", ".menu")
    assert page.named("Fails, in percent", "dialog").get_attribute("value") == "100"
    page.fill("Fails, in percent", "0", "dialog")
    page.press("Break it so", "dialog")
    page.wait(lambda: not page.all("dialog"))
    assert server.post("/api/sendText", text).status == 201
    page.press("More for this session", ".card")
    page.press("Break things", ".menu")
    page.press("Lose the connection for ten seconds", "dialog")
    page.sees("Starting", ".card")


def test_a_log_out_on_the_phone_is_seen(serve: Callable[..., ServerProcess], pages: Callable[..., Page]) -> None:
    server = serve()
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    page = pages(server).open("sessions")
    page.press("More for this session", ".card")
    page.press("Log out on the phone", ".menu")
    page.sees("Failed", ".card")


def test_a_webhook_is_set_and_its_configuration_edited(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = serve()
    page = pages(server).open()
    page.press("New session")
    page.fill("Name", "s", "dialog")
    page.fill("Webhook", "http://127.0.0.1:9/hook", "dialog")
    page.press("message.ack", "dialog")
    page.press("Create and start", "dialog")
    page.sees("http://127.0.0.1:9/hook", ".card")
    config = server.get("/api/sessions/s").json()["config"]
    assert config["webhooks"][0]["events"] == ["message", "message.ack", "session.status"]
    page.press("More for this session", ".card")
    page.press("Edit the configuration", ".menu")
    page.fill("Configuration, as JSON", '{"metadata": {"shop": 7}}', "dialog")
    page.press("Save", "dialog")
    page.sees("must be a string", "dialog")  # what the server says, and the text is still there
    page.fill("Configuration, as JSON", '{"metadata": {"shop": "7"}}', "dialog")
    page.press("Save", "dialog")
    page.wait(lambda: not page.all("dialog"))
    assert server.get("/api/sessions/s").json()["config"] == {"metadata": {"shop": "7"}}
    page.forget_complaints()  # the browser notes the 400
