"""The one way out: whatever is asked of a host because somebody named a URL gets its connection here.

A name is resolved once, and what is connected to is the address that was checked, so that a name can't mean another
address a moment later (DNS rebinding). Plugins with a transport of their own use ``connect``, too.
Import it where it is used: an idle server asks nobody, and TLS (4 MB) comes with the first https.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clock import Clock

# Metadata services that are not in a link-local network: Alibaba, Oracle, AWS, Google, and Azure's wire server.
_METADATA = {
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "168.63.129.16")
}
# Networks of IPv6 that carry an IPv4 address in their last 32 bits: NAT64 (RFC 6052, RFC 8215), IPv4-compatible
# (RFC 4291), IPv4-translated (RFC 2765).
_CARRIERS = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96"))
# ISATAP (RFC 5214) puts these before the IPv4 address.
_ISATAP = (0x00005EFE, 0x02005EFE)
# Ports of mail, news and chat, where a request could be taken for something else; see the Fetch standard, section 2.9.
_NO_HTTP = frozenset({25, 110, 119, 143, 220, 389, 465, 587, 636, 993, 995, 2049, 6000, 6665, 6666, 6667, 6668, 6669})
# A name may have many addresses, and each may let us wait.
_MOST_ADDRESSES = 4

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The URL can't be asked: its address is not allowed, or its answer breaks a limit. The text says which."""


class Deadline:
    """Ends an exchange that takes too long in all, however steadily its bytes come: it shuts the socket down.

    ``socket`` is the connection in use; the clock's loop has to run.
    """

    def __init__(self, clock: Clock | None, seconds: float) -> None:
        self.passed = False
        self.socket: socket.socket | None = None
        self._timer = clock.call_later(seconds, self._end) if clock else None

    def _end(self) -> None:
        self.passed = True
        if self.socket is not None:
            with contextlib.suppress(OSError):  # closed already
                self.socket.shutdown(socket.SHUT_RDWR)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _bare(address: Address) -> Address:
    """The IPv4 address inside an IPv6 form of it, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    number = int(address)
    carries = any(address in network for network in _CARRIERS) and number > 1
    if carries or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return address


def check_address(text: str, *, allow_private: bool) -> None:
    """Raises Refused for an address that no request may go to: link-local, metadata, multicast, unspecified ones
    always; private and loopback ones unless they are allowed."""
    given = ipaddress.ip_address(text.partition("%")[0])
    address = _bare(given)
    if address.is_link_local or address in _METADATA or given in _METADATA:
        raise Refused(f"the address {text} is link-local or a cloud's metadata service")
    if address.is_multicast or address.is_unspecified or (address.is_reserved and not address.is_loopback):
        raise Refused(f"the address {text} is no host's address")
    if not (address.is_global and given.is_global) or getattr(address, "is_site_local", False):
        if allow_private:
            return
        raise Refused(f"the address {text} is private (WAXBILL_ALLOW_PRIVATE_ADDRESSES is off)")


def check_literal(host: str, *, allow_private: bool) -> None:
    """``check_address`` for a host that is an address, in any form; for what goes through a proxy, which resolves
    names itself."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return
    check_address(str(found[0][4][0]), allow_private=allow_private)


def check_port(port: int) -> None:
    """Raises Refused for a port where no HTTP is spoken."""
    if port in _NO_HTTP:
        raise Refused(f"port {port} is for something other than HTTP")


def connect(
    scheme: str, host: str, port: int, *, seconds: float, allow_private: bool, deadline: Deadline | None = None
) -> socket.socket:
    """A connected socket (with TLS for https) to a checked address of the host. Raises Refused or OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise Refused(f"{host[:80]!r} is no host's name") from None
    addresses = list(dict.fromkeys(str(place[0]) for _, _, _, _, place in found))
    error: Exception = OSError(f"{host} has no address")
    for address in addresses[:_MOST_ADDRESSES]:
        try:
            check_address(address, allow_private=allow_private)
            connected = socket.create_connection((address, port), timeout=seconds)
        except (Refused, OSError) as failure:
            error = failure
            continue
        if deadline is not None:
            deadline.socket = connected
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected if scheme != "https" else _with_tls(connected, host)
    raise error


def _with_tls(connected: socket.socket, host: str) -> socket.socket:
    import ssl

    try:
        return ssl.create_default_context().wrap_socket(connected, server_hostname=host)
    except BaseException:
        connected.close()
        raise
