"""Events: their names and the envelope in which they travel, the same for webhooks and streams."""

from __future__ import annotations

#: The 29 events of the contract that ``*`` stands for ...
EVENTS = (
    "session.status",
    "message",
    "message.any",
    "message.reaction",
    "message.ack",
    "message.ack.group",
    "message.waiting",
    "message.edited",
    "message.revoked",
    "state.change",
    "group.join",
    "group.leave",
    "group.v2.join",
    "group.v2.leave",
    "group.v2.participants",
    "group.v2.update",
    "presence.update",
    "poll.vote",
    "poll.vote.failed",
    "chat.archive",
    "call.received",
    "call.accepted",
    "call.rejected",
    "label.upsert",
    "label.deleted",
    "label.chat.added",
    "label.chat.deleted",
    "event.response",
    "event.response.failed",
)
#: ... and the one that must be asked for by name.
ENGINE_EVENT = "engine.event"
ALL_EVENTS = (*EVENTS, ENGINE_EVENT)


def select(names: list[str] | tuple[str, ...]) -> tuple[frozenset[str], list[str]]:
    """The events that a subscription names, and the names that are no event.

    ``*`` is every event but ``engine.event``; ``message.*`` is every event with that prefix.

    >>> sorted(select(["label.*", "nope"])[0])
    ['label.chat.added', 'label.chat.deleted', 'label.deleted', 'label.upsert']
    """
    chosen: set[str] = set()
    unknown: list[str] = []
    for name in names:
        if name == "*":
            found = set(EVENTS)
        elif name.endswith("*"):
            found = {event for event in ALL_EVENTS if event.startswith(name[:-1])}
        else:
            found = {name} & set(ALL_EVENTS)
        chosen |= found
        if not found:
            unknown.append(name)
    return frozenset(chosen), unknown
