"""Against WhatsApp itself, with a real phone at hand. Skipped unless asked for, and never part of an automatic run.

    WAXBILL_LIVE=page  .venv/bin/python -m pytest -n 0 -s tests/live     opens the page, pairs nothing
    WAXBILL_LIVE=phone .venv/bin/python -m pytest -n 0 -s tests/live     shows a QR code to scan, writes to the own chat

The checks are those of ``waxbill doctor --browser``; each becomes a line here, and the first that fails ends the run.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from waxbill.settings import Settings
from waxbill_browser.doctor import examine
from waxbill_browser.plugin import waxbill_settings

ASKED = os.environ.get("WAXBILL_LIVE", "")

pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings({**os.environ, "WAHA_LOCAL_STORE_BASE_DIR": str(tmp_path)})
    found.add(waxbill_settings())
    return found


@pytest.mark.skipif(ASKED not in ("page", "phone"), reason="opens WhatsApp's page: set WAXBILL_LIVE=page to ask for it")
def test_the_page_offers_what_the_driver_needs(settings: Settings) -> None:
    for check in examine(settings, phone=False):
        print(f"{check.name}: {check.found}")
        assert check.well is not False, f"{check.name}: {check.found}\n{check.remedy}"


@pytest.mark.skipif(ASKED != "phone", reason="needs a phone that scans: set WAXBILL_LIVE=phone to ask for it")
def test_an_account_works(settings: Settings) -> None:
    for check in examine(settings, phone=True):
        print(f"{check.name}: {check.found}")
        assert check.well is not False, f"{check.name}: {check.found}\n{check.remedy}"
