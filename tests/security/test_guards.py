"""The table of attacks is whole: each guard is there once, has a test, and stands in docs/security.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from .guards import GUARDS, Guard

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.attack} ({guard.means})")
def test_the_line_that_guards_is_there_and_its_test_too(guard: Guard) -> None:
    assert (ROOT / guard.file).read_text().count(guard.old) == 1
    file, _, name = guard.test.partition(" -k ")[0].partition("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text()


def test_the_page_has_the_same_table() -> None:
    page = (ROOT / "docs/security.md").read_text()
    assert table() in page, "write the table of docs/security.md anew: python -m tests.security.test_guards"


def table() -> str:
    """The table as docs/security.md has it."""
    rows: dict[str, tuple[list[str], list[str]]] = {}
    for guard in GUARDS:
        means, tests = rows.setdefault(guard.attack, ([], []))
        name = guard.test.partition(" -k ")[0].partition("::")[2]
        means += [guard.means] if guard.means not in means else []
        tests += [f"`{name}`"] if f"`{name}`" not in tests else []
    lines = [f"| {attack} | {'; '.join(means)} | {', '.join(tests)} |" for attack, (means, tests) in rows.items()]
    return "\n".join(["| attack | what keeps it out | tried by |", "|---|---|---|", *lines]) + "\n"


if __name__ == "__main__":
    print(table())
