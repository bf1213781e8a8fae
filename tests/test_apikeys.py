"""API keys: who may do what with which session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from waxbill.testing import ServerProcess

Serve = Callable[..., ServerProcess]
ALL = ("read", "send", "control", "setting", "app", "delete")

#: One call of each scope, on a session.
CALLS: dict[str, tuple[str, str, Any]] = {
    "read": ("GET", "/api/{session}/chats", None),
    "send": ("POST", "/api/sendText", {"session": "{session}", "chatId": "49301234567", "text": "hi"}),
    "control": ("POST", "/api/sessions/{session}/restart", None),
    "setting": ("PUT", "/api/sessions/{session}", {"config": {}}),
    "app": ("GET", "/api/apps?session={session}", None),
    "delete": ("DELETE", "/api/sessions/{session}", None),
}
ADMIN = [
    ("GET", "/api/keys", None),
    ("POST", "/api/keys", {"isAdmin": True}),
    ("POST", "/api/keys/media", {"session": "s"}),
    ("POST", "/api/sessions", {"name": "more"}),
    ("GET", "/api/server/environment", None),
    ("POST", "/api/server/stop", {}),
]


@pytest.fixture
def server(serve: Serve) -> ServerProcess:
    server = serve(key="secret", WHATSAPP_START_SESSION="s,t")
    for name in ("s", "t"):
        server.wait_for_status(name, "WORKING")
    return server


def key_of(server: ServerProcess, actions: dict[str, bool] | None, **more: Any) -> dict[str, str]:
    """The headers of a new key for the session s."""
    made = server.post("/api/keys", {"isAdmin": False, "session": "s", "actions": actions, **more})
    assert made.status == 201, made.text
    return {"X-Api-Key": made.json()["key"]}


def call(server: ServerProcess, scope: str, session: str, headers: dict[str, str]) -> int:
    method, path, body = CALLS[scope]
    if body is not None and "session" in body:
        body = {**body, "session": session}
    status = server.request(method, path.replace("{session}", session), body, headers=headers).status
    if scope == "control" and status < 300:
        server.wait_for_status(session, "WORKING")
    return status


@pytest.mark.parametrize("scope", ALL)
def test_a_key_may_do_what_its_actions_say_with_its_own_session(server: ServerProcess, scope: str) -> None:
    key = key_of(server, {scope: True})
    for other in ALL:
        if other != scope:
            assert call(server, other, "s", key) == 403, other
    assert call(server, scope, "t", key) == 403
    assert call(server, scope, "s", key) in (200, 201)
    if scope == "delete":
        return  # the key went with its session
    for method, path, body in ADMIN:
        assert server.request(method, path, body, headers=key).status == 403, path


def test_without_actions_a_key_may_do_everything_but_delete(server: ServerProcess) -> None:
    key = key_of(server, None)
    statuses = {scope: call(server, scope, "s", key) for scope in ALL}
    assert statuses.pop("delete") == 403
    assert set(statuses.values()) <= {200, 201}


def test_a_session_key_sees_its_own_session_and_the_version_only(server: ServerProcess) -> None:
    key = key_of(server, {})
    assert [each["name"] for each in server.get("/api/sessions", headers=key).json()] == ["s"]
    assert server.get("/api/server/version", headers=key).status == 200
    assert server.get("/api/contacts/all", headers=key).status == 403


def test_keys_outlive_a_restart_and_end_when_switched_off_or_deleted(server: ServerProcess) -> None:
    key = key_of(server, {"read": True})
    server.restart()
    server.wait_for_status("s", "WORKING")
    assert server.get("/api/s/chats", headers=key).status == 200
    (kept,) = server.get("/api/keys").json()
    assert kept["key"] == key["X-Api-Key"]
    changed = server.put(f"/api/keys/{kept['id']}", {"session": "s", "isActive": False})
    assert changed.status == 200
    assert changed.json()["actions"] is None, "PUT replaces everything"
    assert server.get("/api/s/chats", headers=key).status == 401
    assert server.delete(f"/api/keys/{kept['id']}").json() == {"result": True}
    assert server.get("/api/keys").json() == []
    assert server.delete(f"/api/keys/{kept['id']}").status == 404


def test_an_admins_key_may_do_everything(server: ServerProcess) -> None:
    made = server.post("/api/keys", {"isAdmin": True}).json()
    assert "actions" not in made
    admin = {"X-Api-Key": made["key"]}
    assert server.get("/api/keys", headers=admin).status == 200
    assert call(server, "delete", "t", admin) == 200


def test_the_keys_of_a_deleted_session_are_gone(server: ServerProcess) -> None:
    key = key_of(server, {"read": True})
    server.delete("/api/sessions/s")
    assert server.get("/api/s/chats", headers=key).status == 401
    assert server.get("/api/keys").json() == []


@pytest.mark.parametrize(("kind", "may"), [("media", set()), ("control", {"control"})])
def test_media_and_control_keys_are_made_once(server: ServerProcess, kind: str, may: set[str]) -> None:
    made = server.post(f"/api/keys/{kind}", {"session": "s"})
    assert made.json()["id"] == f"key_id_{kind}_s"
    assert server.post(f"/api/keys/{kind}", {"session": "s"}).json() == made.json()
    key = {"X-Api-Key": made.json()["key"]}
    assert {scope for scope in ALL if call(server, scope, "s", key) < 300} == may
    picture = {"mimetype": "image/png", "data": "iVBORw0KGgo="}
    server.post("/api/sendImage", {"session": "s", "chatId": "49301234567", "file": picture})
    (message,) = server.get("/api/s/chats/49301234567@c.us/messages").json()
    path = message["media"]["url"].partition(str(server.port))[2]
    assert server.get(path, headers=key).status == 200
    assert server.get(f"{path}?x-api-key={made.json()['key']}", headers={"X-Api-Key": ""}).status == 200


@pytest.mark.parametrize(
    "request_body",
    [
        {"isAdmin": True, "session": "s"},
        {"isAdmin": False},
        {"isAdmin": True, "actions": {"read": True}},
        {"isAdmin": False, "session": "nobody"},
    ],
)
def test_keys_that_contradict_themselves_are_refused(server: ServerProcess, request_body: dict[str, Any]) -> None:
    assert server.post("/api/keys", request_body).status == 422
    assert server.get("/api/keys").json() == []


def test_a_key_for_another_session_does_not_learn_whether_it_exists(server: ServerProcess) -> None:
    key = key_of(server, {"read": True})
    assert server.get("/api/t/chats", headers=key).text == server.get("/api/nobody/chats", headers=key).text
