"""A real server under fuzz, for a few seconds; ``python -m tests.fuzz`` goes on for as long as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from waxbill.testing import ServerProcess

from .server import ENVIRONMENT, KEY, by_document, by_noise, faults


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, key=KEY, **ENVIRONMENT) as found:
        for name in ("default", "s"):
            found.wait_for_status(name, "WORKING")
        yield found


def test_the_document_leads_to_no_failure(server: ServerProcess, tmp_path: Path) -> None:
    found = by_document(server, seconds=8, examples=1, seed=1, folder=tmp_path)
    assert not found, found
    assert faults(server) == ""


def test_noise_on_the_wire_leads_to_no_failure(server: ServerProcess) -> None:
    assert by_noise(server, seconds=4, seed=1) > 20
    assert faults(server) == ""
