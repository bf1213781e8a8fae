"""The parsers that we wrote ourselves, each as a function of bytes that raises for nothing but a fault of ours.

Hypothesis calls them in the test command, and atheris, which watches which lines a byte leads to::

    python -m tests.fuzz.parsers chunks -max_total_time=60
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import falcon
import falcon.testing
import msgspec
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer

from waxbill.admission import Admission
from waxbill.api.access import is_weak
from waxbill.api.files import serve
from waxbill.api.forms import read_form
from waxbill.api.reading import fault
from waxbill.clock import Clock
from waxbill.delivery.connection import Answer, BadAnswer, read_answer
from waxbill.intake import HEAD_BYTES, Chunks, Intake, Parser
from waxbill.limits import source
from waxbill.masking import mask_text
from waxbill.mcp import Endpoint
from waxbill.media.files import Files
from waxbill.media.storage import Published
from waxbill.media.types import ending, file_name, sniff
from waxbill.model import ids
from waxbill.model.errors import WahaError
from waxbill.model.messages import MessageFileRequest
from waxbill.model.sessions import SessionConfig, SessionCreateRequest
from waxbill.outbound import Refused, check_address, check_literal
from waxbill.sessions import check
from waxbill.settings import SettingError, Settings, read_env_file
from waxbill.streams.connection import Gone
from waxbill.streams.websocket import ProtocolError, WebSocket, handshake
from waxbill_redis.plugin import _parts


def _pieces(data: bytes) -> Iterator[bytes]:
    """The bytes in pieces whose lengths they say themselves."""
    at = 0
    while at < len(data):
        step = data[at] % 7 + 1
        yield data[at : at + step]
        at += step


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="waxbill-fuzz-"))
    atexit.register(shutil.rmtree, folder)
    return folder


@functools.cache
def _settings() -> Settings:
    return Settings({"WAHA_LOCAL_STORE_BASE_DIR": str(_folder()), "WAXBILL_MAX_MEDIA_MB": "1"})


# -- what comes in


def chunks(data: bytes) -> None:
    """A chunked body is read alike whole and in pieces, and never past its end."""
    whole, parts = Chunks(OverflowableBuffer(1 << 20)), Chunks(OverflowableBuffer(1 << 20))
    taken = whole.received(data)
    assert 0 <= taken <= len(data)
    seen = 0
    for piece in _pieces(data):
        if parts.completed or parts.error:
            break
        seen += parts.received(piece)
    assert (whole.completed, bool(whole.error)) == (parts.completed, bool(parts.error))
    if whole.completed:
        assert taken == seen
        assert data[:taken].endswith(b"\r\n")
        assert whole.getfile().read() == parts.getfile().read()


def answers(data: bytes) -> None:
    """A receiver's answer is read alike whole and in pieces: taken or refused, and no further than it goes."""
    found = []
    for given in ([data], _pieces(data)):
        steps = iter(given)
        try:
            answer = read_answer(lambda steps=steps: next(steps, b""))  # type: ignore[misc]
        except (BadAnswer, ConnectionResetError) as error:
            found.append((type(error), 0, b"", None))
        else:
            assert 200 <= answer.status <= 999 or answer.status == 101
            assert len(answer.text) <= len(data)
            found.append((Answer, answer.status, answer.text, answer.location))
    assert found[0] == found[1]


@functools.cache
def _adjustments() -> Any:
    found: Any = Adjustments(host="127.0.0.1", port=0, max_request_header_size=HEAD_BYTES, max_request_body_size=4096)
    found.for_uploads = found
    found.keep_alive = True

    def nobody(request: Any) -> None:
        assert isinstance(request.path, str)

    access = SimpleNamespace(caller=nobody)
    server: Any = SimpleNamespace(settings=_settings(), access=access, admission=Admission())
    found.intake = Intake(server, local_only=True)
    return found


def requests(data: bytes) -> None:
    """A request is read alike whole and in pieces: refused, taken or waited for, and nothing is raised."""
    whole, parts = Parser(_adjustments()), Parser(_adjustments())
    rest = data
    while rest and not whole.completed:
        rest = rest[whole.received(rest) :]
    for piece in _pieces(data):
        while piece and not parts.completed:
            piece = piece[parts.received(piece) :]
    assert (whole.completed, bool(whole.error)) == (parts.completed, bool(parts.error))
    if whole.completed and not whole.error and not whole.empty:
        assert (whole.path, whole.headers) == (parts.path, parts.headers)
        assert whole.version in ("1.0", "1.1")
        assert "TRANSFER_ENCODING" not in whole.headers
    whole.close()
    parts.close()


def websocket(data: bytes) -> None:
    """Frames of any kind are taken or end the connection; what is answered is bounded."""
    client = WebSocket()
    for piece in [*_pieces(data[:64]), data[64:]]:
        try:
            answer = client.received(piece)
        except Gone as gone:
            assert isinstance(gone.args[0], bytes)
            return
        assert len(answer) <= 200 * (len(piece) + 1)


def handshakes(data: bytes) -> None:
    """Headers of any kind are a handshake, or not one."""
    headers = [tuple(line.split(b":", 1)) for line in data.split(b"\n") if b":" in line]
    with contextlib.suppress(ProtocolError):
        handshake([(name.lower(), value) for name, value in headers], "/ws")


@functools.cache
def _files() -> Files:
    return Files(_settings().core, Clock())


def forms(data: bytes) -> None:
    """A form is read, or refused in words; nothing of it stays behind."""
    environ = falcon.testing.create_environ(
        method="POST", body=data, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    with contextlib.suppress(WahaError):
        read_form(falcon.Request(environ), MessageFileRequest, _files())
    _files().end_uploads()
    incoming = _folder() / "incoming"
    assert not incoming.exists() or not list(incoming.iterdir())


def ranges(data: bytes) -> None:
    """Whatever a range asks for, what is sent is a part of the file, as long as was said."""
    files = _files()
    if files.find("s", "file.bin") is None:
        (_folder() / "file.bin").write_bytes(bytes(range(256)))
        files.storage.put(Published("s", "file.bin", "application/octet-stream", "m"), _folder() / "file.bin")
    headers = {"Range": data.decode("latin-1").replace("\r", "").replace("\n", "")}
    request, response = falcon.Request(falcon.testing.create_environ(headers=headers)), falcon.Response()
    call: Any = SimpleNamespace(
        request=request, response=response, server=SimpleNamespace(files=files), session_name="s"
    )
    try:
        serve(call, "file.bin")
    except falcon.HTTPError as error:
        assert 400 <= falcon.util.http_status_to_code(error.status) < 500
        return
    if response.stream is None:
        return
    stream: Any = response.stream
    body = stream.read()
    stream.close()
    said = re.fullmatch(r"bytes (\d+)-(\d+)/256", response.get_header("Content-Range") or "bytes 0-255/256")
    assert said is not None
    first, last = int(said[1]), int(said[2])
    assert 0 <= first <= last < 256
    assert body == bytes(range(first, last + 1))
    assert response.get_header("Content-Length") == str(len(body))


def queries(data: bytes) -> None:
    """A query of any kind leaves the rules for hosts and sources as they are."""
    text = data.decode("latin-1")
    assert len(source(text)) <= max(64, len(text))
    assert _adjustments().intake._is_own(f"//{text}") in (True, False)
    assert is_weak(text) in (True, False)


# -- what is said


def bodies(data: bytes) -> None:
    """A body fits its type, or the fault is said in a sentence."""
    for kind in (SessionCreateRequest, MessageFileRequest, SessionConfig):
        try:
            read = msgspec.json.decode(data, type=kind)
        except msgspec.ValidationError as error:
            assert fault(error)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, WahaError):
            continue
        else:
            config = read if isinstance(read, SessionConfig) else getattr(read, "config", None)
            if config:
                with contextlib.suppress(WahaError):
                    check(config)


def identifiers(data: bytes) -> None:
    """An id is one of a chat, or refused in words."""
    text = data.decode("utf-8", "surrogateescape" if len(data) % 2 else "replace")
    for parse in (
        ids.chat_id, ids.group_id, ids.channel_id, ids.channel_or_invite, ids.person_id, ids.phone, ids.lid,
        ids.message_key,
    ):  # fmt: skip
        with contextlib.suppress(WahaError):
            found = parse(text)
            assert found
            assert found.isprintable()
            assert parse is ids.channel_or_invite or found.isascii()


def tools(data: bytes) -> None:
    """A message of the Model Context Protocol is answered in JSON, whatever it is."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [("Content-Type", "application/json")])
        return [b"[]"]

    answer = Endpoint(application, _document).answer(data, "key")
    assert answer is None or json.loads(answer)


@functools.cache
def _document() -> bytes:
    import gzip

    from waxbill.api.openapi import document
    from waxbill.app import AREAS
    from waxbill.model.payloads import PAYLOADS

    return gzip.compress(json.dumps(document(AREAS, PAYLOADS, "/")).encode())


# -- what is named


def addresses(data: bytes) -> None:
    """An address is allowed or refused; a loopback one is never allowed to strangers."""
    text = data.decode("latin-1")
    with contextlib.suppress(Refused, ValueError):
        check_address(text, allow_private=False)
        assert not text.startswith(("127.", "10.", "192.168.", "169.254.", "fe80:", "fc00:", "fd00:"))
    with contextlib.suppress(Refused, ValueError):
        check_literal(text, allow_private=False)


def names(data: bytes) -> None:
    """A file's name and type from outside become ones without any way out."""
    text = data.decode("utf-8", "replace")
    shown = file_name(text, "image/png")
    assert shown
    assert len(shown) <= 200
    assert shown not in (".", "..")
    assert not set("/\\") & set(shown)
    assert shown.isprintable()
    assert re.fullmatch(r"[A-Za-z0-9.+~_-]+", ending(text)), ending(text)
    path = _folder() / "sniffed"
    path.write_bytes(data)
    sniffed = sniff(path, text)
    assert sniffed.isascii()
    assert sniffed.isprintable()
    Message().add_header("Content-Type", sniffed)


def masks(data: bytes) -> None:
    """Masking raises for nothing, and what is masked stays so."""
    text = data.decode("utf-8", "replace")
    masked = mask_text(text)
    assert mask_text(masked) == masked


def settings(data: bytes) -> None:
    """Settings of any kind are read, or refused in a sentence."""
    text = data.decode("utf-8", "surrogateescape").replace("\0", "")
    names = [row.name for row in _settings().table()]
    with contextlib.suppress(SettingError):
        Settings({names[len(data) % len(names)]: text})
    path = _folder() / ".env"
    path.write_bytes(data)
    with contextlib.suppress(SettingError):
        read_env_file(path)


def streams_of_redis(data: bytes) -> None:
    """A URL of a Redis stream has a server and a stream, or is refused."""
    from urllib.parse import urlsplit

    with contextlib.suppress(ValueError):
        server, stream, _ = _parts(urlsplit("redis://host/" + data.decode("latin-1")))
        assert server
        assert stream


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (
        chunks, answers, requests, websocket, handshakes, forms, ranges, queries, bodies, identifiers, tools, addresses,
        names, masks, settings, streams_of_redis,
    )
}  # fmt: skip

#: Where each target begins: what is nearly right reaches further than noise.
SEEDS: dict[str, list[bytes]] = {
    "chunks": [b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n", b"0\r\n\r\nGET", b"a\r\n0123456789\r\n0\r\n\r\n"],
    "answers": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLocation: /x\r\n\r\nhi",
        b"HTTP/1.0 100 x\r\n\r\nHTTP/1.1 307 y\nTransfer-Encoding: chunked\n\n2;a\r\nhi\r\n0\r\nX: y\r\n\r\n",
    ],
    "requests": [
        b"GET /ping?a=b HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        b"GET http://[::1]/x HTTP/1.0\r\n\r\n",
    ],
    "websocket": [b"\x81\x85\0\0\0\0hello", b"\x89\x80\0\0\0\0", b"\x88\x82\0\0\0\0\x03\xe8", b"\x01\x81\0\0\0\0a"],
    "handshakes": [
        b"Host: x\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    ],
    "forms": [
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="a.b"\r\n\r\n{"a": 1}\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: application/json\r\n\r\n[[[1]]]\r\n--x--',
    ],
    "ranges": [b"bytes=0-9", b"bytes=-5", b"bytes=250-", b"bytes=1-2,3-4", b"items=1-2", b"bytes=300-"],
    "queries": [b"localhost:3000", b"[::1]:80", b"evil.example", b"sha512:00", b"2001:db8::1"],
    "bodies": [
        b'{"name": "s", "config": {"webhooks": [{"url": "http://x/", "events": ["*"], "customHeaders": '
        b'[{"name": "A", "value": "b"}], "retries": {"attempts": 1}}]}}',
        b'{"session": "s", "chatId": "49301234567@c.us", "file": {"data": "aGk=", "mimetype": "a/b"}}',
    ],
    "identifiers": [b"49301234567@c.us", b"120363000000000001@g.us", b"true_1@c.us_3EB0_2@lid", b"+49 (30) 1234567"],
    "tools": [
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "api-call", "arguments": '
        b'{"method": "GET", "path": "/api/sessions", "query": {"all": true}}}}',
        b'[{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}]',
        b'{"id": 1, "method": "tools/call", "params": {"name": "chats-list", "arguments": {"session": "s"}}}',
    ],
    "addresses": [b"127.0.0.1", b"::ffff:127.0.0.1", b"64:ff9b::7f00:1", b"0x7f.1", b"fe80::1%1", b"2002:7f00:1::"],
    "names": [b"../../x.png", b"image/svg+xml; charset=utf-8", b"a\\b.txt", b"\x89PNG\r\n\x1a\n", b"OggS"],
    "masks": [b"https://u:p@h/x?x-api-key=abc", b"Authorization: Basic abc", b"://:@"],
    "settings": [b"PORT=80", b"A='b c'\nexport B=\"${A}\"", b"1e5", b"true", b"a,b;c:d"],
    "streams_of_redis": [b"stream", b"2/stream?maxlen=5", b"//"],
}


def main(arguments: list[str]) -> None:
    """Fuzzes one target with atheris; what follows its name goes to libFuzzer."""
    import atheris

    name = arguments[1]
    target = TARGETS[name]
    corpus = _folder() / f"corpus-{name}"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[name]):
        (corpus / str(number)).write_bytes(seed)
    for module in [module for module in sys.modules if module.startswith("waxbill")]:
        for function in vars(sys.modules[module]).values():
            if isinstance(function, type(main)) and function.__module__ == module:
                atheris.instrument_func(function)
    atheris.Setup([arguments[0], *arguments[2:], str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
