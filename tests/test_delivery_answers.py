"""What receivers answer to deliveries, byte by byte: what is taken, what is refused, and where it ends."""

from __future__ import annotations

import contextlib
import http.client
import io
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from waxbill.delivery import http as transport_module
from waxbill.delivery.connection import Answer, BadAnswer, Connection, Gone, read_answer
from waxbill.delivery.http import HttpTransport
from waxbill.delivery.outbox import Delivery, WebhookRequest
from waxbill.model.sessions import WebhookConfig
from waxbill.settings import Settings

OK = b"HTTP/1.1 200 OK\r\n"
ODD_BEGINNINGS = [
    OK[:-2], b"HTTP/1.0 200 OK", b"HTTP/1.1 204 x", b"HTTP/1.1 304", b"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 500 y",
]  # fmt: skip
ODD_HEADERS = [
    b"Content-Length: 2", b"Content-Length: 0", b"content-length:5", b"Content-Length: 2, 2", b"Content-Length: 2x",
    b"Content-Length : 2", b"Content-Length:\t2 ", b"Content-Length: 02", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding:\r\n chunked",
    b"Connection: close", b"Connection: keep-alive", b"X: a\r\n b", b" a: b", b"no colon", b"X: a\rContent-Length: 5",
]  # fmt: skip
ODD_BODIES = [
    b"", b"hi", b"hello", b"2\r\nhi\r\n0\r\n\r\n", b"2;x=y\r\nhi\r\n0\r\nA: b\r\n\r\n", b"2\nhi\n0\n\n",
    b"0\r\n\r\n", b"hi" + OK + b"\r\n", b"0x2\r\nhi\r\n0\r\n\r\n", b"2 \r\nhi\r\n0\r\n\r\n",
]  # fmt: skip
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def pieces(data: bytes, size: int = 1) -> Callable[[], bytes]:
    """Gives bytes piece by piece, as a socket does, and nothing at the end."""
    steps = iter([data[at : at + size] for at in range(0, len(data), size)])
    return lambda: next(steps, b"")


def read(data: bytes) -> Answer:
    """An answer that is read alike whole, in pieces of several sizes, and byte by byte."""
    found = [read_answer(pieces(data, size)) for size in (len(data), 7, 2, 1)]
    assert found.count(found[0]) == len(found)
    return found[0]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (OK + b"Content-Length: 2\r\n\r\nhi", (200, b"hi", True)),
        (OK + b"content-length:2\r\n\r\nhi", (200, b"hi", True)),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", (200, b"", True)),
        (b"HTTP/1.1 404 Not Found\nContent-Length: 2\n\nno", (404, b"no", True)),
        (OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n", (200, b"", False)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", (200, b"", False)),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", (200, b"", True)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b"", True)),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
         + OK + b"Content-Length: 0\r\n\r\n",
         (200, b"", True)),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", (101, b"", False)),
        (OK + b"\r\nuntil the end", (200, b"until the end", False)),
        (OK + b"X: y\r\n", (200, b"", False)),
        (OK + b"Content-Length: 100\r\n\r\nshort", (200, b"short", False)),
        (OK + b"no header at all\r\n folded: 1\r\nContent-Length: 2\r\n\r\nhi", (200, b"hi", False)),
        (CHUNKED + b"2\r\nhi\r\n3;ext=1\r\n you\r\n0\r\n\r\n".replace(b"3;", b"4;"), (200, b"hi you", True)),
        (CHUNKED + b"1\r\na\r\n0\r\nTrailer: x\r\n\r\n", (200, b"a", True)),
        (CHUNKED + b"1\r\na\r\n0\r\n", (200, b"a", False)),
    ],
)  # fmt: skip
def test_answers_as_they_come(data: bytes, expected: tuple[int, bytes, bool]) -> None:
    answer = read(data)
    assert (answer.status, answer.text, answer.kept) == expected


def test_where_a_redirect_goes() -> None:
    assert (
        read(b"HTTP/1.1 307 x\r\nLOCATION:  /a\xe4 \r\nLocation: /b\r\nContent-Length: 0\r\n\r\n").location == "/a\xe4"
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"nonsense\r\n\r\n", "does not begin"),
        (b"HTTP/1.1 20", "does not begin"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "does not begin"),
        (b"HTTP/2 200 OK\r\n\r\n", "does not begin"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "does not begin"),
        (OK + b"X: y\r\n" * 200 + b"\r\n", "more than 100 headers"),
        (OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n", "more than 65536"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, "more than 65536"),
        (CHUNKED + b"2\r\nh", "broke off"),
        (CHUNKED + b"x\r\nh", "no size"),
        (CHUNKED + b"-1\r\nh", "no size"),
        (CHUNKED + b"11111111111111111\r\nh", "no size"),
        (CHUNKED + b"1\r\nhello\r\n0\r\n\r\n", "does not end"),
    ],
)
def test_what_is_no_answer_or_has_no_bounds(data: bytes, words: str) -> None:
    for size in (len(data), 1000):
        with pytest.raises(BadAnswer, match=words):
            read_answer(pieces(data, size))


def test_a_connection_that_ends_before_the_answer_is_told_apart() -> None:
    with pytest.raises(Gone):
        read_answer(lambda: b"")


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: 2\r\n\r\nhi" + OK,
        b"HTTP/1.1 204 No Content\r\n\r\n" + OK,
        CHUNKED + b"0\r\n\r\n" + OK,
        OK + b"Content-Length: 2\r\nContent-Length: 20\r\n\r\nhi",
        OK + b"Connection: keep-alive\r\nContent-Length: 2\r\nContent-Length: 0\r\n\r\nhi",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
        OK + b"Content-Length: +2\r\n\r\nhi",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 2\r\n\r\nhi",
        OK + b"Transfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\nhi",
        OK + b"X: a\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nhi",
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nhi",
    ],
)
def test_whether_the_connection_can_be_used_again(data: bytes) -> None:
    """Not where it is a matter of opinion what the answer to the next request would be."""
    answer = read_answer(pieces(data, len(data)))
    assert answer.status in (200, 204)
    assert not answer.kept


@pytest.mark.parametrize(
    "head", [OK + b"Content-Length: 10737418240\r\n\r\n", OK + b"\r\n", CHUNKED + b"fffffffff\r\n",
             CHUNKED + b"0\r\n", CHUNKED + b"1;"],
)  # fmt: skip
def test_no_more_is_read_than_is_needed(head: bytes) -> None:
    given = 0

    def receive() -> bytes:
        nonlocal given
        given += 4096
        assert given < 200_000
        return head if given == 4096 else b"a: b\r\n" * 512 if head.endswith(b"0\r\n") else b"a" * 4096

    answer = read_answer(receive)
    assert (answer.status, answer.kept) == (200, False)


class Said:
    """A socket for the standard library's client, that has an answer in it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def test_what_costs_no_connection_is_what_another_client_reads() -> None:
    """Answers made of odd parts at random: those after which another may follow are read alike by http.client."""
    chance, kept = random.Random(1), 0
    for _ in range(10_000):
        parts = [chance.choice(ODD_BEGINNINGS), *chance.sample(ODD_HEADERS, chance.randint(0, 3))]
        data = b"\r\n".join([*parts, b"", chance.choice(ODD_BODIES)])
        try:
            ours = read_answer(pieces(data, len(data)))
        except BadAnswer:
            continue
        if ours.kept:
            theirs = http.client.HTTPResponse(Said(data), method="POST")  # type: ignore[arg-type]
            theirs.begin()
            assert (ours.status, ours.text) == (theirs.status, theirs.read()), data
            assert not theirs.will_close, data
            kept += 1
    assert kept > 90


# -- over a socket


@contextlib.contextmanager
def connected() -> Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, "example.com")
    with theirs:
        yield connection, theirs
    connection.close()


def post(connection: Connection, headers: dict[str, str], body: bytes = b"{}", *, timeout: float = 5) -> Answer:
    return connection.post("/in?a=b", headers, body, timeout, time.monotonic() + 5)


def test_a_request_as_it_leaves() -> None:
    with connected() as (connection, theirs):
        theirs.sendall(OK + b"Content-Length: 0\r\n\r\n")
        assert post(connection, {"X-A": "\xe4", "Content-Length": "7", "Transfer-Encoding": "chunked"}).kept
        theirs.sendall(OK + b"Content-Length: 0\r\n\r\n")
        assert post(connection, {"host": "other"}).kept
        sent = theirs.recv(4096)
    head = b"POST /in?a=b HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: identity\r\nContent-Length: 2\r\n"
    assert sent == head % b"example.com" + b"X-A: \xe4\r\n\r\n{}" + head % b"other" + b"\r\n{}"


@pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X": "a\nb"}, {"X\r\nY": "a"}, {"X": "a\r"}, {"X": "\u20ac"}])
def test_what_would_be_two_requests_is_not_sent(headers: dict[str, str]) -> None:
    with connected() as (connection, theirs):
        with pytest.raises(ValueError, match=r"line break|latin-1"):
            post(connection, headers)
        with pytest.raises(ValueError, match="no URL may have"):
            connection.post("/a b", {}, b"", 5, time.monotonic() + 5)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


def test_a_receiver_that_says_nothing_or_reads_nothing() -> None:
    with connected() as (connection, _), pytest.raises(TimeoutError):
        post(connection, {}, timeout=0.05)
    with connected() as (connection, _), pytest.raises(TimeoutError):
        post(connection, {}, bytes(8_000_000), timeout=0.05)
    with connected() as (connection, _), pytest.raises(TimeoutError):
        connection.post("/", {}, b"", 5, time.monotonic() + 0.05)


def test_a_large_delivery_to_one_that_reads_slowly() -> None:
    with connected() as (connection, theirs):
        got = bytearray()

        def take() -> None:
            while len(got) < 2_000_000:
                got.extend(theirs.recv(10_000))
            theirs.sendall(OK + b"Content-Length: 0\r\n\r\n")

        reader = threading.Thread(target=take)
        reader.start()
        assert post(connection, {}, bytes(2_000_000)).kept
        reader.join()
        assert got.endswith(bytes(2_000_000))


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig", True),
        (b"", False),
        (OK + b"Content-Length: 0\r\n\r\n", False),
    ],
)
def test_a_refusal_is_heard_although_the_request_was_cut_off_and_nothing_else(said: bytes, refused: bool) -> None:
    with listening() as (listener, connection):

        def cut_off() -> None:
            theirs = listener.accept()[0]
            theirs.recv(1000)
            theirs.sendall(said)
            theirs.close()  # on what was not read: a reset

        cutter = threading.Thread(target=cut_off)
        cutter.start()
        if refused:
            answer = post(connection, {}, bytes(20_000_000))
            assert (answer.status, answer.text, answer.kept) == (413, b"big", False)
        else:
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                post(connection, {}, bytes(20_000_000))
        cutter.join()


@contextlib.contextmanager
def listening() -> Iterator[tuple[socket.socket, Connection]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection(socket.create_connection(listener.getsockname()), "example.com")
        yield listener, connection
        connection.close()


def test_whether_something_was_said_that_nobody_asked_for() -> None:
    with connected() as (connection, theirs):
        assert connection.is_quiet()
        theirs.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        assert not connection.is_quiet()
    with connected() as (connection, theirs):
        theirs.shutdown(socket.SHUT_WR)
        assert not connection.is_quiet()


def test_what_a_receiver_says_before_it_closes_is_not_the_next_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "_IDLE_SECONDS", 0.0)
    transport = HttpTransport(Settings({}))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        delivery = Delivery(1, 1, "evt_1", "message", "s", b"{}", 0, 0.0, WebhookConfig(url=url, events=[]))

        def deliver() -> tuple[int, socket.socket]:
            """Its status, and the connection that it came on when that is a new one."""
            found = []

            def receive() -> None:
                theirs = listener.accept()[0]
                theirs.recv(4096)
                theirs.sendall(OK + b"Content-Length: 0\r\n\r\n")
                found.append(theirs)

            receiver = threading.Thread(target=receive)
            receiver.start()
            outcome = transport.waxbill_deliver(delivery, WebhookRequest(url, {}, b"{}", 5.0))
            receiver.join(5)
            assert outcome is not None
            return outcome.status, found[0]

        status, theirs = deliver()
        assert status == 200
        with theirs:
            theirs.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            status, other = deliver()
            other.close()
        assert status == 200
    for kept in transport._connections().values():
        kept.close()
