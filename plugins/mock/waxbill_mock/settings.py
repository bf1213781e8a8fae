"""The simulator's settings."""

from __future__ import annotations

from typing import Annotated

import msgspec

from waxbill import Setting


class MockSettings(msgspec.Struct, frozen=True):
    scan_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_MOCK_SCAN_SECONDS",
            meaning="When a new QR code is scanned by itself; -1: only by the control call.",
            low=-1,
            high=3600,
        ),
    ] = 2.0
    first_qr_seconds: Annotated[
        float,
        Setting("WAXBILL_MOCK_FIRST_QR_SECONDS", meaning="How long the first QR code lives.", low=0.01, high=3600),
    ] = 60.0
    next_qr_seconds: Annotated[
        float,
        Setting("WAXBILL_MOCK_NEXT_QR_SECONDS", meaning="How long each later QR code lives.", low=0.01, high=3600),
    ] = 20.0
    qr_codes: Annotated[
        int,
        Setting(
            "WAXBILL_MOCK_QR_CODES",
            meaning="QR codes that are shown before the session fails.",
            low=1,
            high=100,
        ),
    ] = 6
    device_seconds: Annotated[
        float,
        Setting("WAXBILL_MOCK_DEVICE_SECONDS", meaning="When a sent message reaches the phone (DEVICE).", low=0),
    ] = 0.5
    read_seconds: Annotated[
        float, Setting("WAXBILL_MOCK_READ_SECONDS", meaning="When a sent message is read (READ).", low=0)
    ] = 2.0
