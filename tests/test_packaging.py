"""Distributions: their wheels install together from a folder, and the server runs from them alone."""

from __future__ import annotations

import os
import subprocess
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

from waxbill import __version__
from waxbill.testing import ServerProcess

from .conftest import PROJECTS

ROOT = Path(__file__).parent.parent


def read(project: Path) -> dict[str, object]:
    return dict(tomllib.loads((project / "pyproject.toml").read_text())["project"])


def test_all_distributions_have_one_version_and_pin_each_other() -> None:
    core = read(ROOT)
    assert {read(project)["version"] for project in PROJECTS.values()} == {core["version"]} == {__version__}
    for name, project in PROJECTS.items():
        assert read(project)["name"] == name
        if name != "waxbill":
            assert f"waxbill=={__version__}" in read(project)["dependencies"]  # type: ignore[operator]
    extras = core["optional-dependencies"]
    assert extras == {
        **{name.removeprefix("waxbill-"): [f"{name}=={__version__}"] for name in PROJECTS if name != "waxbill"},
        "all": ["waxbill[mock,browser,monitor,redis,postgres,s3]"],
    }


def test_wheels_carry_what_they_need_and_nothing_else(wheels: Path) -> None:
    contents = {path.name.partition("-")[0]: zipfile.ZipFile(path).namelist() for path in wheels.glob("*.whl")}
    assert len(contents) == len(PROJECTS)
    for package, names in contents.items():
        assert all(name.startswith((f"{package}/", f"{package}-", f"pytest_{package}.py")) for name in names), package
        assert f"{package}/py.typed" in names
        assert not any(Path(name).name.startswith("test_") or name.endswith(".pyc") for name in names)
    assert "waxbill/assets/swagger-ui-bundle.js.gz" in contents["waxbill"]
    page = {name for name in contents["waxbill"] if name.startswith("waxbill/dashboard/")}
    written = (ROOT / "core/waxbill/dashboard").iterdir()
    assert page == {f"waxbill/dashboard/{path.name}.gz" for path in written}
    assert sum(path.stat().st_size for path in wheels.glob("*.whl")) < 2 * 1024 * 1024


def test_wheels_from_a_folder_install_and_serve(
    wheels: Path, tmp_path: Path, serve: Callable[..., ServerProcess]
) -> None:
    environment, constraints = tmp_path / "venv", ROOT / "constraints.txt"
    venv.create(environment, with_pip=True)
    subprocess.run(
        [environment / "bin/pip", "install", "-q", "-c", constraints, "--find-links", wheels, "waxbill[mock]"],
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    server = serve(program=environment / "bin/waxbill", PYTHONPATH="")
    assert server.get("/ping").json() == {"message": "pong"}
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    assert server.post("/api/sendText", {"session": "s", "chatId": "49301234567", "text": "x"}).status == 201
    assert server.get("/-assets/swagger-ui.css").status == 200
    assert server.get("/dashboard").text.startswith("<!doctype html>")
    assert "export" in server.get("/dashboard/-/api.js").text
    assert (
        "psutil"
        not in subprocess.run([environment / "bin/pip", "list"], capture_output=True, text=True, check=True).stdout
    )
