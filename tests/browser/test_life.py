"""The life of a session in the browser: pairing, restoring, and every way in which a browser can be lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from waxbill.testing import Receiver, ServerProcess
from waxbill_browser import processes
from waxbill_browser.devtools import TimedOut

from ..conftest import missing
from .conftest import PEER, Drive, eventually, in_page, of_kind, pair, reason, running, send, told
from .standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.long]


def program_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0]


def in_environment(pid: int, name: str) -> Path:
    words = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return Path(next(word.partition("=")[2] for word in words if word.startswith(f"{name}=")))


def statuses(receiver: Receiver) -> list[str]:
    return [payload["status"] for payload in told(receiver, "session.status")]


def failed(server: ServerProcess) -> str:
    """Waits for FAILED, and that no browser is left; answers the reason."""
    server.wait_for_status("one", "FAILED", timeout_seconds=90)
    eventually(lambda: not running(server))
    return reason(server)


def back_at_work(server: ServerProcess, receiver: Receiver, whatsapp: StandIn) -> None:
    """The session works again, without pairing, in both directions."""
    server.wait_for_status("one", "WORKING", timeout_seconds=90)
    assert statuses(receiver).count("SCAN_QR_CODE") == 1
    send(server, "out")
    whatsapp.phone.receive("49301234567", "in")
    receiver.wait_for(lambda event: event["event"] == "message" and event["payload"]["body"] == "in", 60)


# -- pairing


def test_qr_codes_are_told_as_they_change_until_they_are_used_up(
    drive: Drive, whatsapp: StandIn, receiver: Receiver
) -> None:
    whatsapp.options.qr_seconds = 1.0
    server = drive(paired=False, WAXBILL_BROWSER_QR_CODES="3")
    server.wait_for_status("one", "SCAN_QR_CODE", timeout_seconds=60)
    codes = set()

    def seen() -> bool:
        answer = server.get("/api/one/auth/qr?format=raw")
        if answer.status == 200:
            codes.add(answer.json()["value"])
        return len(codes) >= 2

    eventually(seen)
    assert "not scanned in time" in failed(server)
    assert statuses(receiver).count("SCAN_QR_CODE") == 3
    server.post("/api/sessions/one/restart")
    pair(server, whatsapp)


def test_pairing_by_code(drive: Drive, whatsapp: StandIn) -> None:
    server = drive(paired=False)
    server.wait_for_status("one", "SCAN_QR_CODE", timeout_seconds=60)
    answer = server.post("/api/one/auth/request-code", {"phoneNumber": "+49 151 12345678"})
    assert answer.status == 201, answer.text
    code = answer.json()["code"]
    assert len(code) == 9
    whatsapp.phone.enter_code(code)
    server.wait_for_status("one", "WORKING", timeout_seconds=60)


def test_the_profile_is_private_and_goes_with_the_session(drive: Drive) -> None:
    server = drive()
    profile = server.folder / "store" / "sessions" / "one" / "browser"
    assert oct(profile.stat().st_mode & 0o777) == "0o700"
    server.delete("/api/sessions/one")
    assert not profile.exists()
    assert not running(server)


def test_the_picture_of_the_page(drive: Drive) -> None:
    server = drive()
    answer = server.get("/api/screenshot?session=one")
    assert answer.headers["content-type"] == "image/png"
    assert answer.body.startswith(b"\x89PNG")


# -- slow and hostile loads


def test_a_page_whose_modules_come_late_works(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    whatsapp.options.slow_seconds = 3.0
    assert whatsapp.options.strict_csp
    server = drive()
    back_at_work(server, receiver, whatsapp)


def test_a_page_that_never_becomes_ready_fails_with_the_reason(drive: Drive, whatsapp: StandIn) -> None:
    whatsapp.options.never_ready = True
    server = drive(paired=False, WAXBILL_BROWSER_READY_SECONDS="2", MAX_RECONNECT_ATTEMPTS="1")
    assert "did not become ready in time; 1 new attempt" in failed(server)


def test_whatsapp_that_can_not_be_reached_fails_with_the_reason(drive: Drive) -> None:
    nowhere = "--host-resolver-rules='MAP * ~NOTFOUND'"
    server = drive(paired=False, WAXBILL_BROWSER_ARGS=nowhere, MAX_RECONNECT_ATTEMPTS="0")
    assert "WhatsApp can't be opened: net::ERR_NAME_NOT_RESOLVED" in failed(server)


def test_a_page_that_loads_itself_anew_goes_on(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    server = drive()
    hellos = whatsapp.phone.account.devices[0].hellos
    whatsapp.phone.tell("reload")
    eventually(lambda: whatsapp.phone.account.devices[0].hellos > hellos)
    back_at_work(server, receiver, whatsapp)
    assert len(told(receiver, "message", body="in")) == 1


# -- losses


def test_a_killed_page_comes_back(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    server = drive()
    (renderer,) = of_kind(server, "--type=renderer")
    os.kill(renderer, signal.SIGKILL)
    eventually(lambda: statuses(receiver).count("STARTING") > 2 and statuses(receiver)[-1] == "WORKING")
    back_at_work(server, receiver, whatsapp)


def test_a_killed_browser_comes_back(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    server = drive()
    os.kill(processes.browser_of(server.folder / "store" / "sessions" / "one" / "browser"), signal.SIGKILL)
    eventually(lambda: statuses(receiver).count("STARTING") > 2 and statuses(receiver)[-1] == "WORKING")
    back_at_work(server, receiver, whatsapp)


def test_a_killed_chromedriver_is_not_missed(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    server = drive(WAXBILL_BROWSER_HEALTH_SECONDS="0.5", WAXBILL_BROWSER_KEEP_CHROMEDRIVER="true")
    (driver,) = [pid for pid in running(server) if program_of(pid).endswith("/chromedriver")]
    os.kill(driver, signal.SIGKILL)
    server.wait_for_log(lambda line: "goes on without it" in line, 60)
    back_at_work(server, receiver, whatsapp)
    assert statuses(receiver)[-1] == "WORKING"
    server.post("/api/sessions/one/stop")
    assert not running(server)


def test_chromedriver_goes_when_it_has_done_its_work(drive: Drive) -> None:
    server = drive()
    assert not [pid for pid in running(server) if program_of(pid).endswith("/chromedriver")]


def test_a_killed_guard_is_not_missed(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    server = drive()
    (guard,) = of_kind(server, "guard.sh")
    os.kill(guard, signal.SIGKILL)
    back_at_work(server, receiver, whatsapp)
    server.post("/api/sessions/one/stop")
    assert not running(server)


def test_a_page_that_hangs_is_replaced(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    server = drive(WAXBILL_BROWSER_HEALTH_SECONDS="0.5")
    with pytest.raises(TimedOut):
        in_page(server, "for (;;);", seconds=1)
    eventually(lambda: statuses(receiver).count("STARTING") > 2 and statuses(receiver)[-1] == "WORKING", 120)
    back_at_work(server, receiver, whatsapp)


def test_after_the_last_attempt_it_is_failed_and_can_be_restarted(
    drive: Drive, whatsapp: StandIn, receiver: Receiver
) -> None:
    server = drive(MAX_RECONNECT_ATTEMPTS="0")
    os.kill(processes.browser_of(server.folder / "store" / "sessions" / "one" / "browser"), signal.SIGKILL)
    assert "went away" in failed(server)
    server.post("/api/sessions/one/restart")
    back_at_work(server, receiver, whatsapp)


def test_a_killed_server_leaves_no_process(drive: Drive) -> None:
    server = drive()
    assert len(running(server)) >= 3
    scratch = in_environment(running(server)[0], "TMPDIR")
    assert scratch.is_dir()
    server.kill()
    eventually(lambda: not running(server))
    eventually(lambda: not scratch.exists())


def test_a_stopped_server_leaves_no_process(drive: Drive) -> None:
    server = drive()
    server.stop()
    assert not running(server)


# -- what WhatsApp does


def test_a_log_out_on_the_phone_is_failed_and_forgets_the_account(
    drive: Drive, whatsapp: StandIn, receiver: Receiver
) -> None:
    server = drive()
    profile = server.folder / "store" / "sessions" / "one" / "browser"
    whatsapp.phone.log_out()
    assert "logged out on the phone" in failed(server)
    assert server.get("/api/sessions/one").json()["me"] is None
    assert not profile.exists()
    server.post("/api/sessions/one/restart")
    pair(server, whatsapp)


def test_a_log_out_while_no_server_ran_asks_for_pairing(drive: Drive, whatsapp: StandIn) -> None:
    server = drive()
    server.stop()
    whatsapp.phone.log_out()
    server.start()
    pair(server, whatsapp)


def mode(server: ServerProcess) -> str:
    """What WhatsApp's page says of its connection."""
    return str(in_page(server, "WPP.whatsapp.Stream.mode"))


def test_use_here_takes_the_account_back(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    server = drive()
    whatsapp.phone.tell("conflict")
    server.wait_for_log(lambda line: "taking it back" in line, 60)
    eventually(lambda: mode(server) == "MAIN")
    back_at_work(server, receiver, whatsapp)


def test_an_account_that_is_taken_again_and_again_is_failed(drive: Drive, whatsapp: StandIn) -> None:
    server = drive()
    for taken in range(1, 4):
        whatsapp.phone.tell("conflict")
        eventually(lambda times=taken: server.log.count("taking it back") == times)  # type: ignore[misc]
        eventually(lambda: mode(server) == "MAIN")
    whatsapp.phone.tell("conflict")
    assert "another WhatsApp Web window" in failed(server)


def test_an_update_is_taken_by_loading_the_page_anew(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    server = drive()
    hellos = whatsapp.phone.account.devices[0].hellos
    whatsapp.phone.tell("update")
    eventually(lambda: whatsapp.phone.account.devices[0].hellos > hellos)
    back_at_work(server, receiver, whatsapp)


# -- a full disk


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        missing("tests of a full disk need the right to mount one")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_failed_with_the_reason(drive: Drive, tmp_path: Path) -> None:
    with small_disk(tmp_path / "store" / "sessions", 100):
        server = drive(WAXBILL_BROWSER_HEALTH_SECONDS="0.5")
        with (tmp_path / "store" / "sessions" / "filler").open("wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
        assert "is full" in failed(server)
        (tmp_path / "store" / "sessions" / "filler").unlink()
        server.post("/api/sessions/one/restart")
        server.wait_for_status("one", "WORKING", timeout_seconds=60)
        server.stop()


# -- sleep


def test_an_idle_session_sleeps_and_wakes_for_a_send(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    server = drive(WAXBILL_BROWSER_IDLE_MINUTES="0.02", WAXBILL_BROWSER_HEALTH_SECONDS="0.3")
    eventually(lambda: not running(server))
    assert server.get("/api/sessions/one").json()["status"] == "WORKING"
    whatsapp.phone.receive("49301234567", "while you slept")
    sent = send(server, "awake")
    assert whatsapp.phone.wait_for_sent(lambda message: message["body"] == "awake")["id"] == sent["id"]
    receiver.wait_for(lambda event: event["event"] == "message", 60)
    eventually(lambda: not running(server))
    assert len(told(receiver, "message", body="while you slept")) == 1
    assert statuses(receiver).count("WORKING") == 1


def test_a_sleeping_session_wakes_on_schedule_for_its_messages(
    drive: Drive, whatsapp: StandIn, receiver: Receiver
) -> None:
    server = drive(
        WAXBILL_BROWSER_IDLE_MINUTES="0.02", WAXBILL_BROWSER_WAKE_MINUTES="0.05", WAXBILL_BROWSER_HEALTH_SECONDS="0.3"
    )
    eventually(lambda: not running(server))
    whatsapp.phone.receive("49301234567", "good morning")
    receiver.wait_for(lambda event: event["event"] == "message" and event["payload"]["body"] == "good morning", 60)
    eventually(lambda: not running(server))


def test_a_sleeping_session_is_unlinked_when_it_is_logged_out(drive: Drive, whatsapp: StandIn) -> None:
    server = drive(WAXBILL_BROWSER_IDLE_MINUTES="0.02", WAXBILL_BROWSER_HEALTH_SECONDS="0.3")
    eventually(lambda: not running(server))
    assert server.request("POST", "/api/sessions/one/logout", timeout_seconds=90).status == 201
    assert not whatsapp.phone.paired()


# -- what arrived meanwhile


@pytest.mark.parametrize("offline_is_new", [True, False])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_arrives_while_no_server_runs_is_told_once(
    drive: Drive, whatsapp: StandIn, receiver: Receiver, end: str, *, offline_is_new: bool
) -> None:
    whatsapp.options.offline_is_new = offline_is_new
    server = drive()
    whatsapp.phone.receive("49301234567", "before")
    receiver.wait_for(lambda event: event["event"] == "message", 60)
    getattr(server, end)()
    for number in range(3):
        whatsapp.phone.receive(f"4930555000{number}", f"meanwhile {number}")
    server.start()
    for number in range(3):
        receiver.wait_for(
            lambda event, text=f"meanwhile {number}": event["event"] == "message" and event["payload"]["body"] == text,
            60,
        )
    whatsapp.phone.receive("49301234567", "after")
    receiver.wait_for(lambda event: event["event"] == "message" and event["payload"]["body"] == "after", 60)
    texts = [payload["body"] for payload in told(receiver, "message")]
    assert sorted(texts) == ["after", "before", "meanwhile 0", "meanwhile 1", "meanwhile 2"]


@pytest.mark.parametrize("end", ["the server stops", "the server is killed", "the browser is killed"])
def test_what_happens_to_messages_meanwhile_is_told_once(
    drive: Drive, whatsapp: StandIn, receiver: Receiver, end: str
) -> None:
    phone = whatsapp.phone
    server = drive(WAXBILL_BROWSER_RETRY_SECONDS="2")
    sent = send(server, "read me")["id"]
    poll = server.post(
        "/api/sendPoll", {"session": "one", "chatId": PEER, "poll": {"name": "?", "options": ["a", "b"]}}
    )
    poll_id = poll.json()["id"]
    edited, revoked, liked, unliked = (phone.receive("49301234567", text) for text in ("teh", "no", "nice", "hm"))
    eventually(lambda: len(told(receiver, "message")) == 4)
    phone.acknowledge(sent, 2)
    phone.react(unliked, "49301234567", "👎")
    phone.vote(poll_id, "49301234567", 0)
    eventually(
        lambda: [told(receiver, event) for event in ("message.ack", "message.reaction", "poll.vote")].count([]) == 0
    )
    eventually(lambda: told(receiver, "message.ack", id=sent, ack=2))

    if end == "the browser is killed":
        os.kill(processes.browser_of(server.folder / "store" / "sessions" / "one" / "browser"), signal.SIGKILL)
        eventually(lambda: not running(server))
    elif end == "the server is killed":
        server.kill()
    else:
        server.stop()
    phone.acknowledge(sent, 3)
    phone.edit(edited, "the")
    phone.revoke(revoked)
    phone.react(liked, "49301234567", "🔥")
    phone.react(unliked, "49301234567", "")
    phone.vote(poll_id, "49301234567", 1)
    if end != "the browser is killed":
        server.start()

    def news() -> list[object]:
        acks = [each["ack"] for each in told(receiver, "message.ack", id=sent)]
        reactions = {
            (each["reaction"]["messageId"], each["reaction"]["text"]) for each in told(receiver, "message.reaction")
        }
        return [
            [level for level in acks if level >= 2],
            [each["body"] for each in told(receiver, "message.edited")],
            [each["revokedMessageId"] for each in told(receiver, "message.revoked")],
            (len(told(receiver, "message.reaction")), reactions),
            [each["vote"]["selectedOptions"] for each in told(receiver, "poll.vote")],
        ]

    wanted = [
        [2, 3],
        ["the"],
        [revoked.split("_")[2]],
        (3, {(unliked, "👎"), (liked, "🔥"), (unliked, "")}),
        [["a"], ["b"]],
    ]
    eventually(lambda: news() == wanted)
    # Nothing of it is told again after another start, and what comes then is.
    server.restart()
    server.wait_for_status("one", "WORKING", timeout_seconds=90)
    phone.react(liked, "49301234567", "🎉")
    eventually(lambda: len(told(receiver, "message.reaction")) == 4)
    phone.receive("49301234567", "after")
    receiver.wait_for(lambda event: event["event"] == "message" and event["payload"]["body"] == "after", 60)
    wanted[3] = (4, {(unliked, "👎"), (liked, "🔥"), (unliked, ""), (liked, "🎉")})
    assert news() == wanted
    assert len(told(receiver, "message")) == 5


def test_messages_in_a_storm_of_kills_are_told_once(drive: Drive, whatsapp: StandIn, receiver: Receiver) -> None:
    """Messages come in while the page is killed twice: each is told, none twice."""
    server = drive(MAX_RECONNECT_ATTEMPTS="5")
    wanted = []
    for kill in range(2):
        for number in range(10):
            wanted.append(f"{kill}.{number}")
            whatsapp.phone.receive("49301234567", wanted[-1])
            if number == 5:
                os.kill(of_kind(server, "--type=renderer")[0], signal.SIGKILL)
        eventually(lambda times=kill + 2: statuses(receiver).count("WORKING") == times)  # type: ignore[misc]
    eventually(lambda: len(told(receiver, "message")) >= len(wanted))
    assert sorted(payload["body"] for payload in told(receiver, "message")) == sorted(wanted)
    assert all(payload["from"] == PEER for payload in told(receiver, "message"))


def test_a_trace_of_the_browser(drive: Drive) -> None:
    server = drive(WAHA_DEBUG_MODE="true")
    answer = server.get("/api/server/debug/browser/trace/one?seconds=1", timeout_seconds=60)
    assert answer.status == 200, answer.text[:300]
    assert answer.json()["traceEvents"]


def test_the_browser_gets_none_of_the_servers_secrets(drive: Drive) -> None:
    server = drive(WHATSAPP_HOOK_HMAC_KEY="a-secret-of-the-server")
    assert running(server)
    for pid in running(server):
        assert "a-secret-of-the-server" not in Path(f"/proc/{pid}/environ").read_text()
