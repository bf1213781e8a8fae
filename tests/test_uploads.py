"""Files as parts of a form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from waxbill.testing import ServerProcess

from .making import png

Serve = Callable[..., ServerProcess]


def form(*parts: tuple[str, bytes | str] | tuple[str, bytes, str, str]) -> dict[str, Any]:
    """The body and headers of a form; a part of four has a file name and a content type."""
    lines = b""
    for name, value, *file in parts:
        data = value if isinstance(value, bytes) else value.encode()
        head = f'Content-Disposition: form-data; name="{name}"'
        if file:
            head += f'; filename="{file[0]}"\r\nContent-Type: {file[1]}'
        lines += f"--b0\r\n{head}\r\n\r\n".encode() + data + b"\r\n"
    return {"body": lines + b"--b0--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b0"}}


@pytest.fixture
def server(serve: Serve) -> ServerProcess:
    server = serve(WAXBILL_MAX_BODY_MB="1", WAXBILL_MAX_MEDIA_MB="3", WHATSAPP_START_SESSION="s")
    server.wait_for_status("s", "WORKING")
    return server


def left(server: ServerProcess) -> list[str]:
    return [path.name for path in (server.folder / "store/incoming").glob("*")]


def test_an_uploaded_image_is_sent_and_can_be_fetched_again(server: ServerProcess) -> None:
    picture = png()
    sent = server.post(
        "/api/sendImage",
        **form(
            ("session", "s"),
            ("chatId", "49301234567@c.us"),
            ("caption", "look"),
            ("file", picture, "../../evil.sh", "text/x-shellscript"),
        ),
    )
    assert sent.status == 201, sent.text
    (message,) = server.get("/api/s/chats/49301234567@c.us/messages").json()
    assert message["body"] == "look"
    assert message["media"]["mimetype"] == "image/png", "the type is sniffed, not believed"
    assert server.get(message["media"]["url"].partition(str(server.port))[2]).body == picture
    assert left(server) == []


def test_a_document_keeps_its_name_and_an_upload_may_be_larger_than_a_json_body(server: ServerProcess) -> None:
    data = b"%PDF-1.4\n" + bytes(2 * 1024 * 1024)
    sent = server.post(
        "/api/sendFile",
        **form(("session", "s"), ("chatId", "49301234567"), ("file", data, "offer.pdf", "application/pdf")),
    )
    assert sent.status == 201, sent.text
    (message,) = server.get("/api/s/chats/49301234567@c.us/messages").json()
    assert message["media"]["filename"] == "offer.pdf"


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([("session", "s"), ("file", b"\x89PNG", "a.png", "image/png")], 400),  # no chatId
        ([("session", "s"), ("chatId", "49301234567"), ("file", b"", "a.png", "image/png")], 400),  # an empty file
        ([("session", "no"), ("chatId", "49301234567"), ("file", b"x", "a.png", "image/png")], 404),
        ([("session", "s"), ("chatId", "49301234567"), ("file", bytes(3 * 2**20 + 10), "a.png", "image/png")], 413),
        ([("session", "s"), ("session.name", "s"), ("chatId", "49301234567")], 400),
        ([("session", "s"), ("chatId", "49301234567"), ("file.data", "upload:0123456789abcdef01234567")], 400),
    ],
)
def test_a_form_that_is_refused_leaves_nothing_behind(server: ServerProcess, parts: Any, status: int) -> None:
    refused = server.post("/api/sendImage", **form(*parts))
    assert refused.status == status, refused.text
    assert left(server) == []
    assert server.get("/api/s/chats/49301234567@c.us/messages").json() == []


def test_a_form_that_is_cut_off_is_refused(server: ServerProcess) -> None:
    whole = form(("session", "s"), ("chatId", "49301234567"), ("file", png(), "a.png", "image/png"))
    refused = server.post("/api/sendImage", whole["body"][:-40], headers=whole["headers"])
    assert refused.status == 400, refused.text
    assert left(server) == []


def test_a_part_may_be_json(server: ServerProcess) -> None:
    members = json.dumps(["49301234568@c.us"])
    parts = b"--b0\r\nContent-Disposition: form-data; name=mentions\r\nContent-Type: application/json\r\n\r\n"
    parts += members.encode() + b"\r\n"
    rest = form(("session", "s"), ("chatId", "49301234567"), ("file", png(), "a.png", "image/png"))
    sent = server.post("/api/sendImage", parts + rest["body"], headers=rest["headers"])
    assert sent.status == 201, sent.text
    assert sent.json()["mentionedIds"] == ["49301234568@c.us"]
