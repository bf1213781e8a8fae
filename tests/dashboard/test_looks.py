"""How the dashboard looks and who can use it: dark and light, narrow and wide, by keyboard, with a screen reader."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium.webdriver.common.keys import Keys

from waxbill.testing import ServerProcess

from .page import Page

pytestmark = pytest.mark.browser

ANA = "49301234567@c.us"
VIEWS = ("chats", "sessions", "events", "deliveries", "memory", "server")


@pytest.fixture
def server(serve: Callable[..., ServerProcess]) -> ServerProcess:
    """A working session with a chat of every kind of message, and one that waits for a scan."""
    started = serve(WAXBILL_MOCK_SCAN_SECONDS="-1")
    webhook = {"url": "http://127.0.0.1:9/hook", "events": ["message"]}
    for name in ("s", "waits"):
        started.post("/api/sessions", {"name": name, "config": {"webhooks": [webhook]}})
        started.wait_for_status(name, "SCAN_QR_CODE")
    started.post("/api/waxbill/mock/s/scan")
    started.wait_for_status("s", "WORKING")
    control = "/api/waxbill/mock/s/messages"
    first = started.post(control, {"from": ANA, "text": "hi *there*", "pushName": "Ana"}).json()["id"]
    started.post(f"{control}/{first}/reactions", {"from": ANA, "reaction": "👍"})
    started.post(control, {"from": ANA, "poll": {"name": "When?", "options": ["Tue", "Wed"]}})
    started.post(control, {"from": ANA, "location": {"latitude": 52.5, "longitude": 13.25}})
    started.post("/api/sendText", {"session": "s", "chatId": ANA, "text": "hello", "reply_to": first})
    return started


def background(page: Page) -> int:
    """How light the page is: the sum of its background's colours."""
    script = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    return sum(page.script(script))


def test_it_is_dark_where_the_system_is_and_the_switch_wins(server: ServerProcess, pages: Callable[..., Page]) -> None:
    page = pages(server, dark=True).open("sessions")
    assert background(page) < 150
    page.press("Theme of the system; change it")
    assert background(page) > 600
    page.open("sessions")  # it is kept
    assert background(page) > 600
    page.press("Light theme; change it")
    assert background(page) < 150
    page.press("Dark theme; change it")
    page.named("Theme of the system; change it")


def test_on_a_phone_one_pane_is_shown_at_a_time_and_nothing_is_cut_off(
    server: ServerProcess, pages: Callable[..., Page]
) -> None:
    page = pages(server, width=360, height=740)
    for view in VIEWS:
        page.open(view)
        assert page.script("return document.documentElement.scrollWidth") <= 360, view
    page.open("chats", session="s")
    page.sees("Ana", ".chat-list")
    assert not page.all(".pane")[0].is_displayed()
    page.one(".chat-list a").click()
    page.one(".composer textarea")
    assert not page.all(".side")[0].is_displayed()
    send = page.named("Send", ".composer").rect
    assert send["x"] + send["width"] <= 360
    assert send["y"] + send["height"] <= 740
    page.press("Back to the chats")
    page.sees("Ana", ".chat-list")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_keeps_anybody_out(
    server: ServerProcess, pages: Callable[..., Page], axe: Callable[[Page], list[str]], width: int, dark: bool
) -> None:
    page = pages(server, width=width, dark=dark)
    for view in VIEWS:
        page.open(view)
        page.wait(lambda: page.all("main .page, main .chats"))
        assert axe(page) == [], view
    page.chat(ANA)
    page.sees("hello", ".bubble")
    assert axe(page) == []
    page.message_menu("hello")
    assert axe(page) == []
    page.one(".menu button").send_keys(Keys.ESCAPE)
    page.press("Attach")
    page.press("Poll", ".menu")
    assert axe(page) == []


def test_the_log_in_keeps_nobody_out(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page], axe: Callable[[Page], list[str]]
) -> None:
    page = pages(serve(key="secret", WAHA_DASHBOARD_PASSWORD="x")).open()
    assert axe(page) == []


def test_it_can_be_used_without_a_mouse(server: ServerProcess, pages: Callable[..., Page]) -> None:
    page = pages(server).open("sessions")

    def focused() -> str:
        return str(page.driver.switch_to.active_element.accessible_name)

    def press(*keys: str) -> None:
        page.driver.switch_to.active_element.send_keys(*keys)

    page.one("body").send_keys("1")  # the first view
    page.sees("Ana", ".chat-list")
    page.one("body").send_keys("/")
    assert focused() == "Search chats"
    press("Ana", Keys.TAB, Keys.ENTER)
    page.wait(lambda: focused() == "Message")
    press("typed", Keys.ENTER)
    page.sees("typed", ".bubble.in")
    # Back from the composer to the newest message, up to the one before, its menu, and a reaction.
    page.wait(lambda: (press(Keys.SHIFT, Keys.TAB), focused() == "What to do with this message")[1])
    press(Keys.ARROW_UP)
    assert page.script("return document.activeElement.closest('.bubble').innerText.includes('hello')")
    press(Keys.ENTER)
    page.wait(lambda: focused() == "React with 👍")
    press(Keys.ARROW_RIGHT)
    assert focused() == "React with ❤️"
    press(Keys.ENTER)
    page.sees("❤️", ".bubble.out .reactions")
    page.wait(lambda: focused() == "What to do with this message")
    # A dialog gives the focus back to what opened it.
    page.named("New chat").send_keys(Keys.ENTER)
    page.wait(lambda: focused() == "A person")
    press(Keys.ENTER)
    page.wait(lambda: focused() == "Number")
    press(Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog"))
    assert focused() == "New chat"


def test_new_messages_are_read_out(server: ServerProcess, pages: Callable[..., Page]) -> None:
    page = pages(server).chat(ANA)
    page.sees("hello", ".bubble")
    said = "return document.getElementById('said').textContent"
    assert page.script(said) == ""  # what was there before is not
    server.post("/api/waxbill/mock/s/messages", {"from": ANA, "text": "listen"})
    page.wait(lambda: page.script(said) == "Ana: listen")
