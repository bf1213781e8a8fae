"""Takes each guard away and runs its test, which must fail: ``python -m tests.security.without``.

With all guards in place the test must pass, which is tried before. It works on copies of the sources; ``--only A|B``
tries the attacks with one of these words in them. Exits with 1 when a test passes without its guard.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .guards import GUARDS, Guard

ROOT = Path(__file__).parent.parent.parent
_SECONDS = 120


def _copy() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="waxbill-without-"))
    for name in ("core", "plugins", "tests", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _passes(folder: Path, guard: Guard) -> bool:
    """Whether the guard's test passes on the sources as they are there."""
    sources = [folder, folder / "core", *(folder / "plugins").iterdir()]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, sources)),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    test, _, expression = guard.test.partition(" -k ")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-o", "addopts=", "-p", "no:cacheprovider", f"tests/{test}"]
    command += ["-k", expression] if expression else []
    try:
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    if ran.returncode not in (0, 1):
        raise RuntimeError(
            f"{guard.test} could not be run:\n{ran.stdout.decode()[-2000:]}{ran.stderr.decode()[-2000:]}"
        )
    return ran.returncode == 0


_local = threading.local()
_copies: list[Path] = []
#: Tests that were seen to pass.
_sound: set[str] = set()


def _own_copy() -> None:
    _local.folder = _copy()
    _copies.append(_local.folder)


def _survives(guard: Guard) -> bool:
    """Whether the guard's test passes without it; with it, it must."""
    if guard.test not in _sound:
        if not _passes(_local.folder, guard):
            raise RuntimeError(f"{guard.test} fails although nothing is taken away")
        _sound.add(guard.test)
    path = _local.folder / guard.file
    text = path.read_text()
    path.write_text(text.replace(guard.old, guard.new, 1))
    try:
        passes = _passes(_local.folder, guard)
    finally:
        path.write_text(text)
    print(f"{'PASSES' if passes else 'fails '}  {guard.attack}: {guard.test}", flush=True)
    return passes


def main() -> int:
    """Tries all guards, or those whose attack has a word in it."""
    parser = argparse.ArgumentParser("python -m tests.security.without", description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parsed = parser.parse_args()
    words = parsed.only.lower().split("|")
    chosen = [guard for guard in GUARDS if any(word in guard.attack.lower() for word in words)]
    with ThreadPoolExecutor(parsed.jobs, initializer=_own_copy) as pool:
        useless = sum(pool.map(_survives, chosen))
    for folder in _copies:
        shutil.rmtree(folder)
    print(f"{len(chosen) - useless} of {len(chosen)} guards are missed by their test when they are gone")
    return int(bool(useless))


if __name__ == "__main__":
    sys.exit(main())
