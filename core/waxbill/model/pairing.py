"""Pairing a session with a phone: QR code, pairing code, passkey."""

from __future__ import annotations

from typing import Any

import msgspec

from .wire import Answer, Request


class RequestCodeRequest(Request):
    phoneNumber: str
    method: str | None = None


class PairingCode(Answer):
    """``WX4K-9TQZ``: eight characters, split by a dash."""

    code: str


class QRCodeValue(Answer):
    value: str


class Base64File(Answer):
    """``data`` is base64 without a ``data:`` prefix."""

    mimetype: str
    data: str


class PasskeyAllowedCredential(Answer):
    id: str
    type: str
    transports: list[str] = msgspec.field(default_factory=list)


class PasskeyChallenge(Answer):
    """WebAuthn request options; ``challenge`` is base64url, ``timeout`` in ms."""

    challenge: str
    timeout: int
    rpId: str
    allowCredentials: list[PasskeyAllowedCredential]
    userVerification: str
    extensions: dict[str, Any] | None = None


class PasskeyAssertionResponseData(Request):
    clientDataJSON: str
    authenticatorData: str
    signature: str
    userHandle: str | None = None


class PasskeyAssertionRequest(Request):
    id: str
    rawId: str
    type: str
    response: PasskeyAssertionResponseData


class PasskeyConfirmationResponse(Answer):
    code: str
