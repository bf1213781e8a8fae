"""A short form of benchmarks/crash.py: nothing that was answered is lost when the server is killed."""

from __future__ import annotations

from pathlib import Path

from benchmarks.crash import run


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, kills=5)
    assert result.kills == 5
    assert len(result.accepted) > 50
    assert result.lost == set()
    assert result.in_order
