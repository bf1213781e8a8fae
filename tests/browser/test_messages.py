"""Messages through the browser: what goes out, what comes in, and the files that they carry."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from waxbill.testing import Receiver, ServerProcess

from ..making import png
from .conftest import PEER, environment, eventually, in_page, told
from .standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.long]

NUMBER = PEER.partition("@")[0]
_PATIENCE = 60


class Working(msgspec.Struct):
    """A server whose session ``one`` works, for all tests here; each looks at messages of its own."""

    server: ServerProcess
    whatsapp: StandIn
    receiver: Receiver

    def post(self, path: str, body: Any) -> Any:
        answer = self.server.request("POST", path, {"session": "one", **body}, timeout_seconds=120)
        assert answer.status == 201, answer.text
        return answer.json()

    def event(self, name: str, **members: Any) -> dict[str, Any]:
        """The payload of the first event of a name with these members, once it is there."""

        def fits(event: dict[str, Any]) -> bool:
            return event["event"] == name and all(event["payload"].get(key) == value for key, value in members.items())

        payload: dict[str, Any] = self.receiver.wait_for(fits, _PATIENCE)["payload"]
        return payload


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Working]:
    with StandIn() as whatsapp, Receiver() as receiver:
        settings = environment(whatsapp, receiver, WAXBILL_MAX_MEDIA_MB="8", WHATSAPP_START_SESSION="one")
        with ServerProcess(tmp_path_factory.mktemp("messages"), key="", **settings) as server:
            server.wait_for_status("one", "SCAN_QR_CODE", timeout_seconds=_PATIENCE)
            whatsapp.phone.scan()
            server.wait_for_status("one", "WORKING", timeout_seconds=_PATIENCE)
            yield Working(server, whatsapp, receiver)


# -- in


def test_a_text_that_comes_in(working: Working) -> None:
    key = working.whatsapp.phone.receive(NUMBER, "hello 👋🏽 \u202e <b>", name="Ana")
    payload = working.event("message", id=key)
    assert payload["from"] == PEER
    assert payload["to"] == working.whatsapp.phone.me
    assert (payload["body"], payload["fromMe"], payload["hasMedia"]) == ("hello 👋🏽 \u202e <b>", False, False)
    assert payload["_data"]["notifyName"] == "Ana"
    assert working.event("message.any", id=key) == payload


def test_half_an_emoji_is_no_trouble(working: Working) -> None:
    """JavaScript texts may hold half a surrogate pair, which is no text anywhere else."""
    in_page(
        working.server,
        """(() => { const { MsgStore, MsgModel, MsgKey, WidFactory } = WPP.whatsapp;
        const wid = WidFactory.createWid('49301234567@c.us');
        MsgStore.add(new MsgModel({ id: new MsgKey({ fromMe: false, remote: wid, id: 'ABCDEF0123456789' }),
          type: 'chat', body: 'half \\ud83d', t: 1900000000, from: wid, to: WPP.conn.getMyUserId(), isNewMsg: true }));
        })()""",
    )
    assert working.event("message", id=f"false_{PEER}_ABCDEF0123456789")["body"] == "half \ufffd"


def test_what_is_written_on_the_phone_is_told_as_own(working: Working) -> None:
    key = working.whatsapp.phone.write(NUMBER, "from the phone")
    payload = working.event("message.any", id=key)
    assert (payload["fromMe"], payload["source"], payload["to"]) == (True, "app", PEER)
    assert not told(working.receiver, "message", id=key)


def test_a_message_in_a_group_names_its_author(working: Working) -> None:
    phone = working.whatsapp.phone
    group = phone.group("Team", NUMBER)
    key = phone.receive(NUMBER, "hi all", group=group)
    payload = working.event("message", id=key)
    assert (payload["from"], payload["participant"], payload["to"]) == (group, phone.lid_of(NUMBER), phone.me)


def test_a_person_by_hidden_id(working: Working) -> None:
    phone = working.whatsapp.phone
    key = phone.receive("49305550001", "who am I", lid=True)
    assert working.event("message", id=key)["from"] == phone.lid_of("49305550001")
    sent = working.post("/api/sendText", {"chatId": phone.lid_of("49305550001"), "text": "you are"})
    assert phone.wait_for_sent(lambda message: message["body"] == "you are")["id"] == sent["id"]


def test_an_answer_shows_what_it_answers(working: Working) -> None:
    first = working.post("/api/sendText", {"chatId": PEER, "text": "shall we?"})
    key = working.whatsapp.phone.receive(NUMBER, "yes", reply_to=first["id"])
    reply = working.event("message", id=key)["replyTo"]
    assert (reply["id"], reply["body"], reply["participant"]) == (first["id"], "shall we?", working.whatsapp.phone.me)


@pytest.mark.parametrize(
    ("mimetype", "kind", "name"),
    [
        ("image/png", "image", None),
        ("audio/ogg; codecs=opus", "ptt", None),
        ("application/pdf", "document", "offer.pdf"),
    ],
)
def test_a_file_that_comes_in_is_served(working: Working, mimetype: str, kind: str, name: str | None) -> None:
    content = os.urandom(500_000)  # more than one piece
    key = working.whatsapp.phone.receive_media(
        NUMBER, content, mimetype, type=kind, caption="look" if kind == "image" else None, filename=name
    )
    payload = working.event("message", id=key)
    assert payload["hasMedia"] is True
    assert (payload["media"]["mimetype"], payload["media"]["filename"]) == (mimetype, name)
    assert payload["body"] == ("look" if kind == "image" else "")
    path = payload["media"]["url"].partition("/api/")[2]
    assert working.server.get(f"/api/{path}").body == content


def test_a_file_that_is_too_large_is_told_without(working: Working) -> None:
    key = working.whatsapp.phone.receive_media(NUMBER, bytes(9 << 20), "video/mp4")
    media = working.event("message", id=key)["media"]
    assert media["url"] is None
    assert "more than the" in media["error"]["details"]


def test_texts_are_told_while_a_file_is_read(working: Working) -> None:
    """A file that takes its time keeps nothing else waiting."""
    working.whatsapp.phone.receive_media(NUMBER, os.urandom(7 << 20), "video/mp4", caption="long film")
    key = working.whatsapp.phone.receive(NUMBER, "short text")
    working.event("message", id=key)
    working.event("message", body="long film")


def test_reads_show_the_file_only_when_it_is_asked_for(working: Working) -> None:
    number = "49305550002"
    working.whatsapp.phone.receive_media(number, png(), "image/png")
    working.event("message", **{"from": f"{number}@c.us"})
    place = f"/api/one/chats/{number}@c.us/messages"
    (without,) = working.server.get(place, query={"downloadMedia": "false"}).json()
    assert (without["hasMedia"], without["media"]["url"]) == (True, None)
    (with_file,) = working.server.get(place).json()
    assert working.server.get("/api/" + with_file["media"]["url"].partition("/api/")[2]).body == png()


# -- out


@pytest.mark.parametrize(
    ("operation", "file", "kind"),
    [
        ("sendImage", {"mimetype": "image/png"}, "image"),
        ("sendFile", {"mimetype": "application/octet-stream", "filename": "käse.bin"}, "document"),
        ("sendVoice", {}, "ptt"),
        ("sendVideo", {}, "video"),
    ],
)
def test_a_file_goes_out_whole(working: Working, operation: str, file: dict[str, str], kind: str) -> None:
    content = (png() if kind == "image" else os.urandom(16)) + os.urandom(3_000_000)
    data = base64.b64encode(content).decode()
    sent = working.post(f"/api/{operation}", {"chatId": PEER, "file": {"data": data, **file}})
    record = working.whatsapp.phone.message(sent["id"])
    assert record["type"] == kind
    assert working.whatsapp.world.files[record["filehash"]] == content
    if kind == "document":
        assert record["filename"] == "käse.bin"
    # What was handed in is gone, and so is what was read back for the event.
    eventually(lambda: not list((working.server.folder / "store" / "incoming").iterdir()))


def test_an_answer_and_mentions_go_out(working: Working) -> None:
    phone = working.whatsapp.phone
    group = phone.group("Mentions", NUMBER, "49301234568")
    asked = phone.receive(NUMBER, "who?", group=group)
    body = {"chatId": group, "text": "@49301234567", "mentions": ["all"], "reply_to": asked}
    record = phone.message(working.post("/api/sendText", body)["id"])
    assert record["quotedStanzaID"] == asked.split("_")[2]
    assert set(record["mentionedJidList"]) >= {phone.lid_of(NUMBER), phone.lid_of("49301234568")}


def test_an_unknown_message_is_not_quoted(working: Working) -> None:
    body = {"chatId": PEER, "text": "no quote", "reply_to": f"false_{PEER}_3A00000000000000AAAA"}
    record = working.whatsapp.phone.message(working.post("/api/sendText", body)["id"])
    assert not record.get("quotedStanzaID")


def test_a_key_chosen_beforehand_is_used(working: Working) -> None:
    key = working.server.get("/api/one/new-message-id").json()["id"]
    sent = working.post("/api/sendText", {"chatId": PEER, "text": "chosen", "id": key})
    assert sent["id"] == f"true_{PEER}_{key}"


def test_what_whatsapp_refuses_is_said(working: Working) -> None:
    working.whatsapp.phone.fail_next_send("ERROR_NETWORK")
    body = {"session": "one", "chatId": PEER, "text": "lost"}
    answer = working.server.request("POST", "/api/sendText", body, timeout_seconds=90)
    assert answer.status == 500
    assert answer.json()["exception"]["name"] == "ERROR_NETWORK"


def test_what_is_sent_survives_a_look_from_outside(working: Working) -> None:
    """Arguments are data, never code."""
    text = '"); throw new Error("x"); ("</script>${1+1}`\\u0027'
    sent = working.post("/api/sendText", {"chatId": PEER, "text": text})
    assert sent["body"] == text
    assert working.whatsapp.phone.message(sent["id"])["body"] == text


def test_edits_and_deletes_of_others_messages_are_refused(working: Working) -> None:
    key = working.whatsapp.phone.receive(NUMBER, "theirs")
    working.event("message", id=key)
    place = f"/api/one/chats/{PEER}/messages/{key}"
    assert working.server.put(place, {"text": "mine"}).status == 500
    assert working.server.delete(place).status == 500
    unknown = f"/api/one/chats/{PEER}/messages/true_{PEER}_3EB000000000000000AA"
    assert working.server.put(unknown, {"text": "x"}).status == 404
    assert working.post("/api/forwardMessage", {"chatId": PEER, "messageId": unknown.rpartition("/")[2]}) == {
        "sent": False
    }


def test_a_preview_of_ones_own_goes_out_with_its_picture(working: Working) -> None:
    picture = base64.b64encode(png(32)).decode()
    preview = {"url": "https://example.com", "title": "Title", "description": "More", "image": {"data": picture}}
    sent = working.post(
        "/api/send/link-custom-preview", {"chatId": PEER, "text": "see https://example.com", "preview": preview}
    )
    record = working.whatsapp.phone.message(sent["id"])
    assert (record["title"], record["description"], record["matchedText"]) == ("Title", "More", "https://example.com")
    assert base64.b64decode(record["thumbnail"]).startswith(b"\xff\xd8")


def test_a_link_is_sent_without_asking_third_parties(working: Working) -> None:
    sent = working.post("/api/sendText", {"chatId": PEER, "text": "see https://example.com/page"})
    assert sent["body"] == "see https://example.com/page"


# -- afterwards


def test_acknowledgements_are_told(working: Working) -> None:
    sent = working.post("/api/sendText", {"chatId": PEER, "text": "read me"})
    for level in (2, 3):
        working.whatsapp.phone.acknowledge(sent["id"], level)
    for level, name in ((2, "DEVICE"), (3, "READ")):
        assert working.event("message.ack", id=sent["id"], ack=level)["ackName"] == name


def test_an_edit_and_a_deletion_by_the_sender_are_told(working: Working) -> None:
    key = working.whatsapp.phone.receive(NUMBER, "teh")
    working.event("message", id=key)
    working.whatsapp.phone.edit(key, "the")
    edited = working.event("message.edited", editedMessageId=key.split("_")[2])
    assert edited["body"] == "the"
    working.whatsapp.phone.revoke(key)
    assert working.event("message.revoked", revokedMessageId=key.split("_")[2])["after"]["remoteJid"] == PEER


def test_a_reaction_and_a_vote_are_told(working: Working) -> None:
    sent = working.post("/api/sendText", {"chatId": PEER, "text": "nice?"})
    working.whatsapp.phone.react(sent["id"], NUMBER, "🔥")
    told_reaction = working.event("message.reaction", reaction={"text": "🔥", "messageId": sent["id"]})
    assert (told_reaction["fromMe"], told_reaction["participant"]) == (False, PEER)
    poll = working.post("/api/sendPoll", {"chatId": PEER, "poll": {"name": "When?", "options": ["Mon", "Tue"]}})
    working.whatsapp.phone.vote(poll["id"], NUMBER, 1)
    vote = working.receiver.wait_for(lambda event: event["event"] == "poll.vote", _PATIENCE)["payload"]
    assert vote["vote"]["selectedOptions"] == ["Tue"]
    assert vote["poll"]["id"] == poll["id"]


def test_a_vote_of_ones_own(working: Working) -> None:
    phone = working.whatsapp.phone
    poll = working.post("/api/sendPoll", {"chatId": PEER, "poll": {"name": "Where?", "options": ["Here", "There"]}})
    chosen = {"session": "one", "chatId": PEER, "pollMessageId": poll["id"], "votes": ["There"]}
    assert working.server.post("/api/sendPollVote", chosen).status == 201
    assert phone.wait_for_asked("vote")["selected"] == [1]
    body = {"session": "one", "chatId": PEER, "pollMessageId": poll["id"], "votes": ["Nowhere"]}
    answer = working.server.post("/api/sendPollVote", body)
    assert answer.status == 422
    assert "no option 'Nowhere'; it has 'Here', 'There'" in answer.text
    text = working.post("/api/sendText", {"chatId": PEER, "text": "no poll"})
    body["pollMessageId"] = text["id"]
    assert "is not a poll" in working.server.post("/api/sendPollVote", body).text


def test_who_may_add_members_to_a_group(working: Working) -> None:
    group = working.post("/api/one/groups", {"name": "Open", "participants": [{"id": PEER}]})["gid"]["_serialized"]
    place = f"/api/one/groups/{group}/settings/security/member-add-mode"
    for allowed in (False, True):
        answer = working.server.put(place, {"membersCanAddNewMember": allowed})
        assert answer.status == 200, answer.text
        assert working.server.get(place).json() == {"membersCanAddNewMember": allowed}


def test_filters_of_reads(working: Working) -> None:
    number = "49305550003"
    for text in ("a", "b"):
        key = working.whatsapp.phone.receive(number, text)
        working.event("message", id=key)
    working.post("/api/sendText", {"chatId": number, "text": "c"})

    def bodies(**query: Any) -> list[str]:
        found = working.server.get(f"/api/one/chats/{number}@c.us/messages", query=query).json()
        return [message["body"] for message in found]

    assert bodies() == ["c", "b", "a"]
    assert bodies(**{"filter.fromMe": "true"}) == ["c"]
    assert bodies(**{"filter.fromMe": "false", "limit": 1}) == ["b"]
    assert bodies(**{"filter.timestamp.gte": 4_000_000_000}) == []
    assert bodies(sortOrder="asc", limit=2) == ["a", "b"]
