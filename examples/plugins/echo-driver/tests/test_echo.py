"""The driver keeps the contract of all drivers; what is its own is tested below."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from waxbill_echo import EchoAccount

from waxbill import operations
from waxbill.testing import Receiver, ServerProcess
from waxbill.testing.contract import DriverContract


class TestContract(DriverContract):
    operations: ClassVar = operations(EchoAccount)
    environment: ClassVar = {"WAXBILL_DRIVER": "echo"}

    def receive(self, server: ServerProcess, session: str, text: str) -> None:
        """Everybody here writes back what they are told."""
        assert server.post("/api/sendText", {"session": session, "chatId": self.peer, "text": text}).status == 201


def test_the_answer_can_be_shouted(tmp_path: Path) -> None:
    with Receiver() as receiver:
        hook = {"WHATSAPP_HOOK_URL": receiver.url, "WHATSAPP_HOOK_EVENTS": "message"}
        with ServerProcess(tmp_path, WAXBILL_DRIVER="echo", ECHO_SHOUT="true", **hook) as server:
            server.post("/api/sessions", {"name": "s"})
            server.wait_for_status("s", "WORKING")
            server.post("/api/sendText", {"session": "s", "chatId": "49301234567", "text": "hello"})
            event = receiver.wait_for(lambda event: event["event"] == "message")
    assert event["payload"]["body"] == "HELLO"
