"""Media: the guarded fetch, what is taken in, and how files are served."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from waxbill.clock import Clock
from waxbill.media.fetch import Limits, Refused, check_address, fetch
from waxbill.media.files import Files
from waxbill.model.errors import BadRequest, Unprocessable
from waxbill.settings import Settings
from waxbill.testing import ServerProcess

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/png":
            self._answer(200, PNG, "image/png")
        elif self.path == "/lie":
            self._answer(200, PNG, "text/html")
        elif self.path == "/redirect":
            self._answer(302, b"", "text/plain", Location="/png")
        elif self.path == "/circle":
            self._answer(302, b"", "text/plain", Location="/circle")
        elif self.path == "/metadata":
            self._answer(302, b"", "text/plain", Location="http://169.254.169.254/latest")
        elif self.path == "/file":
            self._answer(302, b"", "text/plain", Location="file:///etc/passwd")
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                return
        elif self.path == "/silent":
            self.server.released.wait(10)  # type: ignore[attr-defined]
        else:
            self._answer(404, b"no", "text/plain")

    def _answer(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.daemon_threads = True
    server.released = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.released.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


LIMITS = Limits(most_bytes=1024 * 1024, seconds=5)


def test_a_file_is_fetched_also_over_a_redirect(site: str) -> None:
    for path in ("/png", "/redirect"):
        into = io.BytesIO()
        fetched = fetch(site + path, into, LIMITS)
        assert into.getvalue() == PNG
        assert (fetched.size, fetched.content_type, fetched.url) == (len(PNG), "image/png", f"{site}/png")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/missing", "answered 404"),
        ("/circle", "more than 5 redirects"),
        ("/metadata", "metadata service"),
        ("/file", "only http and https"),
        ("/endless", "larger than 1 MB"),
    ],
)
def test_what_must_not_be_fetched_is_refused_with_the_reason(site: str, path: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        fetch(site + path, io.BytesIO(), LIMITS)


def test_a_server_that_says_nothing_is_given_up(site: str) -> None:
    with pytest.raises(Refused, match=r"timed out|took too long"):
        fetch(site + "/silent", io.BytesIO(), Limits(most_bytes=1000, seconds=0.2))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "0.0.0.0",
        "224.0.0.1",
        "64:ff9b::a9fe:a9fe",
    ],
)
def test_addresses_that_are_never_asked(address: str) -> None:
    with pytest.raises(Refused):
        check_address(address, allow_private=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fc00::1", "::ffff:10.0.0.1"])
def test_private_addresses_by_setting(address: str) -> None:
    check_address(address, allow_private=True)
    with pytest.raises(Refused, match="is private"):
        check_address(address, allow_private=False)


def test_public_addresses_are_fine() -> None:
    for address in ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"):
        check_address(address, allow_private=False)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    settings = Settings({"WAHA_LOCAL_STORE_BASE_DIR": str(tmp_path / "store"), "WAXBILL_MAX_MEDIA_MB": "1"})
    return Files(settings.core, Clock())


def test_the_type_is_sniffed_and_not_believed(files: Files, site: str) -> None:
    assert files.take(url=f"{site}/lie").mimetype == "image/png"
    taken = files.take(data=base64.b64encode(PNG).decode(), mimetype="application/pdf", filename="../../x.pdf")
    assert (taken.mimetype, taken.size, taken.filename) == ("image/png", len(PNG), "x.pdf")
    assert taken.path.read_bytes() == PNG


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ({}, BadRequest, "exactly one of url and data"),
        ({"url": "http://x", "data": "eA=="}, BadRequest, "exactly one of url and data"),
        ({"data": "not base64!"}, BadRequest, "not base64"),
        ({"data": ""}, BadRequest, "empty"),
        ({"data": base64.b64encode(b"x" * 1_100_000).decode()}, BadRequest, "larger than 1 MB"),
        ({"url": "file:///etc/passwd"}, Unprocessable, "only http and https"),
    ],
)
def test_what_is_no_file_is_refused_and_leaves_nothing(files: Files, source: Any, kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        files.take(**source)
    assert not list((files.storage.path.parent / "incoming").glob("*"))


def test_files_are_served_with_ranges_and_nothing_that_a_browser_runs(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="k", WHATSAPP_FILES_LIFETIME="0")
    folder = server.folder / "store/files/s"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(PNG)
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (server.folder / "store/secret").write_text("secret")
    whole = server.get("/api/files/s/a.png")
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, PNG, "image/png")
    part = server.get("/api/files/s/a.png", headers={"Range": "bytes=1-3"})
    assert (part.status, part.body) == (206, PNG[1:4])
    assert part.headers["content-range"] == f"bytes 1-3/{len(PNG)}"
    assert server.get("/api/files/s/a.png", headers={"Range": f"bytes={len(PNG)}-"}).status == 416
    assert server.get("/api/files/s/a.png", headers={"If-None-Match": whole.headers["etag"]}).status == 304
    page = server.get("/api/files/s/page.html")
    assert page.headers["content-disposition"] == "attachment"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert server.get("/api/files/s/a.png", headers={"X-Api-Key": ""}).status == 401
    for path in ("s/missing.png", "s/..%2f..%2fsecret", "..%2fsecret/x", "s/.hidden", "../secret"):
        assert server.get(f"/api/files/{path}").status == 404, path
