"""Chat ids, message ids and event ids."""

from __future__ import annotations

import doctest
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waxbill.model import errors, events, ids
from waxbill.model.errors import Unprocessable, ValidationFailed


@pytest.mark.parametrize("module", [ids, errors, events])
def test_the_examples_in_the_documentation(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert (failed, tried > 0) == (0, True)


@pytest.mark.parametrize(
    ("given_id", "canonical"),
    [
        ("49301234567", "49301234567@c.us"),
        ("+49301234567", "49301234567@c.us"),
        ("49301234567@s.whatsapp.net", "49301234567@c.us"),
        ("49301234567:12@s.whatsapp.net", "49301234567@c.us"),
        ("8812345678901:3@lid", "8812345678901@lid"),
        ("120363000000000001@g.us", "120363000000000001@g.us"),
        ("49301234567-1500000000@g.us", "49301234567-1500000000@g.us"),
        ("120363000000000009@newsletter", "120363000000000009@newsletter"),
        ("status@broadcast", "status@broadcast"),
    ],
)
def test_the_canonical_form_of_a_chat_id(given_id: str, canonical: str) -> None:
    assert ids.chat_id(given_id) == canonical
    assert ids.chat_id(canonical) == canonical


@pytest.mark.parametrize("text", ["", "@c.us", "abc", "1@nowhere", "me", "../..@c.us", "1@c.us\n", "1" * 30, "all"])
def test_what_can_not_name_a_chat(text: str) -> None:
    with pytest.raises(ValidationFailed, match="chatId must be a chat id such as"):
        ids.chat_id(text)


@given(st.text(max_size=60))
def test_any_text_is_a_chat_id_or_refused(text: str) -> None:
    try:
        found = ids.chat_id(text)
    except ValidationFailed:
        return
    assert re.fullmatch(r"[0-9a-z-]+@[a-z.]+", found)
    assert ids.kind(found) in ("person", "group", "channel", "status", "broadcast")


@given(st.text(max_size=80))
def test_any_text_is_a_message_id_or_refused(text: str) -> None:
    try:
        assert re.fullmatch(r"[0-9A-Za-z.]{1,64}", ids.message_key(text))
    except ValidationFailed:
        return


@given(st.booleans(), st.from_regex(r"3EB0[0-9A-F]{18}", fullmatch=True), st.none() | st.just("49301@c.us"))
def test_a_message_id_can_be_taken_apart(from_me: bool, key: str, participant: str | None) -> None:
    full = str(ids.MessageId(from_me, "120363@g.us", key, participant))
    assert ids.message_key(full) == key
    assert full.count("_") == (3 if participant else 2)


def test_a_hidden_id_has_its_suffix_and_nothing_else_is_one() -> None:
    assert ids.lid("881") == ids.lid("881:3@lid") == "881@lid"
    with pytest.raises(Unprocessable):
        ids.lid("881@c.us")


def test_event_ids_rise_strictly_in_every_thread() -> None:
    made: list[str] = []
    make = ids.EventIds()
    threads = [threading.Thread(target=lambda: made.extend([make() for _ in range(500)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2000
    alone = [make() for _ in range(1000)]
    assert alone == sorted(alone)
    assert min(alone) > max(made)
