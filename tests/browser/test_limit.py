"""A short form of benchmarks/browser_limit.py: a session in the browser fits into a real limit of 512 MB."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.browser_limit import run

from waxbill_browser import binaries

from ..conftest import missing
from ..control_groups import NoControlGroups

pytestmark = [pytest.mark.browser, pytest.mark.cgroup, pytest.mark.long]


def test_traffic_in_512_mb_kills_and_loses_nothing(tmp_path: Path) -> None:
    try:
        binaries.find()
        result = run(tmp_path, 20)
    except (binaries.Missing, NoControlGroups) as error:
        missing(str(error))
        raise
    assert (result.kills, result.lost) == (0, 0)
    assert len(result.answered) > 5
    assert len(result.received) > 5
