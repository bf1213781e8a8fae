"""Whose browsers are ended: what was left behind, and never those of another server that lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import waxbill_browser
from waxbill.testing import ServerProcess
from waxbill_browser import flags, processes
from waxbill_browser.browser import Browser, BrowserFailed

from ..conftest import missing
from .conftest import Drive, environment, running, send
from .standin import StandIn
from .test_launch import eventually, installed

pytestmark = pytest.mark.browser

_SERVER = """
import sys, time
from pathlib import Path
from waxbill_browser import binaries, flags
from waxbill_browser.browser import Browser
browser = Browser(binaries.find(sys.argv[2]), Path(sys.argv[1]), flags.Look(), sandbox=flags.can_sandbox(), more="")
browser.start()
print(*(pid for pid, _ in browser.processes()), flush=True)
time.sleep(600)
"""


class Other(NamedTuple):
    """Another server's process, and what it has started and stays: its guard, chromedriver and browser."""

    server: subprocess.Popen[str]
    pids: list[int]

    @property
    def guard(self) -> int:
        return next(pid for pid in self.pids if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sh"))


@pytest.fixture(params=["", "chromium"], ids=["headless-shell", "chromium"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Other]:
    """Another server that has a browser on the profile ``tmp_path / "one" / "browser"``."""
    installed(request.param)
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(tmp_path / "one" / "browser"), request.param],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    pids = [int(pid) for pid in server.stdout.readline().split()]
    yield Other(server, pids)
    server.kill()
    server.wait()
    server.stdout.close()
    eventually(lambda: not [pid for pid in pids if processes.alive(pid)])


def browser_on(profile: Path) -> Browser:
    return Browser(installed(), profile, flags.Look(), sandbox=flags.can_sandbox(), more="")


def test_a_browser_of_another_server_that_lives_is_left_alone(other: Other, tmp_path: Path, scratch: Path) -> None:
    profile = tmp_path / "one" / "browser"
    assert set(other.pids) <= set(processes.under(tmp_path))
    assert processes.under(tmp_path, of_others=False) == []
    made = browser_on(profile)
    with pytest.raises(BrowserFailed, match=f"another waxbill .process {other.server.pid}. has a browser on"):
        made.start()
    made.close()
    assert all(processes.alive(pid) for pid in other.pids)
    assert len(os.listdir(scratch)) == 1


def test_what_a_server_leaves_behind_is_ended_by_the_next(other: Other, tmp_path: Path, scratch: Path) -> None:
    os.kill(other.guard, signal.SIGKILL)
    other.server.kill()
    other.server.wait()
    assert processes.under(tmp_path, of_others=False)
    left = os.listdir(scratch)
    made = browser_on(tmp_path / "one" / "browser")
    made.start()
    assert not [pid for pid in other.pids if processes.alive(pid)]
    assert len(os.listdir(scratch)) == len(left) == 1
    assert os.listdir(scratch) != left
    made.close()
    assert os.listdir(scratch) == []


def test_nothing_is_removed_that_is_not_a_browsers(tmp_path: Path) -> None:
    folder = tmp_path / "something-else"
    folder.mkdir()
    link = tmp_path / "waxbill-browser-0"
    link.symlink_to(folder)
    for noted in (str(folder), str(link), ""):
        note = tmp_path / "one" / "browser.scratch"
        note.parent.mkdir(exist_ok=True)
        note.write_text(noted)
        browser_on(tmp_path / "one" / "browser").end_stale()
        assert not note.exists()
    assert folder.is_dir()
    assert link.is_symlink()


def test_a_guard_that_is_late_spares_the_next_servers_browser(other: Other, tmp_path: Path) -> None:
    """The guard of a server that was killed ends that one's browser: not one that has the profile by now."""
    profile = tmp_path / "one" / "browser"
    guard = Path(waxbill_browser.__file__).parent / "guard.sh"
    late = subprocess.Popen(
        ["/bin/sh", str(guard), "600"],
        stdin=subprocess.PIPE,
        env={
            **os.environ,
            "WAXBILL_PROFILE": str(profile),
            "WAXBILL_CHROMEDRIVER_BINARY": "sleep",
            processes.OWNER: "1:1",
        },
    )
    assert late.stdin is not None
    late.stdin.close()
    assert late.wait(30) == 0
    assert all(processes.alive(pid) for pid in other.pids)


@pytest.mark.long
def test_two_servers_on_one_folder_leave_each_others_browsers_alone(
    drive: Drive, tmp_path: Path, whatsapp: StandIn
) -> None:
    """Each has a store of its own (with PostgreSQL they would share one), and both keep their sessions' files here."""
    first = drive()
    before = running(first)
    second = ServerProcess(tmp_path, WAXBILL_STORE=f"sqlite:{tmp_path / 'second.sqlite3'}", **environment(whatsapp))
    with second:
        assert "left behind" not in second.log
        second.post("/api/sessions", {"name": "one"})
        assert second.wait_for_log(lambda line: "another waxbill" in line, 60)
    assert set(before) <= set(running(first))
    assert send(first, "still here")["body"] == "still here"


def test_a_browser_in_another_container_is_left_alone(tmp_path: Path) -> None:
    """Seen from the machine a container's folder may have the name of one's own; its ids mean something else."""
    command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        missing(f"no process namespaces here: {error}")
    inside = subprocess.Popen(
        [*command, "sh", "-c", "WAXBILL_PROFILE=$FOLDER/one/browser exec sh -c 'echo here; read -r _'"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "FOLDER": str(tmp_path), processes.OWNER: "2:1"},
    )
    assert inside.stdin is not None
    assert inside.stdout is not None
    assert inside.stdout.readline() == b"here\n"
    found = [pid for pid in processes.children(inside.pid) if pid in processes.under(tmp_path)]
    assert found
    assert not set(found) & set(processes.under(tmp_path, of_others=False))
    assert processes.other_owner(tmp_path / "one" / "browser") == "a server in another container"
    inside.stdin.close()
    inside.stdout.close()
    inside.wait()
