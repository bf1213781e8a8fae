"""What comes in: the rules and limits for a request before anything acts on it. Only the server imports it.

Waitress parses; this refuses what two servers could read differently (request smuggling, RFC 9112 section 11.2), what
has no bound in waitress, a large body of somebody unknown, and requests of other sites' pages where there is no key.
Everything here runs in the server's loop.
"""

from __future__ import annotations

import re
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest as Malformed

from .admission import LARGE_BYTES
from .model.errors import Forbidden, Unauthorized, Unavailable, WahaError

if TYPE_CHECKING:
    from .app import Server
    from .pace import Turn

#: The longest head of a request; Node's default is 16 KB.
HEAD_BYTES = 32 * 1024
# The longest line that announces a chunk, with its extensions, and the longest trailer.
_CHUNK_LINE_BYTES = 1024
_TRAILER_BYTES = 8 * 1024
# A body up to this size is read before anybody asks whose it is: it stays in memory.
_FREE_BODY_BYTES = 64 * 1024
# A body that comes more slowly than this is given up, after the time that a head may take.
_SLOWEST_BYTES_PER_SECOND = 1024

_ONE_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?:\r\n|$)", re.IGNORECASE)
# Size and extensions; what an extension may contain is nobody's business but that of who wrote it.
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_LOOPBACK = re.compile(r"localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\]|::1", re.IGNORECASE)


class RequestTimeout(WahaError):
    """The request did not come in whole, in time."""

    status = 408
    title = "Request Timeout"


class OtherSite(Forbidden):
    """A page of another site asks a server that has no key."""

    def __init__(self, what: str) -> None:
        WahaError.__init__(
            self,
            f"This server has no key, so only this machine's own pages and programs may call it, and {what} is not. "
            "Set WAHA_API_KEY; behind a proxy, WAHA_BASE_URL; in a closed network, WAHA_NO_API_KEY=true.",
        )


class Intake:
    """The rules of one server. ``local_only`` is for a server without a key that listens on loopback because of that:
    any page that its user visits could call it otherwise."""

    def __init__(self, server: Server, *, local_only: bool) -> None:
        core = server.settings.core
        self._server = server
        self._local_only = local_only
        #: How long a head may take.
        self.seconds = core.request_seconds
        self._most_body_bytes = core.max_incoming_mb * 1024 * 1024
        self._own_hosts = {str(urlsplit(core.public_url).hostname).lower()}
        self._good_hosts: set[tuple[str | None, ...]] = set()
        self._lock = threading.Lock()
        self._announced_bytes = 0

    def fault(self, parser: Parser) -> WahaError | None:
        """Why a request whose head is there goes no further; None when it does."""
        if self._local_only and (fault := self._foreign(parser)):
            return fault
        if parser.chunked or parser.content_length > _FREE_BODY_BYTES:
            return self._body_fault(parser)
        return None

    def _foreign(self, parser: Parser) -> WahaError | None:
        headers = parser.headers
        seen = (
            headers.get("HOST"),
            headers.get("ORIGIN"),
            headers.get("SEC_FETCH_SITE"),
            headers.get("SEC_FETCH_MODE"),
        )
        if seen in self._good_hosts:
            return None
        host, origin, site, mode = seen
        if host and not self._is_own(f"//{host}"):
            return OtherSite(f"the host {host[:80]!r}")  # a name that somebody points here (DNS rebinding)
        if origin and not self._is_own(origin):
            return OtherSite(f"a page of {origin[:80]!r}")
        if site == "cross-site" and not (mode == "navigate" and not parser.path.startswith("/api")):
            return OtherSite("a page of another site")
        if len(self._good_hosts) < 100:
            self._good_hosts.add(seen)
        return None

    def _is_own(self, url: str) -> bool:
        try:
            name = (urlsplit(url).hostname or "").lower()
        except ValueError:
            return False
        return name in self._own_hosts or _LOOPBACK.fullmatch(name) is not None

    def _body_fault(self, parser: Parser) -> WahaError | None:
        """A large body is only read from somebody who may send one, and while not too much else is under way."""
        access = self._server.access
        request = SimpleNamespace(
            env={f"HTTP_{name}": value for name, value in parser.headers.items()},
            params={name: values[-1] for name, values in parse_qs(parser.query).items()},
            path=parser.path.rstrip("/"),
            method=parser.command,
        )
        try:
            access.caller(request)  # type: ignore[arg-type]  # it reads these four members
        except Unauthorized as error:
            if not parser.chunked:
                return error
            parser.body_rcv.bound(_FREE_BODY_BYTES, error)
            return None
        size = parser.adj.max_request_body_size if parser.chunked else parser.content_length
        if self._server.admission.reason and not parser.chunked and size >= LARGE_BYTES:
            return self._server.admission.refusal(f"A body of {size / 1024 / 1024:.0f} MB")
        if size <= parser.adj.max_request_body_size:
            if self._announced_bytes and self._announced_bytes + size > self._most_body_bytes:
                return Unavailable("Too many large requests are under way; try again in a moment.", 5)
            parser.announced_bytes = size
            self.announce(size)
        return None

    def announce(self, size: int) -> None:
        """Counts a large body until it is done with (then with a minus); any thread may call it."""
        with self._lock:
            self._announced_bytes += size


class Parser(HTTPRequestParser):
    """One request on its way in. The body of an upload is measured against the limit for media."""

    #: What the intake counts of its body.
    announced_bytes = 0
    #: Its place in the line of a session's sends, kept until it is run again.
    turn: Turn | None = None

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.begun = time.time()

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError:  # a target that is no URL, a length of thousands of digits
            raise ParsingError("The request line or Content-Length can't be read") from None
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("The version must be HTTP/1.1 or HTTP/1.0")
        headers = self.headers
        if self.version == "1.1":
            if "HOST" not in headers or "," in headers["HOST"]:
                raise ParsingError("A request has exactly one Host")
        elif "TRANSFER_ENCODING" in headers:
            raise ParsingError("HTTP/1.0 has no Transfer-Encoding")
        if b"\r\n " in header_plus or b"\r\n\t" in header_plus:
            raise ParsingError("A header stands on one line")
        if self.chunked:
            self._check_chunked(header_plus)
        if not self.adj.keep_alive and "upgrade" not in headers.get("CONNECTION", "").lower():
            headers["CONNECTION"] = "close"
        if headers.get("CONTENT_TYPE", "").lower().startswith("multipart/form-data"):
            self.adj = self.adj.for_uploads
        fault = self.adj.intake.fault(self)
        if fault is not None:
            self.refuse(fault)

    def _check_chunked(self, header_plus: bytes) -> None:
        if "CONTENT_LENGTH" in self.headers:
            # A proxy that reads the other of the two would see another request in the body.
            raise ParsingError("A request has Content-Length or Transfer-Encoding, not both")
        if len(_ONE_CHUNKED.findall(header_plus)) != 1 or header_plus.lower().count(b"\r\ntransfer-encoding:") != 1:
            raise ParsingError("Transfer-Encoding is chunked, once")
        self.body_rcv: Any = Chunks(self.body_rcv.getbuf())

    def refuse(self, fault: WahaError) -> None:
        """Answers with an error instead of reading on; the connection ends with it."""
        self.error = fault
        self.body_rcv, self.content_length, self.chunked = None, 0, False
        self.expect_continue = False
        self.completed = True

    def overdue(self, now: float) -> bool:
        """Whether it comes in too slowly."""
        return now - self.begun > self.adj.intake.seconds + self.body_bytes_received / _SLOWEST_BYTES_PER_SECOND

    def forget(self) -> None:
        """It is answered, or its connection is gone."""
        size, self.announced_bytes = self.announced_bytes, 0
        if size:
            self.adj.intake.announce(-size)

    def close(self) -> None:
        self.forget()
        super().close()


class Chunks:
    """A chunked body, strictly as RFC 9112 section 7.1 has it, into a buffer; waitress asks for it as a receiver."""

    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer
        self._left = 0  # of the chunk that is being read
        self._line = b""
        self._reads = self._size
        self._trailer_bytes = 0
        self._bound: tuple[int, WahaError] | None = None
        self.completed = False
        self.error: Malformed | WahaError | None = None

    def bound(self, most_bytes: int, fault: WahaError) -> None:
        """Ends the body with a fault where it gets longer."""
        self._bound = most_bytes, fault

    def received(self, data: bytes) -> int:
        """Reads on; returns how many of the bytes belong to this body."""
        at = 0
        while at < len(data) and not (self.completed or self.error):
            if self._left:
                piece = data[at : at + self._left]
                self._buffer.append(piece)
                self._left -= len(piece)
                at += len(piece)
                continue
            end = data.find(b"\n", at) + 1 or len(data)
            self._line += data[at:end]
            at = end
            if len(self._line) > _CHUNK_LINE_BYTES:
                self.error = Malformed("The line before a chunk is too long")
            elif self._line.endswith(b"\n"):
                line, self._line = self._line, b""
                self._reads(line)
        return at

    def _size(self, line: bytes) -> None:
        found = _CHUNK_LINE.fullmatch(line)
        if found is None:
            self.error = Malformed("The size of a chunk can't be read")
            return
        self._left = int(found[1], 16)
        if self._bound and len(self) + self._left > self._bound[0]:
            self.error = self._bound[1]
        self._reads = self._after_chunk if self._left else self._trailer

    def _after_chunk(self, line: bytes) -> None:
        if line != b"\r\n":
            self.error = Malformed("A chunk is longer than was said")
        self._reads = self._size

    def _trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        if line == b"\r\n":
            self.completed = True
        elif not line.endswith(b"\r\n") or self._trailer_bytes > _TRAILER_BYTES:
            self.error = Malformed("The trailer of the body can't be read")

    def __len__(self) -> int:
        return int(self._buffer.__len__())

    def getfile(self) -> Any:
        return self._buffer.getfile()

    def getbuf(self) -> Any:
        return self._buffer
