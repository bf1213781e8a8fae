"""What the guards know: the audit log, and how a session's sends are paced."""

from typing import Any

from ..model.errors import NotFound
from ..model.wire import Answer, Request
from .operation import Area, Call

area = Area("🛡️ Guard", prefix="/api/waxbill")

_MOST_ENTRIES = 1000


class SendsState(Answer):
    """How a session's sends are paced. ``perMinute`` 0 means that they are not; ``waiting`` sends wait, and a new one
    would leave in ``seconds``."""

    perMinute: float
    waiting: int
    seconds: float


class AuditQuery(Request):
    """The newest entries first; ``before`` is the id of the last one that was seen."""

    limit: int = 100
    before: int | None = None
    session: str | None = None
    caller: str | None = None


class AuditEntry(Answer):
    """Who did what: ``caller`` is the id of a key, ``server`` for the server's own; ``at`` in Unix ms."""

    id: int
    at: int
    caller: str
    address: str
    operation: str
    session: str
    status: int


@area.get("/audit", scope="admin")
def list_audit(call: Call, query: AuditQuery) -> list[AuditEntry] | Any:
    """List who did what, newest first."""
    if call.server.audit is None:
        raise NotFound("There is no audit log. Set WAXBILL_AUDIT_KEEP to how many entries it keeps.")
    limit = max(0, min(query.limit, _MOST_ENTRIES))
    return call.server.audit.entries(limit=limit, before=query.before, session=query.session, caller=query.caller)


@area.get("/sends/{session}")
def get_sends(call: Call) -> SendsState:
    """See how many messages of a session wait for their turn."""
    name = call.session.name
    pace = call.server.pace
    per_minute, waiting, seconds = pace.state(name) if pace else (0.0, 0, 0.0)
    return SendsState(perMinute=per_minute, waiting=waiting, seconds=seconds)
