"""Chromium's sandbox: really on for a user that is not root, and the driver works with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from waxbill.testing import ServerProcess
from waxbill_browser import binaries

from ..conftest import missing
from .conftest import environment, eventually, of_kind, pair, send
from .standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.long]

#: Runs a command as a user that is not root, whoever runs the tests: for root, in a user namespace of its own.
_AS_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


def as_user(folder: Path) -> Path:
    """A program that runs waxbill as a user other than root."""
    words = _AS_USER if os.geteuid() == 0 else []
    can = "from waxbill_browser.flags import can_sandbox; raise SystemExit(not can_sandbox())"
    try:
        tried = subprocess.run([*words, sys.executable, "-c", can], capture_output=True, text=True, check=False)
    except OSError as error:
        missing(f"no user namespaces: {error}")
    if tried.returncode:
        missing(f"no user namespaces for users: {tried.stderr}")
    program = folder / "as-user"
    program.write_text(f'#!/bin/sh\nexec {" ".join(words)} {sys.executable} -m waxbill "$@"\n')
    program.chmod(0o755)
    return program


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def namespaces(pid: int) -> dict[str, str]:
    return {name: os.readlink(f"/proc/{pid}/ns/{name}") for name in ("user", "pid", "net")}


@pytest.mark.parametrize("kind", ["", "chromium"], ids=["headless-shell", "chromium"])
def test_the_page_is_sandboxed_and_everything_works(kind: str, tmp_path: Path, whatsapp: StandIn) -> None:
    try:
        binaries.find(kind)
    except binaries.Missing as error:
        missing(str(error))
    settings = environment(whatsapp, WAXBILL_BROWSER_BINARY=kind)
    with ServerProcess(tmp_path, program=as_user(tmp_path), **settings) as server:
        server.post("/api/sessions", {"name": "one"})
        pair(server, whatsapp)
        assert send(server, "from the sandbox")["body"] == "from the sandbox"
        assert "without its sandbox" not in server.log
        [renderer] = of_kind(server, "--type=renderer")
        shown = status(renderer)
        assert shown["Seccomp"] == "2"  # a filter decides about each system call: proc(5)
        assert shown["NoNewPrivs"] == "1"
        assert int(shown["CapEff"], 16) == 0
        mine = namespaces(server.pid)
        assert all(mine[name] != inode for name, inode in namespaces(renderer).items())
        [browser] = [pid for pid in of_kind(server, "--user-data-dir") if "--type=" not in command_line(pid)]
        assert namespaces(browser) == mine
        assert "--no-sandbox" not in command_line(browser)
        os.kill(renderer, 9)  # and it comes back
        server.wait_for_log(lambda line: "the page crashed" in line, 60)
        server.wait_for_status("one", "WORKING", timeout_seconds=60)
        assert send(server, "again")["body"] == "again"
    eventually(lambda: not of_kind(server, ""))


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
