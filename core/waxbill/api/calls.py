"""Calls that come in."""

from typing import Any

from ..model.calls import RejectCallRequest
from .operation import Area, Call

area = Area("📞 Calls", prefix="/api/{session}/calls")


@area.post("/reject", capability="reject_call")
def reject_call(call: Call, body: RejectCallRequest) -> Any:
    """Reject a call that rings."""
    return call.account.reject_call(body)
