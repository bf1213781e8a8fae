"""Apps beside a session: calls that are rejected, and tools for language models through a client that others wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from waxbill.testing import ServerProcess

from .simulating import Simulator

Serve = Callable[..., ServerProcess]
Simulators = Callable[..., Simulator]

ANA = "49301234567@c.us"
CALLS = "/api/waxbill/mock/{s}/calls"


def calls_app(**rules: Any) -> dict[str, Any]:
    config = {"dm": {"reject": True, **rules}, "group": {"reject": False}}
    return {"id": "app_1", "session": "s", "app": "calls", "config": config}


def test_the_calls_app_rejects_and_answers(simulators: Simulators) -> None:
    simulator = simulators()
    simulator.call("POST", "/api/apps", calls_app(message="Write to us"), status=201)
    simulator.call("POST", CALLS, {"from": ANA}, status=201)
    simulator.run_until(lambda: bool(simulator.events("call.rejected")))
    simulator.run_until(lambda: bool(simulator.events("message.any")))
    answer = simulator.payload("message.any")
    assert (answer["body"], answer["to"]) == ("Write to us", ANA)


def test_the_calls_app_leaves_other_calls_alone(simulators: Simulators) -> None:
    simulator = simulators("NOWEB")
    app = simulator.call("POST", "/api/apps", calls_app(message="Write"), status=201)
    group_call = simulator.call("POST", CALLS, {"from": ANA, "isGroup": True}, status=201)
    simulator.call("PUT", "/api/apps/app_1", {**app, "enabled": False}, status=200)
    call = simulator.call("POST", CALLS, {"from": ANA}, status=201)
    simulator.server.clock.run_due()
    assert not simulator.events("call.rejected", "message.any")
    for each in (group_call, call):
        simulator.call("POST", "/api/{s}/calls/reject", {"from": ANA, "id": each["id"]}, status=201)


def test_apps_are_kept_listed_changed_and_deleted(serve: Serve) -> None:
    server = serve(WHATSAPP_START_SESSION="s")
    assert server.post("/api/apps", calls_app()).status == 201
    restarted = server.restart()
    (app,) = restarted.get("/api/apps?session=s").json()
    assert app["config"]["dm"] == {
        "reject": True,
        "message": None,
        "waitBeforeDecline": None,
        "waitBeforeResponse": None,
    }
    assert restarted.get("/api/sessions/s?expand=apps").json()["apps"] == [app]
    assert restarted.delete("/api/apps/app_1").status == 200
    assert restarted.get("/api/apps/app_1").status == 404
    assert restarted.get("/api/apps?session=s").json() == []


@pytest.mark.parametrize(
    ("app", "status", "word"),
    [
        ({"id": "c", "session": "s", "app": "chatwoot", "config": {}}, 422, "Chatwoot"),
        ({"id": "c", "session": "s", "app": "crm", "config": {}}, 400, "app"),
        ({"id": "c", "session": "nobody", "app": "calls", "config": {}}, 422, "nobody"),
        ({"id": "c", "session": "s", "app": "calls", "config": {"dm": {}}}, 400, "group"),
        ({"id": "c", "session": "s", "app": "mcp", "config": {}}, 400, "actions"),
    ],
)
def test_an_app_that_can_not_be_is_refused_with_the_reason(
    simulators: Simulators, app: dict[str, Any], status: int, word: str
) -> None:
    simulator = simulators()
    refused = simulator.call("POST", "/api/apps", app, status=status)
    assert word in json.dumps(refused)
    assert simulator.call("GET", "/api/apps", session="s") == []


def test_a_second_app_of_a_kind_and_a_taken_id_are_refused(simulators: Simulators) -> None:
    simulator = simulators()
    simulator.begin("t")
    simulator.call("POST", "/api/apps", calls_app(), status=201)
    simulator.call("POST", "/api/apps", {**calls_app(), "id": "app_2"}, status=422)
    simulator.call("POST", "/api/apps", {**calls_app(), "session": "t"}, status=422)
    simulator.call("POST", "/api/sessions", {"name": "u", "apps": [{**calls_app(), "session": ""}]}, status=422)
    assert simulator.call("GET", "/api/sessions/u")["statusCode"] == 404, "nothing is half done"
    made = simulator.call("POST", "/api/sessions", {"name": "u", "apps": [{**calls_app(), "id": "", "session": ""}]})
    assert made["name"] == "u"
    (app,) = simulator.call("GET", "/api/apps", session="u")
    assert app["session"] == "u"


# -- tools for language models


def mcp_app(**actions: bool) -> dict[str, Any]:
    return {"id": "tools", "session": "s", "app": "mcp", "config": {"actions": actions}}


@pytest.fixture
def tools(serve: Serve) -> Any:
    """A server with a key, an mcp app, and a way to run something with a client that has the app's key."""
    mcp = pytest.importorskip("mcp", reason="the package mcp is not installed")
    import asyncio

    server = serve(key="secret", WHATSAPP_START_SESSION="s")
    server.wait_for_status("s", "WORKING")
    key = server.post("/api/apps", mcp_app(read=True, send=True)).json()["config"]["key"]

    def run(use: Any, key: str = key) -> Any:
        async def inside() -> Any:
            async with mcp.Client(f"{server.url}/mcp?x-api-key={key}") as client:
                return await use(client)

        return asyncio.run(inside())

    return server, run


def test_a_client_finds_the_tools_and_sends_a_message(tools: Any) -> None:
    server, run = tools

    async def use(client: Any) -> Any:
        found = {tool.name: tool for tool in (await client.list_tools()).tools}
        arguments = {"session": "s", "chatId": ANA, "text": "from a model"}
        return found, await client.call_tool("send-text", arguments)

    found, result = run(use)
    assert {"send-text", "chats-get-messages", "groups-create", "auth-qr", "api-call"} <= found.keys()
    schema = found["send-text"].input_schema
    assert {"session", "chatId", "text"} <= set(schema["required"])
    assert not result.is_error
    answer = json.loads(result.content[0].text)
    assert (answer["status"], json.loads(answer["response"])["body"]) == (201, "from a model")
    (message,) = server.get(f"/api/s/chats/{ANA}/messages").json()
    assert message["body"] == "from a model"


def test_tools_can_do_what_their_key_may_and_no_more(tools: Any) -> None:
    server, run = tools

    async def use(client: Any) -> Any:
        read = await client.call_tool("chats-get-messages", {"session": "s", "chatId": ANA})
        stop = await client.call_tool("sessions-stop", {"session": "s"})
        other = await client.call_tool("api-call", {"method": "GET", "path": "/api/keys"})
        return read, stop, other

    server.post("/api/sendText", {"session": "s", "chatId": ANA, "text": "hi"})
    read, stop, other = run(use)
    (message,) = json.loads(json.loads(read.content[0].text)["response"])
    assert message["body"] == "hi"
    assert "_data" not in message
    for refused in (stop, other):
        assert refused.is_error
        assert json.loads(refused.content[0].text)["status"] == 403
    assert server.get("/api/sessions/s").json()["status"] == "WORKING"


def test_a_picture_comes_as_a_picture(tools: Any) -> None:
    server, run = tools
    server.post("/api/sessions", {"name": "new"})

    async def use(client: Any) -> Any:
        return await client.call_tool("screenshot", {"session": "s"})

    image = run(use, "secret").content[0]
    assert (image.type, image.mime_type) == ("image", "image/png")


def test_the_key_of_an_app_goes_with_it(tools: Any) -> None:
    server, _ = tools
    app = server.get("/api/apps/tools").json()
    key = {"X-Api-Key": app["config"]["key"]}
    assert server.get("/api/s/chats", headers=key).status == 200
    assert server.put(f"/api/keys/{app['config']['key_id']}", {"isAdmin": True}).status == 422
    assert server.put("/api/apps/tools", {**mcp_app(read=False), "enabled": True}).status == 200
    assert server.get("/api/s/chats", headers=key).status == 403
    assert server.post("/api/apps/tools/purge").status == 201
    assert server.get("/api/s/chats", headers=key).status == 401
    assert server.delete("/api/apps/tools").status == 200
    assert [each["id"] for each in server.get("/api/keys").json()] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"7", -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "nothing"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "nothing"}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "chats-list"}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": [1]}', -32602),
    ],
)
def test_what_is_wrong_with_a_message_is_said(serve: Serve, body: bytes, code: int) -> None:
    answer = serve().post("/mcp", body)
    assert answer.status == 200
    assert answer.json()["error"]["code"] == code


def test_notifications_and_streams(serve: Serve) -> None:
    server = serve(key="secret")
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert server.post("/mcp", note).status == 202
    assert server.get("/mcp").status == 405
    assert server.post("/mcp", note, headers={"X-Api-Key": "guessed"}).status == 401
