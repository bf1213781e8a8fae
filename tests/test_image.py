"""Container images: built from this checkout on a local base, started, asked, measured. Needs root and some minutes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import missing

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.image, pytest.mark.long]


def test_both_images_are_built_serve_without_rights_and_stay_small() -> None:
    """deploy/image.py stops at the first thing that is not as it should be; the rest is about its figures."""
    if os.geteuid() != 0 or not shutil.which("buildah") or not shutil.which("mmdebstrap"):
        missing("building images needs root, buildah and mmdebstrap")
    ran = subprocess.run(
        [sys.executable, "deploy/image.py", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    print(ran.stdout)
    report = json.loads(ran.stdout)
    for target in ("mock", "browser"):
        configuration = report[target]["configuration"]
        assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", configuration["User"])
        assert configuration["Healthcheck"]["Test"] == ["CMD", "waxbill", "health"]
        assert "org.opencontainers.image.version" in configuration["Labels"]
        assert "waxbill.sqlite3" in report[target]["kept"]
    mock, browser = report["mock"], report["browser"]
    assert set(mock["distributions"]) == {
        *("waxbill", "waxbill-mock", "waxbill-monitor"),
        *("falcon", "filetype", "h11", "msgspec", "pluggy", "psutil", "python-dotenv", "qrcode", "waitress", "wsproto"),
    }
    assert mock["dependencies_mb"] <= 7
    assert mock["waxbill_mb"] <= 5
    assert mock["chromium_mb"] == 0
    assert browser["chromium_mb"] <= 290
    assert len(set(browser["versions"].values())) == 1


@pytest.mark.parametrize(
    ("lock", "platform"),
    [
        ("mock", "musllinux_1_2_x86_64"),
        ("mock", "musllinux_1_2_aarch64"),
        ("postgres", "musllinux_1_2_x86_64"),
        ("postgres", "musllinux_1_2_aarch64"),
        ("browser", "manylinux_2_28_x86_64"),
        ("browser", "manylinux_2_28_aarch64"),
    ],
)
def test_every_dependency_has_a_wheel_for_the_images_platforms(tmp_path: Path, lock: str, platform: str) -> None:
    older = platform.replace("1_2", "1_1").replace("2_28", "2_17")
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"),
            *("--only-binary=:all:", "--require-hashes", "--implementation=cp", "--python-version=3.13"),
            *(f"--platform={platform}", f"--platform={older}", "-r", f"deploy/{lock}.lock", "-d", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert any(path.name.startswith("msgspec-") and platform.split("_")[0] in path.name for path in tmp_path.iterdir())
