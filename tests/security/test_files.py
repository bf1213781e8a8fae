"""Files: names from outside lead nowhere, what is served runs in no browser, and there is room for the next one."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waxbill.media import convert
from waxbill.media.types import sniff
from waxbill.model.errors import Unprocessable
from waxbill.testing import ServerProcess

from ..conftest import missing
from ..making import png
from .raw import head, said, statuses

Serve = Callable[..., ServerProcess]
CHAT = "49301234567@c.us"
SECRET = b"root:x:0:0:this is a file of the machine"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "secret.txt").write_bytes(SECRET)
    environment = {"WHATSAPP_START_SESSION": "s,t", "WAXBILL_MOCK_SCAN_SECONDS": "0", "FORCE_MOCK_MODE": "true"}
    with ServerProcess(folder, key="secret", **environment) as found:
        for name in ("s", "t"):
            found.wait_for_status(name, "WORKING")
        send(found, b"text", "text/plain", "x.txt")  # so that there is a folder to lead out of
        yield found


def send(server: ServerProcess, data: bytes, mimetype: str, filename: str | None = None) -> dict[str, Any]:
    """Sends a document; answers its media."""
    file = {"mimetype": mimetype, "data": encoded(data), "filename": filename}
    assert server.post("/api/sendFile", {"session": "s", "chatId": CHAT, "file": file}).status == 201
    media: dict[str, Any] = server.get(f"/api/s/chats/{CHAT}/messages", query={"limit": 1}).json()[0]["media"]
    return media


def path_of(server: ServerProcess, media: dict[str, Any]) -> str:
    return str(media["url"].partition(str(server.port))[2])


TRAVERSALS = [
    "waxbill.sqlite3",
    "../../secret.txt", "../waxbill.sqlite3", "..%2f..%2fsecret.txt", "%2e%2e/%2e%2e/secret.txt", "..\\secret.txt",
    "%2e%2e%5csecret.txt", "..%252fsecret.txt", "....//secret.txt", "%2e%2e%2f%2e%2e%2fsecret.txt", ".", "..", "%2e",
    "/etc/passwd", "%2fetc%2fpasswd", "//etc/passwd", "secret.txt%00.png", "%00", "~root", "..%c0%af..%c0%afsecret.txt",
    "..%ef%bc%8fsecret.txt", "a" * 300, "a" * 5000, "%0d%0aX-Evil:%201", ".hidden", "s/../../../secret.txt", "C:secret",
]  # fmt: skip


@pytest.mark.parametrize("name", TRAVERSALS)
@pytest.mark.parametrize("folder", ["s", "..", "%2e%2e", "."])
def test_no_name_leads_out_of_the_folder(server: ServerProcess, folder: str, name: str) -> None:
    answer = said(server, head("GET", f"/api/files/{folder}/{name}", "X-Api-Key: secret", "Connection: close"))
    (status,) = statuses(answer)
    assert status in (400, 404), answer
    assert SECRET not in answer
    assert b"SQLite" not in answer
    assert b"X-Evil" not in answer.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    "name", ["../../x.txt", "..\\..\\x.txt", "/etc/x.txt", "a/b\0c.txt", "x\r\nX-Evil: 1.txt", "."]
)
def test_a_documents_name_is_shown_and_never_used(server: ServerProcess, name: str) -> None:
    media = send(server, b"text", "text/plain", name)
    assert not set("/\\\0\r\n") & set(media["filename"])
    assert media["url"].startswith(f"http://localhost:{server.port}/api/files/s/true_{CHAT}_")
    answer = server.get(path_of(server, media))
    assert answer.body == b"text"
    assert "x-evil" not in answer.headers
    outside = [path for path in server.folder.rglob("x*.txt") if "pytest" not in path.name]
    assert outside == []


ACTIVE = {
    "text/html": b"<!doctype html><script>alert(1)</script>",
    "image/svg+xml": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "application/xhtml+xml": b"<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>",
    "text/xml": b"<?xml version='1.0'?><?xml-stylesheet href='x.xsl'?><x/>",
    "application/javascript": b"alert(1)",
    "application/pdf": b"%PDF-1.4 (javascript)",
    "application/x-shockwave-flash": b"FWS\x09",
    "text/vtt\r\nX-Evil: 1": b"WEBVTT",
}


@pytest.mark.parametrize("mimetype", ACTIVE)
def test_what_a_browser_would_run_is_only_ever_downloaded(server: ServerProcess, mimetype: str) -> None:
    answer = server.get(path_of(server, send(server, ACTIVE[mimetype], mimetype, "x")))
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "x-evil" not in answer.headers


def test_a_claimed_type_is_one_line_of_ascii_or_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"nothing that is known")
    for claimed in (
        "text/vtt\r\nX-Evil: 1",
        "text/vtt\0",
        "text/\u2028x",
        "text/x\n",
        "text/\x7f",
        "text",
        "a/" + "b" * 500,
    ):
        assert sniff(path, claimed) in ("text/plain", "text/x")
    assert sniff(path, "text/vtt; charset=utf-8") == "text/vtt; charset=utf-8"


def test_html_that_calls_itself_a_picture_is_none(server: ServerProcess) -> None:
    answer = server.get(path_of(server, send(server, ACTIVE["text/html"], "image/png", "x.png")))
    assert answer.headers["x-content-type-options"] == "nosniff", "so it is shown as a broken picture"
    assert answer.headers["content-type"] in ("image/png", "text/html", "text/plain")
    if answer.headers["content-type"] != "image/png":
        assert answer.headers["content-disposition"] == "attachment"


def test_a_text_answer_is_no_page(server: ServerProcess) -> None:
    """WAHA answers strings as text/html; what is in them may come from anybody."""
    made = server.post("/api/s/groups", {"name": "<script>alert(1)</script>", "participants": []}).json()
    answer = server.get(f"/api/s/groups/{made.get('id', made.get('gid', {}).get('_serialized'))}/invite-code")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_everything_says_nosniff(server: ServerProcess) -> None:
    for path in ("/ping", "/api/sessions", "/api/nothing", "/", "/-json", "/health"):
        for method in ("GET", "PATCH", "OPTIONS"):
            assert server.request(method, path).headers["x-content-type-options"] == "nosniff", (method, path)


def test_a_key_of_one_session_gets_no_file_of_another(server: ServerProcess) -> None:
    path = path_of(server, send(server, b"text", "text/plain", "x.txt"))
    keys = {
        name: {"X-Api-Key": server.post("/api/keys", {"isAdmin": False, "session": name, "actions": {}}).json()["key"]}
        for name in ("s", "t")
    }
    assert server.get(path, headers=keys["s"]).status == 200
    assert server.get(path, headers=keys["t"]).status == 403
    assert server.get(path.replace("/s/", "/t/"), headers=keys["t"]).status == 404
    assert server.get(path, headers={"X-Api-Key": ""}).status == 401


# -- room


def test_no_media_is_taken_where_the_disk_is_nearly_full(serve: Serve) -> None:
    server = serve(WHATSAPP_START_SESSION="s", WAXBILL_KEEP_FREE_MB="1000000000")
    server.wait_for_status("s", "WORKING")
    file = {"mimetype": "image/png", "data": encoded(png())}
    answer = server.post("/api/sendImage", {"session": "s", "chatId": CHAT, "file": file})
    assert answer.status == 507
    assert "WAXBILL_KEEP_FREE_MB" in answer.json()["message"]
    assert server.post("/api/sendText", {"session": "s", "chatId": CHAT, "text": "x"}).status == 201


def test_a_session_has_as_much_room_as_it_may_have(serve: Serve) -> None:
    server = serve(WHATSAPP_START_SESSION="s,t", WAXBILL_SESSION_QUOTA_MB="1")
    for name in ("s", "t"):
        server.wait_for_status(name, "WORKING")

    def send_file(session: str) -> int:
        file = {"mimetype": "application/pdf", "filename": "x.pdf", "data": encoded(b"%PDF-1.4" + bytes(400_000))}
        return server.post("/api/sendFile", {"session": session, "chatId": CHAT, "file": file}).status

    assert [send_file("s") for _ in range(4)] == [201, 201, 201, 507]
    assert send_file("t") == 201


# -- conversion


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    found = shutil.which("ffmpeg")
    if found is None:
        missing("ffmpeg is not installed")
    return str(found)


def playlists(secret: Path) -> dict[str, bytes]:
    return {
        "concat": f"ffconcat version 1.0\nfile '{secret.name}'\n".encode(),
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{secret}\n#EXT-X-ENDLIST\n".encode(),
        "hls over http": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        "dash": f"<?xml version='1.0'?><MPD><Period><BaseURL>file:{secret}</BaseURL></Period></MPD>".encode(),
        "sdp": b"v=0\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
        "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\nx\n",
    }


@pytest.mark.parametrize("kind", playlists(Path("x")))
def test_a_playlist_makes_the_converter_open_nothing_else(tmp_path: Path, ffmpeg: str, kind: str) -> None:
    sound = tmp_path / "secret.ts"  # good media, so that only the guard keeps it from being read
    subprocess.run(
        [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "mp2", "-f", "mpegts", sound],
        check=True,
    )
    source = tmp_path / "media"
    source.write_bytes(playlists(sound)[kind])
    with pytest.raises(Unprocessable):
        convert.voice(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_picture_of_too_many_pixels_is_not_unpacked(tmp_path: Path, ffmpeg: str) -> None:
    source = tmp_path / "media.avi"  # a few KB that would be 36 million pixels
    subprocess.run(
        [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "color=size=6000x6000:duration=0.04", "-c:v", "png", source],
        check=True,
    )
    assert source.stat().st_size < 1_000_000
    with pytest.raises(Unprocessable):
        convert.video(source, tmp_path / "out")


def test_ordinary_media_is_converted(tmp_path: Path, ffmpeg: str) -> None:
    for name, options in {
        "a.mp4": ["-f", "lavfi", "-i", "testsrc=size=64x64:duration=0.2", "-c:v", "libx264"],
        "a.webm": ["-f", "lavfi", "-i", "testsrc=size=64x64:duration=0.2", "-c:v", "libvpx"],
        "a.mp3": ["-f", "lavfi", "-i", "sine=duration=0.2"],
        "a.wav": ["-f", "lavfi", "-i", "sine=duration=0.2"],
        "a.ogg": ["-f", "lavfi", "-i", "sine=duration=0.2", "-c:a", "libopus"],
        "a.gif": ["-f", "lavfi", "-i", "testsrc=size=64x64:duration=0.2"],
    }.items():
        source, target = tmp_path / name, tmp_path / f"{name}.out"
        subprocess.run([ffmpeg, "-v", "error", *options, source], check=True)
        (convert.voice if name[2:] in ("mp3", "wav", "ogg") else convert.video)(source, target)
        assert target.stat().st_size > 0, name
