"""Pairing: QR code, pairing code, passkey, screenshot."""

import base64
from typing import Literal

from ..model.pairing import (
    Base64File,
    PairingCode,
    PasskeyAssertionRequest,
    PasskeyChallenge,
    PasskeyConfirmationResponse,
    QRCodeValue,
    RequestCodeRequest,
)
from ..model.sessions import (
    PASSKEY_CONFIRMATION_REQUIRED,
    PASSKEY_REQUIRED,
    SCAN_QR_CODE,
    STARTING,
    WORKING,
)
from ..model.wire import Request
from ..qr import png
from .operation import Area, Call, Reply

area = Area("📱 Pairing", prefix="/api")


class QRQuery(Request):
    format: Literal["image", "raw"] | None = "image"


class ScreenshotQuery(Request):
    session: str = "default"


def picture(call: Call, content_type: str, data: bytes) -> Reply | Base64File:
    """WAHA's rule: base64 in JSON for exactly ``Accept: application/json``, bytes for everything else."""
    if call.request.get_header("Accept") == "application/json":
        return Base64File(mimetype=content_type, data=base64.b64encode(data).decode())
    return Reply(data, content_type)


@area.get("/{session}/auth/qr", capability="qr_value", scope="control", needs=(SCAN_QR_CODE,), waits=True)
def get_qr(call: Call, query: QRQuery) -> Reply | Base64File | QRCodeValue:
    """Get the QR code as an image, or as the text that it carries."""
    value = call.account.qr_value()
    return QRCodeValue(value=value) if query.format == "raw" else picture(call, "image/png", png(value))


@area.post(
    "/{session}/auth/request-code",
    capability="request_code",
    scope="control",
    needs=(SCAN_QR_CODE,),
    waits=True,
)
def request_code(call: Call, body: RequestCodeRequest) -> PairingCode:
    """Get a code to type on the phone instead of scanning."""
    return call.account.request_code(body)


PASSKEY = {"scope": "control", "needs": (PASSKEY_REQUIRED,), "waits": True}
CONFIRMATION = {**PASSKEY, "needs": (PASSKEY_CONFIRMATION_REQUIRED,)}


@area.get("/{session}/auth/passkey/challenge", capability="passkey_challenge", **PASSKEY)
def get_passkey_challenge(call: Call) -> PasskeyChallenge:
    """Get the challenge that a passkey has to sign."""
    return call.account.passkey_challenge()


@area.post("/{session}/auth/passkey", capability="passkey_assertion", **PASSKEY)
def submit_passkey(call: Call, body: PasskeyAssertionRequest) -> None:
    """Hand in what the passkey signed."""
    call.account.passkey_assertion(body)


@area.get("/{session}/auth/passkey/confirmation", capability="passkey_confirmation", **CONFIRMATION)
def get_passkey_confirmation(call: Call) -> PasskeyConfirmationResponse:
    """Get the code that the user compares with the one on the phone."""
    return call.account.passkey_confirmation()


@area.post("/{session}/auth/passkey/confirm", capability="passkey_confirm", **CONFIRMATION)
def confirm_passkey(call: Call) -> None:
    """Confirm that the codes are the same."""
    call.account.passkey_confirm()


@area.get(
    "/screenshot",
    capability="screenshot",
    scope="control",
    needs=(STARTING, SCAN_QR_CODE, WORKING),
    waits=True,
)
def screenshot(call: Call, query: ScreenshotQuery) -> Reply | Base64File:
    """Get a picture of what the session shows."""
    return picture(call, *call.account.screenshot())
