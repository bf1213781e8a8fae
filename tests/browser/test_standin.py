"""The stand-in for web.whatsapp.com: the real WA-JS works on it, in both kinds of Chromium.

One browser of each kind is paired and then used by most tests; each of them has people and chats of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from waxbill_browser import wajs

from .standin import Phone, StandIn
from .standin.chromium import BROWSERS, Chromium, PageError

pytestmark = pytest.mark.browser

#: Loads WA-JS once the page has its modules, with nothing said to third parties, and keeps what it tells in ``seen``.
GATE = """
window.WPPConfig = {disableGoogleAnalytics: true, linkPreviewApiServers: []};
(() => {
  const timer = setInterval(() => {
    let modules;
    try { modules = require('__debug').modulesMap; } catch { return; }
    if (!['WAWebCmd', 'WAWebStreamModel', 'WAWebChatCollection'].every((id) => modules[id])) return;
    clearInterval(timer);
    %s
    window.seen = [];
    window.plain = (value) => JSON.parse(JSON.stringify(value ?? null, (key, one) =>
      one && one.remote && one.fromMe !== undefined ? String(one) : one));
    for (const event of %s) WPP.on(event, (value) => seen.push({event, it: plain(value)}));
  }, 20);
})();
"""
EVENTS = [
    *("chat.new_message", "chat.msg_ack_change", "chat.msg_edited", "chat.msg_revoke", "chat.new_reaction"),
    *("chat.poll_response", "chat.presence_change", "chat.update_label", "chat.unread_count_changed", "chat.new_chat"),
    *("group.participant_changed", "call.incoming_call", "conn.authenticated", "conn.logout", "conn.auth_code_change"),
    *("conn.main_loaded", "conn.needs_update", "conn.stream_mode_changed", "conn.require_auth", "conn.qrcode_idle"),
    *("conn.link_code_change", "conn.logout_reason"),
]
#: A red point.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


class Page:
    """A page with WA-JS, and what it told."""

    def __init__(self, chromium: Chromium) -> None:
        self.chromium = chromium
        chromium.on_new_document(GATE % (wajs.bundle().read_text(), json.dumps(EVENTS)))

    def open(self) -> None:
        self.chromium.open()
        self.ready()

    def ready(self) -> None:
        self.wait("typeof WPP !== 'undefined' && WPP.isFullReady")

    def call(self, function: str, *arguments: Any, give: str = "found") -> Any:
        """Calls a function of WA-JS; ``give`` picks from its answer ``found`` what leaves the page."""
        given = ", ".join(json.dumps(one) for one in arguments)
        return self.run(f"(async () => {{ const found = await WPP.{function}({given}); return plain({give}); }})()")

    def run(self, expression: str) -> Any:
        return self.chromium.run(expression)

    def wait(self, expression: str) -> Any:
        return self.chromium.wait(expression)

    def told(self, event: str, test: str = "true") -> Any:
        """The first event of that name for whose value ``it`` the test is true, waiting for it."""
        return self.wait(f"seen.find(({{event, it}}) => event === {json.dumps(event)} && ({test}))")["it"]

    def forget(self) -> None:
        self.run("seen.length = 0")


def installed(name: str) -> str:
    binary = BROWSERS[name]
    if not binary or not Path(binary).exists():
        missing(f"{name} is not installed")
    return binary


@pytest.fixture(params=BROWSERS)
def binary(request: pytest.FixtureRequest) -> str:
    return installed(request.param)


@pytest.fixture
def whatsapp() -> Iterator[StandIn]:
    with StandIn() as found:
        yield found


@pytest.fixture
def page(binary: str, whatsapp: StandIn) -> Iterator[Page]:
    """A browser on WhatsApp's address, with WA-JS ready and nobody logged in."""
    with Chromium(binary, *whatsapp.arguments) as chromium:
        found = Page(chromium)
        found.open()
        yield found


class Pair:
    """A paired page and its phone."""

    def __init__(self, whatsapp: StandIn, chromium: Chromium) -> None:
        self.whatsapp, self.phone, self.page = whatsapp, whatsapp.phone, Page(chromium)
        self._numbers = iter(range(491510000001, 491519999999))
        self.page.open()
        pair(self.page, self.phone)

    def person(self, name: str | None = None, **more: Any) -> str:
        """Somebody new; answers the number."""
        number = str(next(self._numbers))
        self.phone.knows(number, name, **more)
        self.page.wait(f"WPP.whatsapp.ContactStore.get('{number}@c.us') !== undefined")
        return number


def pair(page: Page, phone: Phone) -> None:
    phone.scan(page.call("conn.getAuthCode", give="found.fullCode"))
    in_main(page)


def in_main(page: Page) -> None:
    page.wait("WPP.conn.isAuthenticated() && WPP.conn.isMainLoaded() && WPP.conn.getStreamData().mode === 'MAIN'")


@pytest.fixture(scope="module", params=BROWSERS)
def paired(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with StandIn() as whatsapp, Chromium(installed(request.param), *whatsapp.arguments) as chromium:
        yield Pair(whatsapp, chromium)
        assert chromium.console == []


# -- being connected


def test_a_new_profile_shows_a_code_and_is_paired_by_scanning_it(page: Page, whatsapp: StandIn) -> None:
    assert page.call("conn.isAuthenticated") is False
    code = page.call("conn.getAuthCode")
    assert code["type"] == "multidevice"
    assert len(code["fullCode"].split(",")) == 4
    whatsapp.phone.scan(code["fullCode"])
    in_main(page)
    page.told("conn.authenticated")
    page.told("conn.main_loaded")
    assert page.call("conn.getMyUserId") == whatsapp.phone.me
    assert page.call("conn.getMyUserLid") == whatsapp.phone.lid
    assert page.call("conn.getAuthCode") is None
    assert page.call("conn.getPlatform") == "android"
    assert page.run("WPP.whatsapp.Socket.state") == "CONNECTED"
    assert page.chromium.console == []


def test_codes_replace_each_other_until_the_page_waits_for_a_click(page: Page, whatsapp: StandIn) -> None:
    whatsapp.options.qr_seconds = 0.3
    whatsapp.options.qr_codes = 3
    page.open()
    refs = page.wait("seen.filter(({event, it}) => event === 'conn.auth_code_change' && it).length >= 2 && seen")
    codes = {one["it"]["ref"] for one in refs if one["event"] == "conn.auth_code_change" and one["it"]}
    assert len(codes) >= 2
    page.told("conn.qrcode_idle")
    assert page.call("conn.isIdle") is True
    assert page.call("conn.getAuthCode") is None
    whatsapp.options.qr_seconds = 60
    assert page.call("conn.refreshQR")["ref"] not in codes
    whatsapp.phone.scan()
    in_main(page)


def test_a_link_code_pairs_as_well(page: Page, whatsapp: StandIn) -> None:
    code = page.call("conn.startLinkDeviceCodeForPhoneNumber", whatsapp.phone.number)
    assert len(code) == 8
    assert page.told("conn.link_code_change") == code
    with pytest.raises(ValueError, match="no page shows"):
        whatsapp.phone.enter_code("AAAA-AAAA")
    whatsapp.phone.enter_code(f"{code[:4]}-{code[4:]}")
    in_main(page)
    assert page.call("conn.getMyUserId") == whatsapp.phone.me


def test_log_out_by_the_page_and_by_the_phone(page: Page, whatsapp: StandIn) -> None:
    pair(page, whatsapp.phone)
    assert page.run("WPP.conn.logout()") is True
    page.wait("location.search.includes('post_logout=1')")
    page.ready()
    assert not whatsapp.phone.paired()
    assert page.call("conn.isAuthenticated") is False
    page.wait("WPP.whatsapp.Conn.ref")
    pair(page, whatsapp.phone)
    whatsapp.phone.log_out()
    page.wait("location.search.includes('post_logout=1')")
    page.ready()
    page.wait("WPP.whatsapp.Conn.ref")


def test_a_paired_profile_needs_no_code_after_reloads_kills_and_restarts(
    binary: str, whatsapp: StandIn, tmp_path: Path
) -> None:
    with Chromium(binary, *whatsapp.arguments, profile=tmp_path) as chromium:
        page = Page(chromium)
        page.open()
        pair(page, whatsapp.phone)
        page.open()
        in_main(page)
        chromium.kill()
    whatsapp.phone.wait_without_page()
    missed = whatsapp.phone.receive("491701111111", "while you were away")
    with Chromium(binary, *whatsapp.arguments, profile=tmp_path) as chromium:
        page = Page(chromium)
        page.open()
        in_main(page)
        assert page.call("conn.getMyUserId") == whatsapp.phone.me
        assert page.run("seen.filter(({event}) => event === 'chat.new_message').length") == 0
        found = page.call(
            "chat.getMessages", "491701111111@c.us", {"count": 10}, give="found.map((m) => [m.id, m.body])"
        )
        assert found == [[missed, "while you were away"]]
        whatsapp.phone.log_out()
        page.wait("location.search.includes('post_logout=1')")
    with Chromium(binary, *whatsapp.arguments, profile=tmp_path) as chromium:
        page = Page(chromium)
        page.open()
        assert page.call("conn.isAuthenticated") is False
        assert page.wait("WPP.whatsapp.Conn.ref")


def test_a_profile_that_was_unlinked_meanwhile_is_logged_out(binary: str, whatsapp: StandIn, tmp_path: Path) -> None:
    with Chromium(binary, *whatsapp.arguments, profile=tmp_path) as chromium:
        page = Page(chromium)
        page.open()
        pair(page, whatsapp.phone)
    whatsapp.phone.wait_without_page()
    whatsapp.phone.log_out()
    with Chromium(binary, *whatsapp.arguments, profile=tmp_path) as chromium:
        page = Page(chromium)
        chromium.open()
        page.wait("location.search.includes('post_logout=1') && typeof WPP !== 'undefined' && WPP.isFullReady")
        assert page.call("conn.isAuthenticated") is False


def test_states_that_end_or_pause_a_session(page: Page, whatsapp: StandIn) -> None:
    pair(page, whatsapp.phone)
    whatsapp.phone.tell("conflict")
    page.wait("WPP.whatsapp.Socket.state === 'CONFLICT'")
    page.told("conn.stream_mode_changed", "it === 'CONFLICT'")
    page.run("WPP.whatsapp.Socket.takeover()")
    in_main(page)
    whatsapp.phone.tell("offline", offline=True)
    page.wait("WPP.whatsapp.Socket.state === 'TIMEOUT'")
    whatsapp.phone.tell("offline", offline=False)
    page.wait("WPP.whatsapp.Socket.state === 'CONNECTED'")
    whatsapp.phone.tell("update")
    page.told("conn.needs_update")
    assert page.call("conn.needsUpdate") is True
    whatsapp.phone.tell("outdated")
    page.told("conn.stream_mode_changed", "it === 'DEPRECATED_VERSION'")


def test_a_page_that_loads_slowly_or_never(binary: str) -> None:
    with StandIn(slow_seconds=3) as whatsapp, Chromium(binary, *whatsapp.arguments) as chromium:
        page = Page(chromium)
        page.open()
        pair(page, whatsapp.phone)
        whatsapp.options.never_ready = True
        chromium.call("Page.reload")
        page.wait("typeof __d !== 'undefined' && typeof WPP === 'undefined'")
        assert not page.run("'WAWebCmd' in require('__debug').modulesMap")


def test_modules_can_be_hidden_renamed_and_late(binary: str) -> None:
    options: dict[str, Any] = {
        "hidden": ["WAWebSendReactionMsgAction"],
        "renamed": {"WAWebChatCollection": "WAWebConversations", "WAWebCmd": "WAWebCommands"},
        "late": {"WAWebLabelCollection": 1500},
    }
    with StandIn(**options) as whatsapp, Chromium(binary, *whatsapp.arguments) as chromium:
        chromium.open()
        ids = chromium.wait("typeof __d !== 'undefined' && Object.keys(require('__debug').modulesMap)")
        assert "WAWebSendReactionMsgAction" not in ids
        assert {"WAWebConversations", "WAWebCommands"} < set(ids)
        assert "WAWebChatCollection" not in ids
        chromium.wait("'WAWebLabelCollection' in require('__debug').modulesMap")
        with pytest.raises(PageError, match="unknown module"):
            chromium.run("require('WAWebCmd')")
        whatsapp.phone.scan()
        assert chromium.wait("require('WAWebStreamModel').Stream.mode === 'MAIN'"), "the page finds its own"


def test_the_page_forbids_foreign_scripts_and_connections(page: Page, whatsapp: StandIn) -> None:
    page.run("window.ran = 0; document.head.append(Object.assign(document.createElement('script'), {text: 'ran = 1'}))")
    assert page.run("ran") == 0
    with pytest.raises(PageError, match="Failed to fetch"):
        page.run("fetch('https://example.com/')")


def test_two_accounts_write_to_each_other(binary: str, whatsapp: StandIn) -> None:
    other = whatsapp.add_phone("4917099999999", "Zoe")
    with Chromium(binary, *whatsapp.arguments) as one, Chromium(binary, *whatsapp.arguments) as two:
        first, second = Page(one), Page(two)
        first.open()
        pair(first, whatsapp.phone)
        second.open()
        pair(second, other)
        first.call("chat.sendTextMessage", other.me, "hello Zoe", give="found.id")
        assert second.told("chat.new_message")["from"] == whatsapp.phone.me
        second.call("chat.sendTextMessage", whatsapp.phone.me, "hello owner", give="found.id")
        assert first.told("chat.new_message", "it.body === 'hello owner'")["notifyName"] == "Zoe"
