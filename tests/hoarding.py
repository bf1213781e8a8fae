"""A planted leak: a plugin that hoards memory at a set pace, and lets go of it on one rung of the ladder only."""

from __future__ import annotations

from pathlib import Path

_CODE = '''
import gc
import os

from waxbill import hookimpl
from waxbill.api.operation import Area

PACE = float(os.environ.get("HOARD_MB_PER_SECOND", "0"))
UNTIL = float(os.environ.get("HOARD_UNTIL_MB", "1e9"))
RUNG = os.environ.get("HOARD_FREED_BY", "")
ROUND_SECONDS = 0.02
area = Area("Hoard", prefix="/hoard")
held = []
total = 0.0


def hoard(megabytes):
    global total
    total += megabytes
    piece = bytearray(b"x") * int(megabytes * 1024 * 1024)
    if RUNG == "collect":  # garbage that only a collection finds
        loop = [piece]
        loop.append(loop)
    else:
        held.append(piece)


def more(server):
    if total < UNTIL:
        hoard(min(PACE * ROUND_SECONDS, UNTIL - total))
        server.clock.call_later(ROUND_SECONDS, lambda: more(server))


@hookimpl
def waxbill_startup(server):
    gc.set_threshold(1_000_000)
    if PACE:
        server.clock.call_later(ROUND_SECONDS, lambda: more(server))


@hookimpl
def waxbill_relieve_memory(rung):
    if rung == RUNG != "collect":
        count = len(held)
        held.clear()
        return f"let go of {count} pieces"
    return None


@area.post("/free", scope="any")
def free(call):
    """Let go of everything."""
    held.clear()


@hookimpl
def waxbill_routes():
    return area
'''


def plant(site: Path) -> dict[str, str]:
    """Puts the plugin into a folder as an installer would; the environment that makes a server find it."""
    info = site / "hoard-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "hoard.py").write_text(_CODE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hoard\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waxbill]\nhoard = hoard\n")
    return {"PYTHONPATH": str(site)}
