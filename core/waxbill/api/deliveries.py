"""Deliveries: what waits for which webhook, what died, what was tried; replay, pause and resume."""

from typing import Any, Literal

from ..delivery.lanes import BY_HAND
from ..delivery.outbox import Found, LaneState
from ..model.errors import NotFound, ValidationFailed
from ..model.wire import Answer, Count, Request
from .operation import Area, Call, Reply

area = Area("📮 Deliveries", prefix="/api/waxbill")


class DeliveriesQuery(Request):
    """``state`` is pending, dead or done; all without it. The newest come first."""

    state: Literal["pending", "dead", "done"] | None = None
    session: str | None = None
    eventId: str | None = None
    limit: Count | None = 100
    offset: Count | None = 0


class AttemptsQuery(Request):
    session: str | None = None
    eventId: str | None = None
    limit: Count | None = 100
    offset: Count | None = 0


class WebhooksQuery(Request):
    session: str | None = None


class ReplayRequest(Request):
    """Which events to deliver again: by id, by session, by time (Unix ms, both ends included); ``dead`` is only dead
    letters."""

    eventIds: list[str] | None = None
    session: str | None = None
    since: float | None = None
    until: float | None = None
    dead: bool | None = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.eventIds or self.session or self.since is not None or self.until is not None or self.dead):
            raise ValueError("must say what to replay: eventIds, session, since, until or dead")


class ForgetQuery(Request):
    """Whose dead letters to drop; all of them without either."""

    session: str | None = None
    eventId: str | None = None


class Replayed(Answer):
    replayed: int


class Forgotten(Answer):
    forgotten: int


# The session is a filter here, not what the call is about: these are for who administers the server.
_ADMIN: dict[str, Any] = {"scope": "admin", "session_in": "", "waits": True}


@area.get("/deliveries", **_ADMIN)
def list_deliveries(call: Call, query: DeliveriesQuery) -> list[Found]:
    """List deliveries by state."""
    return call.server.outbox.find(
        state=query.state,
        session=query.session,
        event_id=query.eventId,
        limit=min(query.limit or 100, 1000),
        offset=query.offset or 0,
    )


@area.get("/deliveries/attempts", **_ADMIN)
def list_attempts(call: Call, query: AttemptsQuery) -> list[Any]:
    """List attempts: status, duration in ms, and how the answer begins."""
    return call.server.outbox.log(
        session=query.session,
        event_id=query.eventId,
        limit=min(query.limit or 100, 1000),
        offset=query.offset or 0,
    )


@area.get("/deliveries/events/{id}", **_ADMIN)
def get_event(call: Call, id: str) -> Reply:
    """Get an event as it is sent."""
    body = call.server.outbox.body(id)
    if body is None:
        raise NotFound(f"Event '{id[:80]}' is not in the journal (any more): see WAXBILL_EVENTS_KEEP_SECONDS.")
    return Reply(body, "application/json; charset=utf-8")


@area.post("/deliveries/replay", **_ADMIN)
def replay(call: Call, body: ReplayRequest) -> Replayed:
    """Deliver events again, to the webhooks that take them now; their ids stay the same."""
    count = call.server.outbox.replay(
        session=body.session,
        event_ids=body.eventIds,
        since_ms=None if body.since is None else int(body.since),
        until_ms=None if body.until is None else int(body.until),
        dead_only=bool(body.dead),
    )
    return Replayed(replayed=count)


@area.delete("/deliveries/dead", **_ADMIN)
def forget_dead(call: Call, query: ForgetQuery) -> Forgotten:
    """Drop dead letters for good."""
    ids = [query.eventId] if query.eventId else None
    return Forgotten(forgotten=call.server.outbox.forget_dead(query.session, ids))


@area.get("/webhooks", **_ADMIN)
def list_webhooks(call: Call, query: WebhooksQuery) -> list[LaneState]:
    """List the webhooks with what waits for them, and whether they are paused."""
    return call.server.outbox.lanes(query.session)


@area.post("/webhooks/{id}/pause", **_ADMIN)
def pause_webhook(call: Call, id: str) -> None:
    """Keep a webhook's events until it is resumed."""
    call.server.outbox.pause(_lane(call, id), BY_HAND)


@area.post("/webhooks/{id}/resume", **_ADMIN)
def resume_webhook(call: Call, id: str) -> None:
    """Deliver what a paused webhook has waiting."""
    call.server.outbox.resume(_lane(call, id))


def _lane(call: Call, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValidationFailed("id must be the number that GET /api/waxbill/webhooks shows")
    if int(text) not in {lane.id for lane in call.server.outbox.lanes()}:
        raise NotFound(f"Webhook {text[:20]} not found. GET /api/waxbill/webhooks lists them.")
    return int(text)
