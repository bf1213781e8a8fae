"""The simulator, in each of its dialects, keeps the contract of drivers."""

from __future__ import annotations

from typing import ClassVar

from waxbill.driver import NOT_OPERATIONS, Account
from waxbill.testing import ServerProcess
from waxbill.testing.contract import REQUESTS, DriverContract
from waxbill_mock.driver import supported


class Mock(DriverContract):
    def receive(self, server: ServerProcess, session: str, text: str) -> None:
        body = {"from": self.peer, "text": text}
        assert server.post(f"/api/waxbill/mock/{session}/messages", body).status == 201


def environment(engine: str) -> dict[str, str]:
    return {"WHATSAPP_DEFAULT_ENGINE": engine, "FORCE_MOCK_MODE": "true", "WAXBILL_MOCK_SCAN_SECONDS": "0"}


class TestWEBJS(Mock):
    operations: ClassVar = supported("WEBJS")
    environment: ClassVar = environment("WEBJS")


class TestWPP(Mock):
    operations: ClassVar = supported("WPP")
    environment: ClassVar = environment("WPP")


class TestNOWEB(Mock):
    operations: ClassVar = supported("NOWEB")
    environment: ClassVar = environment("NOWEB")


class TestGOWS(Mock):
    operations: ClassVar = supported("GOWS")
    environment: ClassVar = environment("GOWS")


def test_the_suite_has_a_request_for_every_operation() -> None:
    operations = {name for name in vars(Account) if not name.startswith("_")} - NOT_OPERATIONS
    assert operations - {"browser_trace"} == REQUESTS.keys()
