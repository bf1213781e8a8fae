"""Pairing, and what can be seen of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waxbill.model import ids
from waxbill.model.errors import Unavailable, Unprocessable
from waxbill.model.pairing import PairingCode

from ..link import AT_WORK, LOADING, PAIRING
from .base import Base

if TYPE_CHECKING:
    from waxbill.model.pairing import RequestCodeRequest


class Pairing(Base):
    """Linking the account with its phone."""

    def qr_value(self) -> str:
        code = self.life.code
        if not code:
            raise Unavailable("The page shows no QR code now; ask again in a moment.", 2)
        return code

    def request_code(self, request: RequestCodeRequest) -> PairingCode:
        if request.method:
            raise Unprocessable(f"The pairing method {request.method[:40]!r} is not supported; leave it out.")
        phone = ids.phone(request.phoneNumber, "phoneNumber")
        with self.page(PAIRING) as page:
            code = str(page.run("requestCode", self.settings.call_seconds, phone=phone)).replace("-", "")
        return PairingCode(code=f"{code[:4]}-{code[4:]}")

    def screenshot(self) -> tuple[str, bytes]:
        with self.page(LOADING, PAIRING, AT_WORK) as page:
            return "image/png", page.screenshot()

    def browser_trace(self, seconds: int, categories: list[str]) -> bytes:
        path, file = self.host.files.scratch()
        try:
            with file, self.page(LOADING, PAIRING, AT_WORK) as page:
                page.trace(seconds, categories, file)
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)
