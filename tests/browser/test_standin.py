"""The stand-in for web.whatsapp.com: the real WA-JS works on it, in both kinds of Chromium.

One browser of each kind is paired and then used by most tests; each of them has people and chats of its own.
"""

from __future__ import annotations

import base64
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
    page.call("conn.refreshQR")
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
        chromium.wait("'WAWebConversations' in require('__debug').modulesMap")
        ids = chromium.run("Object.keys(require('__debug').modulesMap)")
        assert "WAWebSendReactionMsgAction" not in ids
        assert "WAWebCommands" in ids
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


# -- messages


def test_texts_replies_mentions_and_edits(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person("Ann Arbor")
    chat = f"{who}@c.us"
    sent = page.call("chat.sendTextMessage", chat, "one", {"linkPreview": False})
    assert sent["ack"] == 1
    assert sent["sendMsgResult"]["messageSendResult"] == "OK"
    assert page.told("chat.msg_ack_change", f"it.ids[0] === '{sent['id']}'")["ack"] == 1
    reply = page.call("chat.sendTextMessage", chat, "two", {"quotedMsg": sent["id"]}, give="found.id")
    assert phone.message(reply)["quotedStanzaID"] == sent["id"].split("_")[2]
    assert page.call("chat.getQuotedMsg", reply, give="found.id") == sent["id"]
    edited = page.call("chat.editMessage", sent["id"], "one!", give="found.id")
    assert edited == sent["id"]
    assert phone.message(sent["id"])["body"] == "one!"
    assert page.call("chat.getMessageById", sent["id"], give="found.body") == "one!"
    answer = phone.receive(who, "three", reply_to=sent["id"])
    assert page.told("chat.new_message", f"it.id === '{answer}'")["quotedStanzaID"] == sent["id"].split("_")[2]
    phone.edit(answer, "four")
    assert page.told("chat.msg_edited", f"it.id === '{answer}'")["msg"]["body"] == "four"


def test_acknowledgements_come_in_their_order(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person("Acky")
    sent = page.call("chat.sendTextMessage", f"{who}@c.us", "?", give="found.id")
    for ack in (2, 3):
        phone.acknowledge(sent, ack)
        assert page.told("chat.msg_ack_change", f"it.ack === {ack} && it.ids[0] === '{sent}'")["chat"] == f"{who}@c.us"
    assert page.call("chat.getMessageACK", sent, give="found.ack") == 3


def test_a_send_that_fails_says_so(paired: Pair) -> None:
    paired.phone.fail_next_send("ERROR_NETWORK")
    result = paired.page.call("chat.sendTextMessage", f"{paired.person()}@c.us", "lost")
    assert result["sendMsgResult"]["messageSendResult"] == "ERROR_NETWORK"
    assert result["ack"] == -1


def test_the_sender_takes_a_message_back(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person()
    key = phone.receive(who, "oops")
    page.told("chat.new_message", f"it.id === '{key}'")
    phone.revoke(key)
    told = page.told("chat.msg_revoke", f"it.refId === '{key}'")
    assert told["type"] == "sender_revoke"
    assert page.call("chat.getMessageById", key, give="found.type") == "revoked"


def test_a_message_is_taken_back_or_forgotten(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person()
    chat = f"{who}@c.us"
    one, two = (page.call("chat.sendTextMessage", chat, text, give="found.id") for text in "ab")
    assert page.call("chat.deleteMessage", chat, one, False, True)["isRevoked"] is True
    assert phone.message(one)["type"] == "revoked"
    assert page.call("chat.deleteMessage", chat, two, False, False)["isDeleted"] is True
    assert two not in phone.account.messages


def test_reactions_stars_and_pins(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person()
    key = phone.receive(who, "nice?")
    page.told("chat.new_message", f"it.id === '{key}'")
    assert page.call("chat.sendReactionToMessage", key, "👍")["sendMsgResult"] == "OK"
    assert page.told("chat.new_reaction", f"it.msgId === '{key}' && it.sender === '{phone.me}'")["reactionText"] == "👍"
    phone.react(key, who, "❤️")
    assert page.told("chat.new_reaction", f"it.msgId === '{key}' && it.sender === '{who}@c.us'")["reactionText"] == "❤️"
    found = page.call("chat.getReactions", key)
    assert {one["aggregateEmoji"] for one in found["reactions"]} == {"👍", "❤️"}
    assert found["reactionByMe"]["reactionText"] == "👍"
    page.call("chat.sendReactionToMessage", key, "", give="0")
    assert [one["aggregateEmoji"] for one in page.call("chat.getReactions", key)["reactions"]] == ["❤️"]
    page.call("chat.starMessage", key, True)
    assert phone.message(key)["star"] is True
    assert page.call("chat.pinMsg", key, True, "OneDay", give="found.pinned") is True
    assert phone.account.pins[key]["pinType"] == 1
    assert page.call("chat.unpinMsg", key, give="found.pinned") is False


def test_messages_of_other_kinds(paired: Pair) -> None:
    page, phone, chat = paired.page, paired.phone, f"{paired.person('Kim Kind')}@c.us"
    place = page.call("chat.sendLocationMessage", chat, {"lat": 48.2, "lng": "16.4", "name": "Vienna"}, give="found.id")
    assert (phone.message(place)["lat"], phone.message(place)["lng"]) == (48.2, 16.4)
    card = page.call("chat.sendVCardContactMessage", chat, {"id": chat, "name": "Kim K"}, give="found.id")
    assert "FN:Kim K" in phone.message(card)["body"]
    listed = page.call(
        "chat.sendListMessage",
        chat,
        {"buttonText": "choose", "title": "t", "sections": [{"title": "s", "rows": [{"rowId": "1", "title": "a"}]}]},
        give="found.id",
    )
    assert phone.message(listed)["list"]["sections"][0]["rows"][0]["title"] == "a"
    meeting = page.call("chat.sendEventMessage", chat, {"name": "Lunch", "startTime": 1800000000}, give="found.id")
    assert phone.message(meeting)["eventName"] == "Lunch"
    forwarded = page.call("chat.forwardMessages", chat, [place], give="found[0].messageSendResult")
    assert forwarded == "OK"
    assert phone.sent[-1]["isForwarded"] is True
    assert phone.sent[-1]["lat"] == 48.2


def test_polls(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person()
    poll = page.call("chat.sendCreatePollMessage", f"{who}@c.us", "Where?", ["here", "there"], give="found.id")
    assert [one["name"] for one in phone.message(poll)["pollOptions"]] == ["here", "there"]
    phone.vote(poll, who, 1)
    told = page.told("chat.poll_response", f"it.msgId === '{poll}'")
    assert told["sender"] == f"{who}@c.us"
    assert told["selectedOptions"][1]["name"] == "there"
    votes = page.call("chat.getVotes", poll, give="found.votes")
    assert [(vote["sender"], vote["selectedOptions"][1]["localId"]) for vote in votes] == [(f"{who}@c.us", 1)]


def test_files_are_sent_and_fetched(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person()
    chat = f"{who}@c.us"
    kinds = {
        "image": {"type": "image", "caption": "a point"},
        "document": {"type": "document", "filename": "point.png"},
        "sticker": {"type": "sticker"},
    }
    for kind, options in kinds.items():
        key = page.call("chat.sendFileMessage", chat, f"data:image/png;base64,{PNG}", options, give="found.id")
        message = phone.message(key)
        assert (message["type"], message["ack"]) == (kind, 1)
        assert paired.whatsapp.world.files[message["filehash"]] == base64.b64decode(PNG)
    voice = f"data:audio/ogg;base64,{base64.b64encode(b'OggS' + bytes(60)).decode()}"
    key = page.call(
        "chat.sendFileMessage", chat, voice, {"type": "audio", "isPtt": True, "waveform": False}, give="found.id"
    )
    assert phone.message(key)["type"] == "ptt"
    content = bytes(range(256)) * 4096
    key = phone.receive_media(who, content, "application/pdf", caption="read this")
    told = page.told("chat.new_message", f"it.id === '{key}'")
    assert (told["type"], told["filename"], told["caption"]) == ("document", "file.pdf", "read this")
    fetched = page.call(
        "chat.downloadMedia", key, give="[found.size, found.type, new Uint8Array(await found.arrayBuffer())[300]]"
    )
    assert fetched == [len(content), "application/pdf", 300 % 256]


def test_histories_are_read_from_the_server(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person()
    keys = [phone.receive(who, f"number {number}") for number in range(40)]
    page.told("chat.new_message", f"it.id === '{keys[-1]}'")
    page.call("chat.sendTextMessage", f"{who}@c.us", "last", give="0")
    page.open()
    in_main(page)
    assert page.run(f"WPP.chat.get('{who}@c.us').msgs.length") < 40

    def bodies(options: dict[str, Any]) -> list[str]:
        return list(page.call("chat.getMessages", f"{who}@c.us", options, give="found.map((msg) => msg.body)"))

    assert bodies({"count": 3}) == ["number 38", "number 39", "last"]
    assert len(bodies({"count": -1})) == 41
    assert bodies({"count": 2, "id": keys[10], "direction": "before"}) == ["number 8", "number 9"]
    assert bodies({"count": 2, "id": keys[10], "direction": "after"}) == ["number 11", "number 12"]
    assert page.call("chat.getMessageById", keys[0], give="found.body") == "number 0"
    with pytest.raises(PageError, match="not found"):
        page.call("chat.getMessageById", f"false_{who}@c.us_NOTHING")


# -- chats and people


def test_chats_are_listed_read_archived_pinned_muted_cleared_and_deleted(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person("Chatty")
    chat = f"{who}@c.us"
    phone.receive(who, "a")
    phone.receive(who, "b")
    page.wait(f"WPP.chat.get('{chat}')?.unreadCount === 2")
    assert chat in page.call("chat.list", give="found.map((chat) => chat.id)")
    assert chat in page.call("chat.list", {"onlyWithUnreadMessage": True}, give="found.map((chat) => chat.id)")
    assert page.call("chat.markIsRead", chat)["unreadCount"] == 2
    assert phone.account.chats[chat]["unreadCount"] == 0
    assert all(message["ack"] == 3 for message in phone.account.of_chat(chat))
    page.call("chat.markIsUnread", chat)
    assert phone.account.chats[chat]["unreadCount"] == -1
    page.call("chat.archive", chat)
    phone.wait_for_asked("chat", lambda asked: asked.get("archive") is True and asked["id"] == chat)
    page.call("chat.unarchive", chat)
    page.call("chat.pin", chat)
    assert phone.account.chats[chat]["pin"] is True
    assert page.call("chat.mute", chat, {"duration": 3600}, give="found.isMuted") is True
    page.call("chat.unmute", chat, give="0")
    page.call("chat.markIsComposing", chat)
    assert phone.asked("typing")[-1] == {"id": chat, "type": "composing"}
    page.call("chat.markIsPaused", chat)
    page.call("chat.clear", chat)
    assert phone.account.of_chat(chat) == []
    assert page.call("chat.delete", chat, give="found.status") == 200
    assert chat not in phone.account.chats
    assert page.run(f"WPP.chat.get('{chat}') === undefined")


def test_people_are_looked_up_saved_and_blocked(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person("Bea Block", about="at the beach")
    key = f"{who}@c.us"
    assert page.call("contact.get", key, give="[found.name, found.shortName, found.isMyContact]") == [
        "Bea Block",
        "Bea",
        True,
    ]
    assert key in page.call("contact.list", {"onlyMyContacts": True}, give="found.map((one) => one.id)")
    assert page.call("contact.queryExists", key)["lid"] == phone.lid_of(who)
    paired.whatsapp.world.absent.add("491999999999")
    assert page.call("contact.queryExists", "491999999999@c.us") is None
    assert page.call("contact.queryExists", "491999999998@c.us", give="found.wid") == "491999999998@c.us"
    assert page.call("contact.getStatus", key) == "at the beach"
    entry = page.call("contact.getPnLidEntry", phone.lid_of(who))
    assert entry["phoneNumber"]["_serialized"] == key
    assert page.call("blocklist.blockContact", key)["isBlocked"] is True
    assert phone.account.blocked == {key}
    assert page.call("blocklist.all") == [key]
    assert page.call("blocklist.unblockContact", key)["isBlocked"] is False
    new = f"{paired.person()}@c.us"
    page.call("contact.save", new, "New", {"lastName": "Name"}, give="0")
    page.wait(f"WPP.whatsapp.ContactStore.get('{new}').name === 'New Name'")
    page.call("contact.remove", new, give="0")
    page.wait(f"!WPP.whatsapp.ContactStore.get('{new}').name")


def test_pictures_and_profile(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person()
    assert page.call("contact.getProfilePictureUrl", f"{who}@c.us") is None
    phone.picture(who, base64.b64decode(PNG))
    url = page.wait(f"WPP.contact.getProfilePictureUrl('{who}@c.us')")
    assert page.run(f"fetch('{url}').then((answer) => answer.blob()).then((blob) => blob.size)") == len(
        base64.b64decode(PNG)
    )
    page.call("profile.setMyProfileName", "New Name")
    page.wait("WPP.profile.getMyProfileName() === 'New Name'")
    page.call("profile.setMyStatus", "here")
    assert phone.account.profile == {"pushname": "New Name", "about": "here"}
    assert page.call("profile.getMyStatus") == "here"
    page.call("profile.setMyProfilePicture", f"data:image/png;base64,{PNG}")
    assert phone.me in phone.account.pictures
    assert page.call("profile.removeMyProfilePicture") is True
    assert phone.me not in phone.account.pictures
    assert page.call("profile.isBusiness") is True


def test_presence(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person()
    page.call("contact.subscribePresence", f"{who}@c.us", give="0")
    phone.wait_for_asked("subscribe", lambda asked: asked["id"] == f"{who}@c.us")
    for typing, state in {"composing": "typing", "recording": "recording_audio", "unavailable": "unavailable"}.items():
        phone.presence(who, typing=typing)
        told = page.told("chat.presence_change", f"it.id === '{who}@c.us' && it.state === '{state}'")
        assert told["isOnline"] is (typing != "unavailable")
    page.run("WPP.conn.markAvailable(false)")
    assert phone.wait_for_asked("presence", lambda asked: asked["available"] is False)


def test_chats_that_are_addressed_by_lid(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person("Lida Lid")
    key = phone.receive(who, "by lid", lid=True)
    told = page.told("chat.new_message", f"it.id === '{key}'")
    lid = phone.lid_of(who)
    assert told["from"] == lid
    sent = page.call("chat.sendTextMessage", lid, "back")
    assert sent["to"] == lid
    assert sent["from"] == phone.lid


# -- groups


def test_groups_are_made_and_their_members_changed(paired: Pair) -> None:
    page, phone = paired.page, paired.phone
    ann, bob, eve = (paired.person(name) for name in ("Ann", "Bob", "Eve"))
    made = page.call("group.create", "Friends", [f"{ann}@c.us", f"{bob}@c.us"])
    gid = made["gid"]
    assert [one["code"] for one in made["participants"].values()] == [200, 200]
    group = phone.account.groups[gid]
    assert group["subject"] == "Friends"

    def members(give: str = "true") -> list[str]:
        return list(page.call("group.getParticipants", gid, give=f"found.filter((one) => {give}).map((one) => one.id)"))

    assert members() == [phone.lid, phone.lid_of(ann), phone.lid_of(bob)]
    assert page.call("group.iAmAdmin", gid) is True
    added = page.call("group.addParticipants", gid, [f"{eve}@c.us", f"{bob}@c.us"])
    assert {one["code"] for one in added.values()} == {200, 409}
    told = page.told("group.participant_changed", f"it.groupId === '{gid}' && it.action === 'add'")
    assert told["participants"] == [phone.lid_of(eve)]
    page.call("group.promoteParticipants", gid, [f"{ann}@c.us"])
    page.told("group.participant_changed", f"it.groupId === '{gid}' && it.action === 'promote'")
    assert members("one.isAdmin") == [phone.lid, phone.lid_of(ann)]
    page.call("group.demoteParticipants", gid, [f"{ann}@c.us"])
    page.call("group.removeParticipants", gid, [f"{ann}@c.us"])
    page.told("group.participant_changed", f"it.groupId === '{gid}' && it.action === 'remove'")
    assert phone.lid_of(ann) not in members()
    assert phone.lid_of(ann) in [one["id"] for one in group["pastParticipants"]]
    assert gid in page.call("group.getAllGroups", give="found.map((chat) => chat.id)")
    page.call("group.leave", gid, give="0")
    page.wait(f"!WPP.whatsapp.GroupMetadataStore.get('{gid}').participants.iAmMember()")


def test_groups_are_described_and_restricted(paired: Pair) -> None:
    page, phone = paired.page, paired.phone
    gid = page.call("group.create", "Plain", [f"{paired.person()}@c.us"], give="found.gid")
    group = phone.account.groups[gid]
    page.call("group.setSubject", gid, "Fancy")
    page.call("group.setDescription", gid, "all about it")
    page.call("group.setProperty", gid, "announcement", True)
    page.call("group.setProperty", gid, "restrict", True)
    page.call("group.setProperty", gid, "ephemeral", 86400)
    named = f"WPP.whatsapp.WidFactory.createWid('{gid}')"
    for name in ("membership_approval_mode", "member_add_mode"):
        page.run(f"WPP.whatsapp.functions.sendSetGroupProperty({named}, '{name}', 1)")
    assert (group["subject"], group["desc"]) == ("Fancy", "all about it")
    assert (group["announce"], group["restrict"], group["ephemeralDuration"]) == (True, True, 86400)
    assert (group["membershipApprovalMode"], group["memberAddMode"]) == (True, "all_member_add")
    page.wait(f"WPP.whatsapp.GroupMetadataStore.get('{gid}').memberAddMode === 'all_member_add'")
    assert page.call("chat.get", gid, give="found.formattedTitle") == "Fancy"
    page.call("group.setIcon", gid, f"data:image/png;base64,{PNG}")
    assert gid in phone.account.pictures
    assert page.call("group.removeIcon", gid) is True
    asking = paired.person()
    phone.ask_to_join(gid, asking)
    assert page.call("group.getMembershipRequests", gid, give="found.map((one) => one.id)") == [phone.lid_of(asking)]
    assert page.call("group.approve", gid, [phone.lid_of(asking)], give="found[0].error") is None
    assert phone.account.participant(group, asking)


def test_groups_are_joined_by_invitation(paired: Pair) -> None:
    page, phone = paired.page, paired.phone
    gid = page.call("group.create", "Open", [f"{paired.person()}@c.us"], give="found.gid")
    code = page.call("group.getInviteCode", gid)
    assert code == phone.account.groups[gid]["inviteCode"]
    assert page.call("group.getGroupInfoFromInviteCode", code, give="[found.id, found.subject, found.size]") == [
        gid,
        "Open",
        2,
    ]
    assert page.call("group.revokeInviteCode", gid) != code
    with pytest.raises(PageError, match="Invalid Invite Code"):
        page.call("group.getGroupInfoFromInviteCode", code)
    other = paired.whatsapp.add_phone("4917022222222", "Other")
    elsewhere = other.group("Elsewhere")
    joined = page.call("group.join", f"https://chat.whatsapp.com/{other.account.groups[elsewhere]['inviteCode']}")
    assert joined == {"id": elsewhere, "pendingApproval": False}
    assert page.told("group.participant_changed", f"it.groupId === '{elsewhere}'")["action"] == "join"


def test_messages_in_groups(paired: Pair) -> None:
    page, phone, ann = paired.page, paired.phone, paired.person("Ann Group")
    gid = phone.group("Ours", ann, owner=ann)
    page.wait(f"WPP.chat.get('{gid}') !== undefined")
    key = phone.receive(ann, "hello all", group=gid, name="Annie")
    told = page.told("chat.new_message", f"it.id === '{key}'")
    assert (told["from"], told["author"], told["notifyName"]) == (gid, phone.lid_of(ann), "Annie")
    sent = page.call("chat.sendTextMessage", gid, f"hi @{phone.lid_of(ann).partition('@')[0]}", give="found.id")
    assert sent.endswith(phone.lid)
    assert phone.message(sent)["mentionedJidList"] == [phone.lid_of(ann)]
    phone.acknowledge(sent, 3, by=phone.lid_of(ann))
    assert page.told("chat.msg_ack_change", f"it.ack === 3 && it.chat === '{gid}'")["sender"] == phone.lid_of(ann)
    phone.group_info(gid, ann, announcement=True)
    page.wait(f"WPP.whatsapp.GroupMetadataStore.get('{gid}').announce === true")
    refused = page.call("chat.sendTextMessage", gid, "may I?")
    assert refused["sendMsgResult"]["messageSendResult"] == "ERROR_NETWORK"
    phone.group_change(gid, ann, "remove", phone.me)
    assert page.told("group.participant_changed", f"it.groupId === '{gid}' && it.action === 'remove'")[
        "author"
    ] == phone.lid_of(ann)


# -- channels, statuses, labels, calls


def test_channels(paired: Pair) -> None:
    page, phone = paired.page, paired.phone
    made = page.call("newsletter.create", "My News", {"description": "all of it"})
    own = made["idJid"]
    assert made["inviteLink"].endswith(phone.world.channels[own]["inviteCode"])
    page.call("chat.sendTextMessage", own, "first post")
    assert phone.wait_for_sent(lambda message: message.get("body") == "first post")["id"].split("_")[1] == own
    page.call("newsletter.edit", own, {"name": "Our News", "description": "some of it"}, give="0")
    assert phone.world.channels[own]["name"] == "Our News"
    theirs = phone.channel("Weather Today")
    assert [one["idJid"] for one in page.call("newsletter.search", "weather")["newsletters"]] == [theirs]
    assert page.call("newsletter.follow", theirs) is True
    assert theirs in page.call("chat.list", {"onlyNewsletter": True}, give="found.map((chat) => chat.id)")
    key = phone.channel_post(theirs, "rain")
    assert page.told("chat.new_message", f"it.id === '{key}'")["body"] == "rain"
    page.call("newsletter.mute", theirs, True, give="0")
    assert phone.me in phone.world.channels[theirs]["muted"]
    page.call("newsletter.mute", theirs, False, give="0")
    assert phone.world.channels[theirs]["muted"] == []
    assert page.call("newsletter.unfollow", theirs) is True
    assert phone.me not in phone.world.channels[theirs]["followers"]
    assert page.call("newsletter.destroy", own) is True
    assert own not in phone.world.channels


def test_statuses(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person("Stan Status")
    sent = page.call(
        "status.sendTextStatus", "good morning", {"backgroundColor": "#00ff00", "font": 2}, give="found.id"
    )
    message = phone.message(sent)
    assert (message["body"], message["font"], message["backgroundColor"]) == ("good morning", 2, 0xFF00FF00)
    picture = page.call("status.sendImageStatus", f"data:image/png;base64,{PNG}", {"caption": "look"}, give="found.id")
    assert phone.message(picture)["caption"] == "look"
    assert page.call("status.getMyStatus", give="found.msgs.map((msg) => String(msg.id))") == [sent, picture]
    assert page.call("status.remove", sent) is True
    assert phone.account.statuses == [picture]
    key = phone.status(who, "their day")
    assert page.told("chat.new_message", f"it.id === '{key}'")["author"] == f"{who}@c.us"
    assert page.call("status.get", f"{who}@c.us", give="found.msgs.map((msg) => msg.body)") == ["their day"]


def test_labels(paired: Pair) -> None:
    page, phone, chat = paired.page, paired.phone, f"{paired.person()}@c.us"
    page.call("chat.sendTextMessage", chat, "label me", give="0")
    label = page.call("labels.addNewLabel", "Hot", {"labelColor": 2})
    assert phone.account.labels[label["id"]]["name"] == "Hot"
    page.call("labels.addOrRemoveLabels", [chat], [{"labelId": label["id"], "type": "add"}], give="0")
    assert phone.account.labels[label["id"]]["chats"] == [chat]
    assert page.told("chat.update_label", "it.type === 'add'")["ids"] == [label["id"]]
    assert page.call("labels.getLabelById", label["id"])["count"] == 1
    assert page.call("chat.list", {"withLabels": ["Hot"]}, give="found.map((chat) => chat.id)") == [chat]
    page.call("labels.editLabel", label["id"], {"name": "Cold"}, give="0")
    assert phone.account.labels[label["id"]]["name"] == "Cold"
    theirs = phone.label("From the phone")
    page.wait(f"WPP.whatsapp.LabelStore.get('{theirs}') !== undefined")
    phone.label_chat(theirs, chat)
    page.told("chat.update_label", f"it.ids[0] === '{theirs}'")
    assert page.call("labels.deleteLabel", label["id"])["deleteLabelResult"] is True
    assert label["id"] not in phone.account.labels


def test_calls(paired: Pair) -> None:
    page, phone, who = paired.page, paired.phone, paired.person()
    call = phone.call(who, video=True)
    told = page.told("call.incoming_call", f"it.id === '{call}'")
    assert (told["isVideo"], told["isGroup"], told["peerJid"]) == (True, False, f"{who}@c.us")
    assert page.call("call.reject", call) is True
    assert phone.account.calls[call]["state"] == "rejected"
    missed = phone.call(who)
    page.told("call.incoming_call", f"it.id === '{missed}'")
    phone.hang_up(missed)
    page.wait("WPP.whatsapp.CallStore.activeCall === null")
    with pytest.raises(PageError, match="not found"):
        page.call("call.reject", missed)


# -- other ways in which WhatsApp behaves


def test_an_account_whose_chats_go_by_lid(binary: str) -> None:
    with StandIn(lids=True) as whatsapp, Chromium(binary, *whatsapp.arguments) as chromium:
        page = Page(chromium)
        page.open()
        pair(page, whatsapp.phone)
        key = whatsapp.phone.receive("4930123456", "hello")
        assert page.told("chat.new_message", f"it.id === '{key}'")["from"] == whatsapp.phone.lid_of("4930123456")
        assert page.call("conn.getMigrationState", give="found.isLidMigrated") is True


def test_what_came_while_no_page_was_there_can_be_new_to_the_next(binary: str, tmp_path: Path) -> None:
    with StandIn(offline_is_new=True, offline_seconds=8, reads=True) as whatsapp:
        with Chromium(binary, *whatsapp.arguments, profile=tmp_path) as chromium:
            page = Page(chromium)
            page.open()
            pair(page, whatsapp.phone)
            sent = page.call("chat.sendTextMessage", "4930123456@c.us", "read at once", give="found.id")
            page.told("chat.msg_ack_change", f"it.ack === 3 && it.ids[0] === '{sent}'")
        whatsapp.phone.wait_without_page()
        key = whatsapp.phone.receive("4930123456", "are you there?")
        with Chromium(binary, *whatsapp.arguments, profile=tmp_path) as chromium:
            page = Page(chromium)
            page.open()
            assert page.told("chat.new_message", f"it.id === '{key}'")["body"] == "are you there?"


def test_keys_can_be_those_of_older_releases(binary: str) -> None:
    with StandIn(plain_keys=True) as whatsapp, Chromium(binary, *whatsapp.arguments) as chromium:
        page = Page(chromium)
        page.open()
        pair(page, whatsapp.phone)
        sent = page.call("chat.sendTextMessage", "4930123456@c.us", "as it was", give="found.id")
        assert page.run(f"Object.keys(require('WAWebMsgKey').fromString('{sent}')).includes('_serialized')")
        assert whatsapp.phone.message(sent)["body"] == "as it was"
