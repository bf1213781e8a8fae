"""Writes the generated pages of docs/: run it after a change of operations, drivers or settings.

``python docs/generate.py`` writes them; with ``--check`` it only says whether they are up to date (exit code 1 if not).
"""

from __future__ import annotations

import sys
from pathlib import Path

from waxbill.app import AREAS
from waxbill.builtin import load_plugins
from waxbill.driver import DriverSpec
from waxbill.settings import Row, Settings

DOCS = Path(__file__).parent
ENGINES = ("WEBJS", "WPP", "NOWEB", "GOWS")
_NOTE = "<!-- Written by docs/generate.py; do not edit. -->\n\n"


def specs(engine: str) -> dict[str, DriverSpec]:
    """What the installed drivers say about themselves, with the simulator in an engine's dialect."""
    settings = Settings({"WHATSAPP_DEFAULT_ENGINE": engine})
    return {spec.name: spec for spec in load_plugins(settings).call("waxbill_driver", settings=settings)}


def features() -> str:
    """Every operation and who has it; operations that need no account are served whatever the driver."""
    columns = [(f"mock as {engine}", specs(engine)["mock"]) for engine in ENGINES]
    columns.append(("browser", specs("WPP")["browser"]))
    lines = ["# Features by driver", "", "`+` served, `-` answers 501 as WAHA does for an engine without it.", ""]
    for area in AREAS:
        shown = [operation for operation in area.operations if not operation.hidden]
        if not shown:
            continue
        lines += [f"## {area.tag}", "", "| operation | " + " | ".join(name for name, _ in columns) + " |"]
        lines.append("|---|" + "---|" * len(columns))
        for operation in shown:
            has = [not operation.capability or operation.capability in spec.operations for _, spec in columns]
            title = f"`{operation.method} {operation.path}`" + (" (deprecated)" if operation.deprecated else "")
            lines.append(f"| {title} {operation.summary} | " + " | ".join("+" if h else "-" for h in has) + " |")
        lines.append("")
    return "\n".join(lines)


def _default(row: Row) -> str:
    if isinstance(row.default, bool):
        return str(row.default).lower()
    return ",".join(row.default) if isinstance(row.default, tuple) else str(row.default)


def settings() -> str:
    """Every setting of the core and of the installed plugins."""
    read = Settings({})
    load_plugins(read)
    lines = ["# Settings", "", "From the environment, or from a `.env` file in the folder where waxbill starts.", ""]
    lines += ["| name | default | value | meaning |", "|---|---|---|---|"]
    for row in read.table():
        names = "<br>".join(f"`{name}`" for name in (row.name, *row.aliases))
        lines.append(
            f"| {names} | {_default(row) or '(empty)'} | {row.type} | {row.meaning.replace('|', chr(92) + '|')} |"
        )
    return "\n".join([*lines, ""])


PAGES = {"features.md": features, "settings.md": settings}


def main() -> int:
    stale = []
    for name, make in PAGES.items():
        text = _NOTE + make()
        if (DOCS / name).exists() and (DOCS / name).read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            (DOCS / name).write_text(text)
    print(f"{'stale' if '--check' in sys.argv else 'written'}: {', '.join(stale) or 'nothing'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
