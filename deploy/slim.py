"""Run once in an image, by the Dockerfile: takes out what a server never uses, and compiles what stays.

    python3 slim.py /opt/waxbill

Without byte code a start takes five times as long and the process 6 MB more; in a container nobody writes it later.
"""

from __future__ import annotations

import compileall
import shutil
import sys
import sysconfig
from pathlib import Path

#: Of the standard library (patterns): what no server uses.
_STDLIB = (
    *("ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "turtle.py", "venv"),
    *("config-*", "unittest/test", "distutils"),
)
#: Of the base's own packages: what installs others.
_INSTALLERS = (
    *("pip", "pip-*", "setuptools", "setuptools-*", "wheel", "wheel-*", "pkg_resources"),
    *("_distutils_hack", "distutils-precedence.pth"),
)
#: Of the installed distributions: tests, what is for other systems, sources of compiled modules, Selenium's downloader
#: of browsers and its tables of the DevTools protocol, and the YAML of scenarios, which are loaded from outside.
_SITE = (
    *("**/tests", "**/test", "**/*.pyx", "**/*.pxd", "**/*.c", "**/*.h", "**/*.pyi"),
    *("falcon/bench", "falcon/cmd", "falcon/testing", "psutil/_ps[!lpu]*.py"),
    *("ruamel", "ruamel.yaml-*", "ruamel_yaml-*"),
    *("selenium/webdriver/common/*/selenium-manager*", "selenium/webdriver/common/devtools/v*"),
)
#: Of the system: documentation (licences stay), and what Chromium needs for a desktop or for graphics tests.
_SYSTEM = (
    *("usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/icons/*", "usr/share/python-wheels"),
    *("usr/share/X11/locale", "usr/lib/*/gconv", "var/cache/apt/*", "var/cache/debconf/*", "var/log/*"),
    *("usr/lib/chromium/resources.pak", "usr/lib/chromium/libVkLayer*", "usr/lib/chromium/libVkICD*"),
)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)  # it lay in a folder that another name led to


def _twins(site: Path) -> list[Path]:
    """Sources of modules that are there as compiled extensions, too, which Python prefers."""
    sources = (path.with_name(f"{path.name.partition('.')[0]}.py") for path in site.rglob("*.cpython-*.so"))
    return [source for source in sources if source.exists()]


def slim(environment: Path) -> None:
    """Removes and compiles; ``environment`` is the virtual environment of the server."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    base = {Path(sysconfig.get_path("purelib")), Path("/usr/lib/python3/dist-packages")}
    site = next(environment.glob("lib/python*/site-packages"))
    doomed = [path for name in _STDLIB for path in stdlib.glob(name)]
    doomed += [path for folder in base for name in _INSTALLERS for path in folder.glob(name)]
    doomed += [path for name in _SITE for path in site.glob(name)]
    doomed += [path for name in _SYSTEM for path in Path("/").glob(name)]
    doomed += [path for path in Path("/").glob("usr/share/doc/*/*") if path.name != "copyright"]
    doomed += _twins(site)
    for path in doomed:
        remove(path)
    for folder in (stdlib, site):
        compileall.compile_dir(folder, quiet=1, workers=0)


if __name__ == "__main__":
    slim(Path(sys.argv[1]))
