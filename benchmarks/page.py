"""Runs the benchmarks and writes their tables into docs/benchmarks.md, with machine, versions and date.

    python benchmarks/page.py                  all, as long as they are meant to be (three hours)
    python benchmarks/page.py --quick          all, briefly: to see that they run; writes to standard output
    python benchmarks/page.py deliveries.py    one of them; the other sections of the page stay as they are
    python benchmarks/page.py soak.py --with=--minutes=10    with options of its own

A benchmark that fails is named in its section, with the end of what it said. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/benchmarks.md"
_LIMIT_SECONDS = 3 * 3600


def title(script: Path) -> str:
    """The first sentence of a benchmark's docstring."""
    found = re.match(r'"""(.*?)\.?(?:\n|""")', script.read_text(), re.DOTALL)
    return found[1].strip() if found else script.stem


def scripts() -> list[Path]:
    """The benchmarks: what can be run in this folder, this program aside."""
    return [path for path in sorted(HERE.glob("*.py")) if path != Path(__file__) and "__main__" in path.read_text()]


def machine() -> str:
    """Processor, memory, system and versions, in a line."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    cpu = found[1].strip() if found else platform.machine()
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("waxbill", "falcon", "waitress", "msgspec"))
    return (
        f"{os.cpu_count()} cores ({cpu}), {gib:.0f} GB, Linux {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}, {packages}"
    )


def section(script: Path, options: list[str]) -> str:
    """Heading, command, date and table of one benchmark."""
    command = f"python benchmarks/{script.name} {' '.join(options)}".strip()
    ran = subprocess.run(
        [sys.executable, str(script), *options],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT_SECONDS,
    )
    said = ran.stdout.strip()
    if ran.returncode:
        said = f"It failed (exit code {ran.returncode}):\n\n```text\n{(ran.stdout + ran.stderr).strip()[-1500:]}\n```"
    elif "|" not in said:
        said = f"```text\n{said}\n```"
    return f"## {title(script)}\n\n`{command}`, {time.strftime('%Y-%m-%d')}: {machine()}.\n\n{said}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="files of this folder; all when there are none")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--with", dest="options", action="append", default=[], metavar="OPTION")
    parsed = parser.parse_args()
    wanted = [path for path in scripts() if not parsed.names or path.name in parsed.names]
    if unknown := set(parsed.names) - {path.name for path in wanted}:
        sys.exit(f"There is no {', '.join(sorted(unknown))} among {', '.join(path.name for path in scripts())}")
    head, *sections = re.split(r"^(?=## )", PAGE.read_text(), flags=re.MULTILINE)
    kept = {part.splitlines()[0].removeprefix("## "): part for part in sections}
    for script in wanted:
        print(f"{script.name} ...", file=sys.stderr)
        quick = ["--quick"] if parsed.quick and "--quick" in script.read_text() else []
        kept[title(script)] = section(script, quick + parsed.options)
    text = head.rstrip() + "\n\n" + "\n".join(part.strip() + "\n" for part in kept.values())
    if parsed.quick:
        print(text)
    else:
        PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
