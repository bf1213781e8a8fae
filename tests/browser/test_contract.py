"""The browser driver keeps the contract of drivers: real Chromium, real WA-JS, on the stand-in for WhatsApp Web."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from waxbill import operations
from waxbill.testing import Receiver, ServerProcess
from waxbill.testing.contract import DriverContract
from waxbill_browser.capabilities import OPERATIONS
from waxbill_browser.driver import BrowserAccount

from .conftest import environment
from .standin import StandIn


def test_what_the_driver_declares_is_what_it_has() -> None:
    assert operations(BrowserAccount) == OPERATIONS


@pytest.mark.browser
@pytest.mark.long
class TestBrowser(DriverContract):
    operations: ClassVar = OPERATIONS
    patience_seconds: ClassVar = 60.0
    whatsapp: StandIn

    @pytest.fixture(autouse=True)
    def _whatsapp(self) -> Iterator[None]:
        with StandIn() as self.whatsapp:
            yield

    def started(self, folder: Path, receiver: Receiver, **more: str) -> ServerProcess:
        return super().started(folder, receiver, **environment(self.whatsapp), **more)

    def pair(self, server: ServerProcess, session: str) -> None:
        server.wait_for_status(session, "SCAN_QR_CODE", timeout_seconds=self.patience_seconds)
        self.whatsapp.phone.scan()

    def receive(self, server: ServerProcess, session: str, text: str) -> None:
        self.whatsapp.phone.receive(self.peer.partition("@")[0], text)
