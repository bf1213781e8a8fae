"""``waxbill new-plugin NAME``: a distribution to start from, with tests that pass. Imported by the command line only.

The files are templates in this folder: one for every plugin, one for drivers. ``$name``, ``$module``, ``$PREFIX``,
``$Class`` and ``$version`` are filled in.
"""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import Any

from .. import __version__

_HERE = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
#: Where each template goes; ``{module}`` is the name of the plugin's module.
_FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "module.py.txt": "{module}.py",
    "tests.py.txt": "tests/test_{module}.py",
}


def add_new_plugin(commands: Any) -> None:
    """The command ``waxbill new-plugin``."""
    parser = commands.add_parser("new-plugin", help="write a plugin to start from, with tests that pass")
    parser.add_argument("name", help="such as shout: the distribution is waxbill-shout, the module waxbill_shout")
    parser.add_argument("--kind", choices=("plugin", "driver"), default="plugin")
    parser.add_argument("--folder", type=Path, help="where to write it; by default ./waxbill-NAME")
    parser.set_defaults(run=_run)


def _run(parsed: Any) -> int:
    try:
        folder = write(parsed.name, parsed.kind, parsed.folder)
    except (ValueError, OSError) as error:
        import sys

        print(f"waxbill: {error}", file=sys.stderr)
        return 1
    print(f"Wrote {folder}. Next:\n  pip install pytest -e {folder}\n  pytest {folder}\n  waxbill plugins")
    return 0


def write(name: str, kind: str, folder: Path | None = None) -> Path:
    """Writes the files and returns their folder; raises ValueError for a bad name, FileExistsError for a folder that
    is in use."""
    name = name.removeprefix("waxbill-")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name for a plugin: small letters, digits and single dashes, such as shout-loud"
        )
    folder = folder or Path(f"waxbill-{name}")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} exists and is not empty: name another with --folder")
    module = f"waxbill_{name.replace('-', '_')}"
    words = {
        "name": name,
        "module": module,
        "PREFIX": name.replace("-", "_").upper(),
        "Class": name.title().replace("-", ""),
        "version": __version__,
    }
    for template, path in _FILES.items():
        target = folder / path.format(module=module)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template((_HERE / kind / template).read_text(encoding="utf-8")).substitute(words))
    return folder
