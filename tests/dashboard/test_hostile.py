"""HTML and scripts in everything that the page shows stay text."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.making import png
from waxbill.testing import Receiver, ServerProcess

from .page import Page

pytestmark = pytest.mark.browser

ANA, BO = "49301234567@c.us", "49301234568@c.us"
EVIL = "<img src=x onerror=\"window.hacked='{}'\"><script>window.hacked='{}'</script>\"'`javascript:alert(1)"


def evil(place: str) -> str:
    return EVIL.format(place, place)


def test_no_field_of_a_message_becomes_html(
    serve: Callable[..., ServerProcess], receiver: Receiver, pages: Callable[..., Page]
) -> None:
    server = serve()
    webhook = {"url": receiver.url + "?<b>x</b>", "events": ["*"]}
    server.post("/api/sessions", {"name": "s", "config": {"webhooks": [webhook], "metadata": {"x": evil("metadata")}}})
    server.wait_for_status("s", "WORKING")
    control = "/api/waxbill/mock/s"

    def post(path: str, body: Any) -> Any:
        answer = server.post(control + path, body)
        assert answer.status == 201, answer.text
        return answer.json() if answer.body else None

    post("/contacts", {"id": ANA, "name": evil("name"), "pushName": evil("pushName"), "about": evil("about")})
    group = post("/groups", {"creator": ANA, "subject": evil("subject")[:90], "participants": [BO]})["id"]
    first = post("/messages", {"from": ANA, "text": evil("body"), "pushName": evil("push")})["id"]
    picture = {"mimetype": "image/png", "filename": evil("picture"), "data": base64.b64encode(png()).decode()}
    page_file = {
        "mimetype": "text/html",
        "filename": evil("file"),
        "data": base64.b64encode(evil("x").encode()).decode(),
    }
    post("/messages", {"from": ANA, "text": evil("caption"), "file": picture})
    post("/messages", {"from": ANA, "file": page_file})
    post("/messages", {"from": ANA, "vcards": [f"BEGIN:VCARD\nFN:{evil('card')}\nTEL:{evil('tel')}\nEND:VCARD"]})
    place = {"latitude": 1, "longitude": 2, "name": evil("place"), "address": evil("address")}
    post("/messages", {"from": ANA, "location": place})
    post("/messages", {"from": ANA, "event": {"name": evil("event"), "startTime": 1}})
    poll = post("/messages", {"from": ANA, "poll": {"name": evil("poll"), "options": [evil("one"), evil("two")]}})["id"]
    post(f"/messages/{poll}/votes", {"from": ANA, "votes": [evil("one")]})
    post(f"/messages/{first}/reactions", {"from": ANA, "reaction": "<b onclick=x>"})
    post("/messages", {"from": ANA, "text": '*<b>bold</b>* https://x.example/"onmouseover=alert(1) ```<i>```'})
    post("/messages", {"from": ANA, "text": "quoting", "reply_to": first})
    post("/messages", {"from": group, "participant": ANA, "text": evil("in a group"), "pushName": evil("push")})
    server.put(f"{control}/messages/{first}", {"text": evil("edited")})

    page = pages(server)
    page.open("events")
    post("/messages", {"from": ANA, "text": evil("live")})
    page.sees("<img src=x", ".event-list")
    page.one(".event-list summary").click()
    page.sees("<script>", ".event-list .json")
    for view, seen in (("deliveries", "<b>x</b>"), ("sessions", "<b>x</b>"), ("server", "Plugins")):
        page.open(view)
        page.sees(seen)
    page.chat(group)
    page.sees("in a group", ".bubble")
    page.chat(ANA)
    page.sees("live", ".bubble")
    shown = page.text()
    for place_of in ("name", "caption", "card", "place", "event", "poll", "one", "edited"):
        assert f"window.hacked='{place_of}'" in shown, place_of
    page.message_menu("quoting")
    page.press("Show as JSON", ".menu")
    page.sees("window.hacked='edited'", "dialog .json")

    assert page.script("return window.hacked") is None
    assert (
        page.script("return document.querySelectorAll('img[onerror], main script, [onclick], [onmouseover]').length")
        == 0
    )
    links = page.script("return [...document.querySelectorAll('main a')].map((a) => a.protocol)")
    assert set(links) <= {"http:", "https:"}
    assert page.script(
        "return [...document.querySelectorAll('.bubble a[target]')].every((a) => a.rel.includes('noopener'))"
    )


def test_a_policy_stops_what_the_page_would_not_do_itself(
    serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    page = pages(serve()).open("sessions")
    refused = page.driver.execute_async_script(
        """const done = arguments[0];
        try { document.body.innerHTML = "<b>x</b>"; done("html was taken"); } catch (error) { done(error.name); }"""
    )
    assert refused == "TypeError"
    page.script("const s = document.createElement('img'); s.src = 'http://127.0.0.2/x.png'; document.body.append(s)")
    page.wait(lambda: any("Content Security Policy" in text for text in page.complaints()))
    page.forget_complaints()
