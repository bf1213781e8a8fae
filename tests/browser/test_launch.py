"""The browser itself: found, started lean, ended whatever happens. Real Chromium on an empty page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from waxbill_browser import binaries, flags, processes
from waxbill_browser.browser import Browser, BrowserFailed, version
from waxbill_browser.devtools import DevTools, Gone, Refused, TimedOut

from ..conftest import missing

# -- which binaries


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_named_binaries_are_used(tmp_path: Path) -> None:
    browser, driver = program(tmp_path / "my-chromium"), program(tmp_path / "my-driver")
    found = binaries.find(str(browser), str(driver))
    assert (found.chromium, found.chromedriver, found.headless_shell) == (browser, driver, False)


def test_a_named_binary_may_be_a_word_on_the_path(tmp_path: Path) -> None:
    program(tmp_path / "some-headless-shell")
    program(tmp_path / "chromedriver")
    found = binaries.find("some-headless-shell", "chromedriver", {"PATH": str(tmp_path)})
    assert found.headless_shell
    assert found.chromium == tmp_path / "some-headless-shell"


def test_a_folder_on_the_path_that_can_not_be_read_is_passed_over(tmp_path: Path) -> None:
    """Such as one of root's, where a user was made by a service manager; root itself needs a name that is too long."""
    driver = program(tmp_path / "chromedriver")
    closed = f"/{'x' * 5000}"
    found = binaries.find(str(program(tmp_path / "shell")), environment={"PATH": f"{closed}:{tmp_path}"})
    assert found.chromedriver == driver


def test_a_binary_that_is_not_there_is_said_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(binaries.Missing, match=r"WAXBILL_BROWSER_BINARY is '/nowhere/chromium', which is no program"):
        binaries.find("/nowhere/chromium")
    browser = program(tmp_path / "chromium")
    with pytest.raises(binaries.Missing, match="WAXBILL_CHROMEDRIVER is '/nowhere/driver'"):
        binaries.find(str(browser), "/nowhere/driver")


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=debian\n", "apt-get install chromium-headless-shell chromium-driver"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "snap install chromium"),
        ("ID=alpine\n", "apk add chromium chromium-chromedriver"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "zypper install chromium"),
        ("ID=unheard\n", "install Chromium"),
    ],
)
def test_what_to_install_is_said_by_distribution(tmp_path: Path, release: str, command: str) -> None:
    (tmp_path / "os-release").write_text(release)
    assert binaries.how_to_install(tmp_path / "os-release").startswith(command)


# -- how it is started


def test_every_flag_has_a_reason() -> None:
    assert all(flag.startswith("--") and len(reason) > 5 for flag, reason in flags.LEAN)
    assert len({flag for flag, _ in flags.LEAN}) == len(flags.LEAN)


def test_the_sandbox_is_only_off_where_it_is_told_so(tmp_path: Path) -> None:
    on = flags.arguments(tmp_path, flags.Look(), headless_shell=True, sandbox=True)
    off = flags.arguments(tmp_path, flags.Look(), headless_shell=True, sandbox=False)
    assert not {"--no-sandbox", "--no-zygote"} & set(on)
    assert {"--no-sandbox", "--no-zygote"} <= set(off)


def test_full_chromium_keeps_one_zygote(tmp_path: Path) -> None:
    for sandbox in (True, False):
        found = flags.arguments(tmp_path, flags.Look(), headless_shell=False, sandbox=sandbox)
        assert "--no-unsandboxed-zygote" in found
        assert "--no-zygote" not in found


def test_a_root_user_has_no_sandbox() -> None:
    if os.geteuid() == 0:
        assert not flags.can_sandbox()


def test_a_setuid_helper_of_roots_makes_a_sandbox_possible(tmp_path: Path) -> None:
    helper = program(tmp_path / "chrome-sandbox")
    assert not flags._has_helper(tmp_path / "chromium")
    helper.chmod(0o4755)
    assert flags._has_helper(tmp_path / "chromium") is (os.geteuid() == 0)  # else it is not root's


def test_what_a_session_shows_of_itself(tmp_path: Path) -> None:
    look = flags.Look(user_agent="Me/1.0", locale="pt-BR", proxy="proxy:8080")
    found = flags.arguments(tmp_path, look, headless_shell=False, sandbox=False, more="--one '--two=a b'")
    assert {"--user-agent=Me/1.0", "--lang=pt-BR", "--proxy-server=proxy:8080", "--one", "--two=a b"} <= set(found)
    assert "--headless=new" in found


def test_the_user_agent_is_a_browsers() -> None:
    shown = flags.user_agent("Chromium 156.0.8078.79 built on Debian GNU/Linux 12")
    assert "Chrome/156.0.0.0 Safari" in shown
    assert "Headless" not in shown


# -- running


def installed(kind: str = "") -> binaries.Binaries:
    """What is to be used of Chromium: the kind that is taken by itself, or the one that is named."""
    try:
        return binaries.find(kind)
    except binaries.Missing as error:
        missing(str(error))
        raise


def full() -> binaries.Binaries:
    return installed("chromium")


@pytest.fixture(params=["headless-shell", "chromium"])
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Browser]:
    """A browser that runs, in both kinds."""
    found = installed() if request.param == "headless-shell" else full()
    made = Browser(found, tmp_path / "a" / "browser", flags.Look(), sandbox=flags.can_sandbox(), more="")
    made.start()
    yield made
    made.close()


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.browser
def test_a_browser_says_its_version() -> None:
    assert any(part[:1].isdigit() for part in version(installed()).split())


@pytest.mark.browser
def test_a_browser_starts_answers_and_leaves_nothing(browser: Browser) -> None:
    tools = DevTools(browser.page_address, lambda method, parameters: None, lambda: None)
    assert tools.call("Runtime.evaluate", expression="6 * 7")["result"]["value"] == 42
    tools.close()
    pids = browser.pids()
    assert {browser.pid, browser.driver_pid} <= set(pids)
    assert oct(browser.profile.stat().st_mode & 0o777) == "0o700"
    browser.close()
    assert not [pid for pid in pids if processes.alive(pid)]
    assert not processes.of_profile(browser.profile)


@pytest.mark.browser
def test_devtools_calls_fail_in_time_and_in_words(browser: Browser) -> None:
    ends: list[str] = []
    tools = DevTools(browser.page_address, lambda method, parameters: None, lambda: ends.append("end"))
    tools.call("Page.navigate", url="about:blank")  # full Chromium may still be on its way to its first page
    with pytest.raises(Refused, match="wasn't found"):
        tools.call("No.such")
    with pytest.raises(TimedOut, match="no answer in"):
        tools.call("Runtime.evaluate", 0.2, expression="new Promise(() => {})", awaitPromise=True)
    os.kill(browser.pid, signal.SIGKILL)
    eventually(lambda: ends == ["end"])
    with pytest.raises(Gone):
        tools.call("Runtime.evaluate", expression="1")


@pytest.mark.browser
def test_it_begins_with_an_empty_page(browser: Browser) -> None:
    tools = DevTools(browser.page_address, lambda method, parameters: None, lambda: None)
    told = tools.call("Runtime.evaluate", expression="document.documentElement.innerHTML")
    assert told["result"]["value"] == "<head></head><body></body>"
    tools.close()


@pytest.mark.browser
def test_a_page_that_crashes_says_so_though_nothing_stays_that_would_report_it(browser: Browser) -> None:
    assert not [pid for pid in processes.of_profile(browser.profile) if b"crashpad_handler\0" in command_line(pid)]
    events: list[str] = []
    tools = DevTools(browser.page_address, lambda method, parameters: events.append(method), lambda: None)
    tools.call("Inspector.enable")
    tools.send("Page.crash")
    eventually(lambda: "Inspector.targetCrashed" in events)
    assert processes.alive(browser.pid)
    tools.close()


@pytest.mark.browser
def test_a_call_that_waits_ends_with_the_browser(browser: Browser) -> None:
    tools = DevTools(browser.page_address, lambda method, parameters: None, lambda: None)
    killer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {browser.pid}"])
    with pytest.raises(Gone):
        tools.call("Runtime.evaluate", 30, expression="new Promise(() => {})", awaitPromise=True)
    assert killer.wait() == 0


@pytest.mark.browser
def test_a_killed_browser_or_chromedriver_leaves_nothing_after_close(browser: Browser) -> None:
    pids = browser.pids()
    os.kill(browser.driver_pid, signal.SIGKILL)
    os.kill(browser.pid, signal.SIGKILL)
    browser.close()
    assert not [pid for pid in pids if processes.alive(pid)]


@pytest.mark.browser
def test_a_browser_ends_when_its_guard_is_killed_and_it_is_closed(browser: Browser) -> None:
    pids = browser.pids()
    guard = next(pid for pid in pids if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sh"))
    os.kill(guard, signal.SIGKILL)
    browser.close()
    eventually(lambda: not processes.of_profile(browser.profile))


_STARTER = """
import signal, sys, time
from pathlib import Path
from waxbill_browser import binaries, flags
from waxbill_browser.browser import Browser
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests in the background ignores it
browser = Browser(binaries.find(sys.argv[2]), Path(sys.argv[1]), flags.Look(), sandbox=flags.can_sandbox(), more="")
browser.start()
print(*browser.pids(), flush=True)
time.sleep(600)
"""


@pytest.mark.browser
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["", "chromium"])
def test_nothing_outlives_a_process_that_is_killed(tmp_path: Path, end: signal.Signals, kind: str) -> None:
    """Whatever ends the process that started a browser: its guard ends everything."""
    (full if kind else installed)()
    profile = tmp_path / "session" / "browser"
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_STARTER), str(profile), kind],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert starter.stdout is not None
    pids = [int(pid) for pid in starter.stdout.readline().split()]
    assert len(pids) >= 4
    starter.send_signal(end)
    starter.wait()
    starter.stdout.close()
    eventually(lambda: not [pid for pid in pids if processes.alive(pid)])
    assert not processes.of_profile(profile)


@pytest.mark.browser
def test_a_left_over_browser_is_ended_by_the_next_start(tmp_path: Path) -> None:
    """Server and guard killed at once: the next browser of the profile ends what is left, and starts."""
    found = installed()
    profile = tmp_path / "session" / "browser"
    first = Browser(found, profile, flags.Look(), sandbox=flags.can_sandbox(), more="")
    first.start()
    left = first.pids()
    guard = next(pid for pid in left if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sh"))
    os.kill(guard, signal.SIGKILL)
    assert sorted(processes.under(tmp_path)) == sorted(processes.of_profile(profile))
    second = Browser(found, profile, flags.Look(), sandbox=flags.can_sandbox(), more="")
    second.start()
    assert second.pid not in left
    assert not [pid for pid in left if processes.alive(pid)]
    second.close()
    first.close()


def browser_that(found: binaries.Binaries, folder: Path, what: str) -> Browser:
    """One whose Chromium does something else."""
    chromium = program(folder / "other-chromium")
    chromium.write_text(f"#!/bin/sh\n{what}\n")
    other = binaries.Binaries(chromium, found.chromedriver, False)
    return Browser(other, folder / "s" / "browser", flags.Look(), sandbox=False, more="")


@pytest.mark.browser
def test_a_browser_that_can_not_start_says_why(tmp_path: Path) -> None:
    made = browser_that(installed(), tmp_path, "exit 1")
    with pytest.raises(BrowserFailed, match=r"^session not created: Chrome instance exited"):
        made.start()
    assert made.pids() == []


@pytest.mark.browser
def test_a_chromedriver_that_does_not_work_is_said(tmp_path: Path) -> None:
    found = installed()
    broken = binaries.Binaries(found.chromium, program(tmp_path / "chromedriver"), found.headless_shell)
    broken.chromedriver.write_text("#!/bin/sh\nexit 127\n")
    made = Browser(broken, tmp_path / "s" / "browser", flags.Look(), sandbox=False, more="")
    with pytest.raises(BrowserFailed, match=f"^chromedriver ended at once; run {broken.chromedriver} by hand"):
        made.start()
    assert made.pids() == []


@pytest.mark.browser
def test_a_selenium_that_does_not_work_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "selenium.py").write_text("raise ImportError('half of it is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = browser_that(installed(), tmp_path, "exit 1")
    with pytest.raises(BrowserFailed, match="Selenium could not be run: ImportError: half of it is missing"):
        made.start()
    assert not processes.of_profile(made.profile)


@pytest.mark.browser
def test_a_proxy_of_the_server_is_not_on_the_way_to_the_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    made = Browser(installed(), tmp_path / "s" / "browser", flags.Look(), sandbox=flags.can_sandbox(), more="")
    made.start()
    assert made.page_address.startswith(f"ws://{made.address}/")
    made.close()


# -- half-way


def half_way(folder: Path) -> int:
    """Waits until chromedriver starts the browser of a folder, which does not get on; the starting process's id."""
    eventually(lambda: (folder / "begun").exists())
    [pid] = [pid for pid in processes.under(folder) if b"\0waxbill_browser.starting\0" in command_line(pid)]
    return pid


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def stuck(folder: Path) -> str:
    os.mkfifo(folder / "never")
    return f"touch {folder}/begun; read -r _ <{folder}/never"


@pytest.mark.browser
def test_a_browser_that_does_not_get_on_is_ended_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waxbill_browser.browser._START_SECONDS", 3.0)
    made = browser_that(installed(), tmp_path, stuck(tmp_path))
    with pytest.raises(BrowserFailed, match="it did not start in 3 s"):
        made.start()
    assert (tmp_path / "begun").exists()
    assert not processes.of_profile(made.profile)


@pytest.mark.browser
def test_a_starting_process_that_is_killed_half_way_leaves_nothing(tmp_path: Path) -> None:
    made = browser_that(installed(), tmp_path, stuck(tmp_path))
    with ThreadPoolExecutor(1) as thread:
        started = thread.submit(made.start)
        os.kill(half_way(tmp_path), signal.SIGKILL)
        with pytest.raises(BrowserFailed, match="Selenium could not be run: it ended with -9"):
            started.result(20)
    assert not processes.of_profile(made.profile)


@pytest.mark.browser
def test_a_server_that_is_killed_half_way_leaves_nothing(tmp_path: Path) -> None:
    chromium = browser_that(installed(), tmp_path, stuck(tmp_path))._binaries.chromium
    server = subprocess.Popen([sys.executable, "-c", _STARTER, str(tmp_path / "s" / "browser"), str(chromium)])
    pids = [half_way(tmp_path), *processes.of_profile(tmp_path / "s" / "browser")]
    assert len(pids) >= 4
    server.kill()
    server.wait()
    eventually(lambda: not [pid for pid in pids if processes.alive(pid)])
    assert not processes.of_profile(tmp_path / "s" / "browser")
