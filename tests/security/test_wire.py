"""HTTP as bytes: what could be read in two ways is refused, and nothing that comes in has no bound."""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from waxbill.testing import ServerProcess

from .raw import dialled, head, said, statuses, until_closed

Serve = Callable[..., ServerProcess]

#: A second request, which must never be taken for one.
SMUGGLED = b"GET /ping?smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
END = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("wire")
    environment = {"FORCE_MOCK_MODE": "true", "WAXBILL_MOCK_SCAN_SECONDS": "0", "WHATSAPP_START_SESSION": "s"}
    with ServerProcess(folder, key="secret", **environment) as found:
        found.wait_for_status("s", "WORKING")
        yield found


AMBIGUOUS = {
    "both lengths": head("POST", "/ping", "Content-Length: 5", CHUNKED) + END,
    "both lengths, the other order": head("POST", "/ping", CHUNKED, "Content-Length: 5") + END,
    "two lengths": head("POST", "/ping", "Content-Length: 0", "Content-Length: 48"),
    "two equal lengths": head("POST", "/ping", "Content-Length: 0", "Content-Length: 0"),
    "a list of lengths": head("POST", "/ping", "Content-Length: 0, 0"),
    "a signed length": head("POST", "/ping", "Content-Length: +0"),
    "a negative length": head("POST", "/ping", "Content-Length: -1"),
    "a hexadecimal length": head("POST", "/ping", "Content-Length: 0x0"),
    "a length with an underscore": head("POST", "/ping", "Content-Length: 0_0"),
    "a length that is none": head("POST", "/ping", "Content-Length: "),
    "a length with a space": head("POST", "/ping", "Content-Length: 0 0"),
    "a length of superscripts": head("POST", "/ping", "Content-Length: \xb2"),
    "a length of thousands of digits": head("POST", "/ping", "Content-Length: " + "9" * 5000),
    "chunked twice": head("POST", "/ping", CHUNKED, CHUNKED) + END,
    "chunked, chunked": head("POST", "/ping", "Transfer-Encoding: chunked, chunked") + END,
    "an unknown coding": head("POST", "/ping", "Transfer-Encoding: xchunked") + END,
    "gzip, chunked": head("POST", "/ping", "Transfer-Encoding: gzip, chunked") + END,
    "chunked, identity": head("POST", "/ping", "Transfer-Encoding: chunked, identity") + END,
    "quoted chunked": head("POST", "/ping", 'Transfer-Encoding: "chunked"') + END,
    "a comma before chunked": head("POST", "/ping", "Transfer-Encoding: ,chunked") + END,
    "a vertical tab before chunked": head("POST", "/ping", "Transfer-Encoding: \x0bchunked") + END,
    "a space before the colon": head("POST", "/ping", "Transfer-Encoding : chunked") + END,
    "a folded header": head("POST", "/ping", "Transfer-Encoding:", " chunked") + END,
    "a folded header of another name": head("GET", "/ping", "X-One: 1", "\tX-Two: 2"),
    "a first header that is folded": head("GET", "/ping", " X-One: 1"),
    "chunked in HTTP/1.0": head("POST", "/ping", CHUNKED, "Connection: keep-alive", version="1.0") + END,
    "chunked in HTTP/2.0": head("POST", "/ping", CHUNKED, version="2.0") + END,
    "HTTP/0.9": b"GET /ping\r\n\r\n",
    "a version of two digits": head("GET", "/ping", version="1.10"),
    "no host": head("GET", "/ping", host=""),
    "two hosts": head("GET", "/ping", "Host: other"),
    "a bare line feed in a header": head("GET", "/ping", "X: a\nY: b"),
    "a bare carriage return in a header": head("GET", "/ping", "X: a\rY: b"),
    "a NUL in a header": head("GET", "/ping", "X: a\0b"),
    "a NUL in a name": head("GET", "/ping", "X\0: a"),
    "a header without a colon": head("GET", "/ping", "Nonsense"),
    "a method in small letters": head("get", "/ping"),
    "a target with a space": head("GET", "/ping x"),
    "a target that is no URL": head("GET", "http://[::1/ping"),
    "a chunk size with a sign": head("POST", "/ping", CHUNKED) + b"+0\r\n\r\n",
    "a chunk size with 0x": head("POST", "/ping", CHUNKED) + b"0x0\r\n\r\n",
    "a chunk size with an underscore": head("POST", "/ping", CHUNKED) + b"0_0\r\n\r\n",
    "a chunk size before a bare line feed": head("POST", "/ping", CHUNKED) + b"0\n\r\n",
    "an extension before a bare line feed": head("POST", "/ping", CHUNKED) + b"0;x\n\r\n\r\n",
    "an empty chunk size": head("POST", "/ping", CHUNKED) + b"\r\n" + END,
    "a chunk longer than was said": head("POST", "/ping", CHUNKED) + b"1\r\nabc\r\n" + END,
    "a chunk that ends with a bare line feed": head("POST", "/ping", CHUNKED) + b"1\r\na\n" + END,
    "a chunk size of seventeen digits": head("POST", "/ping", CHUNKED) + b"10000000000000000\r\n",
    "a trailer with a bare line feed": head("POST", "/ping", CHUNKED) + b"0\r\nX: a\n\r\n",
}


@pytest.mark.parametrize("form", AMBIGUOUS)
def test_what_two_servers_could_read_differently_is_refused(server: ServerProcess, form: str) -> None:
    answer = said(server, AMBIGUOUS[form] + SMUGGLED)
    (status,) = statuses(answer)  # one answer and the end of the connection: nothing behind it is read
    assert status in (400, 501), answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["statusCode"] == status
    assert "Traceback" not in server.log
    assert "uncaptured" not in server.log


def test_what_is_clear_is_understood(server: ServerProcess) -> None:
    end = head("GET", "/ping", "Connection: close")
    for fine in (
        head("GET", "/ping", "Connection: keep-alive", version="1.0", host=""),
        head("GET", "/ping", "Content-Length: 0"),
        head("POST", "/nothing", "transfer-encoding:\tChunked ") + b'2;a="b c"\r\n{}\r\n0\r\nX-T: 1\r\n\r\n',
    ):
        found = statuses(said(server, fine + end))
        assert len(found) == 2, fine
        assert found[1] == 200


# -- bounds


def test_a_long_head_is_refused(server: ServerProcess) -> None:
    answer = said(server, head("GET", "/ping", "X: " + "a" * 40_000))
    assert statuses(answer) == [431]


@pytest.mark.parametrize(
    "body", [b"1;" + b"x" * 300_000, b"0\r\n" + b"X-T: 1\r\n" * 40_000, b"f" * 300_000], ids=["ext", "trailer", "size"]
)
def test_what_stands_around_chunks_is_bounded(server: ServerProcess, body: bytes) -> None:
    # waitress by itself would keep all of it, and search it again for every packet
    answer = said(server, head("POST", "/ping", CHUNKED) + body)
    assert statuses(answer) == [400]


def test_a_large_body_of_somebody_unknown_is_not_read(server: ServerProcess) -> None:
    for more in ((), ("X-Api-Key: wrong",), ("Content-Type: multipart/form-data; boundary=x",)):
        answer = said(server, head("POST", "/api/sendImage", "Content-Length: 9000000", *more))
        assert statuses(answer) == [401], answer
    answer = said(server, head("POST", "/api/sendImage", CHUNKED) + b"fffff\r\n")
    assert statuses(answer) == [401]


def test_who_is_refused_in_the_middle_of_a_body_can_read_why(server: ServerProcess) -> None:
    request = head("POST", "/api/sendText", "Content-Length: 9000000", "X-Api-Key: wrong")
    with dialled(server) as connection:
        connection.sendall(request)
        for _ in range(20):
            connection.sendall(b"x" * 50_000)  # a client that does not look before it has sent everything
        assert statuses(until_closed(connection)) == [401]


@pytest.mark.parametrize("how", ["header", "query"])
def test_a_large_body_of_somebody_known_is_read(server: ServerProcess, how: str) -> None:
    body = json.dumps({"session": "s", "chatId": "49301234567", "text": "x" * 100_000}).encode()
    path = "/api/sendText?x-api-key=secret" if how == "query" else "/api/sendText"
    headers = {"X-Api-Key": "secret" if how == "header" else "", "Content-Type": "application/json"}
    assert server.request("POST", path, body, headers=headers).status in (201, 400)  # WhatsApp's own limit is below


def test_large_bodies_under_way_are_bounded_together(serve: Serve) -> None:
    server = serve(key="secret", WAXBILL_MAX_INCOMING_MB="1")
    begun = head("POST", "/api/sendText", "Content-Length: 900000", "X-Api-Key: secret")
    with dialled(server) as first:
        first.sendall(begun)
        while statuses(said(server, begun)) != [503]:
            pass  # until the first has arrived
    # Its connection is gone, and so is its part.
    with dialled(server, timeout_seconds=0.5) as second:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with dialled(server, timeout_seconds=0.5) as second:
                second.sendall(begun)
                try:
                    assert statuses(second.recv(1000)) == [503]
                except TimeoutError:
                    return  # it waits for the body
    raise AssertionError("a connection that is gone still counts")


# -- slow and many


def test_a_head_that_drips_is_given_up(serve: Serve) -> None:
    server = serve(WAXBILL_REQUEST_SECONDS="1")
    with dialled(server, timeout_seconds=0.05) as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n")
        answer = b""
        while not answer:  # a byte again and again, so that it is never idle
            connection.sendall(b"X")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
        assert statuses(answer) == [408]


def test_a_body_that_drips_is_given_up(serve: Serve) -> None:
    server = serve(WAXBILL_REQUEST_SECONDS="1")
    with dialled(server, timeout_seconds=0.05) as connection:
        connection.sendall(head("POST", "/api/sendText", "Content-Length: 50000"))
        answer = b""
        while not answer:
            connection.sendall(b" ")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
        assert statuses(answer) == [408]


def test_a_connection_that_does_nothing_is_closed(serve: Serve) -> None:
    server = serve(WAXBILL_IDLE_SECONDS="1")
    with dialled(server) as silent, dialled(server) as served:
        served.sendall(head("GET", "/ping"))
        assert statuses(until_closed(served)) == [200]
        assert until_closed(silent) == b""


def test_whoever_opens_many_connections_pushes_out_only_their_own(serve: Serve) -> None:
    server = serve(WAXBILL_MAX_CONNECTIONS="30")
    with dialled(server, source="127.0.0.2") as other:
        other.sendall(head("GET", "/ping"))
        assert statuses(other.recv(65536)) == [200]
        many: list[socket.socket] = []
        try:
            for number in range(120):
                many.append(socket.create_connection(("127.0.0.1", server.port), 30, ("127.0.0.1", 0)))
                if number % 2:
                    many[-1].sendall(b"GET /ping HTTP/1.1\r\nHo")
            assert server.get("/ping").status == 200  # from the same address, even
            other.sendall(head("GET", "/ping"))
            assert statuses(other.recv(65536)) == [200], "somebody else's connection was closed"
        finally:
            for connection in many:
                connection.close()


def test_readers_that_read_nothing_hold_up_no_thread(serve: Serve) -> None:
    server = serve(WHATSAPP_START_SESSION="s", WAXBILL_THREADS="2")
    server.wait_for_status("s", "WORKING")
    folder = server.folder / "store/files/s"
    folder.mkdir(parents=True)
    with (folder / "big.mp4").open("wb") as big:
        big.truncate(60_000_000)
    (folder / "small.txt").write_bytes(b"small")
    slow = []
    try:
        for _ in range(6):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(head("GET", "/api/files/s/big.mp4"))
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            slow.append(connection)
        for _ in range(5):
            assert server.get("/api/files/s/small.txt", timeout_seconds=15).body == b"small"
    finally:
        for connection in slow:
            connection.close()
    whole = server.get("/api/files/s/big.mp4")
    assert (whole.status, len(whole.body)) == (200, 60_000_000)


def test_many_large_answers_in_one_packet_do_not_stop_the_loop(serve: Serve) -> None:
    server = serve(WHATSAPP_START_SESSION="s")
    server.wait_for_status("s", "WORKING")
    for number in range(100):
        text = {"session": "s", "chatId": "49301234567", "text": f"{number} " + "x" * 60_000}
        assert server.post("/api/sendText", text).status == 201
    ask = head("GET", "/api/s/chats/49301234567@c.us/messages?limit=100")
    with dialled(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(ask * 40)  # 6 MB each, and nothing is read
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert server.get("/ping", timeout_seconds=60).status == 200


def test_as_many_files_may_be_open_as_connections_need(serve: Serve) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, hard))
    try:
        server = serve(WAXBILL_MAX_CONNECTIONS="300", WAXBILL_MAX_STREAMS="1500")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with open(f"/proc/{server.pid}/limits") as limits:
        (line,) = [line.split() for line in limits if line.startswith("Max open files")]
    assert int(line[3]) >= 1900 or line[3] == line[4]


# -- a server without a key


@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        ((), "localhost", 200),
        ((), "127.0.0.1:3000", 200),
        ((), "[::1]:3000", 200),
        ((), "LOCALHOST.", 403),
        ((), "app.localhost", 200),
        ((), "evil.example", 403),
        ((), "127.0.0.1.evil.example", 403),
        ((), "localhost.evil.example", 403),
        ((), "evil.example#@localhost", 403),
        ((), "[::1", 403),
        (("Origin: https://evil.example",), "localhost", 403),
        (("Origin: null",), "localhost", 403),
        (("Origin: http://localhost:5173",), "localhost", 200),
        (("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"), "localhost", 403),
        (("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"), "localhost", 403),
        (("Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors"), "localhost", 200),
    ],
)
def test_without_a_key_other_sites_pages_are_refused(
    keyless: ServerProcess, headers: tuple[str, ...], host: str, status: int
) -> None:
    ask = head("GET", "/api/server/version", "Connection: close", *headers, host=host)
    assert statuses(said(keyless, ask)) == [status]
    assert statuses(said(keyless, ask)) == [status], "also the second time"


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("keyless"), FORCE_MOCK_MODE="true") as found:
        yield found


def test_without_a_key_no_other_site_opens_a_websocket(keyless: ServerProcess) -> None:
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + "A" * 22 + "==",
    )
    assert statuses(said(keyless, head("GET", "/ws", "Origin: https://evil.example", *upgrade))) == [403]
    with dialled(keyless) as connection:
        connection.sendall(head("GET", "/ws", "Origin: http://localhost", *upgrade))
        assert statuses(connection.recv(1000)) == [101]


def test_the_address_of_the_settings_is_ones_own(serve: Serve) -> None:
    server = serve(WAHA_BASE_URL="https://whatsapp.example")
    ask = head("GET", "/ping", "Connection: close", "Origin: https://whatsapp.example", host="whatsapp.example")
    assert statuses(said(server, ask)) == [200]


def test_with_a_key_or_when_told_so_any_site_may_ask(server: ServerProcess, serve: Serve) -> None:
    ask = head("GET", "/ping", "Connection: close", "Origin: https://bot.example", host="waxbill.example")
    assert statuses(said(server, ask)) == [200]
    assert statuses(said(serve(WAHA_NO_API_KEY="true", WAXBILL_HOST="127.0.0.1"), ask)) == [200]


# -- what is on disk


def test_everything_on_disk_is_private_whatever_the_umask(serve: Serve) -> None:
    before = os.umask(0)
    try:
        server = serve(WHATSAPP_START_SESSION="s")
    finally:
        os.umask(before)
    server.wait_for_status("s", "WORKING")
    picture = {"mimetype": "image/png", "data": "iVBORw0KGgo="}
    assert server.post("/api/sendImage", {"session": "s", "chatId": "49301234567", "file": picture}).status == 201
    assert server.get("/-json").status == 200
    store = server.folder / "store"
    found = [store, *store.rglob("*")]
    assert any(path.suffix == ".png" for path in found)
    assert [path for path in found if path.stat().st_mode & 0o077] == []
