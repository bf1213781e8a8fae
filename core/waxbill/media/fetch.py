"""The one guarded HTTP client for everything that the server fetches because somebody outside named a URL.

What is connected to is the address that was checked: the name is resolved once, and every redirect is checked anew.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import msgspec

from .. import __version__

_REDIRECTS = 5
_CHUNK = 64 * 1024
_METADATA = {ipaddress.ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The URL can't be fetched: its address is not allowed, or its answer breaks a limit. The text says which."""


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


def _bare(address: Address) -> Address:
    """The IPv4 address inside an IPv6 form of it (mapped, 6to4, Teredo, NAT64), else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address.teredo:
            return address.teredo[1]
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def check_address(text: str, *, allow_private: bool) -> None:
    """Raises Refused for an address that no request may go to: link-local, metadata, multicast, unspecified ones
    always; private and loopback ones unless they are allowed."""
    address = _bare(ipaddress.ip_address(text.partition("%")[0]))
    if address.is_link_local or address in _METADATA:
        raise Refused(f"the address {text} is link-local or a cloud's metadata service")
    if address.is_multicast or address.is_unspecified or (address.is_reserved and not address.is_private):
        raise Refused(f"the address {text} is no host's address")
    if not address.is_global and not allow_private:
        raise Refused(f"the address {text} is private (WAXBILL_ALLOW_PRIVATE_ADDRESSES is off)")


def connect(scheme: str, host: str, port: int, *, seconds: float, allow_private: bool) -> socket.socket:
    """A connected socket (with TLS for https) to a checked address of the host. Raises Refused or OSError."""
    error: Exception = OSError(f"{host} has no address")
    for _, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        address = str(place[0])
        try:
            check_address(address, allow_private=allow_private)
            connected = socket.create_connection((address, port), timeout=seconds)
        except (Refused, OSError) as failure:
            error = failure
            continue
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if scheme != "https":
            return connected
        try:
            return ssl.create_default_context().wrap_socket(connected, server_hostname=host)
        except BaseException:
            connected.close()
            raise
    raise error


def fetch(url: str, into: BinaryIO, limits: Limits) -> Fetched:
    """Writes what a URL answers into a file, piece by piece. Raises Refused, with the reason for the person."""
    end = time.monotonic() + limits.seconds
    for _ in range(_REDIRECTS + 1):
        try:
            found = _fetch_once(url, into, limits, end)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Refused(f"{urlsplit(url).hostname or url[:80]} could not be reached: {error}") from error
        if isinstance(found, Fetched):
            return found
        url = urljoin(url, found)
    raise Refused(f"more than {_REDIRECTS} redirects")


def _fetch_once(url: str, into: BinaryIO, limits: Limits, end: float) -> Fetched | str:
    """One request; a redirect answers with its target."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"only http and https URLs can be fetched, not {url[:80]!r}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=limits.seconds)
    # Held here as well: http.client lets go of its socket as soon as it knows that the answer ends with it.
    connected = connection.sock = connect(
        parts.scheme, parts.hostname, port, seconds=_left(end), allow_private=limits.allow_private
    )
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
            return str(answer.getheader("Location"))
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
        return Fetched(size, answer.getheader("Content-Type", ""), url)
    finally:
        connection.close()
        connected.close()


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise Refused("it took too long")
    return left
