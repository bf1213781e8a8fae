"""What a session shows of itself, by the settings and by its own configuration; and what it keeps to itself."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .conftest import Drive, eventually, in_page, pair, running
from .standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_user_agent_locale_and_time_zone(drive: Drive) -> None:
    server = drive(WAXBILL_BROWSER_LOCALE="pt-BR", WAXBILL_BROWSER_TIME_ZONE="America/Sao_Paulo")
    assert "Headless" not in in_page(server, "navigator.userAgent")
    assert in_page(server, "navigator.language") == "pt-BR"
    assert in_page(server, "Intl.DateTimeFormat().resolvedOptions().timeZone") == "America/Sao_Paulo"


LOOK = """({
    agent: navigator.userAgent, language: navigator.language,
    brands: (navigator.userAgentData?.brands ?? []).map((each) => each.brand),
    hints: navigator.userAgentData?.platform ?? null,
    intl: Intl.DateTimeFormat().resolvedOptions().locale,
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    seen: window.standinFirst,
})"""

WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
)


def test_a_user_agent_of_ones_own(drive: Drive) -> None:
    server = drive(WAXBILL_BROWSER_USER_AGENT="Mozilla/5.0 Mine")
    assert in_page(server, "navigator.userAgent") == "Mozilla/5.0 Mine"
    assert in_page(server, LOOK)["brands"] == []  # what is not Chromium has no client hints


def test_nothing_in_the_page_says_headless(drive: Drive) -> None:
    server = drive()
    look = in_page(server, LOOK)
    assert "headless" not in str(look).lower()
    assert "Chromium" in look["brands"]


def test_each_session_looks_as_its_configuration_says_also_after_a_reload_and_a_restart(
    drive: Drive, whatsapp: StandIn
) -> None:
    server = drive(paired=False, WAXBILL_BROWSER_LOCALE="pt-BR", WAXBILL_BROWSER_TIME_ZONE="America/Sao_Paulo")
    server.delete("/api/sessions/one")
    own = {"userAgent": WINDOWS, "locale": "de-DE", "timeZone": "Asia/Tokyo"}
    assert server.post("/api/sessions", {"name": "one", "config": {"browser": own}}).status == 201
    pair(server, whatsapp)
    server.post("/api/sessions", {"name": "two"})
    server.wait_for_status("two", "SCAN_QR_CODE", timeout_seconds=60)

    def as_configured() -> None:
        look = in_page(server, LOOK)
        assert look["agent"] == look["seen"]["agent"] == WINDOWS
        assert (look["language"], look["intl"], look["seen"]["locale"]) == ("de-DE", "de-DE", "de-DE")
        assert look["zone"] == look["seen"]["timeZone"] == "Asia/Tokyo"
        assert look["hints"] == "Windows"

    as_configured()
    other = in_page(server, LOOK, "two")
    assert (other["language"], other["intl"], other["zone"]) == ("pt-BR", "pt-BR", "America/Sao_Paulo")
    assert other["agent"] != WINDOWS
    hellos = whatsapp.phone.account.devices[0].hellos
    whatsapp.phone.tell("reload")
    eventually(lambda: whatsapp.phone.account.devices[0].hellos > hellos)
    eventually(lambda: server.get("/api/sessions/one").json()["engine"]["state"] == "at work")
    as_configured()
    server.restart()
    server.wait_for_status("one", "WORKING", timeout_seconds=90)
    assert server.get("/api/sessions/one").json()["config"]["browser"] == own
    as_configured()


def test_telemetry_and_third_party_previews_are_off_before_wa_js_runs(drive: Drive) -> None:
    server = drive()
    assert in_page(server, "WPP.config.disableGoogleAnalytics && WPP.config.linkPreviewApiServers.length === 0")
    hosts = "[...new Set(performance.getEntriesByType('resource').map((each) => new URL(each.name).host))]"
    assert in_page(server, hosts) == ["web.whatsapp.com"]


def test_the_page_finds_no_way_to_the_server(drive: Drive) -> None:
    """The binding is taken away from the page before its own scripts run."""
    server = drive()
    known = in_page(server, "Object.keys(window).filter((name) => /^_[0-9a-f]{16}$/.test(name))")
    assert known == []


def test_the_device_name_of_a_session(drive: Drive, whatsapp: StandIn) -> None:
    server = drive()
    server.delete("/api/sessions/one")
    server.post("/api/sessions", {"name": "one", "config": {"client": {"deviceName": "My server"}}})
    pair(server, whatsapp)
    assert in_page(server, "WPP.config.deviceName") == "My server"


class Proxy(BaseHTTPRequestHandler):
    """A proxy that wants to be logged in at, and lets everything through to the stand-in."""

    target: tuple[str, int]
    seen: list[str]

    def do_CONNECT(self) -> None:
        credentials = self.headers.get("Proxy-Authorization")
        if credentials != "Basic " + base64.b64encode(b"me:secret").decode():
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.seen.append(self.path)
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(self.target) as onward:
            back = threading.Thread(target=_pump, args=(onward, self.connection), daemon=True)
            back.start()
            _pump(self.connection, onward)
            back.join()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side has gone


@pytest.fixture
def proxy(whatsapp: StandIn) -> Iterator[type[Proxy]]:
    rules = next(each for each in whatsapp.arguments if "host-resolver-rules" in each)
    port = int(rules.partition("127.0.0.1:")[2].partition(",")[0])
    handler = type("Handler", (Proxy,), {"target": ("127.0.0.1", port), "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        handler.port = server.server_port  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield handler
        server.shutdown()


def test_a_proxy_with_a_password(drive: Drive, whatsapp: StandIn, proxy: type[Proxy]) -> None:
    server = drive(paired=False)
    server.delete("/api/sessions/one")
    address = f"127.0.0.1:{proxy.port}"  # type: ignore[attr-defined]
    config = {"proxy": {"server": address, "username": "me", "password": "secret"}}
    server.post("/api/sessions", {"name": "one", "config": config})
    pair(server, whatsapp)
    assert "web.whatsapp.com:443" in proxy.seen


def test_sessions_take_turns_at_the_proxies_of_a_list_and_keep_theirs(drive: Drive, proxy: type[Proxy]) -> None:
    address = f"127.0.0.1:{proxy.port}"  # type: ignore[attr-defined]
    servers = ["127.0.0.1:1", address, "127.0.0.1:2"]  # nobody listens at the first and the last
    server = drive(
        paired=False,
        WHATSAPP_PROXY_SERVER_LIST=",".join(servers),
        WHATSAPP_PROXY_SERVER_INDEX_PREFIX="proxy-",
        WHATSAPP_PROXY_SERVER_USERNAME="me",
        WHATSAPP_PROXY_SERVER_PASSWORD="secret",
    )
    # ``one`` waits behind the first; the second is for the session that names it, and for the next in turn.
    server.post("/api/sessions", {"name": "proxy-2"})
    server.wait_for_status("proxy-2", "SCAN_QR_CODE", timeout_seconds=60)
    counted = len(proxy.seen)
    assert counted
    server.post("/api/sessions", {"name": "two"})
    server.wait_for_status("two", "SCAN_QR_CODE", timeout_seconds=60)
    assert len(proxy.seen) > counted
    counted = len(proxy.seen)
    server.post("/api/sessions/two/restart")  # in turn it would be the third's
    server.wait_for_status("two", "SCAN_QR_CODE", timeout_seconds=60)
    assert len(proxy.seen) > counted


def test_two_sessions_have_browsers_of_their_own(drive: Drive, whatsapp: StandIn) -> None:
    server = drive()
    server.post("/api/sessions", {"name": "two"})
    server.wait_for_status("two", "SCAN_QR_CODE", timeout_seconds=60)
    assert in_page(server, "WPP.conn.isAuthenticated()", "one") is True
    assert in_page(server, "WPP.conn.isAuthenticated()", "two") is False
    server.delete("/api/sessions/two")
    assert in_page(server, "WPP.conn.isAuthenticated()", "one") is True
    assert running(server)
