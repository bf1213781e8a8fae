"""The commands ``waxbill mock`` and ``waxbill record``: scenarios for, and from, the server that runs here."""

from __future__ import annotations

import argparse
import base64
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from waxbill.remote import Remote, RemoteError
from waxbill.settings import Settings

#: Files up to this size stay in the scenario itself.
_INLINE_BYTES = 512


def add(commands: Any, settings: Settings) -> None:
    parser = commands.add_parser("mock", help="play a scenario on the simulator that runs here")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    load = actions.add_parser("load", help="play the scenario of a file")
    load.add_argument("file", type=Path)
    load.add_argument("--session", help="session to play it on, instead of the file's; made if it is not there")
    load.add_argument("--reset", action="store_true", help="empty the session first")
    load.add_argument("--key", default="", help="API key, where WAHA_API_KEY has only its hash")
    load.set_defaults(run=lambda parsed: _load(Remote(settings, parsed.key), parsed))
    check = actions.add_parser("check", help="check the scenario of a file, without a server")
    check.add_argument("file", type=Path)
    check.set_defaults(run=lambda parsed: _check(parsed.file))
    record = commands.add_parser("record", help="write what a session of the simulator did as a scenario")
    record.add_argument("session", nargs="?", default="default")
    record.add_argument("-o", "--output", type=Path, help="file to write; files of messages go into a folder beside it")
    record.add_argument("--key", default="", help="API key, where WAHA_API_KEY has only its hash")
    record.set_defaults(run=lambda parsed: _record(Remote(settings, parsed.key), parsed))


def _check(file: Path) -> int:
    from .scenario import ScenarioError, read

    try:
        scenario = read(file)
    except ScenarioError as error:
        print(f"waxbill: {error}", file=sys.stderr)
        return 1
    print(f"{file} is a scenario of {len(scenario.steps)} steps")
    return 0


def _load(server: Remote, parsed: argparse.Namespace) -> int:
    from .scenario import ScenarioError, play, read

    try:
        scenario = read(parsed.file)
        session = parsed.session or scenario.session
        _begin(server, session)
        if parsed.reset:
            server.ask("POST", f"/api/waxbill/mock/{quote(session)}/reset")
        play(scenario, server.ask, session=session)
    except ScenarioError as error:
        print(f"waxbill: {error}", file=sys.stderr)
        return 1
    print(f"{parsed.file}: {len(scenario.steps)} steps played on session '{session}'")
    return 0


def _begin(server: Remote, session: str) -> None:
    """Makes the session where it is not there, and waits until it is paired."""
    import time

    if session not in [each["name"] for each in server.ask("GET", "/api/sessions?all=true")]:
        server.ask("POST", "/api/sessions", {"name": session})
    end = time.monotonic() + 30
    while (status := server.ask("GET", f"/api/sessions/{quote(session)}")["status"]) != "WORKING":
        if status in ("STOPPED", "FAILED") or time.monotonic() > end:
            raise RemoteError(f"Session '{session}' is {status}, not WORKING. Start it, and scan its QR code.")
        time.sleep(0.02)  # the API has no call that waits for a status


def _record(server: Remote, parsed: argparse.Namespace) -> int:
    from .scenario import ScenarioError, open_yaml

    try:
        open_yaml("safe")  # before anything is written
    except ScenarioError as error:
        print(f"waxbill: {error}", file=sys.stderr)
        return 1
    found = server.ask("GET", f"/api/waxbill/mock/{quote(parsed.session)}/recording")
    if parsed.output is None:
        _write(found, sys.stdout)
        return 0
    _files_apart(found, parsed.output)
    with parsed.output.open("w", encoding="utf-8") as file:
        _write(found, file)
    print(f"{parsed.output}: {len(found['steps'])} steps")
    return 0


def _files_apart(scenario: dict[str, Any], output: Path) -> None:
    """Writes the larger files of a recording into a folder beside it."""
    folder = output.parent / f"{output.stem}-files"
    for n, step in enumerate(scenario["steps"]):
        for values in step.values():
            for member in ("file", "picture"):
                file = values.get(member) if isinstance(values, dict) else None
                if file and len(file["data"]) > _INLINE_BYTES:
                    folder.mkdir(exist_ok=True)
                    path = folder / f"{n}{Path(file.get('filename') or '').suffix[:8]}"
                    path.write_bytes(base64.b64decode(file.pop("data")))
                    file["path"] = f"{folder.name}/{path.name}"


def _write(scenario: dict[str, Any], file: Any) -> None:
    from .scenario import open_yaml

    yaml = open_yaml("safe")
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False
    yaml.allow_unicode = True
    yaml.width = 120
    yaml.dump(scenario, file)
