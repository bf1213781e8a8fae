"""The command line. Falcon and the server are imported by ``serve`` alone; ``waxbill --help`` needs neither."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from typing import TYPE_CHECKING

import msgspec

from . import __version__, profiles
from .masking import Mask, MaskedLines
from .settings import SettingError, Settings

if TYPE_CHECKING:
    import argparse

    from .plugins import Plugins

_LEVELS = {
    "fatal": "CRITICAL",
    "error": "ERROR",
    "warn": "WARNING",
    "info": "INFO",
    "debug": "DEBUG",
    "trace": "DEBUG",
}


#: The core's own commands.
_OWN = ("serve", "plugins", "settings", "openapi", "health", "new-plugin", "deliveries", "store", "--version")


class _JsonLines(logging.Formatter):
    """One JSON object a line: time in ms, level, name, msg."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": int(record.created * 1000),
            "level": record.levelname.lower(),
            "name": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            line["err"] = self.formatException(record.exc_info)
        return json.dumps(line)


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit code: 0 for success, 1 for a failure that was said in a sentence."""
    given = sys.argv[1:] if arguments is None else arguments
    profile = _profile(given)
    try:
        code = _run(Settings.load({**os.environ, profiles.NAME: profile} if profile else os.environ), given)
        sys.stdout.flush()
    except SettingError as error:
        print(f"waxbill: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader has seen enough (head, less); what is left unsaid must not raise at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _profile(given: list[str]) -> str | None:
    """The profile that ``serve`` is given, empty without one; None when it is another command, or another form."""
    if given[:1] != ["serve"]:
        return None
    more = given[1].split("=", 1) + given[2:] if len(given) > 1 else ["--profile", ""]
    return more[1] if len(more) == 2 and more[0] == "--profile" else None


def _run(settings: Settings, given: list[str]) -> int:
    if _profile(given) is not None:
        return _serve(settings)  # without argparse, which a server would keep in memory for nothing
    if given == ["health"]:
        return _health(settings)  # twice a minute in the memory of a container
    import argparse

    parser = argparse.ArgumentParser(
        "waxbill", description="The WAHA-compatible WhatsApp HTTP API that fits in 512 MB."
    )
    parser.add_argument("--version", action="version", version=f"waxbill {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser("serve", help="serve the API")
    command.add_argument(
        "--profile", metavar="NAME", help="defaults for a memory limit: 512mb, 256mb, 128mb, auto, off"
    )
    command.set_defaults(run=lambda _: _serve(settings))

    command = commands.add_parser("plugins", help="list the installed plugins and what they implement")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=lambda parsed: _plugins(settings, as_json=parsed.json))

    command = commands.add_parser("settings", help="list the settings, their values and where these come from")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=lambda parsed: _settings(settings, as_json=parsed.json))

    command = commands.add_parser("doctor", help="say what would serve on this machine, and why")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=lambda parsed: _doctor(settings, parsed))

    command = commands.add_parser("openapi", help="print the OpenAPI document")
    command.set_defaults(run=lambda _: _openapi(settings))

    command = commands.add_parser("health", help="say whether the server that runs here answers (exit code 0 or 1)")
    command.set_defaults(run=lambda _: _health(settings))

    from .moving import add_store
    from .newplugin import add_new_plugin
    from .remote import RemoteError, add_deliveries
    from .store import StoreError

    add_new_plugin(commands)
    add_store(commands, settings, lambda: _load(settings))

    add_deliveries(commands, settings)
    if not _is_own(given):
        _load(settings).call("waxbill_commands", commands=commands)
    parsed = parser.parse_args(given)
    try:
        return int(parsed.run(parsed) or 0)
    except (RemoteError, StoreError) as error:
        print(f"waxbill: {error}", file=sys.stderr)
        return 1


def _is_own(given: list[str]) -> bool:
    """Whether the command is one of the core's: then plugins need not be asked for theirs."""
    return bool(given) and given[0] in _OWN


def _load(settings: Settings) -> Plugins:
    from .builtin import load_plugins

    return load_plugins(settings)


def _serve(settings: Settings) -> int:
    core = settings.core
    handler = logging.StreamHandler(sys.stderr)
    lines = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    handler.setFormatter(MaskedLines(_JsonLines() if core.log_format == "JSON" else lines, Mask(settings.secrets())))
    logging.basicConfig(
        level="DEBUG" if "DEBUG" in settings.environment else _LEVELS[core.log_level], handlers=[handler]
    )

    gc.disable()  # until the server runs: nothing that is imported and built is garbage, and looking costs a tenth
    from .hosting import serve

    return serve(settings)


def _doctor(settings: Settings, options: argparse.Namespace) -> int:
    """Exit code 1 when something is not well."""
    from .doctor import examine

    logging.basicConfig(level="CRITICAL")  # what failed is in the table
    checks = examine(settings, _load(settings), options)
    if options.json:
        print(json.dumps([msgspec.to_builtins(check) for check in checks], indent=2))
    else:
        marks = {True: "ok", False: "NOT WELL", None: "-"}
        rows = [[check.name, marks[check.well], check.found] for check in checks]
        _print_table(["WHAT", "", "FOUND"], rows)
        for check in checks:
            if check.well is False and check.remedy:
                print(f"\n{check.name}: {check.remedy}")
    return 1 if any(check.well is False for check in checks) else 0


def _health(settings: Settings) -> int:
    from .health import check

    return check(settings.core)


def _openapi(settings: Settings) -> int:
    import tempfile

    from .api.application import create_app
    from .api.openapi import document
    from .app import Server
    from .model.payloads import PAYLOADS

    with tempfile.TemporaryDirectory() as folder:  # the store in use belongs to the server that runs
        environment = {**settings.environment, "WAHA_LOCAL_STORE_BASE_DIR": folder}
        apart = Settings(environment)
        server = Server(apart, _load(apart))
        try:
            create_app(server)
            print(json.dumps(document(server.all_areas(), PAYLOADS, "/"), ensure_ascii=False))
        finally:
            server.close()
    return 0


def _settings(settings: Settings, *, as_json: bool) -> int:
    _load(settings)
    rows = settings.table()
    if as_json:
        table = [
            {
                "name": row.name,
                "aliases": list(row.aliases),
                "type": row.type,
                "default": str(row.default),
                "value": row.shown(),
                "source": row.source,
                "meaning": row.meaning,
            }
            for row in rows
        ]
        print(json.dumps(table, indent=2))
        return 0
    _print_table(["SETTING", "VALUE", "FROM", "MEANING"], [[r.name, r.shown(), r.source, r.meaning] for r in rows])
    return 0


def _plugins(settings: Settings, *, as_json: bool) -> int:
    from .plugins import Plugin

    def described(plugin: Plugin) -> dict[str, object]:
        name, version = plugin.entry.distribution() if plugin.entry else ("waxbill", __version__)
        return {
            "name": plugin.name,
            "distribution": name,
            "version": version,
            "state": plugin.state,
            "error": plugin.error,
            "hooks": plugin.hooks,
        }

    logging.basicConfig(level="CRITICAL")  # what failed is in the table
    rows = [described(plugin) for plugin in _load(settings).installed]
    if as_json:
        print(json.dumps(rows, indent=2))
        return 0
    _print_table(
        ["PLUGIN", "DISTRIBUTION", "STATE", "HOOKS"],
        [
            [
                str(row["name"]),
                f"{row['distribution']} {row['version']}",
                str(row["state"]) + (f" ({row['error']})" if row["error"] else ""),
                " ".join(row["hooks"]) if isinstance(row["hooks"], list) else "",
            ]
            for row in rows
        ],
    )
    return 0


def _print_table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head) - 1)]
    for row in [head, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())
