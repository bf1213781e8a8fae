"""A real Chromium on the dashboard of a real server; every test ends with a look at what the browser complained of."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from tests.dashboard.page import Page
from waxbill.testing import ServerProcess

# From npm, into a cache outside of the repository: axe-core is a test's tool and nothing that is shipped.
_AXE = "4.10.3"


@pytest.fixture
def pages() -> Iterator[Callable[..., Page]]:
    """Opens browsers: ``pages(server, width=390)``. At the end none of them may have complained about anything, or
    have asked another host for anything."""
    opened: list[Page] = []

    def open_page(server: ServerProcess, *, width: int = 1280, height: int = 820, dark: bool = False) -> Page:
        for program in ("chromium", "chromedriver"):
            if shutil.which(program) is None:
                missing(f"{program} is not installed")
        opened.append(Page(server, width, height, dark=dark))
        return opened[-1]

    yield open_page
    try:
        for page in opened:
            assert page.complaints() == []
            assert page.hosts() <= {"127.0.0.1"}
    finally:
        for page in opened:
            page.close()


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[str]]:
    """Checks a page for what keeps people out (axe-core with all its rules); answers what is wrong."""
    source = _axe_source().read_text()

    def check(page: Page) -> list[str]:
        page.driver.execute_script(source)
        found: dict[str, Any] = page.driver.execute_async_script("axe.run().then(arguments[0])")
        assert found["passes"]
        return [
            f"{rule['id']}: {rule['help']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    return check


def _axe_source() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waxbill-tests"
    cache.mkdir(parents=True, exist_ok=True)
    source = cache / f"axe-core-{_AXE}" / "package" / "axe.min.js"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers of one run share the cache
        if not source.is_file():
            if shutil.which("npm") is None:
                missing("npm is not installed")
            done = subprocess.run(
                ["npm", "pack", "--json", "--ignore-scripts", f"axe-core@{_AXE}"],
                cwd=cache,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            if done.returncode:
                missing(f"npm has no axe-core: {done.stderr[-200:]}")
            packed = cache / json.loads(done.stdout)[0]["filename"]
            with tarfile.open(packed) as archive:
                archive.extractall(source.parents[1], filter="data")
    return source
