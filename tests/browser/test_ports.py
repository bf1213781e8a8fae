"""Nobody else reaches a browser's DevTools: what listens does so on this machine only, at a port that nobody knows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from waxbill_browser import flags
from waxbill_browser.browser import Browser

from .test_launch import installed

pytestmark = pytest.mark.browser

_LISTENS = "0A"


def listening(pids: list[int]) -> set[tuple[str, int]]:
    """Addresses (as the kernel writes them, in hexadecimal) and ports that processes listen on."""
    sockets = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(link)
            if target.startswith("socket:["):
                sockets.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS and fields[9] in sockets:
                address, _, port = fields[1].partition(":")
                found.add((address, int(port, 16)))
    return found


def test_devtools_and_driver_listen_on_loopback_at_random_ports(tmp_path: Path) -> None:
    ports = []
    for name in ("a", "b"):
        made = Browser(installed(), tmp_path / name, flags.Look(), sandbox=flags.can_sandbox(), more="")
        made.start()
        try:
            found = listening(made.pids())
        finally:
            made.close()
        assert found
        loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
        assert {address for address, _ in found} <= loopback
        ports.append({port for _, port in found})
    assert not ports[0] & ports[1]
    assert not (ports[0] | ports[1]) & {9222, 9515}
