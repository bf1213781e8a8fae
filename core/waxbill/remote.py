"""Commands that ask a running server: what its webhooks have waiting, and replay. Imported by the command line only."""

from __future__ import annotations

import argparse
import http.client
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from .settings import Settings

_SECONDS = 30.0


class RemoteError(Exception):
    """The server can't be asked, or refuses; the text says what to do."""


def add_deliveries(commands: Any, settings: Settings) -> None:
    """The command ``waxbill deliveries`` with its own commands."""
    parser = commands.add_parser("deliveries", help="see, replay and drop deliveries of the server that runs here")
    parser.add_argument("--key", default="", help="API key, where WAHA_API_KEY has only its hash")
    parser.add_argument("--json", action="store_true", help="as JSON")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, help_text: str, run: Any) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = actions.add_parser(name, help=help_text)
        added.set_defaults(run=lambda parsed: run(Remote(settings, parsed.key), parsed))
        return added

    listed = action("list", "list deliveries, the newest first", _list)
    listed.add_argument("--state", choices=("pending", "dead", "done"))
    listed.add_argument("--session")
    listed.add_argument("--limit", type=int, default=100)
    attempts = action("attempts", "list attempts, the newest first", _attempts)
    attempts.add_argument("--session")
    attempts.add_argument("--event", help="id of an event")
    attempts.add_argument("--limit", type=int, default=100)
    replayed = action("replay", "deliver events again", _replay)
    replayed.add_argument("--event", action="append", help="id of an event; may be repeated")
    replayed.add_argument("--session")
    replayed.add_argument("--since", type=_moment, help="ISO time such as 2026-11-24T10:00, in UTC without an offset")
    replayed.add_argument("--until", type=_moment)
    replayed.add_argument("--dead", action="store_true", help="dead letters only")
    action("webhooks", "list webhooks with what waits for them", _webhooks)
    for name, help_text in (("pause", "keep a webhook's events until it is resumed"), ("resume", "deliver them")):
        changed = action(name, help_text, _change)
        changed.add_argument("webhook", type=int, help="its number, see: waxbill deliveries webhooks")
        changed.set_defaults(change=name)


def _moment(text: str) -> int:
    """Unix ms of an ISO time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO time such as 2026-11-24T10:00") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


class Remote:
    """The server that runs on this machine with these settings."""

    def __init__(self, settings: Settings, key: str) -> None:
        core = settings.core
        self._port = core.port
        self._key = key or ("" if core.api_key.startswith("sha512:") else core.api_key)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        asked = {name: value for name, value in query.items() if value is not None}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS)
        headers = {"Content-Type": "application/json", **({"X-Api-Key": self._key} if self._key else {})}
        try:
            connection.request(
                method,
                f"{path}?{urlencode(asked)}" if asked else path,
                None if body is None else json.dumps(body),
                headers,
            )
            answer = connection.getresponse()
            data = answer.read()
        except OSError as error:
            raise RemoteError(
                f"No server answers on port {self._port} ({error.strerror or error}). Start it, or set PORT."
            ) from None
        finally:
            connection.close()
        if answer.status == 401:
            raise RemoteError("The server asks for a key: set WAHA_API_KEY, or give --key.")
        if answer.status >= 400:
            raise RemoteError(f"The server refuses: {data.decode(errors='replace')[:500]}")
        return json.loads(data) if data else None


def _print(parsed: argparse.Namespace, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> int:
    if parsed.json:
        print(json.dumps(rows, indent=2))
        return 0
    shown = [[_cell(name, row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *shown]) for i in range(len(columns))]
    for line in [list(columns), *shown]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


def _cell(name: str, value: Any) -> str:
    if name == "at" and value is not None:
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else str(value)[:60]


def _list(server: Remote, parsed: argparse.Namespace) -> int:
    rows = server.ask("GET", "/api/waxbill/deliveries", state=parsed.state, session=parsed.session, limit=parsed.limit)
    return _print(parsed, rows, ("at", "state", "session", "event", "event_id", "attempts", "url", "error"))


def _attempts(server: Remote, parsed: argparse.Namespace) -> int:
    rows = server.ask(
        "GET", "/api/waxbill/deliveries/attempts", session=parsed.session, eventId=parsed.event, limit=parsed.limit
    )
    return _print(parsed, rows, ("at", "session", "event", "eventId", "attempt", "status", "ms", "url", "answer"))


def _replay(server: Remote, parsed: argparse.Namespace) -> int:
    body = {
        "eventIds": parsed.event,
        "session": parsed.session,
        "since": parsed.since,
        "until": parsed.until,
        "dead": parsed.dead,
    }
    print(f"{server.ask('POST', '/api/waxbill/deliveries/replay', body)['replayed']} deliveries are in line again")
    return 0


def _webhooks(server: Remote, parsed: argparse.Namespace) -> int:
    rows = server.ask("GET", "/api/waxbill/webhooks")
    return _print(parsed, rows, ("id", "session", "url", "pending", "dead", "paused", "last_error"))


def _change(server: Remote, parsed: argparse.Namespace) -> int:
    server.ask("POST", f"/api/waxbill/webhooks/{parsed.webhook}/{parsed.change}")
    print(f"webhook {parsed.webhook}: {parsed.change}d")
    return 0
