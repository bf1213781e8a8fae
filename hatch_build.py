"""Puts what browsers load into the wheel, compressed: the dashboard (50 kB), and Swagger UI from the package that
carries it, with its licence (450 kB)."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FILES = ("swagger-ui-bundle.js", "swagger-ui.css")


class AssetsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs when a wheel is built; an editable install takes the files from the package at run time."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        found = importlib.util.find_spec("swagger_ui_bundle")
        if found is None or found.origin is None:
            raise RuntimeError("swagger-ui-bundle-v2 is needed to build the wheel: pip install swagger-ui-bundle-v2")
        folder = next(Path(found.origin).parent.glob("vendor/swagger-ui-*"))
        self._made = tempfile.TemporaryDirectory()
        made = Path(self._made.name)
        for name in _FILES:
            (made / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes(), 9, mtime=0))
        carrier = importlib.metadata.distribution("swagger-ui-bundle-v2")
        licence = next(file for file in carrier.files or () if file.name == "LICENSE")
        (made / "swagger-ui.LICENSE").write_bytes(Path(str(carrier.locate_file(licence))).read_bytes())
        for path in made.iterdir():
            build_data["force_include"][str(path)] = f"waxbill/assets/{path.name}"
        page = made / "dashboard"
        page.mkdir()
        for path in Path(self.root, "core/waxbill/dashboard").iterdir():
            packed = page / f"{path.name}.gz"
            packed.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
            build_data["force_include"][str(packed)] = f"waxbill/dashboard/{packed.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._made.cleanup()
