"""Control: the phone scans, and somebody writes."""

from typing import Any

from waxbill.api.operation import Area, Call
from waxbill.model import ids
from waxbill.model.sessions import SCAN_QR_CODE
from waxbill.model.wire import Request

from .calling import account_of

area = Area("🧪 Simulator", prefix="/api/waxbill/mock")


class IncomingMessage(Request, rename={"from_": "from"}):
    """A message from somebody: ``from`` is who writes, ``pushName`` the name that they go by."""

    text: str
    from_: str
    pushName: str | None = None
    reply_to: str | None = None


@area.post("/{session}/scan", scope="control", needs=(SCAN_QR_CODE,), waits=True)
def scan(call: Call) -> None:
    """Scan the QR code with the simulated phone."""
    account_of(call).scan()


@area.post("/{session}/messages")
def receive(call: Call, body: IncomingMessage) -> Any:
    """Let somebody write to the account."""
    sender = ids.chat_id(body.from_, "from")
    return account_of(call).receive(sender, body.text, push_name=body.pushName, reply_to=body.reply_to)
