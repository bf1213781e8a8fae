"""The command line, as people and scripts use it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from waxbill.testing import Receiver, ServerProcess

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_help_lists_the_commands_and_imports_no_server(waxbill: Run) -> None:
    ran = waxbill("--help")
    assert ran.returncode == 0
    assert all(command in ran.stdout for command in ("serve", "plugins", "settings", "openapi"))
    code = (
        "import sys; from waxbill.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(sys.modules.keys() & {'falcon', 'waitress'}), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"


def test_a_bad_setting_ends_with_one_sentence(waxbill: Run) -> None:
    for command in ("serve", "plugins", "settings"):
        ran = waxbill(command, PORT="everywhere")
        assert ran.returncode == 1
        assert ran.stderr.startswith("waxbill: PORT is 'everywhere', but must be a whole number")
        assert len(ran.stderr.splitlines()) == 1


def test_a_plugins_bad_setting_ends_with_one_sentence(waxbill: Run) -> None:
    ran = waxbill("serve", WAXBILL_MOCK_QR_CODES="none", PORT="0")
    assert ran.returncode == 1
    assert "WAXBILL_MOCK_QR_CODES is 'none', but must be a whole number from 1 to 100" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_unknown_command_says_which_there_are(waxbill: Run) -> None:
    ran = waxbill("dance")
    assert ran.returncode == 2
    assert "serve" in ran.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    for command in ("settings", "plugins"):
        piped = f"{sys.executable} -m waxbill {command} | true; echo ${{PIPESTATUS[0]}}"
        ran = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=True)
        assert ran.stderr == ""


def test_the_openapi_document_needs_no_running_server(waxbill: Run, tmp_path: Path) -> None:
    ran = waxbill("openapi", WAHA_LOCAL_STORE_BASE_DIR=str(tmp_path / "store"))
    document = json.loads(ran.stdout)
    assert document["openapi"].startswith("3.1")
    assert "post" in document["paths"]["/api/sendText"]
    assert not (tmp_path / "store").exists()


def test_a_plugin_can_add_a_command(tmp_path: Path, waxbill: Run) -> None:
    info = tmp_path / "shout-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shout\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waxbill]\nshout = shout\n")
    (tmp_path / "shout.py").write_text(
        "from waxbill import hookimpl\n"
        "@hookimpl\n"
        "def waxbill_commands(commands):\n"
        "    parser = commands.add_parser('shout', help='say it loud')\n"
        "    parser.set_defaults(run=lambda arguments: print('HELLO') or 3)\n"
    )
    ran = waxbill("shout", PYTHONPATH=str(tmp_path))
    assert (ran.returncode, ran.stdout) == (3, "HELLO\n")
    assert "say it loud" in waxbill("--help", PYTHONPATH=str(tmp_path)).stdout


@pytest.mark.parametrize("damage", ["garbage", "directory", "read-only"])
def test_a_store_that_can_not_be_used_stops_the_start_with_one_sentence(
    waxbill: Run, tmp_path: Path, damage: str
) -> None:
    store = Path("/proc/self") if damage == "read-only" else tmp_path
    if damage == "garbage":
        (store / "waxbill.sqlite3").write_bytes(b"this is not a database, " * 400)
    elif damage == "directory":
        (store / "waxbill.sqlite3").mkdir()
    ran = waxbill("serve", PORT="0", FORCE_MOCK_MODE="true", WAHA_LOCAL_STORE_BASE_DIR=str(store))
    assert ran.returncode == 1
    (line,) = [line for line in ran.stderr.splitlines() if "CRITICAL" in line]
    assert f"The store {store}/waxbill.sqlite3" in line
    assert "Traceback" not in ran.stderr


def test_the_doctor_explains_every_candidate(waxbill: Run) -> None:
    ran = waxbill("doctor", "--json")
    rows = {row["name"]: row for row in json.loads(ran.stdout)}
    assert "MB in use" in rows["memory"]["found"]
    assert rows["driver mock"]["well"] is True
    assert "it needs 4 MB" in rows["driver mock"]["found"]
    assert rows["choice"]["well"] is True
    assert {"driver browser", "store"} <= rows.keys()
    refused = waxbill("doctor", WAXBILL_DRIVER="nothing")
    assert refused.returncode == 1
    assert "choice" in refused.stdout
    assert "the installed drivers are" in refused.stdout


def test_a_plugin_adds_what_the_doctor_looks_at(tmp_path: Path, waxbill: Run) -> None:
    info = tmp_path / "shout-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shout\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waxbill]\nshout = shout\n")
    (tmp_path / "shout.py").write_text(
        "from waxbill import Check, hookimpl\n"
        "@hookimpl\n"
        "def waxbill_commands(commands):\n"
        "    commands.choices['doctor'].add_argument('--shout', action='store_true')\n"
        "@hookimpl\n"
        "def waxbill_doctor(options):\n"
        "    return [Check('voice', not options.shout, 'hoarse', 'Drink something.')]\n"
    )
    assert waxbill("doctor", PYTHONPATH=str(tmp_path)).returncode == 0
    ran = waxbill("doctor", "--shout", PYTHONPATH=str(tmp_path))
    assert ran.returncode == 1
    assert "voice: Drink something." in ran.stdout


def test_health_is_0_while_a_server_answers_and_1_with_a_sentence_when_not(
    serve: Callable[..., ServerProcess], waxbill: Run
) -> None:
    server = serve(key="secret")
    assert waxbill("health", PORT=str(server.port)).returncode == 0
    server.stop()
    ran = waxbill("health", PORT=str(server.port))
    assert ran.returncode == 1
    assert ran.stderr == f"waxbill: no server answers on 127.0.0.1 port {server.port}: Connection refused\n"


def test_health_of_something_else_on_the_port_is_1(waxbill: Run, receiver: Receiver) -> None:
    ran = waxbill("health", PORT=str(receiver.port))
    assert ran.returncode == 1
    assert 'answers "HTTP/1.1 501 Unsupported method' in ran.stderr


def test_a_new_plugin_needs_a_good_name_and_a_free_folder(waxbill: Run, tmp_path: Path) -> None:
    for name in ("Shout", "a--b", "../x", "1st", "with space", ""):
        ran = waxbill("new-plugin", name)
        assert ran.returncode == 1
        assert "is no name for a plugin" in ran.stderr
    assert waxbill("new-plugin", "waxbill-shout").returncode == 0
    assert (tmp_path / "cwd/waxbill-shout/waxbill_shout.py").is_file()
    again = waxbill("new-plugin", "shout")
    assert again.returncode == 1
    assert "is not empty" in again.stderr
