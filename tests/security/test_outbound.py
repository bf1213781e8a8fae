"""What the server asks of others because somebody named a URL: where it may go, and how much it may cost."""

from __future__ import annotations

import ast
import contextlib
import http.client
import io
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import waxbill
from waxbill.clock import Clock
from waxbill.media.fetch import Limits, Refused, fetch
from waxbill.outbound import check_address, connect
from waxbill.testing import Receiver, ServerProcess

Serve = Callable[..., ServerProcess]
STRICT = Limits(most_bytes=1_000_000, seconds=5, allow_private=False)

LOOPBACK = [
    "127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "127.255.255.254", "0177.0.0.1", "0177.0.0.01", "017700000001",
    "0x7f.0.0.1", "0x7f.1", "0x7f000001", "0X7F000001", "2130706433", "localhost", "LOCALHOST", "localhost.",
    "0", "0.0.0.0", "00000000", "0x0", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[2001:db8::5efe:7f00:1]", "[2600::200:5efe:7f00:1]",
    "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "example.com@127.0.0.1", "user:password@127.1",
    "127.0.0.1#@example.com", "127.0.0.1?@example.com", "127.0.0.1\\@example.com", "%31%32%37.0.0.1",
]  # fmt: skip
METADATA = [
    "169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.16689662", "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "[fd20:ce::254]",
    "100.100.100.200", "192.0.0.192", "168.63.129.16", "[fe80::1]", "[fe80::a9fe:a9fe]", "169.254.170.2",
]  # fmt: skip
PRIVATE = [
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1",
    "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "[fc00::1]", "[fd12:3456::1]", "[fec0::1]",
    "[::ffff:10.0.0.1]", "[64:ff9b::c0a8:1]", "[2002:c0a8:1::]", "[2001:db8::1]", "0x0a000001", "167772161",
]  # fmt: skip
NOBODY = ["224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "[ff02::1]", "[ff0e::1]"]


@pytest.fixture
def nobody_connects(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Fails when a connection is tried at all; nothing of this may leave the machine."""
    tried: list[Any] = []

    def create_connection(place: Any, **named: Any) -> socket.socket:
        tried.append(place)
        raise OSError("a test stops this")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    yield tried
    assert tried == []


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE, *METADATA, *NOBODY])
def test_no_form_of_a_private_address_is_fetched(nobody_connects: list[Any], host: str) -> None:
    with pytest.raises(Refused):
        fetch(f"http://{host}:8080/x", io.BytesIO(), STRICT)


@pytest.mark.parametrize("host", [*METADATA, *NOBODY])
def test_metadata_is_never_fetched_not_even_where_private_addresses_are_allowed(
    nobody_connects: list[Any], host: str
) -> None:
    with pytest.raises(Refused):
        fetch(f"http://{host}/latest/meta-data", io.BytesIO(), Limits(1000))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "FILE:///etc/passwd", "ftp://example.com/x", "gopher://127.0.0.1:6379/_x", "dict://x/",
        "data:text/plain,x", "jar:http://x!/", "javascript:alert(1)", "//example.com/x", "/etc/passwd", "http:///x",
        "http://", "", "http:example.com", "http://[::1", "http://[v1.x]/", "http://x:99999/", "http://x:-1/",
        "http://x:port/", "http://" + "a" * 64 + ".example/", "http://" + "a." * 200, "http://exa mple.com/\r\nX: y",
        "http://example.com:25/", "http://example.com:6667/", "http://\0/", "http://.../", "http://xn--/",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, nobody_connects: list[Any], url: str
) -> None:
    real = socket.getaddrinfo

    def known(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        return real("8.8.8.8" if host == "example.com" else host, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", known)
    if url.startswith("http://exa mple"):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: real("127.0.0.1", 80, type=socket.SOCK_STREAM))
    with pytest.raises(Refused):
        fetch(url, io.BytesIO(), STRICT)


def test_addresses_of_everybody_are_allowed() -> None:
    for address in ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        check_address(address, allow_private=False)


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is harmless, every later one is this machine."""
    real, asked, connected = socket.getaddrinfo, [], []

    def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host == "rebinding.example":
            asked.append(host)
            host = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return real(host, port, *more, **named)

    def create_connection(place: Any, **named: Any) -> socket.socket:
        connected.append(place)
        raise OSError("a test stops this")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(OSError, match="a test stops this"):
        connect("http", "rebinding.example", 80, seconds=1, allow_private=False)
    assert asked == ["rebinding.example"]
    assert connected == [("93.184.216.34", 80)]
    with pytest.raises(Refused):
        connect("http", "rebinding.example", 80, seconds=1, allow_private=False)
    assert len(connected) == 1


def test_a_name_with_many_addresses_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def create_connection(place: Any, **named: Any) -> socket.socket:
        tried.append(place)
        raise OSError("unreachable")

    many = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"8.8.{n}.8", 80)) for n in range(200)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: many)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(OSError, match="unreachable"):
        connect("http", "many.example", 80, seconds=1, allow_private=False)
    assert len(tried) == 4


# -- what comes back


class Site:
    """A server that sends what it is told, byte by byte, and no more than that."""

    def __init__(self, *pieces: bytes, pause_seconds: float = 0.0) -> None:
        self._pieces, self._pause = pieces, pause_seconds
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.recv(65536)
            for piece in self._pieces:
                client.sendall(piece)
                if self._ended.wait(self._pause):
                    return

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock whose loop runs, as in a server."""
    clock, ended = Clock(), threading.Event()

    def run() -> None:
        while not ended.wait(0.02):
            clock.run_due()

    thread = threading.Thread(target=run)
    thread.start()
    yield clock
    ended.set()
    thread.join()


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\nX: ", HEAD + b"Content-Length: 100000\r\n\r\n"])
def test_an_answer_that_drips_is_given_up(clock: Clock, first: bytes) -> None:
    with Site(first, *[b"x"] * 3000, pause_seconds=0.05) as site, pytest.raises(Refused, match="took too long"):
        fetch(site.url, io.BytesIO(), Limits(1_000_000, seconds=1), clock)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HEAD + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000, "larger than"),
        (HEAD + b"\r\n" + b"x" * 2_000_000, "larger than"),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65536 + b"\r\n" * 1,
            "reached|incomplete",
        ),
        (HEAD + b"Content-Length: 100\r\n\r\nshort", "broke off"),
        (HEAD + b"X: y\r\n" * 200 + b"\r\n", "more than 100 headers"),
        (HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n", "too long|more than 65536"),
        (b"nonsense\r\n\r\n", "could not be reached"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", "metadata"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", "only http and https"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n", "could not be reached"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "more than 5 redirects"),
    ],
)
def test_an_answer_without_bounds_or_sense_is_refused(answer: bytes, words: str) -> None:
    with Site(answer) as site, pytest.raises(Refused, match=words):
        fetch(site.url, io.BytesIO(), Limits(1024 * 1024, seconds=5))


def test_nothing_is_unpacked(tmp_path: Path) -> None:
    """A zip bomb stays as small as it came: what is asked for is identity, and what comes is kept as it is."""
    import gzip

    bomb = gzip.compress(bytes(50_000_000))
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    into = io.BytesIO()
    with Site(head, bomb) as site:
        fetched = fetch(site.url, into, Limits(1024 * 1024, seconds=5))
    assert fetched.size == len(into.getvalue()) == len(bomb)


# -- deliveries


def started(serve: Serve, webhook: dict[str, Any], **environment: str) -> ServerProcess:
    server = serve(WAXBILL_HOOK_PAUSE_AFTER="0", **environment)
    config = {"webhooks": [{"events": ["session.status"], "retries": {"attempts": 0}, **webhook}]}
    assert server.post("/api/sessions", {"name": "s", "config": config}).status == 201
    server.wait_for_status("s", "WORKING")
    return server


def first_error(server: ServerProcess) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for row in server.get("/api/waxbill/deliveries", query={"state": "dead"}).json():
            return str(row["error"])
        time.sleep(0.05)  # the API has no call that waits for a delivery
    raise AssertionError(server.log)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:{port}/", "is private"),
        ("http://2130706433:{port}/", "is private"),
        ("http://[::ffff:127.0.0.1]:{port}/", "is private"),
        ("redis://127.0.0.1:{port}/stream", "is private"),
        ("http://169.254.169.254/", "metadata"),
        ("http://127.0.0.1:25/", "something other than HTTP"),
    ],
)
def test_webhooks_are_not_sent_where_they_must_not_go(serve: Serve, receiver: Receiver, url: str, words: str) -> None:
    server = started(serve, {"url": url.replace("{port}", str(receiver.port))}, WAXBILL_ALLOW_PRIVATE_ADDRESSES="false")
    assert words in first_error(server)
    assert receiver.received == []


def test_a_redirect_to_another_server_takes_no_secrets_along(serve: Serve, receiver: Receiver) -> None:
    location = receiver.url.encode()
    with Site(
        b"HTTP/1.1 307 x\r\nLocation: " + location + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ) as site:
        secrets = [{"name": name, "value": "do-not-tell"} for name in ("X-Secret", "X-Webhook-Secret")]
        url = site.url.replace("//", "//user:password@") + "/hook"
        server = started(serve, {"url": url, "customHeaders": secrets}, WAXBILL_HOOK_REDIRECTS="1")
        receiver.wait_for_count(1)
    names = {name.lower() for name in receiver.received[0].headers}
    assert "x-webhook-request-id" in names
    assert not names & {"x-secret", "x-webhook-secret", "authorization"}
    assert "Traceback" not in server.log


# -- nobody goes around it

#: Who may open connections, or listen, and why. Whatever else needs the network uses ``outbound.connect``.
MAY = {
    "waxbill/outbound.py": "the guard itself",
    "waxbill/limits.py": "turns addresses into bytes",
    "waxbill/server.py": "listens",
    "waxbill/connections.py": "serves clients that came",
    "waxbill/streams/hub.py": "serves clients that came",
    "waxbill/streams/connection.py": "serves clients that came",
    "waxbill/api/streams.py": "hands clients on that came",
    "waxbill/api/operation.py": "hands clients on that came",
    "waxbill/health.py": "the command line asks the server of this machine",
    "waxbill/remote.py": "the command line asks the server of this machine",
    "waxbill/forwarding.py": "asks the other workers, at the addresses that these wrote into the store",
    "waxbill/media/fetch.py": "HTTP over a connection of the guard's",
    "waxbill/delivery/http.py": "HTTP over a connection of the guard's, or to the operator's proxy",
    "waxbill/delivery/connection.py": "HTTP over a connection of the guard's, or to the operator's proxy",
    "waxbill_s3/client.py": "HTTP over a connection of the guard's",
    "waxbill_redis/plugin.py": "Redis over a connection of the guard's",
    "waxbill_redis/connection.py": "Redis over a connection of the guard's",
}
NETWORK = {
    "socket", "socketserver", "ssl", "http.client", "urllib.request", "ftplib", "smtplib", "asyncio", "requests",
    "httpx", "aiohttp", "urllib3", "redis", "websocket", "websockets", "xmlrpc",
}  # fmt: skip


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update({node.module, *(f"{node.module}.{name.name}" for name in node.names)})
    return found


def test_nothing_else_opens_connections() -> None:
    core = Path(waxbill.__file__).parent
    sources = [*core.rglob("*.py"), *(core.parent.parent / "plugins").glob("*/waxbill_*/**/*.py")]
    assert len(sources) > 100
    for path in sources:
        name = re.search(r"(waxbill|waxbill_[a-z0-9]+)/(?!waxbill)[^:]*$", str(path))[0]
        if name.startswith(("waxbill/testing/", "waxbill_browser/")):
            continue  # tests; the browser's driver, whose own tests say that it talks to loopback only
        used = _imports(path) & NETWORK
        assert not used or name in MAY, f"{name} imports {sorted(used)}: use waxbill.outbound.connect, or say why not"


def test_the_guards_connection_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """http.client would open one by itself if it were asked to."""
    monkeypatch.setattr(http.client.HTTPConnection, "connect", lambda self: pytest.fail("it connected by itself"))
    with Site(HEAD + b"Content-Length: 1\r\n\r\nx") as site:
        assert fetch(site.url, io.BytesIO(), Limits(1000)).size == 1
