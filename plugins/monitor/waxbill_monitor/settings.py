"""The monitor's settings."""

from __future__ import annotations

from typing import Annotated

import msgspec

from waxbill import Setting


class MonitorSettings(msgspec.Struct, frozen=True):
    check_seconds: Annotated[
        float, Setting("MEMORY_CHECK_SECONDS", meaning="How often memory is measured.", low=0.05, high=3600)
    ] = 5.0
    threshold_mb: Annotated[
        int,
        Setting(
            "MEMORY_THRESHOLD_MB",
            meaning="Use above which memory is freed; critical is 1.2 times that. 0: 70 % of the limit.",
            low=0,
        ),
    ] = 0
