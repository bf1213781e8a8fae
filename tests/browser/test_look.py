"""What a session shows of itself, by the settings and by its own configuration; and what it keeps to itself."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .conftest import Drive, in_page, pair, running
from .standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_user_agent_locale_and_time_zone(drive: Drive) -> None:
    server = drive(WAXBILL_BROWSER_LOCALE="pt-BR", WAXBILL_BROWSER_TIME_ZONE="America/Sao_Paulo")
    assert "Headless" not in in_page(server, "navigator.userAgent")
    assert in_page(server, "navigator.language") == "pt-BR"
    assert in_page(server, "Intl.DateTimeFormat().resolvedOptions().timeZone") == "America/Sao_Paulo"


def test_a_user_agent_of_ones_own(drive: Drive) -> None:
    server = drive(WAXBILL_BROWSER_USER_AGENT="Mozilla/5.0 Mine")
    assert in_page(server, "navigator.userAgent") == "Mozilla/5.0 Mine"


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


def test_two_sessions_have_browsers_of_their_own(drive: Drive, whatsapp: StandIn) -> None:
    server = drive()
    server.post("/api/sessions", {"name": "two"})
    server.wait_for_status("two", "SCAN_QR_CODE", timeout_seconds=60)
    assert in_page(server, "WPP.conn.isAuthenticated()", "one") is True
    assert in_page(server, "WPP.conn.isAuthenticated()", "two") is False
    server.delete("/api/sessions/two")
    assert in_page(server, "WPP.conn.isAuthenticated()", "one") is True
    assert running(server)
