"""Measures waxbill's mock mode beside an Express and a Flask server that do the same work, and prints a table.

    python benchmarks/run.py            five rounds of 5 s per figure
    python benchmarks/run.py --quick    one round of 1 s
    python benchmarks/run.py --json     the figures of every round, for further use

Needs wrk, node and npm on the PATH. The peers are installed into a cache folder outside of the repository at the
first run. Everything runs on this machine's loopback; the servers take turns, so that what else the machine does
falls on all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONNECTIONS = (1, 8, 64)
EXPRESS, FLASK, GUNICORN = "5.1.0", "3.1.2", "23.0.0"


@dataclass
class Subject:
    """A server to measure: its name, and how to start it on a port with a folder of its own."""

    name: str
    start: Callable[[int, Path], subprocess.Popen[bytes]]
    session: bool = False  # whether it has a session that must be WORKING first
    rounds: list[dict[str, float]] = field(default_factory=list)


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "waxbill-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def popen(command: list[str], **environment: str) -> subprocess.Popen[bytes]:
    # Byte code is what an installed server has; some machines switch it off.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        command, env={**inherited, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def start_waxbill(port: int, folder: Path) -> subprocess.Popen[bytes]:
    return popen(
        [str(Path(sys.executable).with_name("waxbill")), "serve"],
        PORT=str(port),
        WAHA_LOCAL_STORE_BASE_DIR=str(folder),
        FORCE_MOCK_MODE="true",
        WHATSAPP_START_SESSION="default",
        WAXBILL_MOCK_SCAN_SECONDS="0",
    )


def express(cache: Path) -> Callable[[int, Path], subprocess.Popen[bytes]]:
    folder = cache / f"express-{EXPRESS}"
    if not (folder / "node_modules").exists():
        folder.mkdir(exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), f"express@{EXPRESS}"], check=True)
    shutil.copy(HERE / "peers/express.js", folder / "server.js")
    return lambda port, _: popen(["node", str(folder / "server.js")], PORT=str(port), NODE_ENV="production")


def flask(cache: Path) -> Callable[[int, Path], subprocess.Popen[bytes]]:
    folder = cache / f"flask-{FLASK}"
    if not (folder / "bin/gunicorn").exists():
        venv.create(folder, with_pip=True)
        packages = [f"flask=={FLASK}", f"gunicorn=={GUNICORN}"]
        subprocess.run([str(folder / "bin/pip"), "install", "-q", *packages], check=True)
    command = [str(folder / "bin/gunicorn"), "--chdir", str(HERE / "peers"), "--workers", "1", "--threads", "8"]
    return lambda port, _: popen([*command, "--bind", f"127.0.0.1:{port}", "flask_app:app"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(port: int, path: str) -> bytes | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as found:
            return bytes(found.read()) if found.status == 200 else None
    except OSError:
        return None


def wait_until(reached: Callable[[], object], process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not reached():
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"{process.args} did not come up.")
        time.sleep(0.002)


def tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in tree(int(child)))]


def memory(pid: int) -> dict[str, float]:
    """RSS, PSS and USS of a process and its children, in MB (2^20 bytes)."""
    total = {"rss": 0, "pss": 0, "uss": 0}
    for member in tree(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split()[:2]
            key = {"Rss:": "rss", "Pss:": "pss", "Private_Clean:": "uss", "Private_Dirty:": "uss"}.get(name)
            if key:
                total[key] += int(value)
    return {key: value / 1024 for key, value in total.items()}


def load(port: int, connections: int, seconds: int) -> dict[str, float]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(HERE / "send_text.lua")]
    ran = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/api/sendText"], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    if found["errors"]:
        raise SystemExit(f"{found['errors']:.0f} requests failed:\n{ran.stdout}")
    return found


def measure(subject: Subject, seconds: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        process = subject.start(port, Path(folder))
        try:
            wait_until(lambda: answer(port, "/ping"), process)
            figures["start_ms"] = (time.perf_counter() - begun) * 1000
            if subject.session:
                wait_until(lambda: b'"WORKING"' in (answer(port, "/api/sessions") or b""), process)
                figures["working_ms"] = (time.perf_counter() - begun) * 1000
            time.sleep(1)  # idle is what it is a second after the start
            figures |= {f"idle_{key}": value for key, value in memory(process.pid).items()}
            for connections in CONNECTIONS:
                found = load(port, connections, seconds)
                figures[f"rate_{connections}"] = found["requests"] / found["seconds"]
                figures[f"p50_{connections}"] = found["p50_ms"]
                figures[f"p99_{connections}"] = found["p99_ms"]
            figures["loaded_rss"] = memory(process.pid)["rss"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    return figures


def table(subjects: list[Subject]) -> str:
    middle = [
        {key: statistics.median(figures[key] for figures in subject.rounds) for key in subject.rounds[0]}
        for subject in subjects
    ]
    lines = [
        ("start to the first 200, ms", "start_ms", "{:.0f}"),
        ("start to session WORKING, ms", "working_ms", "{:.0f}"),
        ("idle RSS, MB", "idle_rss", "{:.1f}"),
        ("idle PSS, MB", "idle_pss", "{:.1f}"),
        ("idle USS, MB", "idle_uss", "{:.1f}"),
        ("RSS after the load, MB", "loaded_rss", "{:.1f}"),
    ]
    for connections in CONNECTIONS:
        plural = "connection" if connections == 1 else "connections"
        lines.append((f"sendText/s, {connections} {plural}", f"rate_{connections}", "{:,.0f}"))
        lines.append((f"p50 of it, ms (c{connections})", f"p50_{connections}", "{:.2f}"))
        lines.append((f"p99 of it, ms (c{connections})", f"p99_{connections}", "{:.2f}"))
    rows = ["| | " + " | ".join(subject.name for subject in subjects) + " |", "|---|" + "---:|" * len(subjects)]
    for label, key, form in lines:
        cells = (form.format(figures[key]) if key in figures else "-" for figures in middle)
        rows.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return (
        f"{os.cpu_count()} cores of {model}, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, Node {node}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="one round of 1 s: shows that it runs, no more")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", action="store_true", help="print every round's figures instead of the table")
    chosen = options.parse_args()
    for program in ("wrk", "node", "npm"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is not on the PATH; install it (Debian: apt-get install wrk nodejs npm).")
    rounds, seconds = (1, 1) if chosen.quick else (chosen.rounds, 5)
    cache = cache_folder()
    subjects = [
        Subject("waxbill mock, on disk", start_waxbill, session=True),
        Subject(f"Express {EXPRESS}, in memory", express(cache)),
        Subject(f"Flask {FLASK} on gunicorn, in memory", flask(cache)),
    ]
    for subject in subjects:
        measure(subject, 1)  # compiles byte code and warms the page cache
    for number in range(rounds):
        for subject in subjects:
            print(f"round {number + 1} of {rounds}: {subject.name}", file=sys.stderr)
            subject.rounds.append(measure(subject, seconds))
    if chosen.json:
        print(json.dumps({"machine": machine(), **{each.name: each.rounds for each in subjects}}, indent=2))
    else:
        print(f"{table(subjects)}\n\n{machine()}; medians of {rounds} rounds of {seconds} s.")


if __name__ == "__main__":
    main()
