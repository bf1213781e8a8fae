"""Media in a bucket: the contract on a real object store, what clients get, and what goes wrong."""

from __future__ import annotations

import datetime
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from waxbill.clock import Clock
from waxbill.media.storage import MediaStorage, StorageError
from waxbill.settings import SettingError, Settings
from waxbill.testing import Receiver, ServerProcess
from waxbill.testing.storage import MediaStorageContract
from waxbill_s3.plugin import S3Settings, _place, _storage
from waxbill_s3.signing import Keys, signed_headers, signed_link
from waxbill_s3.storage import S3Storage

from .object_store import KEY, SECRET, ObjectStore
from .test_media import PNG
from .test_media_storage import send

Serve = Callable[..., ServerProcess]
CHAT = "49301234567@c.us"


def storage_of(environment: dict[str, str]) -> S3Storage:
    settings = Settings(environment)
    settings.add(S3Settings)
    return _storage(settings, Clock())


def opened(object_store: ObjectStore, bucket: str, **environment: str) -> S3Storage:
    return storage_of({**object_store.environment(bucket), **environment})


class TestBucket(MediaStorageContract):
    @pytest.fixture
    def bucket(self, object_store: ObjectStore) -> str:
        return object_store.bucket()

    @pytest.fixture
    def storage(self, object_store: ObjectStore, bucket: str) -> Iterator[MediaStorage]:
        made = opened(object_store, bucket, WAXBILL_S3_FORGET="true").open_checked()
        yield made
        made.close()

    @pytest.fixture
    def another(self, object_store: ObjectStore, bucket: str) -> Iterator[MediaStorage]:
        made = opened(object_store, bucket)
        yield made
        made.close()

    def test_another_client_sees_what_waha_writes(
        self, storage: MediaStorage, object_store: ObjectStore, bucket: str, source: Path
    ) -> None:
        storage.put(self.file(), source)
        theirs = S3Store(
            bucket,
            region="us-east-1",
            endpoint=object_store.url,
            access_key_id=KEY,
            secret_access_key=SECRET,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        found = obstore.get(theirs, f"default/{self.file().name}")
        assert bytes(found.bytes()) == b"0123456789"
        assert dict(found.attributes) == {
            "Content-Type": "image/jpeg",
            "Content-Disposition": "inline",
            "waha-session": "default",
            "waha-message-id": self.file().message,
            "waha-chat-id": "49301234567@c.us",
            "waha-media-file-name": "Bild .jpg",
        }

    def test_without_being_told_it_forgets_nothing(
        self, storage: MediaStorage, another: MediaStorage, source: Path
    ) -> None:
        storage.put(self.file(), source)
        another.forget("default")
        assert another.find("default", self.file().name) is not None

    def test_what_others_keep_below_a_sessions_name_stays(self, storage: Any, source: Path) -> None:
        storage._client.ask("PUT", "default/of others/a b", body=b"x")
        storage.put(self.file(), source)
        storage.forget("default")
        assert storage._client.ask("GET", "default/of others/a b").text == "x"
        assert storage.find("default", self.file().name) is None


def test_signatures_are_those_of_amazons_examples() -> None:
    """The examples of "Authenticating Requests (AWS Signature Version 4)" in Amazon's S3 API reference."""
    keys = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
    moment = datetime.datetime(2013, 5, 24, tzinfo=datetime.UTC)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = {"Host": "examplebucket.s3.amazonaws.com", "X-Amz-Content-Sha256": empty}
    signed = signed_headers(keys, "GET", "/", {"max-keys": "2", "prefix": "J"}, headers, moment)
    assert signed["Authorization"].endswith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    link = signed_link(keys, "https://examplebucket.s3.amazonaws.com", "/test.txt", 86400, moment)
    assert link.endswith("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    assert "wJalr" not in repr(keys)


# -- what clients get


def working(server: ServerProcess) -> ServerProcess:
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    return server


def test_messages_carry_a_signed_link_and_the_place(
    serve: Serve, object_store: ObjectStore, receiver: Receiver
) -> None:
    bucket = object_store.bucket()
    environment = object_store.environment(bucket)
    server = working(serve(key="k", WHATSAPP_HOOK_URL=receiver.url, WHATSAPP_HOOK_EVENTS="message", **environment))
    file = {"data": "aGVsbG8=", "mimetype": "text/plain", "filename": "a.txt"}
    server.post("/api/waxbill/mock/s/messages", {"from": "49301234567", "file": file})
    media = receiver.wait_for(lambda event: event["event"] == "message")["payload"]["media"]
    assert media["s3"]["Bucket"] == bucket
    assert media["s3"]["Key"].startswith("s/")
    assert media["url"].startswith(f"{object_store.url}/{bucket}/s/")
    with urllib.request.urlopen(media["url"]) as answer:  # without any key
        assert (answer.read(), answer.headers["Content-Type"]) == (b"hello", "text/plain")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(media["url"][:-4] + "beef")
    # The server hands it on as well, which the dashboard uses, and keeps no copy.
    path = f"/api/files/{media['s3']['Key']}"
    assert server.get(path).body == b"hello"
    assert not (server.folder / "store/files").exists()
    assert server.get("/health").json()["details"]["media"] == {"status": "up", "storage": "S3"}


def test_media_comes_through_the_server_where_that_is_asked_for(serve: Serve, object_store: ObjectStore) -> None:
    bucket = object_store.bucket()
    server = working(serve(key="k", WAHA_S3_PROXY_FILES="true", **object_store.environment(bucket)))
    media: Any = send(server, PNG, "image/png")
    path = str(media["url"]).partition("/api/")[2]
    assert path == f"s3/{bucket}/{media['s3']['Key']}"
    whole = server.get(f"/api/{path}")
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, PNG, "image/png")
    part = server.get(f"/api/{path}", headers={"Range": "bytes=1-3"})
    assert (part.status, part.body) == (206, b"PNG")
    assert server.get(f"/api/{path}", headers={"X-Api-Key": "wrong"}).status == 401
    assert server.get(f"/api/s3/another/{media['s3']['Key']}").status == 404


def test_two_servers_share_a_bucket(serve: Serve, object_store: ObjectStore, tmp_path: Path) -> None:
    environment = object_store.environment(object_store.bucket())
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = working(serve(tmp_path / "first", key="k", **environment))
    second = working(serve(tmp_path / "second", key="k", **environment))
    media: Any = send(first, b"of the first", "text/plain")
    assert second.get(f"/api/files/{media['s3']['Key']}").body == b"of the first"


# -- what goes wrong


def test_a_store_that_is_away_costs_the_media_and_not_the_message(serve: Serve, object_store: ObjectStore) -> None:
    environment = {**object_store.environment("media"), "WAHA_S3_ENDPOINT": "http://127.0.0.1:1"}
    server = working(serve(key="k", **environment))
    assert "http://127.0.0.1:1 (WAHA_S3_ENDPOINT) can't be asked" in server.log
    media: Any = send(server, b"kept by nobody", "text/plain")
    assert media["url"] is None
    assert "http://127.0.0.1:1 (WAHA_S3_ENDPOINT) can't be asked" in media["error"]["details"]
    health = server.get("/health").json()
    assert (health["status"], "can't be asked" in health["details"]["media"]["warning"]) == ("degraded", True)
    assert server.get("/api/files/s/a.txt").status == 503


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"WAHA_S3_SECRET_ACCESS_KEY": "wrong"}, "Check WAHA_S3_SECRET_ACCESS_KEY"),
        ({"WAHA_S3_ACCESS_KEY_ID": "nobody"}, "Check WAHA_S3_ACCESS_KEY_ID"),
        ({"WAHA_S3_BUCKET": ""}, "WAHA_S3_BUCKET is not set"),
        ({"WAHA_S3_BUCKET": "a/b"}, "must be a bucket's name"),
        ({"WAHA_S3_ENDPOINT": "127.0.0.1:9000"}, "must be a scheme, a host and a port only"),
        ({"WAHA_S3_ENDPOINT": "http://a:secret@b:1"}, "must be a scheme, a host and a port only"),
        ({"WAHA_S3_REGION": "eu west"}, "must be a region's name"),
    ],
)
def test_settings_that_time_does_not_mend_stop_the_start(
    serve: Serve, object_store: ObjectStore, wrong: dict[str, str], said: str
) -> None:
    with pytest.raises(RuntimeError) as stopped:
        serve(**{**object_store.environment(object_store.bucket()), **wrong})
    assert said in str(stopped.value)
    assert SECRET not in str(stopped.value)


def test_the_place_of_a_bucket() -> None:
    def origin(**settings: Any) -> tuple[str, str]:
        place = _place(S3Settings(bucket="media", access_key_id="k", secret_access_key="s", **settings))  # type: ignore[arg-type]
        return place.origin, place.path("s/a@b.png")

    assert origin(region="eu-west-1") == ("https://media.s3.eu-west-1.amazonaws.com", "/s/a%40b.png")
    assert origin(force_path_style=True) == ("https://s3.us-east-1.amazonaws.com", "/media/s/a%40b.png")
    assert origin(endpoint="http://store:80/") == ("http://media.store", "/s/a%40b.png")
    assert origin(endpoint="https://store:9000", force_path_style=True) == ("https://store:9000", "/media/s/a%40b.png")
    with pytest.raises(SettingError):
        origin(endpoint="http://store:99999")


class Faulty:
    """A server on loopback that gives the answers it is told, and then those of ``always`` by method; it notes what it
    was asked."""

    def __init__(self) -> None:
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.always: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                faulty.asked.append(f"{self.command} {self.path}")
                (faulty.answers.pop(0) if faulty.answers else faulty.always[self.command])(self)

            do_PUT = do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Faulty:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    with Faulty() as server:
        yield server


@pytest.fixture
def asking(faulty: Faulty) -> Iterator[MediaStorage]:
    made = storage_of(
        {
            "WAHA_S3_ENDPOINT": faulty.url,
            "WAHA_S3_BUCKET": "media",
            "WAHA_S3_ACCESS_KEY_ID": KEY,
            "WAHA_S3_SECRET_ACCESS_KEY": SECRET,
            "WAHA_S3_FORCE_PATH_STYLE": "true",
            "WAXBILL_S3_TIMEOUT_SECONDS": "1",
        }
    )
    yield made
    made.close()


def answer(status: int, body: bytes = b"", length: int | None = None, **headers: str) -> Callable[[Any], None]:
    """An answer; with a ``length`` that is more than the body has, it breaks off."""

    def give(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        if length is not None and length > len(body):
            handler.close_connection = True

    return give


def test_redirects_are_not_followed(faulty: Faulty, asking: MediaStorage) -> None:
    faulty.answers = [answer(307, Location=f"{faulty.url}/elsewhere")]
    with pytest.raises(StorageError, match="redirects, which is not followed"):
        asking.open("s", "a", 0, 4)
    assert faulty.asked == ["GET /media/s/a"]


def test_a_download_that_breaks_off_is_an_error(faulty: Faulty, asking: MediaStorage) -> None:
    faulty.answers = [answer(206, b"half", 8)]
    file = asking.open("s", "a", 0, 8)
    with pytest.raises(StorageError) as broken:
        while file.read(64):
            pass
    file.close()
    assert broken.value.again


def test_a_server_that_ignores_the_range_is_not_believed(faulty: Faulty, asking: MediaStorage) -> None:
    faulty.answers = [answer(200, b"the whole of it")]
    with pytest.raises(StorageError, match="answered 200 with 15 bytes instead of the 4"):
        asking.open("s", "a", 3, 4)


def test_a_server_that_says_nothing_is_given_up(faulty: Faulty, asking: MediaStorage) -> None:
    over = threading.Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        over.wait(30)
        handler.close_connection = True

    faulty.answers = [wait]
    with pytest.raises(StorageError, match="it took too long") as slow:
        asking.find("s", "a")
    over.set()
    assert slow.value.again


def test_a_full_store_is_tried_again_and_then_said(serve: Serve, faulty: Faulty, object_store: ObjectStore) -> None:
    listed = answer(200, b"<ListBucketResult/>")
    full = answer(507, b"<Error><Code>InsufficientStorage</Code><Message>no room</Message></Error>")
    faulty.always = {"GET": listed, "HEAD": answer(404), "PUT": full}
    environment = {**object_store.environment("media"), "WAHA_S3_ENDPOINT": faulty.url}
    server = working(serve(key="k", **environment))
    file = {"data": "aGVsbG8=", "mimetype": "text/plain"}
    assert server.post("/api/sendFile", {"session": "s", "chatId": CHAT, "file": file}).status == 201
    assert len([asked for asked in faulty.asked if asked.startswith("PUT")]) == 5
    media: Any = send(server, b"x", "text/plain")
    assert media["url"] is None
    assert "answered 507 InsufficientStorage: no room" in media["error"]["details"]


def test_a_store_that_recovers_gets_the_file(faulty: Faulty, asking: MediaStorage, tmp_path: Path) -> None:
    from waxbill.media.files import Files

    (tmp_path / "a").write_bytes(b"x")
    faulty.answers = [answer(404), answer(503), answer(404), answer(200)]
    core = Settings({"WAHA_LOCAL_STORE_BASE_DIR": str(tmp_path)}).core
    media = Files(core, Clock(), asking).publish("s", "m", tmp_path / "a", "text/plain", None)
    assert media.error is None or not media.error
    assert str(media.url).startswith(f"{faulty.url}/media/s/m.txt?")
    assert [asked.partition(" ")[0] for asked in faulty.asked] == ["HEAD", "PUT", "HEAD", "PUT"]
