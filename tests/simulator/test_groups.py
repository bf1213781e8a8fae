"""Groups: state, rules and events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..contract.scenario import ANA, BO, CONTROL, FILE, NOBODY
from ..simulating import Simulator

Simulators = Callable[..., Simulator]
REFUSAL = 500


def create(simulator: Simulator, name: str = "Team", *members: str) -> str:
    people = [{"id": member} for member in members or (ANA,)]
    made = simulator.call("POST", "/api/{s}/groups", {"name": name, "participants": people}, status=201)
    found = made.get("JID") or made.get("gid", {}).get("_serialized") or made.get("id")
    return str(found)


def theirs(simulator: Simulator, **more: Any) -> tuple[str, str]:
    """A group that somebody else made, with this account in it unless told otherwise: its id and invite code."""
    made = simulator.call("POST", f"{CONTROL}/groups", {"creator": BO, "subject": "Theirs", **more}, status=201)
    return made["id"], made["invite"]


def own(simulator: Simulator) -> str:
    return str(simulator.call("GET", "/api/{s}/profile")["id"])


def members(simulator: Simulator, group: str) -> dict[str, str]:
    """The members by phone number, with their roles, as the simulator has them."""
    account: Any = simulator.server.sessions.get("s").account
    return {member.id: member.role for member in account.groups.members(simulator.server.store.read(), group)}


def change(simulator: Simulator, group: str, kind: str, *people: str, status: int = 200) -> Any:
    body = {"participants": [{"id": each} for each in people]}
    return simulator.call("POST", f"/api/{{s}}/groups/{group}/{kind}", body, status=status)


def test_a_new_group_has_its_members_and_is_a_chat(each: Simulator) -> None:
    group = create(each, "Team", ANA, NOBODY)
    assert members(each, group) == {own(each): "superadmin", ANA: "participant"}
    assert each.call("GET", "/api/{s}/groups/count") == {"count": 1}
    (chat,) = each.call("GET", "/api/{s}/chats/overview")
    assert (chat["id"], chat["name"], chat["lastMessage"]) == (group, "Team", None)
    joined = each.payload("group.v2.join")
    assert (joined["group"]["id"], joined["group"]["subject"]) == (group, "Team")
    unit = 1000 if each.engine in ("NOWEB", "GOWS") else 1
    assert joined["timestamp"] > 1_700_000_000 * unit


def test_groups_are_listed_in_each_engines_own_shape(each: Simulator) -> None:
    group = create(each)
    found = each.call("GET", "/api/{s}/groups", status=200)
    without = each.call("GET", "/api/{s}/groups", exclude="participants")
    if each.engine == "NOWEB":
        assert found[group]["subject"] == "Team"
        assert "participants" not in without[group]
    elif each.engine == "GOWS":
        assert (found[0]["JID"], found[0]["Name"], len(found[0]["Participants"])) == (group, "Team", 2)
        assert "Participants" not in without[0]
    else:
        assert len(found[0]["groupMetadata"]["participants"]) == 2
        assert "participants" not in without[0]["groupMetadata"]
    v2 = each.call("GET", f"/api/{{s}}/groups/{group}/participants/v2")
    assert {member["role"] for member in v2} == {"superadmin", "participant"}
    assert (v2[1]["pn"] == ANA) == (each.engine in ("NOWEB", "GOWS"))


def test_members_are_added_promoted_demoted_and_removed(each: Simulator) -> None:
    group = create(each)
    change(each, group, "participants/add", BO, ANA, NOBODY)
    assert members(each, group)[BO] == "participant"
    told = each.payload("group.v2.participants")
    assert (told["type"], len(told["participants"])) == ("join", 1), "only who was added is told"
    change(each, group, "admin/promote", BO)
    assert members(each, group)[BO] == "admin"
    change(each, group, "admin/demote", BO)
    assert members(each, group)[BO] == "participant"
    told = each.payload("group.v2.participants")
    assert (told["type"], told["participants"][0]["role"]) == (
        "demote",
        "admin" if each.engine == "NOWEB" else "participant",
    )
    change(each, group, "participants/remove", BO)
    assert BO not in members(each, group)
    assert each.payload("group.v2.participants")["participants"][0]["role"] == "left"
    assert [event["payload"]["type"] for event in each.events("group.v2.participants")] == [
        "join", "promote", "demote", "leave",
    ]  # fmt: skip


def test_what_became_of_each_member_is_said(each: Simulator) -> None:
    group = create(each)
    said = change(each, group, "participants/add", BO, ANA, NOBODY)
    codes: Any = {
        "WEBJS": lambda: {who: each_["code"] for who, each_ in said.items()},
        "WPP": lambda: {who: each_["code"] for who, each_ in said.items()},
        "NOWEB": lambda: {each_["jid"].replace("@s.whatsapp.net", "@c.us"): int(each_["status"]) for each_ in said},
        "GOWS": lambda: {
            each_["PhoneNumber"].replace("@s.whatsapp.net", "@c.us"): each_["Error"] or 200 for each_ in said
        },
    }[each.engine]()
    assert codes == {BO: 200, ANA: 409, NOBODY: 404}


def test_changes_of_a_group_are_seen_and_told(each: Simulator) -> None:
    group = create(each)
    place = f"/api/{{s}}/groups/{group}"
    each.call("PUT", f"{place}/subject", {"subject": "Crew"}, status=200)
    assert each.payload("group.v2.update")["group"]["subject"] == "Crew"
    each.call("PUT", f"{place}/description", {"description": "all of us"}, status=200)
    assert each.payload("group.v2.update")["group"]["description"] == "all of us"
    assert each.call("GET", "/api/{s}/chats/overview")[0]["name"] == "Crew"
    for setting in ("info-admin-only", "messages-admin-only"):
        path = f"{place}/settings/security/{setting}"
        assert each.call("GET", path) == {"adminsOnly": False}
        each.call("PUT", path, {"adminsOnly": True}, status=200)
        assert each.call("GET", path) == {"adminsOnly": True}
    each.call("PUT", f"{place}/picture", {"file": FILE}, status=200)
    assert "/api/files/s/picture_" in each.call("GET", f"{place}/picture")["url"]
    each.call("DELETE", f"{place}/picture", status=200)
    assert each.call("GET", f"{place}/picture") == {"url": ""}
    each.call("PUT", f"{place}/subject", {"subject": " "}, status=400)


def test_a_member_that_is_no_admin_is_refused_as_the_engine_does_it(each: Simulator) -> None:
    group, _ = theirs(each)
    each.call("PUT", f"/api/{{s}}/groups/{group}/subject", {"subject": "Open"}, status=200)
    each.call("PUT", f"{CONTROL}/groups/{group}", {"infoAdminsOnly": True, "messagesAdminsOnly": True}, status=200)
    refused = each.simulate_put(f"/api/s/groups/{group}/subject", json={"subject": "Mine"})
    if each.engine == "WEBJS":
        assert (refused.status_code, refused.text) == (200, "false")
    else:
        assert (refused.status_code, refused.json["exception"]["name"]) == (REFUSAL, "forbidden")
    account: Any = each.server.sessions.get("s").account
    assert account.groups.get(each.server.store.read(), group).subject == "Open"
    write = {"session": "s", "chatId": group, "text": "hi"}
    assert each.simulate_post("/api/sendText", json=write).status_code == REFUSAL
    assert each.simulate_get(f"/api/s/groups/{group}/invite-code").status_code == REFUSAL
    removed = each.simulate_post(f"/api/s/groups/{group}/participants/remove", json={"participants": [{"id": BO}]})
    assert removed.status_code == (200 if each.engine == "WEBJS" else REFUSAL)
    assert BO in members(each, group)
    each.call("POST", f"{CONTROL}/groups/{group}/participants", {"type": "promote", "participants": [own(each)]})
    each.call("POST", "/api/sendText", write, status=201)


def test_joining_by_invite(each: Simulator) -> None:
    group, invite = theirs(each, withMe=False)
    assert each.call("GET", "/api/{s}/groups/count") == {"count": 0}
    each.call("GET", "/api/{s}/groups/join-info", status=200, code=f"https://chat.whatsapp.com/{invite}")
    joined = each.call("POST", "/api/{s}/groups/join", {"code": f"https://chat.whatsapp.com/{invite}"}, status=200)
    assert joined == {"id": group}
    assert each.payload("group.v2.join")["group"]["id"] == group
    assert own(each) in members(each, group)
    assert each.simulate_post("/api/s/groups/join", json={"code": "worthless"}).status_code == REFUSAL


def test_a_revoked_invite_is_worth_nothing(each: Simulator) -> None:
    group = create(each)
    place = f"/api/{{s}}/groups/{group}"
    code = each.call("GET", f"{place}/invite-code", status=200)
    new = each.call("POST", f"{place}/invite-code/revoke", status=200)
    assert new != code
    assert each.call("GET", f"{place}/invite-code") == new
    assert each.simulate_get("/api/s/groups/join-info", params={"code": code}).status_code == REFUSAL


def test_leaving_ends_writing_and_is_told(each: Simulator) -> None:
    group = create(each)
    each.call("POST", f"/api/{{s}}/groups/{group}/leave", status=200)
    assert each.payload("group.v2.leave")["group"] == {"id": group}
    assert each.call("GET", "/api/{s}/groups/count") == {"count": 0}
    write = {"session": "s", "chatId": group, "text": "still here?"}
    assert each.simulate_post("/api/sendText", json=write).status_code == REFUSAL
    assert each.simulate_post(f"/api/s/groups/{group}/leave").status_code == REFUSAL


def test_being_removed_by_others_is_told(each: Simulator) -> None:
    group, _ = theirs(each)
    each.call(
        "POST", f"{CONTROL}/groups/{group}/participants", {"type": "leave", "participants": [own(each)]}, status=201
    )
    assert each.payload("group.v2.leave")["group"] == {"id": group}
    assert each.call("GET", "/api/{s}/groups/count") == {"count": 0}


def test_join_requests_are_answered(each: Simulator) -> None:
    group = create(each)
    place = f"/api/{{s}}/groups/{group}"
    each.call("PUT", f"{place}/settings/security/membership-approval", {"newMembersApprovalRequired": True}, status=200)
    for who in (BO, "49309999999@c.us"):
        each.call("POST", f"{CONTROL}/groups/{group}/join-requests", {"from": who}, status=201)
    waiting = each.call("GET", f"{place}/participants/join-requests", status=200)
    assert {request["requesterId"] for request in waiting} == {BO, "49309999999@c.us"}
    assert BO not in members(each, group)
    (done,) = change(each, group, "participants/join-requests/approve", BO)
    assert done["success"]
    assert BO in members(each, group)
    (again,) = change(each, group, "participants/join-requests/approve", BO)
    assert (again["success"], again["error"]) == (False, 404)
    change(each, group, "participants/join-requests/reject", "49309999999")
    assert each.call("GET", f"{place}/participants/join-requests") == []
    assert "49309999999@c.us" not in members(each, group)


def test_group_messages_have_their_writer_everywhere(each: Simulator) -> None:
    group = create(each)
    said = {"from": group, "participant": ANA, "text": "hi all", "pushName": "Ana"}
    incoming = each.call("POST", f"{CONTROL}/messages", said, status=201)
    assert incoming["participant"] == ANA
    assert incoming["id"] == f"false_{group}_{incoming['id'].split('_')[2]}_{ANA}"
    assert each.call("GET", "/api/{s}/chats/overview")[0]["name"] == "Team", "a member's name is not the group's"
    each.call("POST", f"{CONTROL}/messages", {"from": group, "text": "who am I?"}, status=400)


def test_everybody_is_mentioned(each: Simulator) -> None:
    group = create(each, "Team", ANA, BO)
    each.call(
        "POST", "/api/sendText", {"session": "s", "chatId": group, "text": "@all hi", "mentions": ["all"]}, status=201
    )
    (message,) = each.call("GET", f"/api/{{s}}/chats/{group}/messages")
    assert ANA.partition("@")[0] in str(message["_data"])
    assert BO.partition("@")[0] in str(message["_data"])


def test_each_reader_of_a_group_acknowledges(simulators: Simulators) -> None:
    simulator = simulators("GOWS", WAXBILL_MOCK_DEVICE_SECONDS="0", WAXBILL_MOCK_READ_SECONDS="0")
    group = create(simulator, "Team", ANA, BO)
    simulator.call("POST", "/api/sendText", {"session": "s", "chatId": group, "text": "hi"}, status=201)
    simulator.run_until(lambda: len(simulator.events("message.ack.group")) == 4)
    told = {
        (event["payload"]["participant"], event["payload"]["ackName"])
        for event in simulator.events("message.ack.group")
    }
    assert told == {(ANA, "DEVICE"), (ANA, "READ"), (BO, "DEVICE"), (BO, "READ")}
    assert not simulator.events("message.ack")


def test_webjs_tells_some_events_with_tags_only(simulators: Simulators) -> None:
    simulator = simulators("WEBJS", WAXBILL_MOCK_DEVICE_SECONDS="0", WAXBILL_MOCK_READ_SECONDS="0")
    simulator.begin("tagged", webjs={"tagsEventsOn": True})
    for session in ("s", "tagged"):
        simulator.session = session
        group = create(simulator)
        simulator.call("POST", "/api/sendText", {"session": session, "chatId": group, "text": "hi"}, status=201)
        simulator.call("POST", "/api/{s}/presence/49301234567@c.us/subscribe", status=201)
        typing = {"chatId": ANA, "presence": "typing"}
        simulator.call("POST", f"/api/waxbill/mock/{session}/presence", typing, status=201)
    simulator.run_until(lambda: bool(simulator.events("message.ack.group")))
    told = simulator.events("message.ack.group", "presence.update")
    assert {event["session"] for event in told} == {"tagged"}


@pytest.mark.parametrize("engine", ["WEBJS", "WPP"])
def test_a_deleted_group_is_gone(simulators: Simulators, engine: str) -> None:
    simulator = simulators(engine)
    group = create(simulator)
    assert simulator.call("DELETE", f"/api/{{s}}/groups/{group}", status=200) == "true"
    assert simulator.call("GET", "/api/{s}/chats/overview") == []
    assert simulator.simulate_get(f"/api/s/groups/{group}").status_code == REFUSAL
