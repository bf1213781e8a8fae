"""What is done to chats and messages is seen everywhere that it should be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..contract.scenario import ANA, BO, CONTROL, FILE, full_id
from ..simulating import Simulator

Simulators = Callable[..., Simulator]


def send(simulator: Simulator, text: str = "hi", chat: str = ANA, **more: Any) -> str:
    body = {"session": "s", "chatId": chat, "text": text, **more}
    answer = simulator.call("POST", "/api/sendText", body, status=201)
    key = full_id(answer, chat).split("_")[2]
    return next(each["id"] for each in messages(simulator, chat) if key in each["id"])


def messages(simulator: Simulator, chat: str = ANA, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = simulator.call("GET", f"/api/{{s}}/chats/{chat}/messages", status=200, **query)
    return found


def receive(simulator: Simulator, chat: str = ANA, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = simulator.call("POST", f"{CONTROL}/messages", {"from": chat, **body}, status=201)
    return answer


def overview(simulator: Simulator, **query: Any) -> list[str]:
    return [each["id"] for each in simulator.call("GET", "/api/{s}/chats/overview", status=200, **query)]


def test_the_last_chat_that_was_written_in_is_on_top(each: Simulator) -> None:
    send(each, chat=ANA)
    send(each, chat=BO)
    assert overview(each) == [BO, ANA]
    receive(each, ANA, text="hello", pushName="Ana")
    assert overview(each) == [ANA, BO]
    assert overview(each, limit=1, offset=1) == [BO]
    assert overview(each, ids=[BO, "49309999999"]) == [BO]
    (ana,) = each.call("GET", "/api/{s}/chats/overview", ids=ANA)
    assert (ana["name"], ana["lastMessage"]["body"]) == ("Ana", "hello")


def test_unread_messages_are_counted_until_they_are_read(simulators: Simulators) -> None:
    simulator = simulators("WPP")

    def unread() -> int:
        (chat,) = simulator.call("GET", "/api/{s}/chats")
        return int(chat["unreadCount"])

    receive(simulator, text="1")
    receive(simulator, text="2")
    assert unread() == 2
    simulator.call("POST", f"{CONTROL}/phone/read", {"chatId": ANA}, status=201)
    assert unread() == 0
    simulator.call("POST", f"/api/{{s}}/chats/{ANA}/unread", status=201)
    assert unread() == -1, "marked by hand"
    receive(simulator, text="3")
    assert unread() == 1
    simulator.call("POST", f"/api/{{s}}/chats/{ANA}/messages/read", status=201)
    assert unread() == 0


@pytest.mark.parametrize("engine", ["NOWEB", "GOWS"])
def test_messages_read_answers_with_the_ids_that_it_changed(simulators: Simulators, engine: str) -> None:
    simulator = simulators(engine)
    ids = [receive(simulator, text=str(number))["id"] for number in range(3)]
    path = f"/api/{{s}}/chats/{ANA}/messages/read"
    assert simulator.call("POST", path, status=201, messages=1) == {"ids": [ids[2]]}
    assert set(simulator.call("POST", path, status=201)["ids"]) == {ids[0], ids[1]}
    assert simulator.call("POST", path, status=201) == {"ids": []}


def test_an_edit_is_seen_and_told(each: Simulator) -> None:
    message = send(each, "helo")
    each.call("PUT", f"/api/{{s}}/chats/{ANA}/messages/{message}", {"text": "hello"}, status=200)
    assert [found["body"] for found in messages(each)] == ["hello"]
    told = each.payload("message.edited")
    assert (told["body"], told["editedMessageId"]) == ("hello", message.split("_")[2])
    assert (told["id"] == message) == (each.engine == "WEBJS"), "elsewhere the edit has an id of its own"


def test_others_edit_their_own_messages_and_the_api_cannot(each: Simulator) -> None:
    theirs = receive(each, text="helo")["id"]
    each.call("PUT", f"{CONTROL}/messages/{theirs}", {"text": "hello"}, status=200)
    assert (each.payload("message.edited")["body"], messages(each)[0]["body"]) == ("hello", "hello")
    status = 200 if each.engine == "WEBJS" else 500
    each.call("PUT", f"/api/{{s}}/chats/{ANA}/messages/{theirs}", {"text": "mine"}, status=status)
    assert messages(each)[0]["body"] == "hello"


def test_a_revoked_message_has_no_content_any_more(each: Simulator) -> None:
    picture = full_id(
        each.call("POST", "/api/sendImage", {"session": "s", "chatId": ANA, "file": FILE, "caption": "x"})
    )
    each.call("DELETE", f"/api/{{s}}/chats/{ANA}/messages/{picture}", status=200)
    (left,) = messages(each)
    assert (left["body"], left["hasMedia"], left["media"]) == ("", False, None)
    assert each.payload("message.revoked")["revokedMessageId"] == picture.split("_")[2]
    each.call("PUT", "/api/reaction", {"session": "s", "messageId": picture, "reaction": "👍"}, status=422)


def test_only_a_group_admin_deletes_what_others_wrote(each: Simulator) -> None:
    theirs = receive(each, text="mine")["id"]
    each.call("DELETE", f"/api/{{s}}/chats/{ANA}/messages/{theirs}", status=500)
    assert messages(each)[0]["body"] == "mine"


def test_a_reaction_is_told_and_taken_back(each: Simulator) -> None:
    message = send(each)
    each.call("POST", f"{CONTROL}/messages/{message}/reactions", {"from": ANA, "reaction": "❤️"}, status=201)
    told = each.payload("message.reaction")
    assert told["reaction"] == {"text": "❤️", "messageId": message}
    assert (told["fromMe"], told["participant"]) == (False, ANA)
    if each.engine == "NOWEB":
        assert [found["text"] for found in messages(each)[0]["_data"]["reactions"]] == ["❤️"]
    if each.engine == "WEBJS":
        assert messages(each)[0]["_data"]["hasReaction"]
    each.call("POST", f"{CONTROL}/messages/{message}/reactions", {"from": ANA, "reaction": ""}, status=201)
    assert each.payload("message.reaction")["reaction"]["text"] == ""
    assert "reactions" not in messages(each)[0]["_data"]
    assert "hasReaction" not in messages(each)[0]["_data"]


def test_the_api_reacts_in_its_own_name(each: Simulator) -> None:
    theirs = receive(each, text="hi")["id"]
    each.call("PUT", "/api/reaction", {"session": "s", "messageId": theirs, "reaction": "👍"}, status=200)
    told = each.payload("message.reaction")
    assert (told["fromMe"], told["source"]) == (True, "api")


def test_a_poll_is_tallied(each: Simulator) -> None:
    poll = {"name": "lunch?", "options": ["soup", "rice", "none"], "multipleAnswers": True}
    sent = full_id(each.call("POST", "/api/sendPoll", {"session": "s", "chatId": ANA, "poll": poll}, status=201))
    votes = f"{CONTROL}/messages/{sent}/votes"

    def tally() -> dict[str, list[str]]:
        return {option["name"]: option["voters"] for option in each.call("GET", votes, status=200)}

    each.call("POST", votes, {"from": ANA, "votes": ["rice", "soup"]}, status=201)
    assert tally() == {"soup": [ANA], "rice": [ANA], "none": []}
    told = each.payload("poll.vote")
    assert told["vote"]["selectedOptions"] == ["soup", "rice"]
    assert told["poll"]["id"].split("_")[2] == sent.split("_")[2]
    each.call("POST", votes, {"from": ANA, "votes": []}, status=201)
    assert (tally()["soup"], each.payload("poll.vote")["vote"]["selectedOptions"]) == ([], [])
    each.call("POST", votes, {"from": ANA, "votes": ["fish"]}, status=422)
    if each.engine in ("WEBJS", "GOWS"):
        request = {"session": "s", "chatId": ANA, "pollMessageId": sent, "votes": ["none"]}
        each.call("POST", "/api/sendPollVote", request, status=201)
        assert tally()["none"] == [each.call("GET", "/api/{s}/profile")["id"]]
        assert each.payload("poll.vote")["vote"]["fromMe"]


def test_a_poll_takes_as_many_votes_as_it_says(simulators: Simulators) -> None:
    simulator = simulators("GOWS")
    poll = {"name": "one?", "options": ["a", "b"]}
    sent = simulator.call("POST", "/api/sendPoll", {"session": "s", "chatId": ANA, "poll": poll})["id"]
    request = {"session": "s", "chatId": ANA, "pollMessageId": sent, "votes": ["a", "b"]}
    simulator.call("POST", "/api/sendPollVote", request, status=422)
    simulator.call(
        "POST", "/api/sendPoll", {"session": "s", "chatId": ANA, "poll": {**poll, "options": ["a", "a"]}}, status=400
    )


def test_star_pin_and_archive_are_kept(simulators: Simulators) -> None:
    simulator = simulators("WEBJS")
    message = send(simulator)
    simulator.call("PUT", "/api/star", {"session": "s", "chatId": ANA, "messageId": message, "star": True}, status=200)
    place = f"/api/{{s}}/chats/{ANA}/messages/{message}"
    assert simulator.call("POST", f"{place}/pin", {"duration": 604800}, status=201) == {"success": True}
    data = simulator.call("GET", place)["_data"]
    assert data["star"]
    assert data["pinnedUntil"] > data["t"] + 604000
    simulator.call("POST", f"{place}/pin", {"duration": 5}, status=400)
    simulator.call("POST", f"{place}/unpin", status=201)
    assert "pinnedUntil" not in simulator.call("GET", place)["_data"]
    simulator.call("POST", f"/api/{{s}}/chats/{ANA}/archive", status=201)
    assert simulator.call("GET", "/api/{s}/chats")[0]["archived"] is True
    assert simulator.payload("chat.archive")["archived"] is True
    simulator.call("POST", f"/api/{{s}}/chats/{ANA}/unarchive", status=201)
    assert simulator.call("GET", "/api/{s}/chats")[0]["archived"] is False


def test_a_forwarded_message_is_the_same_in_another_chat(simulators: Simulators) -> None:
    simulator = simulators("NOWEB")
    request = {"session": "s", "chatId": ANA, "file": FILE, "caption": "look"}
    picture = full_id(simulator.call("POST", "/api/sendImage", request))
    forward = {"session": "s", "chatId": BO, "messageId": picture}
    answer = simulator.call("POST", "/api/forwardMessage", forward, status=201)
    assert answer["id"].startswith(f"true_{BO}_")
    (there,) = messages(simulator, BO)
    assert (there["body"], there["media"]["mimetype"]) == ("look", "image/png")
    assert there["_data"]["message"]["imageMessage"]["contextInfo"]["isForwarded"]
    unknown = {**forward, "messageId": "true_49301234567@c.us_3EB0FFFFFFFFFFFFFFFFFF"}
    simulator.call("POST", "/api/forwardMessage", unknown, status=422)


def test_deleting_and_clearing_chats(simulators: Simulators) -> None:
    simulator = simulators("WEBJS")
    send(simulator)
    assert simulator.call("DELETE", f"/api/{{s}}/chats/{ANA}/messages", status=200) == "true"
    assert messages(simulator) == []
    assert overview(simulator) == [ANA]
    assert simulator.call("DELETE", f"/api/{{s}}/chats/{ANA}", status=200) == "true"
    assert overview(simulator) == []
    simulator.call("DELETE", f"/api/{{s}}/chats/{ANA}", status=404)


def test_filters_and_order_of_messages(each: Simulator) -> None:
    first = receive(each, text="theirs")
    send(each, "ours")
    assert [m["body"] for m in messages(each)] == ["ours", "theirs"]
    assert [m["body"] for m in messages(each, sortOrder="asc")] == ["theirs", "ours"]
    assert [m["body"] for m in messages(each, **{"filter.fromMe": "true"})] == ["ours"]
    assert [m["body"] for m in messages(each, **{"filter.ack": "DEVICE"})] == ["theirs"]
    assert messages(each, **{"filter.timestamp.lte": first["timestamp"] - 10}) == []
    assert len(messages(each, **{"filter.timestamp.gte": first["timestamp"]})) == 2
    assert [m["body"] for m in messages(each, limit=1, offset=1)] == ["theirs"]


def test_media_is_published_only_when_it_is_asked_for(each: Simulator) -> None:
    receive(each, file=FILE, text="look")
    (with_media,) = messages(each)
    assert with_media["hasMedia"]
    assert with_media["media"]["mimetype"] == "image/png"
    path = with_media["media"]["url"].partition("3000")[2]
    assert each.simulate_get(path).content.startswith(b"\x89PNG")
    (without,) = messages(each, downloadMedia="false")
    assert (without["hasMedia"], without["media"]) == (True, None)


def test_every_kind_of_message_comes_in(each: Simulator) -> None:
    receive(each, location={"latitude": 52.52, "longitude": 13.4, "name": "Office"})
    receive(each, vcards=["BEGIN:VCARD\nVERSION:3.0\nFN:Bo\nEND:VCARD"])
    receive(each, poll={"name": "q", "options": ["a", "b"]})
    receive(each, event={"name": "party", "startTime": 1785000000})
    receive(each, text="chosen", selectedRowId="row-1")
    receive(each, text="pressed", selectedButtonId="b-1")
    receive(each, file=FILE, type="sticker")
    receive(each, text="hi @49301234568", mentions=[BO])
    found = messages(each, sortOrder="asc")
    assert len(found) == 8
    assert len(each.events("message")) == 8
    if each.engine != "WPP":
        assert found[0]["location"]["latitude"] == "52.52"
        assert found[1]["vCards"][0].startswith("BEGIN:VCARD")
    refused = {"from": ANA, "text": "x", "file": FILE, "vcards": ["x"]}
    each.call("POST", f"{CONTROL}/messages", refused, status=400)
    each.call("POST", f"{CONTROL}/messages", {"from": ANA}, status=400)


def test_a_status_is_gone_after_a_day(each: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    each.call("POST", "/api/{s}/status/text", {"text": "today"}, status=201)
    each.call(
        "POST", f"{CONTROL}/messages", {"from": "status@broadcast", "participant": ANA, "text": "theirs"}, status=201
    )
    assert [m["body"] for m in messages(each, "status@broadcast")] == ["theirs", "today"]
    account: Any = each.server.sessions.get("s").account
    now = account._now_ms()
    monkeypatch.setattr(account, "_now_ms", lambda: now + 24 * 60 * 60 * 1000 + 60_000)
    assert messages(each, "status@broadcast") == []


def test_a_given_key_is_used_once(simulators: Simulators) -> None:
    simulator = simulators("GOWS")
    key = simulator.call("GET", "/api/{s}/new-message-id", status=200)["id"]
    assert key in send(simulator, id=key)
    request = {"session": "s", "chatId": ANA, "text": "again", "id": key}
    simulator.call("POST", "/api/sendText", request, status=422)
    assert len(messages(simulator)) == 1
    ignoring = simulators("WPP")
    assert key not in send(ignoring, id=key)


def test_what_a_blocked_person_writes_does_not_arrive(simulators: Simulators) -> None:
    simulator = simulators("WEBJS")
    simulator.call("POST", "/api/contacts/block", {"session": "s", "contactId": ANA}, status=201)
    simulator.call("POST", f"{CONTROL}/messages", {"from": ANA, "text": "hi"}, status=422)
    assert simulator.call("GET", "/api/contacts", session="s", contactId=ANA)["isBlocked"]
    simulator.call("POST", "/api/contacts/unblock", {"session": "s", "contactId": ANA}, status=201)
    receive(simulator, text="hi")


# -- two sessions of one server


@pytest.fixture
def two(each: Simulator) -> tuple[Simulator, str, str]:
    """A simulator with the sessions s and t, and their own ids."""
    each.begin("t")
    return each, each.call("GET", "/api/s/profile")["id"], each.call("GET", "/api/t/profile")["id"]


def test_sessions_of_one_server_reach_each_other(two: tuple[Simulator, str, str]) -> None:
    simulator, s, t = two
    picture = {"session": "s", "chatId": t, "file": FILE, "caption": "look"}
    sent = full_id(simulator.call("POST", "/api/sendImage", picture, status=201), t)
    (there,) = simulator.call("GET", f"/api/t/chats/{s}/messages")
    assert (there["fromMe"], there["body"], there["media"]["mimetype"]) == (False, "look", "image/png")
    assert there["id"].split("_")[2] == sent.split("_")[2]
    received = simulator.events("message")[-1]
    assert (received["session"], received["payload"]["body"]) == ("t", "look")
    answer = {"session": "t", "chatId": s, "text": "nice", "reply_to": there["id"]}
    simulator.call("POST", "/api/sendText", answer, status=201)
    newest = simulator.call("GET", f"/api/s/chats/{t}/messages")[0]
    assert (newest["body"], newest["replyTo"]["body"]) == ("nice", "look")
    simulator.call("PUT", f"/api/s/chats/{t}/messages/{sent}", {"text": "look!"}, status=200)
    simulator.call("PUT", "/api/reaction", {"session": "t", "messageId": there["id"], "reaction": "👍"}, status=200)
    edited, reacted = simulator.events("message.edited"), simulator.events("message.reaction")
    assert [event["session"] for event in edited] == ["s", "t"]
    assert sorted(event["session"] for event in reacted) == ["s", "t"]
    simulator.call("DELETE", f"/api/s/chats/{t}/messages/{sent}", status=200)
    assert simulator.call("GET", f"/api/t/chats/{s}/messages", sortOrder="asc")[0]["body"] == ""


def test_a_session_that_is_stopped_is_not_reached(two: tuple[Simulator, str, str]) -> None:
    simulator, s, t = two
    simulator.call("POST", "/api/sessions/t/stop", status=201)
    send(simulator, chat=t)
    simulator.call("POST", "/api/sessions/t/start", status=201)
    simulator.run_until(lambda: simulator.server.sessions.get("t").status == "WORKING")
    assert simulator.call("GET", f"/api/t/chats/{s}/messages") == []
