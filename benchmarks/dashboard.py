"""What the dashboard costs: how fast a chat of 5,000 messages opens and scrolls, and what serving the page takes.

    python benchmarks/dashboard.py [--messages 5000] [--rounds 5]

Opening is from the start of the navigation to the newest message on the screen, by the browser's own clock; scrolling
goes up through 40 pages, and the frames that come late are those that took longer than two screen refreshes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the tests know how to drive the page

from tests.dashboard.page import Page
from tests.dashboard.test_long_chat import fill

from waxbill.testing import ServerProcess

ANA = "49301234567@c.us"
SETTINGS = {"FORCE_MOCK_MODE": "true", "WAXBILL_MOCK_SCAN_SECONDS": "0"}

OPENED = """
const done = arguments[0];
const look = () => document.querySelector(".bubble") ? done(performance.now()) : requestAnimationFrame(look);
look();
"""
SCROLL = """
const done = arguments[0];
const scroller = document.querySelector(".scroller");
const frames = [];
let last = performance.now();
let left = 600;
const step = (now) => {
  frames.push(now - last);
  last = now;
  scroller.scrollTop -= 180;
  if ((left -= 1) > 0) requestAnimationFrame(step);
  else done({frames, bubbles: document.querySelectorAll(".bubble").length,
             first: document.querySelector(".bubble").innerText.split("\\n")[0]});
};
requestAnimationFrame(step);
"""


def rss_mb(server: ServerProcess) -> float:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder), **SETTINGS) as server:  # type: ignore[arg-type]
        server.post("/api/sessions", {"name": "s"})
        server.wait_for_status("s", "WORKING")
        fill(server, ANA, asked.messages)
        idle = rss_mb(server)
        page = Page(server, 1280, 820)
        try:
            opened: list[float] = []
            for _ in range(asked.rounds):
                page.driver.get(f"{server.url}/dashboard/chats?session=s&chat={ANA}")
                opened.append(page.driver.execute_async_script(OPENED))
            scrolled: dict[str, Any] = page.driver.execute_async_script(SCROLL)
        finally:
            page.driver.quit()
        frames = sorted(scrolled["frames"])
        late = sum(frame > 34 for frame in frames)
        print(f"messages in the chat           {asked.messages}")
        print(f"open, median of {asked.rounds}              {statistics.median(opened):.0f} ms")
        print(f"frames while scrolling         {len(frames)}, median {statistics.median(frames):.1f} ms, {late} late")
        print(f"messages that are elements     {scrolled['bubbles']}, up to {scrolled['first']}")
        print(f"server before and after        {idle:.1f} MB, {rss_mb(server):.1f} MB")


if __name__ == "__main__":
    main()
