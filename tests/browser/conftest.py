"""Servers that drive a real Chromium on the stand-in for WhatsApp Web."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.testing import Receiver, ServerProcess
from waxbill_browser import binaries, processes
from waxbill_browser.devtools import DevTools

from ..conftest import missing
from .standin import StandIn

PEER = "49301234567@c.us"


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """TMPDIR of a test and of whatever it starts: at the end it has to be empty."""
    tmp_path_factory.getbasetemp()  # lies where all of them do
    with tempfile.TemporaryDirectory(prefix="waxbill-") as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)
        with contextlib.suppress(AssertionError):
            eventually(lambda: not os.listdir(name), 20)  # a guard may be about to end
        assert os.listdir(name) == []


@pytest.fixture
def whatsapp() -> Iterator[StandIn]:
    """WhatsApp, and its phone: ``whatsapp.phone``."""
    with StandIn() as found:
        yield found


def environment(whatsapp: StandIn, receiver: Receiver | None = None, **more: str) -> dict[str, str]:
    """Settings of a server that drives the stand-in; impatient, so that faults are found soon."""
    hook = {} if receiver is None else {"WHATSAPP_HOOK_URL": receiver.url, "WHATSAPP_HOOK_EVENTS": "*"}
    return {
        "WAXBILL_DRIVER": "browser",
        "WAXBILL_BROWSER_ARGS": shlex.join(whatsapp.arguments),
        "WAXBILL_BROWSER_RETRY_SECONDS": "0.1",
        "WAXBILL_BROWSER_READY_SECONDS": "30",
        **hook,
        **more,
    }


Drive = Callable[..., ServerProcess]


@pytest.fixture
def drive(tmp_path: Path, whatsapp: StandIn, receiver: Receiver) -> Iterator[Drive]:
    """Starts a server with a session ``one`` that is paired and works: ``drive(WAXBILL_BROWSER_QR_CODES="2")``.

    With ``paired=False`` the session is created and left alone.
    """
    try:
        binaries.find()
    except binaries.Missing as error:
        missing(str(error))
    started: list[ServerProcess] = []

    def start(*, paired: bool = True, **more: str) -> ServerProcess:
        server = ServerProcess(tmp_path, key="", **environment(whatsapp, receiver, **more))
        started.append(server)
        server.start()
        assert server.post("/api/sessions", {"name": "one"}).status == 201
        if paired:
            pair(server, whatsapp)
        return server

    yield start
    for server in started:
        server.__exit__(None, None, None)


def pair(server: ServerProcess, whatsapp: StandIn, session: str = "one") -> None:
    """Scans a session's QR code as the phone does, and waits until it works."""
    server.wait_for_status(session, "SCAN_QR_CODE", timeout_seconds=60)
    whatsapp.phone.scan()
    server.wait_for_status(session, "WORKING", timeout_seconds=60)


def running(server: ServerProcess) -> list[int]:
    """The ids of all processes of browsers that belong to a server's store."""
    return processes.under(server.folder / "store" / "sessions")


def of_kind(server: ServerProcess, mark: str) -> list[int]:
    """Those of them that have a word on their command line, such as ``--type=renderer``."""
    return [pid for pid in running(server) if mark in Path(f"/proc/{pid}/cmdline").read_text()]


def eventually(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits until something is so."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.05)


def in_page(server: ServerProcess, expression: str, session: str = "one", seconds: float = 15) -> Any:
    """What JavaScript in a session's page gives, by a DevTools connection of the test's own."""
    lines = (server.folder / "store" / "sessions" / session / "browser" / "DevToolsActivePort").read_text().split()
    with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list", timeout=10) as answer:
        target = next(each for each in json.load(answer) if each["type"] == "page")
    tools = DevTools(target["webSocketDebuggerUrl"], lambda method, parameters: None, lambda: None)
    try:
        answer = tools.call("Runtime.evaluate", seconds, expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")
    finally:
        tools.close()


def send(server: ServerProcess, text: str, session: str = "one") -> dict[str, Any]:
    """Sends a text and answers the message."""
    sent = server.request(
        "POST", "/api/sendText", {"session": session, "chatId": PEER, "text": text}, timeout_seconds=90
    )
    assert sent.status == 201, sent.text
    found: dict[str, Any] = sent.json()
    return found


def reason(server: ServerProcess, session: str = "one") -> str:
    """Why a session failed."""
    return str(server.get(f"/api/sessions/{session}").json()["engine"]["reason"])


def told(receiver: Receiver, event: str, **members: Any) -> list[dict[str, Any]]:
    """The payloads of an event that have these members."""
    by_id = {each["id"]: each for each in receiver.events}  # a killed server may deliver what it delivered before
    found = [each["payload"] for each in by_id.values() if each["event"] == event]
    return [each for each in found if all(each.get(name) == value for name, value in members.items())]
