"""Pairing and the life of a session: QR codes that rotate, the scan, the pairing code."""

from __future__ import annotations

import base64
import os

from waxbill.model.errors import Unprocessable
from waxbill.model.pairing import PairingCode, RequestCodeRequest
from waxbill.model.sessions import SCAN_QR_CODE, WORKING, MeInfo

from .base import Base


class Pairing(Base):
    """Connecting an account, and pairing one that is not."""

    _qr = ""
    _qr_count = 0

    def start(self) -> None:
        self._later("connect", 0, self._connected if self.me.paired else self._show_qr)

    def _connected(self) -> None:
        own = f"{self.me.phone}@c.us"
        jid = f"{self.me.phone}:1@s.whatsapp.net"
        self.host.set_me(MeInfo(id=own, pushName=self.me.push_name, lid=f"{self.me.lid}@lid", jid=jid))
        self.host.set_status(WORKING)
        self._working()

    def _working(self) -> None:
        """For areas that begin something when the session works."""

    def _show_qr(self) -> None:
        if self._qr_count >= self._settings.qr_codes:
            self._qr = ""
            self.host.fail("The QR code was not scanned in time; restart the session for a new one.")
            return
        first = self._qr_count == 0
        self._qr_count += 1
        parts = (base64.b64encode(os.urandom(size)).decode() for size in (32, 32, 24))
        self._qr = f"2@{base64.b64encode(os.urandom(66)).decode()},{','.join(parts)},1"
        self.host.set_status(SCAN_QR_CODE)
        life = self._settings.first_qr_seconds if first else self._settings.next_qr_seconds
        self._later("qr", life, self._show_qr)
        if first and self._settings.scan_seconds >= 0:
            self._later("scan", self._settings.scan_seconds, self.scan)

    def scan(self) -> None:
        """The phone scans the code: the account is paired from now on."""
        with self._lock:
            if self._stopped or not self._qr:
                raise Unprocessable("No QR code is shown now; start or restart the session first.")
            for name in ("qr", "scan"):
                if name in self._timers:
                    self._timers.pop(name).cancel()
            self._qr = ""
            self._qr_count = 0
            with self.host.store.write() as db:
                db.execute("UPDATE mock_account SET paired = 1 WHERE id = ?", (self.me.id,))
            self.me.paired = True
            self._connected()

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
        letters = base64.b32encode(os.urandom(5)).decode()
        return PairingCode(code=f"{letters[:4]}-{letters[4:8]}")

    def screenshot(self) -> tuple[str, bytes]:
        from waxbill.qr import png

        if not self._qr:
            raise Unprocessable("The simulator has a picture only while it shows a QR code.")
        return "image/png", png(self._qr)
