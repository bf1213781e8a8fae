"""The dashboard's log-in, in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from waxbill.testing import ServerProcess

from .page import Page

pytestmark = pytest.mark.browser


def test_user_and_password_open_it_and_logging_out_closes_it(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = serve(key="secret", WAHA_DASHBOARD_PASSWORD="open sesame")
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    page = pages(server).open()
    page.fill("User name", "admin")
    page.fill("Password", "wrong")
    page.press("Log in")
    page.sees("User name or password is wrong.")
    page.forget_complaints()  # the browser notes the 401
    page.fill("Password", "open sesame")
    page.press("Log in")
    page.live()
    # Events flow with the cookie, and pictures are shown with it.
    server.post("/api/waxbill/mock/s/messages", {"from": "49301234567", "text": "hi"})
    page.sees("hi", ".chat-list")
    assert page.script("return document.cookie") == ""
    page.press("Log out", "nav")
    page.sees("Password")
    page.open("sessions")
    page.sees("Password")
    assert "hi" not in page.text()


def test_a_log_in_that_ended_is_asked_for_again(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = serve(key="secret", PORT="0")
    page = pages(server).open()
    page.fill("API key", "secret")
    page.press("Log in")
    page.live()
    server.environment["PORT"] = str(server.port)
    server.restart()  # which logs everybody out
    page.sees("API key")
    page.forget_complaints()
    page.fill("API key", "secret")
    page.press("Log in")
    page.live()


def test_the_key_of_one_session_shows_that_session_only(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = serve(key="secret")
    for name in ("mine", "yours"):
        server.post("/api/sessions", {"name": name})
        server.wait_for_status(name, "WORKING")
    key = server.post("/api/keys", {"session": "mine"}).json()["key"]
    page = pages(server).open()
    page.fill("API key", key)
    page.press("Log in")
    page.live()
    page.press("Sessions", "nav")
    page.sees("mine", ".card")
    assert "yours" not in page.text()
    assert [each.text for each in page.all("nav ul li")] == ["Chats", "Sessions", "Events", "Memory"]
    assert not any(each.is_displayed() for each in page.all("main > .page > header .primary"))
