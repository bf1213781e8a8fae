"""The stand-in for web.whatsapp.com: the real WA-JS works on it, in both kinds of Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from waxbill_browser import wajs

from .standin import StandIn
from .standin.chromium import BROWSERS, Chromium

pytestmark = pytest.mark.browser

#: Loads WA-JS once the page has its modules, with nothing said to third parties.
GATE = """
window.WPPConfig = {disableGoogleAnalytics: true, linkPreviewApiServers: []};
(() => {
  const timer = setInterval(() => {
    let modules;
    try { modules = require('__debug').modulesMap; } catch { return; }
    if (!['WAWebCmd', 'WAWebStreamModel', 'WAWebChatCollection'].every((id) => modules[id])) return;
    clearInterval(timer);
    %s
  }, 20);
})();
"""


@pytest.fixture(params=BROWSERS)
def binary(request: pytest.FixtureRequest) -> str:
    found = BROWSERS[request.param]
    if not found or not Path(found).exists():
        missing(f"{request.param} is not installed")
    return found


@pytest.fixture
def whatsapp() -> Iterator[StandIn]:
    with StandIn() as found:
        yield found


@pytest.fixture
def page(binary: str, whatsapp: StandIn) -> Iterator[Chromium]:
    """A browser on WhatsApp's address, with WA-JS ready."""
    with Chromium(binary, *whatsapp.arguments) as found:
        found.on_new_document(GATE % wajs.bundle().read_text())
        found.open()
        found.wait("typeof WPP !== 'undefined' && WPP.isFullReady")
        yield found


def test_pairing_by_qr_sending_and_receiving(page: Chromium, whatsapp: StandIn) -> None:
    code = page.run("WPP.conn.getAuthCode().then((code) => code.fullCode)")
    assert len(code.split(",")) == 4
    page.run("window.seen = []; WPP.on('chat.new_message', (msg) => seen.push(msg.body)); 0")
    whatsapp.phone.scan(code)
    page.wait("WPP.conn.isAuthenticated() && WPP.conn.isMainLoaded()")
    assert page.run("WPP.conn.getMyUserId().toString()") == whatsapp.phone.me
    page.run("WPP.chat.sendTextMessage('4930123456@c.us', 'hello')")
    assert whatsapp.phone.wait_for_sent()["body"] == "hello"
    whatsapp.phone.receive("4930123456", "hi there")
    assert page.wait("seen.length === 2 && seen") == ["hello", "hi there"]
