"""The bot, tested with a simulated WhatsApp: ``pytest`` in this folder."""

from __future__ import annotations

import base64
import http.client

import pytest
from bot import create_app

from waxbill.testing import WhatsApp

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


@pytest.fixture
def bot(whatsapp: WhatsApp) -> str:
    """The bot, on a port of its own, with its webhook; its URL."""
    return whatsapp.bot(create_app(whatsapp.url, "secret"), "message", "poll.vote", hmac="secret")


def test_it_greets(whatsapp: WhatsApp, bot: str) -> None:
    ana = whatsapp.contact("Ana")
    greeting = ana.says("hi")
    answer = ana.received.wait_for(contains="Hello!")
    assert answer.replyTo == greeting.id.split("_")[2]


def test_it_thanks_for_pictures(whatsapp: WhatsApp, bot: str) -> None:
    ana = whatsapp.contact("Ana")
    ana.sends_file(PIXEL)
    assert ana.received.wait_for().text == f"Thank you for {len(PIXEL)} bytes of image/png."


def test_it_says_so_when_a_picture_can_not_be_downloaded(whatsapp: WhatsApp, bot: str) -> None:
    whatsapp.faults(incomingMediaFails=True)
    ana = whatsapp.contact("Ana")
    ana.sends_file(PIXEL)
    ana.received.wait_for(contains="could not download")


def test_it_counts_votes(whatsapp: WhatsApp, bot: str) -> None:
    ana = whatsapp.contact("Ana")
    ana.says("lunch")
    poll = ana.received.wait_for(type="poll")
    assert poll.poll is not None
    assert poll.poll["options"] == ["Pizza", "Salad"]
    ana.votes(poll, "Pizza")
    ana.received.wait_for(text="So far Pizza: 1.")
    ana.votes(poll, "Salad")
    ana.received.wait_for(text="So far Salad: 1.")


def test_it_answers_once_to_a_message_that_is_told_twice(whatsapp: WhatsApp, bot: str) -> None:
    whatsapp.faults(duplicateEvents=1)
    ana, bo = whatsapp.contact("Ana"), whatsapp.contact("Bo")
    ana.says("four")
    bo.says("three")
    bo.received.wait_for(text="You wrote 5 letters.")
    ana.received.wait_for(text="You wrote 4 letters.")
    assert len(whatsapp.sent) == 2


def test_an_answer_that_fails_is_tried_again_with_the_next_delivery(whatsapp: WhatsApp, bot: str) -> None:
    whatsapp.fail("sendText", times=1, status=503)
    ana = whatsapp.contact("Ana")
    ana.says("hello")
    ana.received.wait_for(contains="Hello!", timeout_seconds=30)


def test_it_takes_nothing_that_is_not_signed(bot: str) -> None:
    forged = http.client.HTTPConnection(bot.removeprefix("http://"))
    forged.request("POST", "/webhook", b'{"event": "message"}', {"X-Webhook-Hmac": "00"})
    with forged.getresponse() as answer:
        assert answer.status == 401
    forged.close()
