"""Chats on the dashboard: what the bot sends is seen as it comes, and people are played."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from tests.making import png
from waxbill.testing import Receiver, ServerProcess

from .page import Page

pytestmark = pytest.mark.browser

ANA, BO = "49301234567@c.us", "49301234568@c.us"


@pytest.fixture
def server(serve: Callable[..., ServerProcess], receiver: Receiver) -> ServerProcess:
    """A working session ``s`` with a webhook, that knows Ana."""
    started = serve()
    webhook = {"url": receiver.url, "events": ["*"]}
    started.post("/api/sessions", {"name": "s", "config": {"webhooks": [webhook]}})
    started.wait_for_status("s", "WORKING")
    started.post("/api/waxbill/mock/s/contacts", {"id": ANA, "name": "Ana"})
    return started


def says(server: ServerProcess, text: str, **more: Any) -> str:
    """Somebody (Ana) writes; answers the message's id."""
    answer = server.post("/api/waxbill/mock/s/messages", {"from": ANA, "text": text, **more})
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


def test_what_a_contact_types_reaches_the_webhook_and_the_answer_appears(
    server: ServerProcess, receiver: Receiver, pages: Callable[..., Page]
) -> None:
    page = pages(server).open("chats")
    page.press("New chat")
    page.press("A person", ".menu")
    page.fill("Number", "49301234567", "dialog")
    page.fill("Name", "Ana", "dialog")
    page.press("Open the chat", "dialog")
    page.sees("Writing as")
    page.write("Is the lamp *still* there?")
    event = receiver.wait_for(lambda event: event["event"] == "message")
    assert (event["payload"]["from"], event["payload"]["body"]) == (ANA, "Is the lamp *still* there?")
    # The bot answers, and nobody reloads.
    server.post("/api/sendText", {"session": "s", "chatId": ANA, "text": "One is left."})
    page.sees("One is left.", ".bubble.out")
    page.sees("One is left.", ".chat-list .preview")
    assert [text.splitlines()[0] for text in page.bubbles()] == ["Is the lamp still there?", "One is left."]
    assert page.one(".bubble strong").text == "still"
    page.wait(lambda: page.one(".bubble.out .ticks").get_attribute("aria-label") == "Read")


def test_a_member_of_a_group_writes_and_votes(
    server: ServerProcess, receiver: Receiver, pages: Callable[..., Page]
) -> None:
    group = {"creator": ANA, "subject": "Football", "participants": [BO]}
    group_id = server.post("/api/waxbill/mock/s/groups", group).json()["id"]
    poll = {"name": "When?", "options": ["Tuesday", "Wednesday"]}
    server.post("/api/sendPoll", {"session": "s", "chatId": group_id, "poll": poll})
    page = pages(server).chat(group_id)
    page.wait(lambda: len(page.all(".persona option")) == 4)
    page.choose("Write as", "+49301234568")
    page.write("Count me in")
    event = receiver.wait_for(lambda event: event["event"] == "message" and event["payload"]["body"] == "Count me in")
    assert event["payload"]["participant"] == BO
    page.one("input[value=Wednesday]").click()
    event = receiver.wait_for(lambda event: event["event"] == "poll.vote")
    assert event["payload"]["vote"]["selectedOptions"] == ["Wednesday"]
    assert event["payload"]["vote"]["participant"] == BO
    page.sees("+49301234568", ".option small")
    # As somebody else there is another choice to be made, and the tally survives a reload.
    page.choose("Write as", "Ana")
    page.wait(lambda: not page.one("input[value=Wednesday]").is_selected())
    page.one("input[value=Wednesday]").click()
    page.sees("2", ".option b")
    page.chat(group_id)
    page.sees("2", ".option b")


def test_everything_can_be_attached(
    server: ServerProcess, receiver: Receiver, pages: Callable[..., Page], tmp_path: Path
) -> None:
    page = pages(server).chat(ANA)

    def attach(item: str, name: str, data: bytes) -> dict[str, Any]:
        before = len(receiver.events)
        (tmp_path / name).write_bytes(data)
        page.script("HTMLInputElement.prototype.click = () => {}")  # no window of the system's to choose a file
        page.press("Attach")
        page.press(item, ".menu")
        page.script("document.querySelector('.composer input[type=file]').hidden = false")
        page.one(".composer input[type=file]").send_keys(str(tmp_path / name))
        page.sees(name, ".about")
        page.press("Send", ".composer")
        receiver.wait_for(
            lambda event: (
                event["event"] == "message" and event["payload"]["hasMedia"] and event not in receiver.events[:before]
            )
        )
        return next(event for event in receiver.events[before:] if event["event"] == "message")["payload"]

    assert attach("Photo", "lamp.png", png(4))["media"]["mimetype"] == "image/png"
    assert attach("Voice message from a file", "note.ogg", b"OggS" + bytes(40))["_data"]["type"] == "ptt"
    assert attach("Document", "bill.pdf", b"%PDF-1.4 x")["media"]["filename"] == "bill.pdf"
    page.press("Attach")
    page.press("Location", ".menu")
    page.fill("Name of the place", "Gate", "dialog")
    page.press("Send", "dialog")
    page.press("Attach")
    page.press("Poll", ".menu")
    page.fill("Question", "Which?", "dialog")
    page.fill("Options", "red\nblue", "dialog")
    page.press("Send", "dialog")
    page.press("Attach")
    page.press("Contact", ".menu")
    page.fill("Name", "Carl", "dialog")
    page.fill("Number", "49301234569", "dialog")
    page.press("Send", "dialog")
    event = receiver.wait_for(lambda event: event["event"] == "message" and bool(event["payload"]["vCards"]))
    assert "FN:Carl" in event["payload"]["vCards"][0]
    for kind in ("image", "voice", "document", "location", "poll", "contact"):
        page.one(f".bubble.kind-{kind}")
    loaded = "const i = document.querySelector('.picture img'); return i.complete && i.naturalWidth === 4"
    page.wait(lambda: page.script(loaded))
    place = receiver.wait_for(lambda event: event["event"] == "message" and bool(event["payload"]["location"]))
    assert place["payload"]["location"]["latitude"] == "52.5163"


def test_a_voice_message_is_recorded(server: ServerProcess, receiver: Receiver, pages: Callable[..., Page]) -> None:
    if shutil.which("ffmpeg") is None:
        missing("ffmpeg is not installed")
    says(server, "speak")
    server.post(f"/api/s/presence/{ANA}/subscribe")
    page = pages(server).chat(ANA)
    page.press("Attach")
    page.press("Record a voice message", ".menu")
    page.sees("0:01", "dialog")
    assert server.get(f"/api/s/presence/{ANA}").json()["presences"][0]["lastKnownPresence"] == "recording"
    page.press("Done", "dialog")
    page.sees("voice.", ".about")
    page.press("Send", ".composer")
    heard = receiver.wait_for(lambda event: event["event"] == "message" and event["payload"]["hasMedia"])["payload"]
    assert heard["_data"]["type"] == "ptt"
    assert heard["media"]["mimetype"].startswith("audio/ogg")
    page.one(".bubble audio")
    length = "return document.querySelector('.bubble audio').duration"
    page.script("const sound = document.querySelector('.bubble audio'); sound.preload = 'metadata'; sound.load()")
    page.wait(lambda: page.script(length))


def test_a_message_is_replied_to_reacted_to_edited_and_deleted(
    server: ServerProcess, receiver: Receiver, pages: Callable[..., Page]
) -> None:
    server.post("/api/sendText", {"session": "s", "chatId": ANA, "text": "Hello Ana"})
    page = pages(server).chat(ANA)
    page.sees("Hello Ana", ".bubble")
    page.message_menu("Hello Ana")
    page.press("Reply", ".menu")
    page.write("Hello you")
    event = receiver.wait_for(lambda event: event["event"] == "message")
    assert event["payload"]["replyTo"]["body"] == "Hello Ana"
    page.sees("Hello Ana", ".bubble.in .quoted")
    page.message_menu("Hello Ana")
    page.press("React with 👍", ".menu")
    event = receiver.wait_for(lambda event: event["event"] == "message.reaction")
    assert event["payload"]["reaction"]["text"] == "👍"
    page.sees("👍", ".reactions")
    page.message_menu("Hello you")
    page.press("Edit", ".menu")
    page.one(".composer textarea").clear()
    page.write("Hello bot")
    event = receiver.wait_for(lambda event: event["event"] == "message.edited")
    assert event["payload"]["body"] == "Hello bot"
    page.sees("edited", ".bubble.in .stamp")
    page.message_menu("Hello bot")
    page.press("Delete for everyone", ".menu")
    receiver.wait_for(lambda event: event["event"] == "message.revoked")
    page.sees("This message was deleted", ".bubble.in")
    # All of it is there after a reload.
    page.chat(ANA)
    page.sees("👍", ".reactions")
    page.sees("This message was deleted", ".bubble.in")


def test_a_contact_is_seen_typing_by_the_bot(
    server: ServerProcess, receiver: Receiver, pages: Callable[..., Page]
) -> None:
    says(server, "hi")
    server.post(f"/api/s/presence/{ANA}/subscribe")
    page = pages(server).chat(ANA)
    page.one(".composer textarea").send_keys("I am")

    def shown() -> str:
        presences = server.get(f"/api/s/presence/{ANA}").json()["presences"]
        return str(presences[0]["lastKnownPresence"]) if presences else ""

    page.wait(lambda: shown() == "typing")
    page.wait(lambda: shown() == "paused")


def test_the_account_itself_and_its_phone_write(server: ServerProcess, pages: Callable[..., Page]) -> None:
    says(server, "hi")
    page = pages(server).chat(ANA)
    page.choose("Write as", "The account, through the API (as the bot)")
    page.write("from the API")
    page.sees("from the API", ".bubble.out")
    page.choose("Write as", "Your own phone")
    page.write("from the phone")
    page.sees("from the phone", ".bubble.out")
    page.press("Attach")
    page.press("Location", ".menu")
    page.press("Send", "dialog")
    page.one(".bubble.out.kind-location")
    sources = {m["body"]: m["source"] for m in server.get(f"/api/s/chats/{ANA}/messages").json()}
    assert (sources["from the API"], sources["from the phone"]) == ("api", "app")


def test_what_goes_wrong_is_told_and_nothing_typed_is_lost(server: ServerProcess, pages: Callable[..., Page]) -> None:
    says(server, "hi")
    server.post("/api/contacts/block", {"session": "s", "contactId": ANA})
    page = pages(server).chat(ANA)
    page.write("can you hear me")
    page.sees("is blocked by this account", ".toast")
    assert page.one(".composer textarea").get_attribute("value") == "can you hear me"
    page.forget_complaints()  # the browser notes the 422


def test_after_a_restart_of_the_server_the_page_goes_on_by_itself(
    server: ServerProcess, pages: Callable[..., Page]
) -> None:
    server.environment["PORT"] = str(server.port)
    says(server, "before")
    page = pages(server).chat(ANA)
    page.sees("before", ".bubble")
    server.stop()
    page.wait(lambda: not page.all(".is-live"))
    server.start()
    server.wait_for_status("s", "WORKING")
    page.live()
    says(server, "after")
    page.sees("after", ".bubble")
    page.forget_complaints()  # the browser notes what could not be reached


@pytest.mark.parametrize("engine", ["WPP", "NOWEB", "GOWS"])
def test_in_another_engine_s_dialect_the_page_shows_the_same(
    engine: str, serve: Callable[..., ServerProcess], pages: Callable[..., Page]
) -> None:
    server = serve(WHATSAPP_DEFAULT_ENGINE=engine)
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    poll = says(server, "", poll={"name": "When?", "options": ["Tue", "Wed"]})
    says(server, "look", file={"mimetype": "image/png", "data": base64.b64encode(png()).decode()})
    says(server, "", location={"latitude": 52.5, "longitude": 13.25, "name": "Gate"})
    says(server, "", event={"name": "Party", "startTime": 1780000000})
    gone = says(server, "gone")
    server.delete(f"/api/waxbill/mock/s/messages/{gone}")
    server.post(f"/api/waxbill/mock/s/messages/{poll}/votes", {"from": ANA, "votes": ["Wed"]})
    server.post(f"/api/waxbill/mock/s/messages/{poll}/reactions", {"from": ANA, "reaction": "👍"})
    server.post("/api/sendText", {"session": "s", "chatId": ANA, "text": "out"})
    page = pages(server).chat(ANA)
    for kind in ("poll", "image", "location", "event", "deleted", "text"):
        page.one(f".bubble.kind-{kind}")
    assert [each.text for each in page.all(".option b")] == ["0", "1"]
    page.sees("👍", ".reactions")
    page.sees("out", ".bubble.out")
    page.sees("Party", ".kind-event")
    page.sees("look", ".kind-image .text")
