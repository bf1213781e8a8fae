"""Calls: those that come in, and rejecting them."""

from __future__ import annotations

from typing import Any

from waxbill.model.calls import RejectCallRequest
from waxbill.model.errors import NotFound

from ..account.identity import person
from .base import Base


class CallOperations(Base):
    """Calls that ring. A call stays known until it ends."""

    def ring(
        self, caller: str, *, video: bool = False, group: bool = False, call_id: str | None = None
    ) -> dict[str, Any]:
        """Somebody calls; answers the call as its events show it."""
        call_id, now = call_id or self.world.random(16).hex().upper(), self._now_ms()
        with self.host.store.write() as db:
            db.execute(
                "INSERT INTO mock_call VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, id) DO UPDATE SET"
                " caller = excluded.caller, at_ms = excluded.at_ms, video = excluded.video, grouped = excluded.grouped",
                (self.me.id, call_id, caller, now, video, group),
            )
            payload = self._dialect.call(call_id, caller, now, video=video, group=group)
            self.host.emit("call.received", payload, chat=caller)
        return payload

    def reject_call(self, request: RejectCallRequest) -> Any:
        self.end_call(request.id, "call.rejected", caller=request.from_)

    def end_call(self, call_id: str, event: str, *, caller: str | None = None) -> None:
        """A call ends: rejected by the API, or accepted or rejected on the phone."""
        with self.host.store.write() as db:
            row = db.execute(
                "SELECT caller, video, grouped FROM mock_call WHERE account = ? AND id = ?", (self.me.id, call_id)
            ).fetchone()
            if row is None or (caller is not None and person(caller) != row[0]):
                raise NotFound(f"No call '{call_id[:80]}' rings{f' from {caller}' if caller else ''} (any more).")
            db.execute("DELETE FROM mock_call WHERE account = ? AND id = ?", (self.me.id, call_id))
            if caller or event not in self._dialect.calls_told_when_ours:
                payload = self._dialect.call(
                    call_id, row[0], self._now_ms(), video=bool(row[1]), group=bool(row[2]), ours=caller is not None
                )
                self._tell(event, payload, row[0])
