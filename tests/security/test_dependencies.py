"""What comes along: the lists are as short as they should be, and everything in them is pinned."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent

SIMULATOR = {
    "falcon", "filetype", "h11", "msgspec", "pluggy", "python-dotenv", "qrcode", "ruamel-yaml", "waitress", "waxbill",
    "waxbill-mock", "wsproto",
}  # fmt: skip
#: What each plugin adds to that.
MORE = {
    "monitor": {"psutil", "waxbill-monitor"},
    "redis": {"redis", "waxbill-redis", "async-timeout"},
}


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def needed(requirement: str, found: dict[str, str] | None = None) -> dict[str, str]:
    """A requirement with everything that it needs on this machine, and their versions."""
    found = {} if found is None else found
    wanted = Requirement(requirement)
    name = _name(wanted.name)
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return found
    found[name] = installed.version
    for text in installed.requires or ():
        inner = Requirement(text)
        extras = wanted.extras or {""}
        applies = inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in {"", *extras})
        if applies and (_name(inner.name) not in found or inner.extras):
            needed(f"{inner.name}[{','.join(inner.extras)}]" if inner.extras else inner.name, found)
    return found


def test_the_simulator_brings_a_short_list() -> None:
    assert set(needed("waxbill[mock]")) - {"colorama"} == SIMULATOR


@pytest.mark.parametrize("extra", MORE)
def test_a_plugin_adds_what_it_says(extra: str) -> None:
    assert set(needed(f"waxbill[mock,{extra}]")) - SIMULATOR <= MORE[extra]


def test_everything_is_pinned_to_what_is_installed() -> None:
    pinned: dict[str, set[str]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if "==" in line:
            name, _, rest = line.partition("==")
            pinned.setdefault(_name(name), set()).add(rest.partition(";")[0].strip())
    for name, version in needed("waxbill[all]").items():
        if not name.startswith("waxbill"):
            assert version in pinned.get(name, set()), f"{name} {version} is not what constraints.txt says"


def test_no_list_says_where_things_are_downloaded() -> None:
    for path in [*ROOT.glob("*.txt"), ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]:
        assert not re.search(r"--(extra-)?index-url|--find-links|https?://[^\s]*/simple", path.read_text()), path
