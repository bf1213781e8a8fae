"""Documentation that is generated is up to date, and links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("examples/**/README.md"))]


def test_the_generated_pages_are_up_to_date() -> None:
    ran = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"run: python docs/generate.py\n{ran.stdout}{ran.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_setting_that_the_readme_names_exists() -> None:
    settings = (ROOT / "docs/settings.md").read_text()
    named = set(re.findall(r"\b(?:WAXBILL|WAHA|WHATSAPP|MEMORY)_[A-Z_]+\b", (ROOT / "README.md").read_text()))
    assert named
    assert sorted(name for name in named if f"`{name}`" not in settings) == []
