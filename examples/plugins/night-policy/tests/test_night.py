"""The policy alone, and in a server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import waxbill_night

from waxbill.memory import Reading
from waxbill.settings import Settings
from waxbill.testing import ServerProcess


def level(monkeypatch: pytest.MonkeyPatch, hour: int, used_mb: float, **environment: str) -> str | None:
    settings = Settings(environment)
    settings.add(waxbill_night.NightSettings)
    monkeypatch.setattr(time, "localtime", lambda: time.struct_time((2026, 1, 1, hour, 0, 0, 0, 1, 0)))
    reading = Reading(limit_mb=512, used_mb=used_mb, source="a test")
    return waxbill_night.waxbill_memory_level(reading, settings)


def test_at_night_memory_is_tight_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    assert level(monkeypatch, 3, 250) == "elevated"
    assert level(monkeypatch, 12, 250) is None


def test_what_is_worse_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    assert level(monkeypatch, 3, 500) is None
    assert level(monkeypatch, 3, 100) is None


def test_a_night_may_go_past_midnight(monkeypatch: pytest.MonkeyPatch) -> None:
    night = {"NIGHT_BEGINS": "22", "NIGHT_ENDS": "6"}
    assert [level(monkeypatch, hour, 250, **night) for hour in (21, 22, 5, 6)] == [None, "elevated", "elevated", None]


def test_a_server_starts_with_it(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, FORCE_MOCK_MODE="true", NIGHT_SHARE="0.5") as server:
        health = server.get("/health").json()
    assert health["status"] == "healthy"
    assert "night" not in health["plugins"], "it raised"
