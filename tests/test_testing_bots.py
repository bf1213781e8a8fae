"""What bots are tested with: the fixtures, the helper, and the example in Flask, as their users run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = [
    pytest.param(found, id=f"{page} {number}")
    for page in ("README.md", "docs/testing-bots.md")
    for number, found in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL))
]


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest as a user runs it: without this project's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "WAXBILL_"))}
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(folder), "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-p", "no:xdist", "-q", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT / "examples/flask-bot")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("arguments", [(), ("--waxbill-process",)], ids=["thread", "process"])
def test_the_flask_bot_passes_its_tests(arguments: tuple[str, ...]) -> None:
    ran = run_pytest(ROOT / "examples/flask-bot", *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^7 passed", ran.stdout, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_pages_run_as_written(example: str, tmp_path: Path) -> None:
    (tmp_path / "test_page.py").write_text(example)
    ran = run_pytest(tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^\d+ passed", ran.stdout, re.MULTILINE)


def test_the_plugin_imports_nothing_for_runs_that_do_not_use_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n    assert not [name for name in sys.modules if name.startswith('waxbill')]\n"
    )
    ran = run_pytest(tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_test_that_waits_in_vain_says_what_the_bot_sent(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_it(whatsapp):\n"
        "    ana = whatsapp.contact('Ana')\n"
        "    whatsapp.ask('POST', '/api/sendText', {'session': 'default', 'chatId': ana.id, 'text': 'bye'})\n"
        "    ana.received.wait_for(text='hello', timeout_seconds=0.1)\n"
    )
    ran = run_pytest(tmp_path)
    assert ran.returncode == 1
    assert "No message fits within 0.1s. The bot sent to 49" in ran.stdout
    assert ': "bye".' in ran.stdout
