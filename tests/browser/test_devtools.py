"""The connection to a page, with a browser that hangs at the other end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request

from waxbill_browser import devtools
from waxbill_browser.devtools import DevTools, Gone, TimedOut

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
