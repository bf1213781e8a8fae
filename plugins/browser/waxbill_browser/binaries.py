"""Which Chromium and which chromedriver to use, and what to install where there is none.

Called at every start of a server, so it looks at files only and starts nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

#: The binary itself comes before Debian's wrapper script of the same name, which adds nothing that is used here.
HEADLESS_SHELLS = (
    "/usr/lib/chromium/chromium-headless-shell",
    "/usr/lib64/chromium-browser/headless_shell",
    "chromium-headless-shell",
    "chrome-headless-shell",
    "headless_shell",
)
CHROMIUMS = (
    "/usr/lib/chromium/chromium",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
)
CHROMEDRIVERS = ("chromedriver", "/usr/lib/chromium/chromedriver", "/usr/lib/chromium-browser/chromedriver")

#: What to install, by the ID or ID_LIKE of os-release(5).
_INSTALL = {
    "debian": "apt-get install chromium-headless-shell chromium-driver (or chromium in place of the first)",
    "ubuntu": "snap install chromium (it brings chromedriver), and name both by WAXBILL_BROWSER_BINARY and "
    "WAXBILL_CHROMEDRIVER",
    "alpine": "apk add chromium chromium-chromedriver",
    "fedora": "dnf install chromium-headless chromedriver",
    "rhel": "dnf install chromium-headless chromedriver (from EPEL)",
    "arch": "pacman -S chromium",
    "suse": "zypper install chromium chromedriver",
}


class Binaries(msgspec.Struct, frozen=True):
    """What was found; ``headless_shell`` is the small Chromium without a user interface."""

    chromium: Path
    chromedriver: Path
    headless_shell: bool


class Missing(Exception):
    """There is no browser, or no chromedriver; the text says what to install or set."""


def find(binary: str = "", chromedriver: str = "", environment: Mapping[str, str] = os.environ) -> Binaries:
    """The binaries that were named, else those that are installed; the small Chromium first. Raises Missing."""
    if binary:
        browser = _executable(binary, environment)
        if browser is None:
            raise Missing(f"WAXBILL_BROWSER_BINARY is {binary!r}, which is no program; {how_to_install()}")
    else:
        browser = _first((*HEADLESS_SHELLS, *CHROMIUMS), environment)
        if browser is None:
            raise Missing(f"no Chromium is installed: {how_to_install()}")
    driver = _first((chromedriver,) if chromedriver else CHROMEDRIVERS, environment)
    if driver is None:
        what = f"WAXBILL_CHROMEDRIVER is {chromedriver!r}, which is no program" if chromedriver else "no chromedriver"
        raise Missing(f"{what}{'' if chromedriver else ' is installed'}: {how_to_install()}")
    return Binaries(browser, driver, "headless" in browser.name)


def _first(names: tuple[str, ...], environment: Mapping[str, str]) -> Path | None:
    return next((found for name in names if (found := _executable(name, environment))), None)


def _executable(name: str, environment: Mapping[str, str]) -> Path | None:
    """A program by its path, or by its name on the PATH."""
    for path in _places(name, environment):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def _places(name: str, environment: Mapping[str, str]) -> Iterator[Path]:
    if "/" in name:
        yield Path(name)
    else:
        for folder in environment.get("PATH", os.defpath).split(os.pathsep):
            yield Path(folder or ".") / name


def how_to_install(os_release: Path = Path("/etc/os-release")) -> str:
    """The command that installs what is needed on this distribution."""
    values: dict[str, str] = {}
    if os_release.exists():
        for line in os_release.read_text().splitlines():
            name, _, value = line.partition("=")
            values[name] = value.strip("\"'")
    for word in (values.get("ID", ""), *values.get("ID_LIKE", "").split()):
        for known, command in _INSTALL.items():
            if known in word:
                return command
    return (
        "install Chromium (or its headless shell) and chromedriver, and name them by WAXBILL_BROWSER_BINARY and "
        "WAXBILL_CHROMEDRIVER"
    )
