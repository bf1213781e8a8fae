"""A chat of 5,000 messages: it is read in pages, and few of them are ever on the page."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest

from waxbill.testing import ServerProcess

from .page import Page

pytestmark = pytest.mark.browser

ANA = "49301234567@c.us"
COUNT = 5000


@pytest.fixture
def server(serve: Callable[..., ServerProcess]) -> ServerProcess:
    started = serve()
    started.post("/api/sessions", {"name": "s"})
    started.wait_for_status("s", "WORKING")
    fill(started, ANA, COUNT)
    return started


def fill(server: ServerProcess, chat: str, count: int) -> None:
    """Makes a chat of many messages in the session ``s``: in the store, for by the API it would take a minute."""
    server.post("/api/waxbill/mock/s/messages", {"from": chat, "text": "message 0", "pushName": "Ana"})
    server.stop()
    with sqlite3.connect(server.folder / "store/waxbill.sqlite3") as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(mock_message)")]
        others = ", ".join(name for name in columns if name not in ("id", "key", "body", "at_ms"))
        db.execute(
            f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
            f" INSERT INTO mock_message (key, body, at_ms, {others})"
            f" SELECT printf('3A%018d', i), 'message ' || i, at_ms + i * 1000, {others} FROM mock_message, n"
        )
        db.execute("UPDATE mock_chat SET last = (SELECT max(id) FROM mock_message)")
    server.start()
    server.wait_for_status("s", "WORKING")


def test_it_opens_with_one_page_and_keeps_few_elements_however_far_one_scrolls(
    server: ServerProcess, pages: Callable[..., Page]
) -> None:
    page = pages(server).chat(ANA)
    page.sees(f"message {COUNT - 1}", ".bubble")
    asked = "return performance.getEntriesByType('resource').filter((e) => e.name.includes('/messages?')).length"
    assert page.script(asked) == 1
    assert len(page.bubbles()) == 50
    # How long that takes is told by the browser's own clock, and is in benchmarks/dashboard.py.

    most = 0

    def up() -> bool:
        nonlocal most
        page.script("document.querySelector('.scroller').scrollTop = 0")
        bubbles = page.bubbles()
        most = max(most, len(bubbles))
        return int(bubbles[0].split("\n")[0].removeprefix("message ")) <= COUNT - 1000

    page.wait(up)
    assert most <= 150
    numbers = [int(text.split("\n")[0].removeprefix("message ")) for text in page.bubbles()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))  # no gap, nothing twice
    assert 20 <= page.script(asked) <= 40

    # What is on the screen stays there while pages come in above it.
    place = """const top = document.querySelector('.scroller').getBoundingClientRect().top + 5;
        const items = [...document.querySelectorAll('.messages li')];
        return items.find((item) => item.getBoundingClientRect().bottom > top).innerText.split('\\n')[0]"""
    page.wait(lambda: page.script("return document.querySelector('.scroller').scrollTop") > 700)  # the page is at rest
    oldest = page.bubbles()[0]
    before = page.script(f"document.querySelector('.scroller').scrollTop = 650; {place}")
    page.wait(lambda: page.bubbles()[0] != oldest)
    assert page.script(place) == before

    # A message that comes does not tear the reader away; a button leads to it.
    server.post("/api/sendText", {"session": "s", "chatId": ANA, "text": "news"})
    page.press("Go to 1 new messages")
    page.sees("news", ".bubble.out")
    bottom = "const s = document.querySelector('.scroller'); return s.scrollHeight - s.scrollTop - s.clientHeight < 2"
    page.wait(lambda: page.script(bottom))
    assert len(page.bubbles()) <= 150
