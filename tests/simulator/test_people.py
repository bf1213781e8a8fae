"""Contacts, hidden ids, presence, labels, channels, calls, the own profile and passkeys."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from ..contract.scenario import ANA, BO, CONTROL, FILE
from ..simulating import Simulator

Simulators = Callable[..., Simulator]


def test_people_become_known_by_writing_and_by_the_address_book(each: Simulator) -> None:
    each.call("POST", f"{CONTROL}/messages", {"from": ANA, "text": "hi", "pushName": "Ana"}, status=201)
    (found,) = each.call("GET", "/api/contacts/all", session="s")
    assert (found["id"], found["pushname"]) == (ANA, "Ana")
    if each.engine != "WPP":
        body = {"firstName": "Anna", "lastName": "Berg"}
        each.call("PUT", f"/api/{{s}}/contacts/{ANA}", body, status=200)
        assert each.call("GET", f"/api/{{s}}/contacts/{ANA}")["name"] == "Anna Berg"
        assert each.call("GET", "/api/{s}/chats/overview")[0]["name"] == "Anna Berg"


def test_contacts_are_sorted_and_paged(simulators: Simulators) -> None:
    simulator = simulators("GOWS")
    for number, name in ((3, "Bo"), (1, "cy"), (2, "Al")):
        simulator.call("POST", f"{CONTROL}/contacts", {"id": f"4930123456{number}", "name": name}, status=201)

    def names(**query: Any) -> list[str]:
        return [found["name"] for found in simulator.call("GET", "/api/contacts/all", session="s", **query)]

    assert names(sortBy="name") == ["Al", "Bo", "cy"]
    assert names(sortBy="name", sortOrder="desc") == ["cy", "Bo", "Al"]
    assert names(sortBy="id") == ["cy", "Al", "Bo"]
    assert names(sortBy="id", limit=1, offset=1) == ["Al"]


def test_somebody_unknown(each: Simulator) -> None:
    answer = each.simulate_get("/api/contacts", params={"session": "s", "contactId": BO})
    assert answer.status_code == 200
    if each.engine in ("WEBJS", "GOWS"):
        assert answer.json["id"] == BO
    else:
        assert answer.content == b""


def test_numbers_that_are_not_on_whatsapp(each: Simulator) -> None:
    def exists(phone: str) -> Any:
        return each.call("GET", "/api/contacts/check-exists", status=200, session="s", phone=phone)

    assert exists("+49 30 1234567") == {"numberExists": True, "chatId": ANA}
    gone = {"numberExists": False, "chatId": None} if each.engine == "GOWS" else {"numberExists": False}
    assert exists("00012345678") == gone


def test_hidden_ids_lead_to_numbers_and_back(each: Simulator) -> None:
    each.call("POST", f"{CONTROL}/messages", {"from": "7776543210394@lid", "text": "hi"}, status=201)
    assert each.call("GET", "/api/{s}/lids") == [{"lid": "7776543210394@lid", "pn": ANA}]
    assert each.call("GET", "/api/{s}/lids/count") == {"count": 1}
    assert each.call("GET", "/api/{s}/lids/7776543210394@lid") == {"lid": "7776543210394@lid", "pn": ANA}
    assert each.call("GET", "/api/{s}/lids/12345") == {"lid": "12345@lid", "pn": None}
    assert each.call("GET", "/api/{s}/lids/pn/49301234567") == {"lid": "7776543210394@lid", "pn": ANA}
    each.call("GET", f"/api/{{s}}/lids/{ANA}", status=422)
    by_lid = each.call("GET", "/api/{s}/chats/7776543210394@lid/messages")
    assert [message["body"] for message in by_lid] == ["hi"], "both ids are one chat"


def test_pictures_and_about_texts(simulators: Simulators) -> None:
    simulator = simulators("WPP")
    simulator.call("POST", f"{CONTROL}/contacts", {"id": ANA, "about": "busy", "picture": FILE}, status=201)
    assert simulator.call("GET", "/api/contacts/about", session="s", contactId=ANA) == {"about": "busy"}
    url = simulator.call("GET", "/api/contacts/profile-picture", session="s", contactId=ANA)["profilePictureURL"]
    assert simulator.simulate_get(url.partition("3000")[2]).content.startswith(b"\x89PNG")
    nobody = simulator.call("GET", "/api/contacts/profile-picture", session="s", contactId=BO)
    assert nobody == {"profilePictureURL": None}


def test_presence_is_told_of_those_that_were_asked_about(simulators: Simulators) -> None:
    simulator = simulators("GOWS")
    control = f"{CONTROL}/presence"
    simulator.call("POST", control, {"chatId": ANA, "presence": "online"}, status=201)
    assert not simulator.events("presence.update")
    assert simulator.call("GET", f"/api/{{s}}/presence/{ANA}") == {"id": ANA, "presences": []}
    simulator.call("POST", control, {"chatId": ANA, "presence": "typing"}, status=201)
    shown = {"participant": ANA, "lastKnownPresence": "typing", "lastSeen": None}
    assert simulator.payload("presence.update") == {"id": ANA, "presences": [shown]}
    assert simulator.call("GET", "/api/{s}/presence") == [{"id": ANA, "presences": [shown]}]
    simulator.call("POST", f"{CONTROL}/messages", {"from": ANA, "text": "there"}, status=201)
    assert simulator.payload("presence.update")["presences"][0]["lastKnownPresence"] == "paused"
    simulator.call("POST", control, {"chatId": ANA, "presence": "offline"}, status=201)
    assert simulator.payload("presence.update")["presences"][0]["lastSeen"] > 1_700_000_000


def test_the_own_presence_is_shown_with_the_session(each: Simulator) -> None:
    each.call("POST", "/api/{s}/presence", {"presence": "offline"}, status=201)
    assert each.call("GET", "/api/sessions/s")["presence"] == "offline"
    each.call("POST", "/api/{s}/presence", {"presence": "typing", "chatId": ANA}, status=201)
    assert "detail" in each.call("POST", "/api/{s}/presence", {"presence": "typing"}, status=400)
    assert "detail" in each.call("POST", "/api/{s}/presence", {"presence": "online", "chatId": ANA}, status=400)


def test_labels_are_made_changed_given_and_deleted(each: Simulator) -> None:
    each.call("POST", "/api/sendText", {"session": "s", "chatId": ANA, "text": "hi"}, status=201)
    made = each.call("POST", "/api/{s}/labels", {"name": "New", "color": 3}, status=201)
    assert made == {"id": "1", "name": "New", "color": 3, "colorHex": "#dfaef0"}
    each.call("POST", "/api/{s}/labels", {"name": "New"}, status=422)
    each.call("PUT", "/api/{s}/labels/1", {"name": "New", "color": 4}, status=422)
    changed = each.call("PUT", "/api/{s}/labels/1", {"name": "Old", "colorHex": "64C4FF"}, status=200)
    assert (changed["name"], changed["color"]) == ("Old", 1)
    each.call("PUT", f"/api/{{s}}/labels/chats/{ANA}", {"labels": [{"id": "1"}]}, status=200)
    assert each.call("GET", f"/api/{{s}}/labels/chats/{ANA}") == [changed]
    (chat,) = each.call("GET", "/api/{s}/labels/1/chats")
    assert "49301234567" in json.dumps(chat)
    each.call("PUT", f"/api/{{s}}/labels/chats/{ANA}", {"labels": [{"id": "9"}]}, status=404)
    assert each.call("GET", f"/api/{{s}}/labels/chats/{ANA}") == [changed], "nothing is half done"
    each.call("PUT", f"/api/{{s}}/labels/chats/{ANA}", {"labels": []}, status=200)
    assert each.call("GET", f"/api/{{s}}/labels/chats/{ANA}") == []
    assert each.call("DELETE", "/api/{s}/labels/1", status=200) == {"result": True}
    each.call("DELETE", "/api/{s}/labels/1", status=404)
    told = [event["event"] for event in each.events() if event["event"].startswith("label")]
    expected = {
        "WEBJS": [],
        "WPP": ["label.chat.added", "label.chat.deleted"],
    }.get(each.engine, ["label.upsert", "label.upsert", "label.chat.added", "label.chat.deleted", "label.deleted"])
    assert told == expected


def test_there_are_twenty_labels_at_most(simulators: Simulators) -> None:
    simulator = simulators()
    for number in range(20):
        simulator.call("POST", "/api/{s}/labels", {"name": f"L{number}"}, status=201)
    simulator.call("POST", "/api/{s}/labels", {"name": "one more"}, status=422)


def test_an_own_channel_is_written_in_and_deleted(simulators: Simulators) -> None:
    simulator = simulators("WPP")
    made = simulator.call("POST", "/api/{s}/channels", {"name": "News", "picture": FILE}, status=201)
    assert made["role"] == "OWNER"
    simulator.call("POST", "/api/sendText", {"session": "s", "chatId": made["id"], "text": "post"}, status=201)
    (post,) = simulator.call("GET", f"/api/{{s}}/channels/{made['id']}/messages/preview")
    assert post["message"]["body"] == "post"
    assert [found["id"] for found in simulator.call("GET", "/api/{s}/channels", role="OWNER")] == [made["id"]]
    assert simulator.call("GET", "/api/{s}/channels", role="SUBSCRIBER") == []
    simulator.call("DELETE", f"/api/{{s}}/channels/{made['id']}", status=200)
    simulator.call("GET", f"/api/{{s}}/channels/{made['id']}", status=404)


def test_a_channel_is_found_followed_muted_and_left(simulators: Simulators) -> None:
    simulator = simulators("GOWS")
    search = {"text": "courier", "limit": 3}
    first = simulator.call("POST", "/api/{s}/channels/search/by-text", search, status=200)
    page = {**search, "startCursor": first["page"]["endCursor"]}
    second = simulator.call("POST", "/api/{s}/channels/search/by-text", page, status=200)
    assert second["page"]["hasPreviousPage"]
    assert not {c["id"] for c in first["channels"]} & {c["id"] for c in second["channels"]}
    channel = first["channels"][0]
    by_invite = simulator.call("GET", f"/api/{{s}}/channels/{channel['invite'].rpartition('/')[2]}", status=200)
    assert (by_invite["id"], by_invite["role"]) == (channel["id"], "GUEST")
    place = f"/api/{{s}}/channels/{channel['id']}"
    simulator.call("POST", f"{place}/mute", status=422)
    simulator.call("POST", f"{place}/follow", status=201)
    followed = simulator.call("GET", place)
    assert (followed["role"], followed["subscribersCount"]) == ("SUBSCRIBER", channel["subscribersCount"] + 1)
    write = {"session": "s", "chatId": channel["id"], "text": "me too"}
    assert simulator.simulate_post("/api/sendText", json=write).status_code == 500
    simulator.call("POST", f"{CONTROL}/messages", {"from": channel["id"], "text": "news"}, status=201)
    assert simulator.payload("message")["ackName"] == "UNKNOWN"
    simulator.call("POST", f"{place}/unfollow", status=201)
    assert simulator.call("GET", "/api/{s}/channels") == []
    simulator.call("POST", "/api/{s}/channels/search/by-view", {"view": "SECRET"}, status=400)


def test_calls_ring_and_end_once(each: Simulator) -> None:
    call = each.call("POST", f"{CONTROL}/calls", {"from": ANA, "isVideo": True}, status=201)
    assert each.payload("call.received") == call
    assert (call["from"], call["isVideo"], call["isGroup"]) == (ANA, True, False)
    each.call("POST", "/api/{s}/calls/reject", {"from": BO, "id": call["id"]}, status=404)
    each.call("POST", "/api/{s}/calls/reject", {"from": ANA, "id": call["id"]}, status=201)
    each.call("POST", "/api/{s}/calls/reject", {"from": ANA, "id": call["id"]}, status=404)
    told = each.events("call.rejected")
    assert len(told) == (0 if each.engine == "WPP" else 1)


def test_the_own_profile(each: Simulator) -> None:
    each.call("PUT", "/api/{s}/profile/name", {"name": "Shop"}, status=200)
    each.call("PUT", "/api/{s}/profile/status", {"status": "open till six"}, status=200)
    each.call("PUT", "/api/{s}/profile/picture", {"file": FILE}, status=200)
    profile = each.call("GET", "/api/{s}/profile")
    assert profile["name"] == "Shop"
    assert each.simulate_get(profile["picture"].partition("3000")[2]).content.startswith(b"\x89PNG")
    assert each.call("GET", "/api/sessions/s/me")["pushName"] == "Shop"
    each.call("DELETE", "/api/{s}/profile/picture", status=200)
    assert each.call("GET", "/api/{s}/profile")["picture"] == ""
    each.call("PUT", "/api/{s}/profile/name", {"name": ""}, status=400)
    text = {"file": {"data": base64.b64encode(b"not a picture").decode()}}
    each.call("PUT", "/api/{s}/profile/picture", text, status=422)


def test_capping_counts_the_chats_that_the_account_began(simulators: Simulators) -> None:
    simulator = simulators()
    for chat in (ANA, ANA, BO):
        simulator.call("POST", "/api/sendText", {"session": "s", "chatId": chat, "text": "hi"}, status=201)
    found = simulator.call("GET", "/api/sessions/{s}/capping", status=200)
    assert (found["usedQuota"], found["totalQuota"], found["cappingStatus"]) == (2, -1, "NONE")


# -- passkeys


@pytest.fixture
def waiting(simulators: Simulators) -> Simulator:
    """A session that shows its QR code and is not scanned by itself."""
    return simulators("GOWS", WAXBILL_MOCK_SCAN_SECONDS="-1", pair=lambda simulator: None)


def assertion(challenge: dict[str, Any], **changes: Any) -> dict[str, Any]:
    signed = json.dumps({"type": "webauthn.get", "challenge": challenge["challenge"]}).encode()
    response = {
        "clientDataJSON": base64.urlsafe_b64encode(signed).decode().rstrip("="),
        "authenticatorData": "AA",
        "signature": "AA",
    }
    credential = challenge["allowCredentials"][0]["id"]
    return {"id": credential, "rawId": credential, "type": "public-key", "response": response, **changes}


def test_a_passkey_pairs_the_session(waiting: Simulator) -> None:
    waiting.call("GET", "/api/{s}/auth/passkey/challenge", status=422)
    waiting.call("POST", f"{CONTROL}/passkey", {"confirm": True}, status=201)
    challenge = waiting.call("GET", "/api/{s}/auth/passkey/challenge", status=200)
    assert waiting.payload("session.status")["data"] == challenge
    other = {**challenge, "challenge": "another"}
    waiting.call("POST", "/api/{s}/auth/passkey", assertion(other), status=422)
    waiting.call("POST", "/api/{s}/auth/passkey", assertion(challenge, id="unknown"), status=422)
    waiting.call("POST", "/api/{s}/auth/passkey", assertion(challenge), status=201)
    assert waiting.call("GET", "/api/sessions/s")["status"] == "PASSKEY_CONFIRMATION_REQUIRED"
    code = waiting.call("GET", "/api/{s}/auth/passkey/confirmation", status=200)["code"]
    assert waiting.payload("session.status")["data"] == {"code": code}
    waiting.call("POST", "/api/{s}/auth/passkey/confirm", status=201)
    assert waiting.call("GET", "/api/sessions/s")["status"] == "WORKING"
    waiting.call("GET", "/api/{s}/auth/passkey/challenge", status=422)


def test_a_passkey_without_confirmation(waiting: Simulator) -> None:
    waiting.call("POST", f"{CONTROL}/passkey", {}, status=201)
    challenge = waiting.call("GET", "/api/{s}/auth/passkey/challenge", status=200)
    waiting.call("POST", "/api/{s}/auth/passkey", assertion(challenge), status=201)
    assert waiting.call("GET", "/api/sessions/s")["status"] == "WORKING"
