"""Documentation: generated pages are up to date, the site builds, links lead somewhere, every command works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import missing
from .documents import Block, Reader, blocks, commands

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("**/*.md"))
PAGES = [ROOT / "README.md", *DOCS, *sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("examples/**/README.md"))]
PAGES = list(dict.fromkeys(PAGES))
WITH_COMMANDS = [page for page in DOCS if any(block.language == "console" for block in blocks(page))]
EVENTS = ROOT / "docs/events-and-webhooks.md"

#: Programs of ``sh`` blocks, whose commands are not run: they need what a test has not (a platform, an index that has
#: waxbill, minutes). Everything else belongs into a ``console`` block.
NOT_HERE = {"docker", "fly", "systemctl", "apt-get", "pip", "python", "python3", "git", "pre-commit", ".ci/run", "uv"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_generated_pages_are_up_to_date() -> None:
    ran = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"run: python docs/generate.py\n{ran.stdout}{ran.stderr}"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "hooks/waxbill_driver/index.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_setting_that_a_page_names_exists() -> None:
    known = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/settings.md").read_text()))
    unknown = {
        f"{name(page)}: {word}"
        for page in PAGES
        if page.parent.name != "hooks"  # what hookspecs.py says
        for word in re.findall(r"\b(?:WAXBILL|WAHA|WHATSAPP|MEMORY)_[A-Z_]+\b(?!\*)", page.read_text())
        if word not in known and word not in {"WAXBILL_CI", "WAXBILL_LIVE", "WAXBILL_IMAGE"}
    }
    assert sorted(unknown) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_in_a_page_is_of_a_language_that_is_checked(page: Path) -> None:
    for block in blocks(page):
        assert block.language in CHECKS, f"line {block.line} has ```{block.language}, not one of {', '.join(CHECKS)}"
        CHECKS[block.language](block)


def _python(block: Block) -> None:
    compile(block.text, f"line {block.line}", "exec")


def _not_here(block: Block) -> None:
    for line in block.text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|", line.partition("#")[0]):
            words = [word for word in part.split() if "=" not in word and word not in (".", "sudo")]
            if words:
                allowed = words[0] in NOT_HERE or words[0].startswith((".venv/bin/", "/opt/")) or "waxbill" in words[0]
                assert allowed, f"line {block.line}: '{words[0]}' can be run by a test: make it a console block"


CHECKS = {
    "console": lambda block: list(commands(block)),
    "python": _python,
    "json": lambda block: json.loads(block.text),
    "yaml": lambda block: yaml.safe_load(block.text),
    "sh": _not_here,
    "javascript": lambda block: None,  # run below
    "php": lambda block: None,  # run below
    "text": lambda block: None,
}


@pytest.mark.long
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_every_command_of_a_page_does_what_the_page_says(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if title := re.search(r'```\w+ title="([\w.-]+)"', page.read_text().splitlines()[block.line - 1]):
            (tmp_path / title[1]).write_text(block.text)
    with Reader(tmp_path) as reader:
        for block in blocks(page):
            if block.language == "console":
                for command in commands(block):
                    reader.type(command)


# -- how a webhook's signature is verified, in three languages

BODY, KEY = b'{"event":"message","session":"default","engine":"WEBJS"}', "my-secret-key"
#: From WAHA's documentation of its webhooks.
SIGNATURE = (
    "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1"
    "631777076153fa89"
)
PROGRAMS = {
    "python": "import sys, verify\nprint(verify.is_genuine(sys.stdin.buffer.read(), *sys.argv[1:]))",
    "javascript": (
        "const {isGenuine} = require('./verify.js');\n"
        "console.log(isGenuine(require('fs').readFileSync(0), ...process.argv.slice(2)));"
    ),
    "php": (
        "<?php require __DIR__ . '/verify.php';\n"
        "echo is_genuine(stream_get_contents(STDIN), $argv[1], $argv[2]) ? 'true' : 'false';"
    ),
}


@pytest.mark.parametrize(("language", "program"), [("python", sys.executable), ("javascript", "node"), ("php", "php")])
def test_the_examples_tell_a_genuine_webhook_from_another(language: str, program: str, tmp_path: Path) -> None:
    if shutil.which(program) is None:
        missing(f"{program} is not installed")
    source = next(block for block in blocks(EVENTS) if block.language == language)
    ending = {"python": "py", "javascript": "js", "php": "php"}[language]
    (tmp_path / f"verify.{ending}").write_text(source.text)
    (tmp_path / f"main.{ending}").write_text(PROGRAMS[language])

    def genuine(body: bytes, signature: str, key: str) -> bool:
        ran = subprocess.run(
            [program, str(tmp_path / f"main.{ending}"), signature, key],
            input=body,
            capture_output=True,
            check=True,
        )
        return {"true": True, "false": False}[ran.stdout.decode().strip().lower()]

    assert genuine(BODY, SIGNATURE, KEY)
    assert not genuine(BODY + b" ", SIGNATURE, KEY)
    assert not genuine(BODY, SIGNATURE, "another key")
    assert not genuine(BODY, "0" * 128, KEY)
    assert not genuine(BODY, "", KEY)
