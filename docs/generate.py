"""Writes the generated pages of docs/: run it after a change of operations, drivers or settings.

``python docs/generate.py`` writes them; with ``--check`` it only says whether they are up to date (exit code 1 if not).
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from waxbill import hookspecs
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


HOOKS = {name: spec for name, spec in vars(hookspecs).items() if name.startswith("waxbill_")}


def _as_markdown(docstring: str) -> str:
    """A docstring of the hooks as Markdown: its examples become fenced blocks, its double backquotes single ones."""
    lines: list[str] = []
    code: list[str] = []
    for line in [*docstring.splitlines(), "end"]:
        if code and line and not line.startswith("    "):
            lines += ["```python", *inspect.cleandoc("\n".join(code)).splitlines(), "```", ""]
            code = []
        if code or (line.startswith("    ") and lines and lines[-2:-1] and lines[-2].endswith(":")):
            code.append(line)
        elif line.endswith("::"):
            lines.append("For example:" if line == "::" else line.removesuffix(":").replace("``", "`"))
        else:
            lines.append(line.replace("``", "`"))
    return "\n".join(lines[:-1])


def hook(name: str) -> str:
    """The page of one hook: how it is declared, what its docstring says."""
    spec = HOOKS[name]
    signature = inspect.signature(spec)
    arguments = ", ".join(str(parameter) for parameter in signature.parameters.values()).replace("'", "")
    answers = str(signature.return_annotation).strip("'")
    first = spec.waxbill_spec["firstresult"]
    called = "The first answer that is not None counts." if first else "All plugins are called."
    declared = f"def {name}({arguments}) -> {answers}: ..."
    doc = _as_markdown(inspect.getdoc(spec) or "")
    return f"# {name}\n\n```python\n{declared}\n```\n\n{called}\n\n{doc.rstrip()}\n"


def hooks() -> str:
    """All hooks with the first sentence of each, in the order of hookspecs.py."""
    lines = [
        *("# Hooks", ""),
        "What a plugin can implement. An implementation may leave out arguments that it does not use;",
        "[Plugins](../plugins.md) says how to write one, and how hooks change.",
        *("", "| hook | what it is for |", "|---|---|"),
    ]
    for name, spec in HOOKS.items():
        first = re.split(r"(?<=\.)\s", inspect.getdoc(spec) or "", maxsplit=1)[0].replace("``", "`").rstrip(":.")
        lines.append(f"| [{name}]({name}.md) | {first}. |")
    return "\n".join([*lines, ""])


PAGES: dict[str, Callable[[], str]] = {
    "features.md": features,
    "settings.md": settings,
    "hooks/index.md": hooks,
    **{f"hooks/{name}.md": partial(hook, name) for name in HOOKS},
}


def main() -> int:
    stale = []
    for name, make in PAGES.items():
        text = _NOTE + make()
        if (DOCS / name).exists() and (DOCS / name).read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            (DOCS / name).parent.mkdir(exist_ok=True)
            (DOCS / name).write_text(text)
    print(f"{'stale' if '--check' in sys.argv else 'written'}: {', '.join(stale) or 'nothing'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
