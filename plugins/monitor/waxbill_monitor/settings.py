"""The monitor's settings."""

from __future__ import annotations

from typing import Annotated

import msgspec

from waxbill import Secret, Setting


class MonitorSettings(msgspec.Struct, frozen=True):
    check_seconds: Annotated[
        float,
        Setting(
            "MEMORY_CHECK_SECONDS",
            meaning="How often memory is measured; at most every second while it is tight.",
            low=0.05,
            high=3600,
        ),
    ] = 5.0
    threshold_mb: Annotated[
        int,
        Setting(
            "MEMORY_THRESHOLD_MB",
            meaning="Use in MB above which memory is freed; critical is 1.2 times that. 0: 350 of 512 MB, and in that "
            "proportion.",
            low=0,
        ),
    ] = 0
    cooldown_seconds: Annotated[
        float,
        Setting(
            "MEMORY_COOLDOWN_SECONDS",
            meaning="Pause between two steps against tight memory; a tenth of it when it is critical.",
            low=0,
            high=3600,
        ),
    ] = 10.0
    dry_run: Annotated[bool, Setting("MEMORY_DRY_RUN", meaning="Only log what would be done about tight memory.")] = (
        False
    )
    prometheus: Annotated[
        bool,
        Setting(
            "WAHA_PROMETHEUS_ENABLED",
            meaning="Count requests and messages for /metrics, and serve it without a key, as WAHA does.",
        ),
    ] = False
    prometheus_username: Annotated[
        str, Setting("WAHA_PROMETHEUS_USERNAME", meaning="User name for /metrics where it is served without a key.")
    ] = ""
    prometheus_password: Annotated[
        Secret, Setting("WAHA_PROMETHEUS_PASSWORD", meaning="Password for it; empty: none is asked for.")
    ] = Secret("")
