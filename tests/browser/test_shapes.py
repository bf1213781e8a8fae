"""What the page tells, as WAHA's shapes; and the notes by which a message is told once. No browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from waxbill.sqlite import SqliteStore
from waxbill.store import Store
from waxbill_browser import seen
from waxbill_browser.script import script
from waxbill_browser.seen import Seen
from waxbill_browser.shapes import chats, messages

ME, ANA, GROUP = "4915112345678@c.us", "49301234567@c.us", "120363000000000001@g.us"


def raw(*, mine: bool = False, chat: str = ANA, key: str = "3A01", **more: Any) -> dict[str, Any]:
    full = f"{'true' if mine else 'false'}_{chat}_{key}"
    return {
        "id": {"fromMe": mine, "remote": chat, "id": key, "_serialized": full},
        "type": "chat",
        "t": 1785000000,
        "hasMedia": False,
        **more,
    }


def test_from_and_to_change_places_for_own_messages() -> None:
    theirs, ours = messages.message(raw(body="x"), ME), messages.message(raw(mine=True, body="x"), ME)
    assert (theirs["from"], theirs["to"]) == (ANA, ME)
    assert (ours["from"], ours["to"]) == (ME, ANA)


def test_only_own_messages_can_come_from_the_api() -> None:
    assert messages.message(raw(ours=True), ME)["source"] == "app"
    assert messages.message(raw(mine=True, ours=True), ME)["source"] == "api"
    assert messages.message(raw(mine=True), ME, ours=True)["source"] == "api"
    assert messages.message(raw(mine=True), ME)["source"] == "app"


def test_the_body_of_a_file_is_its_caption_never_its_thumbnail() -> None:
    assert messages.body(raw(type="image", hasMedia=True, caption="look", body="/9j/4AAQ")) == "look"
    assert messages.body(raw(type="image", hasMedia=True, body="/9j/4AAQ")) == ""


def test_acknowledgements_have_names_and_channels_have_none() -> None:
    assert messages.acknowledged(raw(ack=3)) == {"ack": 3, "ackName": "READ"}
    assert messages.acknowledged(raw()) == {"ack": 0, "ackName": "PENDING"}
    assert messages.acknowledged(raw(ack=17)) == {"ack": None, "ackName": "UNKNOWN"}
    channel = raw(chat="120363000000000009@newsletter", ack=1)
    assert messages.acknowledged(channel) == {"ack": None, "ackName": "UNKNOWN"}


def test_a_quoted_message_that_is_not_known_is_named_by_key_and_author() -> None:
    quoted = {"type": "chat", "body": "old", "key": "3EB0AA", "participant": ME}
    reply = messages.reply_to(raw(quoted=quoted), ME)
    assert reply is not None
    assert (reply["id"], reply["participant"], reply["body"]) == (f"true_{ANA}_3EB0AA", ME, "old")


def test_what_is_kept_for_the_server_is_not_in_the_raw_message() -> None:
    shown = messages.message(raw(body="x", ours=True, quoted=raw(body="y")), ME)
    assert not {"ours", "quoted", "hasMedia"} & shown["_data"].keys()
    assert shown["_data"]["id"] == shown["id"]


@pytest.mark.parametrize(("at", "seconds"), [(1785000000, 1785000000), (1785000000500, 1785000000.5)])
def test_the_time_of_a_reaction_may_be_in_seconds_or_ms(at: float, seconds: float) -> None:
    data = {"id": raw()["id"], "message": raw(mine=True)["id"], "text": "🔥", "sender": ANA, "timestamp": at}
    assert messages.reaction(data, ME, frozenset({ME}))["timestamp"] == seconds


def test_presences_in_wahas_words() -> None:
    people = [
        {"participant": ANA, "state": "composing", "online": True, "seen": None},
        {"participant": ME, "state": "unavailable", "online": False, "seen": 1785000000000},
        {"participant": GROUP, "state": None, "online": True, "seen": None},
    ]
    found = chats.presences({"id": ANA, "people": people}).presences
    assert [each.lastKnownPresence for each in found] == ["typing", "offline", "online"]
    assert [each.lastSeen for each in found] == [None, 1785000000, None]


def test_codes_of_added_members_have_words() -> None:
    found = chats.changed_members({ANA: {"code": 403, "invite_code": "x"}}, [ANA])
    assert found[ANA] == {
        "wid": ANA,
        "code": 403,
        "message": "Forbidden",
        "invite_code": "x",
        "invite_code_exp": None,
    }
    assert chats.changed_members(None, [ANA])[ANA]["message"] == "OK"


# -- notes


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = SqliteStore(tmp_path / "store.sqlite3")
    made.migrate("browser", seen.SCHEMA)
    yield made
    made.close()


def test_a_message_is_told_once_for_each_session(store: Store) -> None:
    now = int(time.time())
    with store.write() as db:
        assert Seen("one").tell(db, "03A01", now, ours=False)
        assert not Seen("one").tell(db, "03A01", now, ours=False)
        assert Seen("two").tell(db, "03A01", now, ours=False)


def test_what_was_sent_is_still_told_and_stays_ours(store: Store) -> None:
    notes = Seen("one")
    with store.write() as db:
        notes.sent(db, "13EB0", 1)
        assert notes.ours(db, "13EB0")
        assert not notes.told(db, "13EB0")
        assert notes.tell(db, "13EB0", 1, ours=False)
        notes.sent(db, "13EB0", 1)
        assert notes.ours(db, "13EB0")
        assert notes.told(db, "13EB0")


def test_what_may_have_been_missed_begins_at_the_pairing_or_before_the_newest(store: Store) -> None:
    notes, now = Seen("one"), int(time.time())
    with store.write() as db:
        assert notes.since(db) is None
        notes.pair(db)
        paired = notes.paired(db)
        assert paired is not None
        assert notes.since(db) == paired
        notes.tell(db, "0A", now + 100_000, ours=False)
        assert notes.since(db) == now + 100_000 - seen.LATE_SECONDS
        notes.forget(db)
        assert notes.since(db) is None


def test_old_notes_are_forgotten(store: Store) -> None:
    notes, now = Seen("one"), int(time.time())
    with store.write() as db:
        notes.tell(db, "0OLD", now - seen.KEPT_SECONDS - 1, ours=False)
        notes.tell(db, "0NEW", now, ours=False)
        notes.prune(db)
        assert not notes.told(db, "0OLD")
        assert notes.told(db, "0NEW")


# -- the script


def test_a_device_name_is_data_in_the_script() -> None:
    made = script("", binding="_b", handle="_h", device_name='"); alert(1); ("')
    assert '"deviceName": "\\"); alert(1); (\\""' in made
    assert '"disableGoogleAnalytics": true' in made
