"""Puts WA-JS, from its npm package, into ``waxbill_browser/assets``, whatever is built.

``package-lock.json`` names the version and its hash; npm refuses any other content. To change the version: edit
``package.json``, run ``npm install --package-lock-only`` here, and install again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PACKAGE = "@wppconnect/wa-js"
#: Where a file lies in the npm package, and its name among the assets.
_FILES = {
    "dist/wppconnect-wa.js": "wa-js.js",
    "dist/wppconnect-wa.js.LICENSE.txt": "wa-js.NOTICES.txt",
    "LICENSE": "wa-js.LICENSE.txt",
}
_STAMP = "wa-js.json"
_NO_NPM = "WA-JS comes from npm, which is not installed (Debian, Ubuntu: apt-get install npm; Alpine: apk add npm)"


class AssetsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before anything is built or installed; does nothing where the assets already fit the lock file."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        assets = root / "waxbill_browser" / "assets"
        lock = (root / "package-lock.json").read_bytes()
        pinned = json.loads(lock)["packages"][f"node_modules/{_PACKAGE}"]
        stamp = {"version": pinned["version"], "integrity": pinned["integrity"]}
        if _has(assets, stamp):
            return
        npm = shutil.which("npm")
        if (
            npm is None and version == "editable"
        ):  # a checkout is of use without a browser; the driver says what it lacks
            self.app.display_warning(f"waxbill-browser is installed without WA-JS. {_NO_NPM}, then install again.")
            return
        if npm is None:
            raise RuntimeError(f"{_NO_NPM}.")
        with tempfile.TemporaryDirectory() as folder:
            package = _fetch(npm, root, Path(folder))
            assets.mkdir(exist_ok=True)
            for source, name in _FILES.items():
                _put(assets / name, (package / source).read_bytes())
        stamp["sha256"] = hashlib.sha256((assets / "wa-js.js").read_bytes()).hexdigest()
        _put(assets / _STAMP, json.dumps(stamp, indent=2).encode())


def _has(assets: Path, pinned: dict[str, str]) -> bool:
    try:
        stamp = json.loads((assets / _STAMP).read_bytes())
        found = hashlib.sha256((assets / "wa-js.js").read_bytes()).hexdigest()
    except (FileNotFoundError, ValueError):
        return False
    return bool(stamp == {**pinned, "sha256": found} and all((assets / name).is_file() for name in _FILES.values()))


def _fetch(npm: str, root: Path, folder: Path) -> Path:
    """Installs what the lock file names into ``folder``; nothing of the packages is run."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(root / name, folder)
    done = subprocess.run(  # noqa: S603
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"npm could not fetch {_PACKAGE} as package-lock.json pins it:\n{done.stderr.strip()}")
    return folder / "node_modules" / _PACKAGE


def _put(path: Path, content: bytes) -> None:
    """Writes a file at once or not at all: several installs may run beside each other."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
