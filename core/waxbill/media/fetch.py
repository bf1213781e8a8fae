"""Fetching a file from a URL that somebody outside named; ``outbound.py`` says where it may come from."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin, urlsplit

import msgspec

from .. import __version__
from ..outbound import Deadline, Refused, check_address, check_port, connect

if TYPE_CHECKING:
    from ..clock import Clock

__all__ = ["Fetched", "Limits", "Refused", "check_address", "fetch"]

_REDIRECTS = 5
_CHUNK = 64 * 1024


class Limits(msgspec.Struct, frozen=True):
    """What a fetch may cost: bytes in all, seconds in all, and whether private addresses may be asked."""

    most_bytes: int
    seconds: float = 30.0
    allow_private: bool = True


class Fetched(msgspec.Struct, frozen=True):
    """What came: its size in bytes, the content type that the other side claims, and the URL after redirects."""

    size: int
    content_type: str
    url: str


def fetch(url: str, into: BinaryIO, limits: Limits, clock: Clock | None = None) -> Fetched:
    """Writes what a URL answers into a file, piece by piece. Raises Refused, with the reason for the person.

    With a clock that runs, ``limits.seconds`` also end an answer whose bytes come one by one.
    """
    end = time.monotonic() + limits.seconds
    deadline = Deadline(clock, limits.seconds)
    try:
        for _ in range(_REDIRECTS + 1):
            try:
                found = _fetch_once(url, into, limits, end, deadline)
            except (OSError, http.client.HTTPException, ValueError) as error:
                said = "it took too long" if deadline.passed or isinstance(error, TimeoutError) else error
                raise Refused(f"{_host(url)} could not be reached: {said}") from error
            if deadline.passed:  # what was cut off may look whole
                raise Refused("it took too long")
            if isinstance(found, Fetched):
                return found
            url = found
    finally:
        deadline.cancel()
    raise Refused(f"more than {_REDIRECTS} redirects")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "the URL"
    except ValueError:
        return "the URL"


def _fetch_once(url: str, into: BinaryIO, limits: Limits, end: float, deadline: Deadline) -> Fetched | str:
    """One request; a redirect answers with its target."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"only http and https URLs can be fetched, not {parts.scheme[:20]!r} ones")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    check_port(port)
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=limits.seconds)
    # Held here as well: http.client lets go of its socket as soon as it knows that the answer ends with it.
    connected = connection.sock = connect(
        parts.scheme,
        parts.hostname,
        port,
        seconds=_left(end),
        allow_private=limits.allow_private,
        deadline=deadline,
    )
    deadline.socket = connected
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # identity: what is counted against the limit is what arrives, never a bomb that is unpacked later
        headers = {
            "User-Agent": f"waxbill/{__version__}",
            "Accept-Encoding": "identity",
            "Host": parts.netloc.rpartition("@")[2],
        }
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status in (301, 302, 303, 307, 308) and answer.getheader("Location"):
            return urljoin(url, str(answer.getheader("Location")))
        if answer.status != 200:
            raise Refused(f"{parts.hostname} answered {answer.status}")
        size = 0
        while True:
            connected.settimeout(_left(end))
            piece = answer.read1(_CHUNK)
            if not piece:
                break
            size += len(piece)
            if size > limits.most_bytes:
                raise Refused(f"it is larger than {limits.most_bytes // 1024 // 1024} MB (WAXBILL_MAX_MEDIA_MB)")
            into.write(piece)
        if answer.length and not deadline.passed:
            raise Refused(f"{parts.hostname} broke off before the end")
        return Fetched(size, answer.getheader("Content-Type", ""), url)
    finally:
        connection.close()
        connected.close()


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise Refused("it took too long")
    return left
