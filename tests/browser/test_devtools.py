"""The connection to a page: its protocol, and a browser that hangs at the other end."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, Pong, Request, TextMessage

from waxbill_browser import devtools, websocket
from waxbill_browser.devtools import DevTools, Gone, TimedOut
from waxbill_browser.websocket import WebSocket

#: More than the buffers between the two hold.
MUCH = "x" * 50_000_000


@pytest.fixture
def hanging() -> Iterator[str]:
    """The address of a browser that accepts a connection and then neither reads nor says anything."""
    taken: list[socket.socket] = []

    def accept() -> None:
        connection, _ = listener.accept()
        taken.append(connection)
        protocol = WSConnection(ConnectionType.SERVER)
        while True:
            protocol.receive_data(connection.recv(4096))
            if any(isinstance(event, Request) for event in protocol.events()):
                connection.sendall(protocol.send(AcceptConnection()))
                return

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()
    for connection in taken:
        connection.close()


class Peer:
    """A browser's end of one connection, played by another implementation of the protocol."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._protocol = WSConnection(ConnectionType.SERVER)
        assert isinstance(self.heard(), Request)
        self.say(AcceptConnection())

    def say(self, event: Event) -> None:
        self._connection.sendall(self._protocol.send(event))

    def heard(self) -> Event:
        while True:
            for event in self._protocol.events():
                return event
            self._protocol.receive_data(self._connection.recv(65536) or None)

    def heard_text(self) -> str:
        text = ""
        while True:
            event = self.heard()
            assert isinstance(event, TextMessage)
            text += event.data
            if event.message_finished:
                return text


Connected = Callable[[Callable[[socket.socket], object]], WebSocket]


@pytest.fixture
def connected() -> Iterator[Connected]:
    """Connects to what a function does with the other end: ``connected(play)``."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, ThreadPoolExecutor() as threads:

        def accept(play: Callable[[socket.socket], object]) -> None:
            connection, _ = listener.accept()
            connection.settimeout(60)
            with connection:
                play(connection)

        def connect(play: Callable[[socket.socket], object]) -> WebSocket:
            played.append(threads.submit(accept, play))
            return WebSocket(f"ws://127.0.0.1:{listener.getsockname()[1]}/devtools/page/1")

        played: list[Future[None]] = []
        yield connect
        for each in played:
            each.result(60)


@pytest.mark.parametrize("size", [1, 125, 126, 65535, 65536, 300_000])
def test_messages_of_any_length_go_both_ways(connected: Connected, size: int) -> None:
    def play(connection: socket.socket) -> None:
        peer = Peer(connection)
        peer.say(TextMessage(peer.heard_text()[::-1]))
        assert isinstance(peer.heard(), CloseConnection)

    made = connected(play)
    text = bytes(97 + number % 26 for number in range(size))
    made.send(text)
    assert made.receive() == text[::-1]
    made.close()


def test_a_message_in_parts_comes_whole_and_signs_of_life_are_answered(connected: Connected) -> None:
    def play(connection: socket.socket) -> None:
        peer = Peer(connection)
        peer.say(TextMessage("in ", message_finished=False))
        peer.say(Ping(b"there?"))
        peer.say(TextMessage("parts", message_finished=True))
        answer = peer.heard()
        assert isinstance(answer, Pong)
        assert answer.payload == b"there?"
        peer.say(CloseConnection(1001))

    made = connected(play)
    assert made.receive() == b"in parts"
    assert made.receive() == b""
    made.close()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x81\x05half", "is gone"),
        (b"\x81\x85\0\0\0\0hello", "what no browser sends"),
        (b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "what no browser sends"),
        (b"\x01\x01a" + b"\x00\x7e\x03\xe7" + bytes(999) + b"\x80\x01b", "what no browser sends"),
    ],
    ids=["cut off", "masked", "too long", "too long in parts"],
)
def test_what_is_no_message_ends_the_connection(
    connected: Connected, monkeypatch: pytest.MonkeyPatch, sent: bytes, reason: str
) -> None:
    monkeypatch.setattr(websocket, "_MOST_BYTES", 1000)

    def play(connection: socket.socket) -> None:
        Peer(connection)
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)

    made = connected(play)
    with closing(made), pytest.raises(ConnectionError, match=reason):
        made.receive()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "refuses a WebSocket: 'HTTP/1.1 404 Not Found'"),
        (b"", "refuses a WebSocket: ''"),
        (b"HTTP/1.1 101 Switching\r\n" + b"X: y\r\n" * 3000 + b"\r\n", "has no end"),
    ],
    ids=["a page that is gone", "nothing", "headers without end"],
)
def test_a_browser_that_opens_no_websocket_is_said(connected: Connected, answer: bytes, reason: str) -> None:
    def play(connection: socket.socket) -> None:
        connection.recv(65536)
        with contextlib.suppress(ConnectionError):
            connection.sendall(answer)

    with pytest.raises(ConnectionError, match=reason):
        connected(play)


def nothing(*_: object) -> None:
    pass


def test_close_ends_what_waits_for_an_answer_or_to_be_read(hanging: str) -> None:
    tools = DevTools(hanging, nothing, nothing)
    with ThreadPoolExecutor() as threads:
        waits = threads.submit(tools.call, "Page.navigate", 3600)
        with pytest.raises(TimedOut):
            tools.call("Page.enable", 0.2)  # the other is on its way by now
        sends = threads.submit(tools.call, "Runtime.evaluate", 3600, expression=MUCH)
        with pytest.raises(TimeoutError):
            sends.result(0.5)
        tools.close()
        assert isinstance(waits.exception(60), Gone)
        assert isinstance(sends.exception(60), Gone)


def test_a_browser_that_reads_nothing_is_given_up(hanging: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devtools, "_UNREAD_MS", 300)
    ended = threading.Event()
    tools = DevTools(hanging, nothing, ended.set)
    with ThreadPoolExecutor() as threads:
        sends = threads.submit(tools.call, "Runtime.evaluate", 3600, expression=MUCH)
        try:
            assert isinstance(sends.exception(60), Gone)
            assert ended.wait(60)
        finally:
            tools.close()
