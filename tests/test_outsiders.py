"""Plugins by others: an environment that has the wheels and nothing of this checkout, and what people do there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from .conftest import build_wheel

ROOT = Path(__file__).parent.parent
EXAMPLES = {path.name: path for path in sorted((ROOT / "examples/plugins").iterdir())}
pytestmark = pytest.mark.long


class Outsider:
    """Somebody with a virtual environment of their own, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "WAXBILL"))
        }
        venv.create(folder / "venv", with_pip=True)

    def run(self, program: str, *arguments: str | Path, **environment: str) -> str:
        """The output of a program of the environment; fails with it when the program does."""
        ran = subprocess.run(
            [self.folder / "venv/bin" / program, *arguments],
            cwd=self.folder,
            env={**self._environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    def test(self, folder: Path) -> str:
        """Runs the tests of a plugin."""
        return self.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder)


@pytest.fixture(scope="module")
def outsider(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Outsider:
    """With the core, the simulator and pytest."""
    made = Outsider(tmp_path_factory.mktemp("outsider"))
    constraints = ROOT / "constraints.txt"
    packages = ("waxbill[mock,monitor]", "pytest", "hatchling")
    made.run("pip", "install", "-q", "-c", constraints, "--find-links", wheels, *packages)
    return made


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_installs_from_its_wheel_and_passes_its_tests(outsider: Outsider, tmp_path: Path, name: str) -> None:
    shutil.copytree(EXAMPLES[name] / "tests", tmp_path / "tests")
    build_wheel(EXAMPLES[name], tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    outsider.run("pip", "install", "-q", "--no-deps", wheel)
    try:
        assert " passed" in outsider.test(tmp_path / "tests")
        plugins = {row["distribution"]: row for row in json.loads(outsider.run("waxbill", "plugins", "--json"))}
        assert plugins[wheel.name.partition("-")[0].replace("_", "-")]["state"] == "loaded"
    finally:
        outsider.run("pip", "uninstall", "-q", "-y", wheel.name.partition("-")[0])


@pytest.mark.parametrize("kind", ["plugin", "driver"])
def test_a_new_plugin_passes_its_own_tests(outsider: Outsider, kind: str) -> None:
    name = f"loud-{kind}"
    said = outsider.run("waxbill", "new-plugin", name, "--kind", kind)
    assert f"pytest waxbill-{name}" in said
    folder = outsider.folder / f"waxbill-{name}"
    outsider.run("pip", "install", "-q", "--no-deps", "--no-build-isolation", folder)
    try:
        assert " passed" in outsider.test(folder)
    finally:
        outsider.run("pip", "uninstall", "-q", "-y", f"waxbill-{name}")
