"""``waxbill doctor --browser``: what it says of a page that fits, and of pages that don't; nothing is left behind."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from waxbill_browser import binaries, processes

from .standin import StandIn
from .standin.world import Refused

pytestmark = pytest.mark.browser


class Doctor:
    """The command, running; ``phone`` is scanned in as soon as it shows its code."""

    def __init__(self, folder: Path, whatsapp: StandIn, *options: str, **environment: str) -> None:
        try:
            binaries.find()
        except binaries.Missing as error:
            missing(str(error))
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "waxbill", "doctor", "--json", *options],
            cwd=folder,
            env={
                **os.environ,
                "TMPDIR": str(folder),
                "WAXBILL_BROWSER_ARGS": shlex.join(whatsapp.arguments),
                "WAXBILL_BROWSER_READY_SECONDS": "30",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_code(self) -> str:
        assert self.process.stderr is not None
        return next(line for line in self.process.stderr if "Scan this" in line)

    def checks(self) -> dict[str, dict[str, Any]]:
        output, errors = self.process.communicate(timeout=240)
        assert "Traceback" not in errors
        found = {one["name"].removeprefix("browser: "): one for one in json.loads(output)}
        assert self.process.returncode == (1 if any(one["well"] is False for one in found.values()) else 0)
        assert list(self.folder.glob("waxbill-doctor-*")) == []
        assert processes.under(self.folder) == []
        return found


def test_a_page_that_fits_is_well(tmp_path: Path) -> None:
    with StandIn() as whatsapp:
        found = Doctor(tmp_path, whatsapp, "--browser").checks()
        version = whatsapp.options.version
    assert [name for name, check in found.items() if check["well"] is False] == []
    assert found["page's modules"]["found"].endswith(version)
    assert found["QR code"]["found"] == "4 parts"
    assert "--phone" in found["not tried"]["found"]


def test_a_page_that_is_too_large_for_the_machine_is_unwell(tmp_path: Path) -> None:
    with StandIn() as whatsapp:
        found = Doctor(tmp_path, whatsapp, "--browser", MEMORY_LIMIT_MB="150").checks()
    assert found["QR code"]["well"] is True
    assert found["memory"]["well"] is False
    assert "may not fit on this machine" in found["memory"]["found"]


def test_without_the_option_no_browser_is_started(tmp_path: Path) -> None:
    with StandIn() as whatsapp:
        assert "QR code" not in Doctor(tmp_path, whatsapp).checks()
        assert whatsapp.world.devices == {}


def test_with_a_phone_everything_is_tried_and_the_device_unlinked(tmp_path: Path) -> None:
    with StandIn() as whatsapp:
        doctor = Doctor(tmp_path, whatsapp, "--browser", "--phone")
        doctor.wait_for_code()
        whatsapp.phone.scan()
        found = doctor.checks()
        assert [check for check in found.values() if check["well"] is False] == []
        assert found["pairing"]["found"].startswith(whatsapp.phone.me)
        assert found["loading anew"]["well"] is True
        assert not whatsapp.phone.paired()
        assert [(message["to"], message["type"]) for message in whatsapp.phone.sent] == [
            (whatsapp.phone.me, "revoked")
        ] * 2


def test_the_first_thing_that_does_not_fit_is_named_and_nothing_after_it_tried(tmp_path: Path) -> None:
    with StandIn(hidden=["WAWebSendReactionMsgAction", "WAWebExitGroupAction"]) as whatsapp:
        found = Doctor(tmp_path, whatsapp, "--browser").checks()
    check = found["WA-JS finds"]
    assert check["well"] is False
    assert check["found"].startswith(
        "WA-JS does not find functions.sendReactionToMsg (and 1 more: functions.sendExitGroup"
    )
    assert "newer waxbill-browser" in check["remedy"]
    assert found["modules by name"]["well"] is True
    assert "QR code" in found["not reached"]["found"]


def test_what_only_one_operation_needs_is_named_and_no_fault(tmp_path: Path) -> None:
    with StandIn(hidden=["WAWebPollsSendVoteMsgAction"]) as whatsapp:
        found = Doctor(tmp_path, whatsapp, "--browser").checks()
    check = found["modules by name"]
    assert check["well"] is True
    assert check["found"].endswith("without votes in polls (WAWebPollsSendVoteMsgAction.sendVote)")
    assert found["QR code"]["well"] is True


def test_new_codes_are_asked_for_until_one_is_scanned(tmp_path: Path) -> None:
    with StandIn() as whatsapp:
        whatsapp.options.qr_seconds, whatsapp.options.qr_codes = 2.0, 1
        doctor = Doctor(tmp_path, whatsapp, "--browser", "--phone")
        doctor.wait_for_code()
        first = whatsapp.phone.waiting().ref
        # The page shows one code and then none, until it is asked.
        refs = whatsapp.world.devices.values()
        whatsapp.world.wait(lambda: any(one.ref not in ("", first) for one in refs), 60, "another code")
        whatsapp.phone.scan()
        assert doctor.checks()["pairing"]["well"] is True


def test_what_was_sent_is_taken_back_when_a_later_step_fails(tmp_path: Path) -> None:
    def refuse(device: object, parts: object) -> None:
        raise Refused(500, "nothing is edited today")

    with StandIn() as whatsapp:
        whatsapp.phone.account.ask_edit = refuse  # type: ignore[method-assign,assignment]
        doctor = Doctor(tmp_path, whatsapp, "--browser", "--phone")
        doctor.wait_for_code()
        whatsapp.phone.scan()
        found = doctor.checks()
        assert found["editing"]["well"] is False
        assert "taking back" in found["not reached"]["found"]
        assert [message["type"] for message in whatsapp.phone.sent] == ["revoked"]
        assert not whatsapp.phone.paired()


def test_what_breaks_with_an_account_is_named_and_the_device_still_unlinked(tmp_path: Path) -> None:
    with StandIn() as whatsapp:
        doctor = Doctor(tmp_path, whatsapp, "--browser", "--phone")
        doctor.wait_for_code()
        whatsapp.phone.fail_next_send("ERROR_EXPIRED")
        whatsapp.phone.scan()
        found = doctor.checks()
        assert found["sending"]["well"] is False
        assert "ERROR_EXPIRED" in found["sending"]["found"]
        assert found["unlinking"]["found"].startswith("the device is unlinked")
        assert not whatsapp.phone.paired()


def test_a_page_that_can_not_be_reached(tmp_path: Path) -> None:
    with StandIn() as whatsapp:
        nowhere = shlex.join(["--host-resolver-rules=MAP * ~NOTFOUND"])
        found = Doctor(tmp_path, whatsapp, "--browser", WAXBILL_BROWSER_ARGS=nowhere).checks()
    assert found["page opens"]["well"] is False
    assert "ERR_NAME_NOT_RESOLVED" in found["page opens"]["found"]
    assert "network" in found["page opens"]["remedy"]
