"""The repository itself: valid forms and workflows, a release that builds, a README whose path works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from waxbill import __version__

from .documents import Reader, blocks, commands
from .test_deploy import conforms

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", ".github/workflows/*.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("vendor.dependabot", ".github/dependabot.yml"),
    ],
)
def test_what_github_reads_conforms_to_its_schema(schema: str, files: str) -> None:
    found = list(ROOT.glob(files))
    assert found
    conforms(schema, *found)


def test_the_workflow_runs_what_everybody_can_run() -> None:
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values()
    assert job["steps"][-1]["run"] == "bash .ci/run"


def test_the_programs_of_the_commit_hooks_are_installed_by_the_development_requirements() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    programs = {Path(hook["entry"].split()[0]) for hook in local["hooks"]}
    assert {program.parent for program in programs} == {Path(".venv/bin")}
    here = Path(sys.executable).parent
    assert sorted(program.name for program in programs if not (here / program.name).exists()) == []


def test_the_changelog_has_this_version_or_what_is_not_released() -> None:
    headings = re.findall(r"^## (.*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0].startswith(__version__)


def test_a_release_is_built_and_checked_with_its_bill_of_materials(tmp_path: Path) -> None:
    command = [sys.executable, "deploy/release.py", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (
        len(list(tmp_path.glob("*.whl")))
        == len(list(tmp_path.glob("*.tar.gz")))
        == 1 + len(list((ROOT / "plugins").iterdir()))
    )
    bill = json.loads((tmp_path / f"waxbill-{__version__}.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    components = {component["name"]: component for component in bill["components"]}
    assert {"waxbill", "waxbill-mock", "falcon", "waitress", "selenium"} <= components.keys()
    assert all(component["version"] and component["hashes"] for component in components.values())
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "is not empty" in again.stderr


@pytest.mark.long
def test_the_readme_leads_to_an_answered_message_in_two_minutes(tmp_path: Path) -> None:
    """As somebody does who has just cloned the repository: every command of the README, as it stands there."""
    checkout = tmp_path / "waxbill"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    begun = time.monotonic()
    with Reader(checkout) as reader:
        for block in blocks(ROOT / "README.md"):
            if block.language == "console":
                for command in commands(block):
                    reader.type(command)
        shown = reader.type(next(commands(blocks(ROOT / "README.md")[0]._replace(text="$ ls qr.png\n"))))
    assert shown.strip() == "qr.png"
    if os.getloadavg()[1] < (os.cpu_count() or 1):  # a machine that is busy with other tests says nothing about it
        assert time.monotonic() - begun < 120
