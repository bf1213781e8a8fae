"""Pairing and the life of a session: QR codes that rotate, the scan, the pairing code."""

from __future__ import annotations

import base64

import msgspec

from waxbill.model.errors import Unprocessable
from waxbill.model.pairing import (
    PairingCode,
    PasskeyAllowedCredential,
    PasskeyAssertionRequest,
    PasskeyChallenge,
    PasskeyConfirmationResponse,
    RequestCodeRequest,
)
from waxbill.model.sessions import PASSKEY_CONFIRMATION_REQUIRED, PASSKEY_REQUIRED, SCAN_QR_CODE, STARTING, WORKING

from .profile import ProfileOperations

_BANNED = "WhatsApp has banned this number (simulated)."


class Pairing(ProfileOperations):
    """Connecting an account, and pairing one that is not."""

    _qr = ""
    _qr_count = 0
    _passkey: PasskeyChallenge | None = None
    _confirm = ""

    def start(self) -> None:
        self._later("connect", 0, self._connected if self.me.paired else self._show_qr)

    def _connected(self) -> None:
        self.host.set_me(self._me_info())
        self._join_peers()
        self.host.set_status(WORKING)
        self.host.emit("state.change", self._dialect.connected)
        if self.host.wants("engine.event"):
            event, data = self._dialect.connected_event
            self.host.emit("engine.event", {"event": event, "data": data})
        self._working()

    def _join_peers(self) -> None:
        """From now on other accounts of this server reach this one."""

    def _working(self) -> None:
        """For areas that begin something when the session works."""

    def _show_qr(self) -> None:
        if self._qr_count >= self._settings.qr_codes:
            self._qr = ""
            self.host.fail("The QR code was not scanned in time; restart the session for a new one.")
            return
        first = self._qr_count == 0
        self._qr_count += 1
        parts = (base64.b64encode(self.world.random(size)).decode() for size in (32, 32, 24))
        self._qr = f"2@{base64.b64encode(self.world.random(66)).decode()},{','.join(parts)},1"
        self.host.set_status(SCAN_QR_CODE)
        life = self._settings.first_qr_seconds if first else self._settings.next_qr_seconds
        self._later("qr", life, self._show_qr)
        never = self.rules is not None and self.rules.faults.qrNeverScanned
        if first and self._settings.scan_seconds >= 0 and not never:
            self._later("scan", self._settings.scan_seconds, self.scan)

    def scan(self) -> None:
        """The phone scans the code: the account is paired from now on."""
        with self._lock:
            if self._stopped or not self._qr:
                raise Unprocessable("No QR code is shown now; start or restart the session first.")
            self._hide_qr()
            self._paired()

    def _hide_qr(self) -> None:
        self._cancel({"qr", "scan"})
        self._qr = ""
        self._qr_count = 0

    def _paired(self) -> None:
        self._passkey = None
        if self.rules is not None and self.rules.faults.banned:
            self.host.fail(_BANNED)
            return
        with self.host.store.write() as db:
            db.execute("UPDATE mock_account SET paired = 1 WHERE id = ?", (self.me.id,))
        self.me.paired = True
        self._connected()

    # -- what ends a connection

    def disconnect(self, for_seconds: float) -> None:
        """The connection to WhatsApp is lost and comes back after a while."""
        with self._lock:
            self._peers.pop(self.me.own, None)
            self.host.set_status(STARTING)
            self._later("connect", for_seconds, self._connected)

    def unlink(self) -> None:
        """The account's own phone logs this device out."""
        self._unpair("The device was logged out on the phone; restart the session to pair it anew.")

    def ban(self) -> None:
        """WhatsApp bans the number."""
        self._unpair(_BANNED)

    def _unpair(self, reason: str) -> None:
        with self._lock, self.host.store.write() as db:
            self._peers.pop(self.me.own, None)
            self._cancel(set(self._timers))
            self._hide_qr()
            db.execute("UPDATE mock_account SET paired = 0 WHERE id = ?", (self.me.id,))
            self.me.paired = False
            self.host.set_me(None)
            self.host.fail(reason)

    def qr_value(self) -> str:
        return self._qr

    def request_code(self, request: RequestCodeRequest) -> PairingCode:
        digits = request.phoneNumber.strip().lstrip("+")
        if not (digits.isascii() and digits.isdigit() and 5 <= len(digits) <= 15):
            raise Unprocessable(
                f"phoneNumber must be an international number in digits, not {request.phoneNumber[:40]!r}"
            )
        if request.method:
            raise Unprocessable(f"The pairing method {request.method[:40]!r} is not supported; leave it out.")
        letters = base64.b32encode(self.world.random(5)).decode()
        return PairingCode(code=f"{letters[:4]}-{letters[4:8]}")

    # -- passkey: WhatsApp asks some accounts for one instead of trusting the scan

    def ask_for_passkey(self, *, confirm: bool) -> None:
        """The phone scanned, and WhatsApp asks for a passkey; with ``confirm`` also for a comparison of codes."""
        if "passkey_challenge" in self._dialect.refuses:
            raise self._missing("passkey_challenge")
        with self._lock:
            if self._stopped or not self._qr:
                raise Unprocessable("No QR code is shown now; start or restart the session first.")
            self._hide_qr()
            self._passkey = PasskeyChallenge(
                challenge=_base64url(self.world.random(32)),
                timeout=600_000,
                rpId="web.whatsapp.com",
                allowCredentials=[PasskeyAllowedCredential(id=_base64url(self.world.random(16)), type="public-key")],
                userVerification="required",
            )
            self._confirm = f"{int.from_bytes(self.world.random(4), 'big') % 10_000:04d}" if confirm else ""
            self.host.set_status(PASSKEY_REQUIRED, self._passkey)

    def passkey_challenge(self) -> PasskeyChallenge:
        if self._passkey is None:
            raise Unprocessable("No passkey is asked for now.")
        return self._passkey

    def passkey_assertion(self, request: PasskeyAssertionRequest) -> None:
        with self._lock:
            self._check_assertion(self.passkey_challenge(), request)
            if self._confirm:
                self.host.set_status(PASSKEY_CONFIRMATION_REQUIRED, {"code": self._confirm})
            else:
                self._paired()

    def _check_assertion(self, asked: PasskeyChallenge, request: PasskeyAssertionRequest) -> None:
        """Raises Unprocessable for what did not sign this challenge. The signature itself is nobody's: not checked."""
        try:
            signed = msgspec.json.decode(_from_base64url(request.response.clientDataJSON))
        except (ValueError, msgspec.DecodeError):
            signed = None
        if not isinstance(signed, dict) or signed.get("challenge") != asked.challenge:
            raise Unprocessable("response.clientDataJSON must be base64url JSON with the challenge that was asked.")
        if request.type != "public-key" or request.id not in [each.id for each in asked.allowCredentials]:
            raise Unprocessable("id must be one of allowCredentials, and type 'public-key'.")

    def passkey_confirmation(self) -> PasskeyConfirmationResponse:
        return PasskeyConfirmationResponse(code=self._confirm)

    def passkey_confirm(self) -> None:
        with self._lock:
            self._paired()

    def screenshot(self) -> tuple[str, bytes]:
        from waxbill.qr import png

        if not self._qr and not self._dialect.has_screen:
            raise Unprocessable(f"The engine {self._dialect.engine} has a picture only while it shows a QR code.")
        # There is no page to show: where WhatsApp Web would be, a code says who is logged in.
        return "image/png", png(self._qr or f"{self.me.push_name} ({self.me.own})")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
