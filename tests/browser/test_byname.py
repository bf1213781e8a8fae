"""Without WA-JS: the adapter's own way to state, QR code, log-out and new messages; the check of what a page offers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import missing
from waxbill_browser import binaries, script, wajs

from .standin import StandIn
from .standin.chromium import BROWSERS, Chromium

pytestmark = pytest.mark.browser

#: In the place of WA-JS: one that never starts.
NEVER = "window.WPP = {version: 'none', isInjected: false, on() {}};"


class Adapter:
    """The script of the driver in a page, and what it told."""

    def __init__(self, chromium: Chromium, bundle: str, patience: float | None = None) -> None:
        self.chromium = chromium
        self.chromium.call("Runtime.addBinding", name="say")
        source = script.script(bundle, binding="say", handle="adapter", device_name=None)
        if patience is not None:
            before = "const PATIENCE_SECONDS = 30;"
            assert before in source
            source = source.replace(before, f"const PATIENCE_SECONDS = {patience};")
        chromium.on_new_document(source)
        chromium.open()

    def run(self, operation: str, **given: Any) -> Any:
        found = self.chromium.run(f"adapter.run({json.dumps(operation)}, {json.dumps(given)})")
        assert "problem" not in found, found["problem"]
        return found["answer"]

    def told(self, name: str, **fits: Any) -> Any:
        """The data of the first event of that name with these members, waiting for it."""

        def found() -> Any:
            self.chromium.call("Runtime.getIsolateId")  # what was told until now comes with the answer
            for text in self.chromium.bindings:
                told = json.loads(text)
                if told["event"] == name and all(told["data"].get(name) == value for name, value in fits.items()):
                    return told["data"] or True
            return None

        return self.chromium.wait_for(found, f"the event {name} with {fits}")


@pytest.fixture
def chromium(request: pytest.FixtureRequest) -> Iterator[tuple[StandIn, Chromium]]:
    options = request.param if hasattr(request, "param") else {}
    try:
        binaries.find()
    except binaries.Missing as error:
        missing(str(error))
    with StandIn(**options) as whatsapp, Chromium(BROWSERS["headless-shell"], *whatsapp.arguments) as found:
        yield whatsapp, found


def test_a_session_without_wajs_is_paired_hears_messages_and_logs_out(chromium: tuple[StandIn, Chromium]) -> None:
    whatsapp, found = chromium
    adapter = Adapter(found, NEVER, patience=0.1)
    assert adapter.told("fault", message="it is not ready after 0.1 s; its operations may fail")
    state = adapter.told("state", authenticated=False, socket="UNPAIRED")
    assert len(state["code"].split(",")) == 4
    whatsapp.phone.scan(state["code"])
    assert adapter.told("state", authenticated=True, mode="MAIN")["me"]["id"] == whatsapp.phone.me
    key = whatsapp.phone.receive("4930123456", "by name")
    assert adapter.told("message", body="by name")["id"]["_serialized"] == key
    assert adapter.run("logout") is True
    adapter.told("logout")
    assert not whatsapp.phone.paired()


def test_the_probe_finds_everything_on_a_whole_page(chromium: tuple[StandIn, Chromium]) -> None:
    _, found = chromium
    adapter = Adapter(found, wajs.bundle().read_text())
    adapter.told("state", socket="UNPAIRED")
    probed = adapter.run("probe")
    assert [one for one in probed["byName"] + probed["byWaJs"] if one["missing"]] == []
    assert probed["wajs"]["version"] == wajs.version()
    assert len(probed["byName"]) > 10
    assert len(probed["byWaJs"]) > 40


@pytest.mark.parametrize("chromium", [{"hidden": ["WAWebSendReactionMsgAction", "WAWebCmd"]}], indirect=True)
def test_the_probe_names_what_is_missing(chromium: tuple[StandIn, Chromium]) -> None:
    _, found = chromium
    adapter = Adapter(found, wajs.bundle().read_text())
    adapter.told("document")
    found.wait("adapter.run('probe', {}).then((told) => (told.answer.byWaJs.length > 0))")
    probed = adapter.run("probe")
    assert [one["missing"] for one in probed["byName"] if one["missing"]] == ["WAWebCmd.Cmd"]
    assert [one["missing"] for one in probed["byWaJs"] if one["missing"]] == ["Cmd", "functions.sendReactionToMsg"]


@pytest.mark.parametrize("chromium", [{"renamed": {"WAWebChatCollection": "WAWebConversations"}}], indirect=True)
def test_a_module_with_a_new_name_delays_the_start_and_does_not_stop_it(chromium: tuple[StandIn, Chromium]) -> None:
    whatsapp, found = chromium
    adapter = Adapter(found, wajs.bundle().read_text())
    whatsapp.phone.scan(adapter.told("state", socket="UNPAIRED", ready=True)["code"])
    adapter.told("state", mode="MAIN", authenticated=True)
    whatsapp.phone.receive("4930123456", "found by what it is")
    adapter.told("message", body="found by what it is")


@pytest.mark.parametrize("chromium", [{"hidden": ["WAWebAuthLoggedIn"]}], indirect=True)
def test_where_wajs_starts_badly_state_and_messages_are_still_told(chromium: tuple[StandIn, Chromium]) -> None:
    whatsapp, found = chromium
    adapter = Adapter(found, wajs.bundle().read_text(), patience=3)
    whatsapp.phone.scan(adapter.told("state", socket="UNPAIRED")["code"])
    assert adapter.told("state", mode="MAIN", authenticated=True)["me"]["id"] == whatsapp.phone.me
    adapter.told("fault", event="the start of WA-JS")
    whatsapp.phone.receive("4930123456", "heard all the same")
    adapter.told("message", body="heard all the same")
