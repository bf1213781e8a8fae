"""The few requests that media needs of S3, over connections of ``waxbill.outbound``.

Nothing is held whole: files go out of their file and come in pieces. Redirects are never followed. What goes wrong is a
StorageError that says what to do. Costs http.client and TLS (9 MB).
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NoReturn
from urllib.parse import urlsplit

import msgspec

from waxbill import __version__
from waxbill.clock import Clock
from waxbill.media.storage import StorageError
from waxbill.outbound import Deadline, Refused, connect

from .signing import Keys, path_of, query_of, signed_headers

_BLOCK_BYTES = 64 * 1024
# What is read of an answer that is no object: an error, or a page of a list.
_ANSWER_BYTES = 2 * 1024 * 1024
# A transfer that is slower than this is given up.
_BYTES_PER_SECOND = 16 * 1024
_IDLE_CONNECTIONS = 4


class S3Error(StorageError):
    """What the server answered instead: its status and its code (``NoSuchKey``, ``AccessDenied``...)."""

    def __init__(self, text: str, status: int, code: str) -> None:
        super().__init__(text, again=status in (408, 429) or status >= 500 or code in ("SlowDown", "RequestTimeout"))
        self.status, self.code = status, code


class Place(msgspec.Struct, frozen=True):
    """A bucket: its name, the scheme and the host of its address, and what stands before a key in a path."""

    bucket: str
    scheme: str
    netloc: str
    prefix: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    def path(self, key: str) -> str:
        return path_of(f"{self.prefix}/{key}")


class Answer(msgspec.Struct, frozen=True):
    """An answer that was read to its end."""

    headers: http.client.HTTPMessage
    text: str


class Client:
    """Asks one bucket. Any thread may use it; connections are kept for the next request."""

    def __init__(self, place: Place, keys: Keys, seconds: float, clock: Clock) -> None:
        """``seconds``: how long the server may take to connect, and may say nothing."""
        self.place = place
        self._keys = keys
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def ask(
        self,
        method: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Path | bytes = b"",
    ) -> Answer:
        """Sends a request, with what is in a file or in memory, and reads the answer. Raises StorageError."""
        with contextlib.closing(self._begin(method, key, query or {}, headers or {}, body)) as incoming:
            content = incoming.rest()
            if incoming.answer.status >= 300:
                self._raise(incoming.answer, content)
            return Answer(incoming.answer.headers, content)

    def fetch(self, key: str, first: int, length: int) -> Incoming:
        """The bytes of an object from ``first`` on, to be read in pieces and closed. Raises StorageError."""
        wanted = {"Range": f"bytes={first}-{first + length - 1}"}
        incoming = self._begin("GET", key, {}, wanted, b"")
        try:
            answer = incoming.answer
            if answer.status >= 300:
                self._raise(answer, incoming.rest())
            if answer.status != 206 or answer.length != length:
                raise StorageError(
                    f"{self.place.netloc} answered {answer.status} with {answer.length} bytes instead of the {length} "
                    "that were asked for."
                )
        except BaseException:
            incoming.close()
            raise
        return incoming

    # -- one exchange

    def _begin(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: Path | bytes
    ) -> Incoming:
        """Sends a request and waits for the head of its answer."""
        place = self.place
        with _opened(body) as (source, length, digest):
            path = place.path(key)
            signed = signed_headers(
                self._keys,
                method,
                path,
                query,
                {**headers, "Host": place.netloc, "X-Amz-Content-Sha256": digest},
                datetime.now(UTC),
            )
            signed |= {"User-Agent": f"waxbill/{__version__}", "Accept-Encoding": "identity"}
            if length or method in ("PUT", "POST"):
                signed["Content-Length"] = str(length)
            target = path + (f"?{query_of(query)}" if query else "")
            deadline = Deadline(self._clock, self._seconds + length / _BYTES_PER_SECOND)
            try:
                connection, answer = self._sent(method, target, signed, source, deadline)
                if deadline.passed:  # what was cut off may look whole
                    connection.close()
                    raise TimeoutError
            except (OSError, http.client.HTTPException, ValueError, Refused) as error:
                self.away(error, passed=deadline.passed)
            finally:
                deadline.cancel()
        return Incoming(self, connection, answer, self._seconds)

    def _sent(
        self, method: str, target: str, headers: Mapping[str, str], source: BinaryIO, deadline: Deadline
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Sends on a kept connection if there is one, and on a fresh one when the server had closed that."""
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            try:
                return kept, _exchanged(kept, method, target, headers, source, deadline)
            except ConnectionError:  # closed while idle; each of these requests may be made twice
                if deadline.passed:
                    raise
        fresh = self._connected(deadline)
        return fresh, _exchanged(fresh, method, target, headers, source, deadline)

    def _connected(self, deadline: Deadline) -> http.client.HTTPConnection:
        """A connection to the operator's own server: private addresses are fine, those of metadata services are not."""
        place = self.place
        parts = urlsplit(place.origin)
        connection = http.client.HTTPConnection(place.netloc, timeout=self._seconds, blocksize=_BLOCK_BYTES)
        connection.auto_open = 0  # never again by itself, to an address that was not checked
        connection.sock = connect(
            place.scheme,
            str(parts.hostname),
            parts.port or (443 if place.scheme == "https" else 80),
            seconds=self._seconds,
            allow_private=True,
            deadline=deadline,
        )
        return connection

    def keep(self, connection: http.client.HTTPConnection) -> None:
        """Keeps a connection whose answer was read to the end, for the next request."""
        with self._lock:
            if connection.sock is not None and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    # -- what went wrong

    def away(self, error: Exception, *, passed: bool = False) -> NoReturn:
        """For an answer that did not come, or not to its end; ``passed``: since its time was over."""
        said = "it took too long" if passed or isinstance(error, TimeoutError) else error
        again = not isinstance(error, Refused)
        raise StorageError(f"{self.place.origin} (WAHA_S3_ENDPOINT) can't be asked: {said}.", again=again) from error

    def _raise(self, answer: http.client.HTTPResponse, content: str) -> NoReturn:
        """What the server said, with what to do. Its own text is shown in part: it may hold what was signed."""
        status, code = answer.status, _element(content, "Code")
        region = answer.getheader("X-Amz-Bucket-Region") or _element(content, "Region")
        if status in (301, 307, 400) and region and region != self._keys.region:
            code = "AuthorizationHeaderMalformed"
        elif 300 <= status < 400:
            code = "Redirect"
        what = _REMEDIES.get(code, "").format(bucket=self.place.bucket, region=region)
        what = what or f"answered {status} {code}: {_element(content, 'Message')}".rstrip(": ")
        raise S3Error(f"{self.place.netloc} {what}.", status, code)


#: What the server says, as what to do.
_REMEDIES = {
    "InvalidAccessKeyId": "does not know the access key. Check WAHA_S3_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "does not accept the signature. Check WAHA_S3_SECRET_ACCESS_KEY",
    "AccessDenied": "denies this to the key. Allow it s3:GetObject and s3:PutObject on the objects of '{bucket}'",
    "NoSuchBucket": "has no bucket '{bucket}'. Check WAHA_S3_BUCKET, or make it",
    "AuthorizationHeaderMalformed": "has the bucket '{bucket}' in the region '{region}'. Set WAHA_S3_REGION to it",
    "Redirect": "redirects, which is not followed. Set WAHA_S3_ENDPOINT to where the bucket is",
    "RequestTimeTooSkewed": "has another time. Set the clock of this machine",
}


class Incoming:
    """An answer on its way in. Reads are ``BinaryIO``'s; they raise StorageError when the bytes break off."""

    def __init__(
        self,
        client: Client,
        connection: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
        seconds: float,
    ) -> None:
        self.answer = answer
        self._client, self._connection, self._seconds = client, connection, seconds
        self._left = answer.length
        self._spent = 0.0
        self._read = 0
        self._over = False

    def read(self, size: int = -1, /) -> bytes:
        """The next piece: as much as is there, up to ``size`` bytes; empty at the end."""
        if self._over or self._left == 0:
            self._over = True
            return b""
        begun = time.monotonic()
        try:
            piece = self.answer.read1(size if size >= 0 else _BLOCK_BYTES)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._client.away(error)
        self._spent += time.monotonic() - begun
        self._read += len(piece)
        if self._left is not None:
            self._left -= len(piece)
        if not piece:
            self._over = not self._left
            if not self._over:
                raise StorageError(f"{self._client.place.netloc} broke off before the end of the object.", again=True)
        elif self._spent > self._seconds + self._read / _BYTES_PER_SECOND:
            raise StorageError(f"{self._client.place.netloc} sends too slowly.", again=True)
        return piece

    def rest(self) -> str:
        """All that is still to come, as text; not more than an answer without an object may have."""
        pieces, size = [], 0
        while size < _ANSWER_BYTES and (piece := self.read(_BLOCK_BYTES)):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces).decode(errors="replace")

    def close(self) -> None:
        """Lets the connection go: for the next request where the answer was read to its end."""
        self.answer.close()
        if self._over or self._left == 0:
            self._client.keep(self._connection)
        else:
            self._connection.close()


@contextlib.contextmanager
def _opened(body: Path | bytes) -> Iterator[tuple[BinaryIO, int, str]]:
    """What is sent: open, with its length and the SHA-256 that goes into the signature."""
    try:
        source = body.open("rb") if isinstance(body, Path) else io.BytesIO(body)
    except OSError as error:
        raise StorageError(f"The file can't be read: {error.strerror or error}") from error
    with source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        yield source, source.seek(0, io.SEEK_END), digest


def _exchanged(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    source: BinaryIO,
    deadline: Deadline,
) -> http.client.HTTPResponse:
    """The head of the answer, which may come before all was sent: a refusal."""
    try:
        deadline.socket = connection.sock
        source.seek(0)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        with contextlib.suppress(ConnectionError):  # the answer, or its absence, says more
            connection.send(source)
        return connection.getresponse()
    except BaseException:
        connection.close()
        raise


def _element(text: str, name: str) -> str:
    """The text of an element of an answer, of which the first is meant; without anything that a log can't show."""
    found = re.search(rf"<{name}>([^<]{{1,200}})</{name}>", text)
    return "".join(character for character in found[1] if character.isprintable()) if found else ""
