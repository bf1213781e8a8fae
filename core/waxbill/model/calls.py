"""Calls: the ones that come in and are rejected."""

from __future__ import annotations

import msgspec

from . import ids
from .wire import Request


class RejectCallRequest(Request):
    """``from`` is who calls, ``id`` the call, both as the event call.received had them."""

    from_: str = msgspec.field(name="from")
    id: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.from_ = ids.chat_id(self.from_, "from")
