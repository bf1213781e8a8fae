"""Fuzzes for as long as it is told: ``python -m tests.fuzz --minutes 30``. Exits with 1 when something was found.

Rounds of schemathesis, noise on the wire, and atheris on each parser; after each, the server must answer, have logged
no failure, and not have grown.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from waxbill.testing import ServerProcess

from .parsers import TARGETS
from .server import ENVIRONMENT, KEY, ROOT, by_document, by_noise, faults, rss_mb

#: What the server may grow by after the first round: the store's own pages and the simulator's memory of its sessions.
GROWTH_MB = 12.0


def _by_atheris(seconds: float, folder: Path) -> str:
    if importlib.util.find_spec("atheris") is None:
        print("  atheris: has no wheel for this Python, left out", flush=True)
        return ""
    for name in TARGETS:
        command = [sys.executable, "-m", "tests.fuzz.parsers", name]
        command += [
            f"-max_total_time={max(1, seconds / len(TARGETS)):.0f}",
            f"-artifact_prefix={folder}/",
            "-timeout=20",
        ]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if ran.returncode:
            return f"atheris on {name}:\n{ran.stderr[-5000:]}"
    return ""


def main() -> int:
    """Runs rounds until the time is up, or something is found."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parsed = parser.parse_args()
    begun, end = time.monotonic(), time.monotonic() + parsed.minutes * 60
    folder = Path(tempfile.mkdtemp(prefix="waxbill-fuzz-"))
    first_mb = 0.0
    round_ = 0
    print(f"seed {parsed.seed}, folder {folder}", flush=True)
    with ServerProcess(folder, key=KEY, **ENVIRONMENT) as server:
        while time.monotonic() < end:
            seed = parsed.seed + round_
            left = end - time.monotonic()
            found = by_document(server, seconds=min(left * 0.5, 120), examples=20, seed=seed, folder=folder)
            connections = by_noise(server, seconds=min(left * 0.2, 40), seed=seed)
            found = found or _by_atheris(min(left * 0.2, 60), folder) or faults(server)
            now_mb = rss_mb(server)
            first_mb = first_mb or now_mb
            print(
                f"{time.monotonic() - begun:6.0f} s  round {round_}: {connections} connections, {now_mb:.1f} MB",
                flush=True,
            )
            if found or now_mb - first_mb > GROWTH_MB:
                print(found or f"the server grew from {first_mb:.1f} to {now_mb:.1f} MB")
                return 1
            round_ += 1
            if end - time.monotonic() < 30:
                break
    print(f"nothing found in {round_} rounds and {(time.monotonic() - begun) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
