"""The table of attacks fits the sources: ``python -m tests.security.without`` can take every guard away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .guards import GUARDS

ROOT = Path(__file__).parent.parent.parent


def misfits() -> Iterator[str]:
    for guard in GUARDS:
        source = ROOT / guard.file
        if not source.is_file() or source.read_text().count(guard.old) != 1:
            yield f"{guard.attack}: {guard.old!r} does not stand once in {guard.file}"
        test = guard.test.partition("::")[2].partition("[")[0].partition(" -k ")[0]
        file = ROOT / "tests" / guard.test.partition("::")[0].partition(" -k ")[0]
        if not file.is_file() or f"def {test}" not in file.read_text():
            yield f"{guard.attack}: there is no test {guard.test}"


def test_every_guard_and_its_test_are_where_the_table_says() -> None:
    assert list(misfits()) == []
