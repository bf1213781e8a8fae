"""What stands between a server and its bucket: connections that are cut, a store that comes late, large files."""

from __future__ import annotations

import base64
import contextlib
import http.client
import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from waxbill.media.storage import Published
from waxbill.testing import Receiver, ServerProcess
from waxbill.testing.thread import ServerThread

from .object_store import SECRET, ObjectStore
from .test_media import PNG
from .test_media_storage import send
from .test_s3 import CHAT, Serve, opened, working

_FOREVER = 1 << 40
LARGE = PNG + bytes(2_000_000)


class Between:
    """Passes on what a server and its store say to each other; cuts a connection after so many bytes of either, or
    every one as soon as it is made (``away``). A request for a path in which ``hold`` is waits (``held``) until
    ``let_go``."""

    def __init__(self, port: int) -> None:
        self.away = False
        self.hold = b""
        self.held, self.let_go = threading.Event(), threading.Event()
        self.cut_up_after = self.cut_down_after = _FOREVER
        self._port = port
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._start(self._accept)

    def _start(self, action: object, *arguments: object) -> None:
        thread = threading.Thread(target=action, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> Between:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self.let_go.set()
        self.drop()
        for thread in list(self._threads):
            thread.join()
        self._listening.close()

    def drop(self) -> None:
        """Cuts what is open."""
        for each in list(self._open):
            with contextlib.suppress(OSError):  # closed already
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as store, selectors.DefaultSelector() as wait:
            self._open |= {client, store}
            wait.register(client, selectors.EVENT_READ, [store, 0])
            wait.register(store, selectors.EVENT_READ, [client, 0])
            with contextlib.suppress(OSError):  # cut
                while not self.away and all(self._pass_on(key) for key, _ in wait.select()):
                    pass
            self._open -= {client, store}

    def _pass_on(self, key: selectors.SelectorKey) -> bool:
        """Passes a piece on; False when the connection is to end."""
        source = key.fileobj
        assert isinstance(source, socket.socket)
        target, passed = key.data
        piece = source.recv(16384)
        key.data[1] = passed + len(piece)
        up = target.getpeername()[1] == self._port
        if up and self.hold and self.hold in piece.partition(b"\r\n")[0]:
            self.held.set()
            self.let_go.wait()
        if not piece or key.data[1] > (self.cut_up_after if up else self.cut_down_after):
            return False
        target.sendall(piece)
        return True


@pytest.fixture
def between(object_store: ObjectStore) -> Iterator[Between]:
    with Between(object_store.port) as found:
        yield found


def environment_of(object_store: ObjectStore, between: Between, **more: str) -> dict[str, str]:
    return {**object_store.environment(object_store.bucket()), "WAHA_S3_ENDPOINT": between.url, **more}


def test_an_upload_that_is_cut_loses_no_message_and_no_event(
    serve: Serve, object_store: ObjectStore, between: Between, receiver: Receiver
) -> None:
    environment = environment_of(object_store, between)
    server = working(serve(WHATSAPP_HOOK_URL=receiver.url, WHATSAPP_HOOK_EVENTS="message.any", **environment))
    between.cut_up_after = 100_000
    told = send(server, LARGE, "image/png")
    event = receiver.wait_for(lambda event: event["event"] == "message.any", 60)
    for media in (event["payload"]["media"], told):
        assert media["url"] is None
        assert media["error"]["message"] == "The media could not be stored."
        assert "can't be asked" in media["error"]["details"]
    health = server.get("/health").json()
    assert health["status"] == "degraded"
    assert "can't be asked" in health["details"]["media"]["warning"]
    # All is well again: the next read of the message has the file.
    between.cut_up_after = _FOREVER
    (message,) = server.get(f"/api/s/chats/{CHAT}/messages", query={"limit": 1}).json()
    assert message["media"]["error"] is None
    assert len(server.get(f"/api/files/{message['media']['s3']['Key']}").body) == len(LARGE)
    assert server.get("/health").json()["status"] == "healthy"
    assert SECRET not in server.log


def two_sessions(server: ServerProcess) -> str:
    """Starts ``s`` and ``other``, and answers the chat of ``other``."""
    working(server)
    server.post("/api/sessions", {"name": "other"})
    server.wait_for_status("other", "WORKING")
    return str(server.get("/api/sessions/other").json()["me"]["id"])


def image(server: ServerProcess, chat: str) -> Any:
    file = {"data": base64.b64encode(PNG).decode(), "mimetype": "image/png"}
    return server.post("/api/sendImage", {"session": "s", "chatId": chat, "file": file, "caption": "before"})


@pytest.mark.parametrize(("what", "hold"), [
    ("send", b"/other/"), ("status", b"/s/"), ("edit", b"/other/"), ("delete", b"/other/"),
])  # fmt: skip
def test_a_bucket_that_hangs_delays_only_what_needs_it(
    serve: Serve, object_store: ObjectStore, between: Between, receiver: Receiver, what: str, hold: bytes
) -> None:
    hooks = {"WHATSAPP_HOOK_URL": receiver.url, "WHATSAPP_HOOK_EVENTS": "message.edited,message.revoked"}
    server = serve(WAXBILL_S3_TIMEOUT_SECONDS="300", **hooks, **environment_of(object_store, between))
    chat = two_sessions(server)
    message = image(server, chat).json()["id"]
    message = message if isinstance(message, str) else message["_serialized"]
    act = {
        "send": lambda: image(server, chat),
        "status": lambda: server.post(
            "/api/s/status/image", {"file": {"data": base64.b64encode(PNG).decode(), "mimetype": "image/png"}}
        ),
        "edit": lambda: server.request("PUT", f"/api/s/chats/{chat}/messages/{message}", {"text": "after"}),
        "delete": lambda: server.request("DELETE", f"/api/s/chats/{chat}/messages/{message}"),
    }[what]
    between.hold = hold
    answers: list[Any] = []
    acting = threading.Thread(target=lambda: answers.append(act()))
    acting.start()
    assert between.held.wait(30)
    assert server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": "meanwhile"}).status == 201
    assert answers == []
    between.let_go.set()
    acting.join()
    assert answers[0].status in (200, 201), answers[0].text


def test_what_is_published_for_somebody_who_blocks_the_sender_meanwhile_is_removed(
    serve: Serve, object_store: ObjectStore, between: Between
) -> None:
    environment = environment_of(object_store, between)
    server = serve(**environment)
    chat = two_sessions(server)
    between.hold = b"/other/"
    answers: list[Any] = []
    acting = threading.Thread(target=lambda: answers.append(image(server, chat)))
    acting.start()
    assert between.held.wait(30)
    sender = server.get("/api/sessions/s").json()["me"]["id"]
    assert server.post("/api/contacts/block", {"session": "other", "contactId": sender}).status < 300
    between.let_go.set()
    acting.join()
    assert answers[0].status == 201
    with contextlib.closing(object_store.client(environment["WAHA_S3_BUCKET"])) as client:
        listed = client.ask("GET", query={"list-type": "2"}).text
    assert "<Key>s/" in listed
    assert "<Key>other/" not in listed
    assert [path for path in (server.folder / "store/sessions/other").rglob("*") if path.is_file()] == []


def test_a_download_that_is_cut_is_not_taken_for_a_whole_one(
    serve: Serve, object_store: ObjectStore, between: Between
) -> None:
    server = working(serve(key="k", **environment_of(object_store, between)))
    path = f"/api/files/{send(server, LARGE, 'image/png')['s3']['Key']}"
    between.drop()
    between.cut_down_after = 1_000_000
    with pytest.raises(http.client.IncompleteRead):
        server.get(path)
    between.cut_down_after = _FOREVER
    assert len(server.get(path).body) == len(LARGE)
    between.away = True
    between.drop()
    away = server.get(path)
    assert (away.status, away.headers["retry-after"]) == (503, "5")


def test_a_store_that_is_away_at_the_start_may_come_later(
    serve: Serve, object_store: ObjectStore, between: Between
) -> None:
    between.away = True
    server = working(serve(key="k", **environment_of(object_store, between)))
    assert "can't be published until it can" in server.log
    assert "can't be asked" in send(server, PNG, "image/png")["error"]["details"]
    between.away = False
    media = send(server, PNG, "image/png")  # its bucket is made now
    assert server.get(f"/api/files/{media['s3']['Key']}").body == PNG


def test_two_servers_of_one_process_speak_each_of_its_own_storage(
    object_store: ObjectStore, between: Between, tmp_path: Path
) -> None:
    between.away = True
    with (
        ServerThread(tmp_path / "ours", FORCE_MOCK_MODE="true", **environment_of(object_store, between)) as ours,
        ServerThread(tmp_path / "other", FORCE_MOCK_MODE="true", **object_store.environment("other")) as other,
        ServerThread(tmp_path / "folder", FORCE_MOCK_MODE="true") as folder,
    ):
        assert "can't be asked" in ours.get("/health").json()["details"]["media"]["warning"]
        assert other.get("/health").json()["details"]["media"] == {"status": "up", "storage": "S3"}
        assert "media" not in folder.get("/health").json()["details"]


def test_a_connection_that_was_closed_while_idle_is_no_failure(
    object_store: ObjectStore, between: Between, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(PNG)
    storage = opened(object_store, object_store.bucket(), WAHA_S3_ENDPOINT=between.url).open_checked()
    with contextlib.closing(storage):
        for number in range(3):
            between.drop()
            storage.put(Published("s", f"{number}.png", "image/png", str(number)), source)
            assert storage.find("s", f"{number}.png") is not None


def test_a_large_file_passes_both_ways_through_a_little_memory(serve: Serve, object_store: ObjectStore) -> None:
    environment = object_store.environment(object_store.bucket())
    server = working(serve(key="k", WAHA_S3_PROXY_FILES="true", WAXBILL_MAX_MEDIA_MB="64", **environment))

    def peak_mb() -> float:
        return int(Path(f"/proc/{server.pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024

    def upload(content: bytes) -> str:
        """Sends a file as a form; answers the path of its media."""
        part = '--limit\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        body = part.format("session", "s") + part.format("chatId", CHAT)
        body += '--limit\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
        asked = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=60)
        headers = {"X-Api-Key": "k", "Content-Type": "multipart/form-data; boundary=limit"}
        with contextlib.closing(asked):
            asked.request("POST", "/api/sendFile", body.encode() + content + b"\r\n--limit--\r\n", headers)
            assert asked.getresponse().status == 201
        (message,) = server.get(f"/api/s/chats/{CHAT}/messages", query={"limit": 1}).json()
        return urlsplit(message["media"]["url"]).path

    server.get(upload(b"all that is imported for this"))
    before = peak_mb()
    content = bytes(range(256)) * 4 * 1024 * 40
    assert server.get(upload(content)).body == content
    assert peak_mb() - before < 20, "40 MB were held"
