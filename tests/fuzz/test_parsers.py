"""The parsers that we wrote ourselves take any bytes: by hypothesis, and by atheris, which follows the code."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..conftest import missing
from .parsers import SEEDS, TARGETS

ROOT = Path(__file__).parent.parent.parent


def bent(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes that are nearly right: pieces of the seeds with noise between them."""
    pieces = [seed[first:last] for seed in seeds for first in range(0, len(seed), 3) for last in (first + 4, len(seed))]
    noise = st.one_of(st.binary(max_size=6), st.sampled_from([b"\r\n", b"\0", b"\xff", b"\n", b"0" * 40, b"9" * 5000]))
    return st.one_of(
        st.binary(max_size=200),
        st.sampled_from(seeds),
        st.lists(st.one_of(st.sampled_from(pieces), noise), max_size=8).map(b"".join),
    )


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_taken_or_refused(name: str) -> None:
    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(bent(SEEDS[name]))
    def check(data: bytes) -> None:
        TARGETS[name](data)

    check()


@pytest.mark.parametrize("name", ["chunks", "requests", "identifiers", "ranges"])
def test_atheris_finds_nothing_in_a_moment(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        missing(f"atheris has no wheel for this Python ({sys.version.split()[0]})")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.parsers", name, "-runs=3000", f"-artifact_prefix={tmp_path}/"],
        cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "Done 3000 runs" in ran.stderr
