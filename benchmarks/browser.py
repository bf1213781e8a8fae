"""Measures a session in the browser, beside whatsapp-web.js on the same Chromium and stand-in, and prints a table.

    python benchmarks/browser.py            three rounds, 30 messages each way
    python benchmarks/browser.py --quick    one round, 10 messages
    python benchmarks/browser.py --json     the figures of every round

Memory is the PSS of everything that serves the session: server (or node), guard, chromedriver, browser. Times: from
the start of a session (of a process, for the peer) to its QR code; a text from call to answer; a message from the
stand-in's server to waxbill's outbox (the envelope's time), or to the peer's handler. The stand-in's page is small and
quick: real accounts need more memory and more time. The peer is installed by npm into a cache folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.standin import StandIn  # noqa: E402

from waxbill.testing import Receiver, ServerProcess  # noqa: E402
from waxbill_browser import flags, processes  # noqa: E402

PEER = "1.34.7"
CHAT = "49301234567@c.us"
BROWSERS = {"headless-shell": "/usr/lib/chromium/chromium-headless-shell", "chromium": "/usr/lib/chromium/chromium"}
#: How long a session is left alone before its memory is read.
SETTLE_SECONDS = 3.0
#: How long the peer may take for all of it.
PATIENCE_SECONDS = 120.0

Figures = dict[str, float]


def peer_folder() -> Path | None:
    """whatsapp-web.js without a browser of its own; None where npm is missing."""
    if shutil.which("npm") is None:
        return None
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waxbill-benchmarks" / "whatsapp-web.js"
    if not (folder / "node_modules" / "whatsapp-web.js").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": {"whatsapp-web.js": PEER}}))
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=folder, check=True, env={**os.environ, "PUPPETEER_SKIP_DOWNLOAD": "1"})
    shutil.copy(ROOT / "benchmarks/peers/whatsapp_web.js", folder / "peer.js")
    return folder


def tree(pid: int, folder: Path) -> list[int]:
    """A process, everything below it, and what was reparented and still uses the folder."""
    return sorted({pid, *processes.children(pid), *processes.under(folder)})


def spread(seconds: list[float]) -> tuple[float, float]:
    """Median and worst, in ms."""
    return statistics.median(seconds) * 1000, max(seconds) * 1000


def receive(whatsapp: StandIn, count: int, arrived: Callable[[str], float]) -> Figures:
    """Messages in, one after the other; ``arrived(body)`` waits for one and says when it was there (Unix time)."""
    delays = []
    for number in range(count):
        body = f"number {number}"
        sent = time.time()
        whatsapp.phone.receive("49301234567", body)
        delays.append(arrived(body) - sent)
    median, worst = spread(delays)
    return {"event ms": median, "event ms, worst": worst}


def waxbill(browser: str, count: int) -> Figures:
    with StandIn() as whatsapp, Receiver() as receiver, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = ServerProcess(
            folder,
            key="",
            WAXBILL_DRIVER="browser",
            WAXBILL_BROWSER_BINARY=browser,
            WAXBILL_BROWSER_ARGS=shlex.join(whatsapp.arguments),
            WHATSAPP_HOOK_URL=receiver.url,
            WHATSAPP_HOOK_EVENTS="message",
        )
        with server:
            began = time.monotonic()
            server.post("/api/sessions", {"name": "one"})
            server.wait_for_status("one", "SCAN_QR_CODE", timeout_seconds=60)
            figures = {"start to QR, s": time.monotonic() - began}
            whatsapp.phone.scan()
            server.wait_for_status("one", "WORKING", timeout_seconds=60)

            def send(number: int) -> float:
                began = time.monotonic()
                answer = server.post("/api/sendText", {"session": "one", "chatId": CHAT, "text": f"out {number}"})
                assert answer.status == 201, answer.body
                return time.monotonic() - began

            def arrived(body: str) -> float:
                event = receiver.wait_for(lambda event: event["payload"]["body"] == body, 60)
                return float(event["timestamp"]) / 1000

            send(-1)
            figures["send ms"], figures["send ms, worst"] = spread([send(number) for number in range(count)])
            figures |= receive(whatsapp, count, arrived)
            time.sleep(SETTLE_SECONDS)  # what a session costs at rest
            pids = tree(server.pid, folder)
            return {**figures, "PSS MB": processes.pss_mb(pids), "processes": float(len(pids))}


def peer(folder: Path, browser: str, count: int) -> Figures:
    lean = [flag for flag, _ in flags.LEAN]
    lean += [f"--disable-features={','.join(flags.FEATURES_OFF)}", f"--enable-features={','.join(flags.FEATURES_ON)}"]
    with StandIn(plain_keys=True) as whatsapp, tempfile.TemporaryDirectory() as profile:
        told = {
            "binary": browser,
            "args": [*lean, *(["--no-zygote"] if "headless" in browser else []), "--no-sandbox", *whatsapp.arguments],
            "folder": profile,
            "headless": "shell" if "headless" in browser else True,
        }
        began = time.monotonic()
        process = subprocess.Popen(
            ["node", "peer.js", json.dumps(told)],
            cwd=folder,
            env={**os.environ, "TMPDIR": profile},  # what its browser leaves behind
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None

        def heard(what: str, **fits: Any) -> dict[str, Any]:
            for text in process.stdout or ():
                line: dict[str, Any] = json.loads(text)
                if line["what"] == "failed":
                    raise RuntimeError(f"whatsapp-web.js: {line['error']}")
                if line["what"] == what and all(line[name] == value for name, value in fits.items()):
                    return line
            raise RuntimeError("whatsapp-web.js ended")

        def send(number: int) -> float:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"chat": CHAT, "text": f"out {number}"}) + "\n")
            process.stdin.flush()
            return float(heard("sent")["ms"]) / 1000

        watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
        watchdog.start()
        try:
            heard("qr")
            figures = {"start to QR, s": time.monotonic() - began}
            time.sleep(2)  # it listens for the end of pairing only some time after it has shown the code
            whatsapp.phone.scan()
            heard("ready")
            send(-1)
            figures["send ms"], figures["send ms, worst"] = spread([send(number) for number in range(count)])
            figures |= receive(whatsapp, count, lambda body: float(heard("message", body=body)["at"]))
            time.sleep(SETTLE_SECONDS)
            pids = tree(process.pid, Path(profile))
            return {**figures, "PSS MB": processes.pss_mb(pids), "processes": float(len(pids))}
        finally:
            watchdog.cancel()
            left = tree(process.pid, Path(profile))
            process.kill()  # it closes its browser when it is asked to end, and then stays
            process.wait()
            process.stdin.close()
            process.stdout.close()
            processes.end(left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, 10 messages")
    parser.add_argument("--json", action="store_true", help="every round's figures")
    parser.add_argument("--no-peer", action="store_true", help="waxbill alone")
    options = parser.parse_args()
    rounds, count = (1, 10) if options.quick else (3, 30)
    folder = None if options.no_peer else peer_folder()
    found: dict[str, list[Figures]] = {}
    for _ in range(rounds):
        for name, binary in BROWSERS.items():
            if not Path(binary).exists():
                continue
            found.setdefault(f"waxbill, {name}", []).append(waxbill(binary, count))
            if folder is not None:
                found.setdefault(f"whatsapp-web.js {PEER}, {name}", []).append(peer(folder, binary, count))
    if options.json:
        print(json.dumps(found, indent=2))
        return
    names = list(next(iter(found.values()))[0])
    print("| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for subject, figures in found.items():
        medians = [statistics.median(one[name] for one in figures) for name in names]
        print(f"| {subject} | " + " | ".join(f"{value:.1f}" for value in medians) + " |")


if __name__ == "__main__":
    main()
