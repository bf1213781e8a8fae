"""Payloads of events, by event name: for documentation and tests. Drivers may make them from these or from dicts.

Not imported by a server that serves; keep it so.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from .groups import GroupParticipant
from .labels import Label
from .messages import Ack, Source, WAMessage
from .presence import WAHAChatPresences
from .server import WAHAEnvironment
from .sessions import MeInfo, SessionStatusBody
from .wire import Answer


class Envelope(Answer):
    """What every event travels in, ``payload`` aside; ``timestamp`` in ms."""

    id: str
    timestamp: int
    event: str
    session: str
    metadata: dict[str, str]
    me: MeInfo | None
    payload: Any
    engine: Literal["WEBJS", "WPP", "NOWEB", "GOWS"]
    environment: WAHAEnvironment


class MessageEvent(Answer):
    """What events about one message begin with; ``timestamp`` in seconds."""

    id: str
    timestamp: float
    from_: str = msgspec.field(name="from")
    fromMe: bool
    source: Source | None = None
    to: str | UnsetType | None = UNSET
    participant: str | UnsetType | None = UNSET


class WAReaction(Answer):
    """``text`` is empty when the reaction was taken back."""

    text: str
    messageId: str


class WAMessageReaction(MessageEvent):
    reaction: WAReaction


class WAMessageAckBody(Answer):
    id: str
    from_: str = msgspec.field(name="from")
    to: str | None
    participant: str | None
    fromMe: bool
    ack: Ack | None
    ackName: str
    data: Any = msgspec.field(name="_data", default=UNSET)


class WAMessageRevokedBody(Answer):
    """``before`` is the message as it was, where the engine still has it; ``revokedMessageId`` a bare key."""

    after: WAMessage | None
    before: WAMessage | None
    revokedMessageId: str | None = None
    data: Any = msgspec.field(name="_data", default=UNSET)


class WAMessageEditedBody(WAMessage):
    """The message that edits; ``editedMessageId`` is the bare key of the one that was edited."""

    editedMessageId: str | None = None


class GroupInfo(Answer):
    id: str
    subject: str
    description: str
    invite: str | None = None
    membersCanAddNewMember: bool
    membersCanSendMessages: bool
    newMembersApprovalRequired: bool
    participants: list[GroupParticipant]


class GroupId(Answer):
    id: str


class GroupEvent(Answer):
    """``timestamp`` in seconds, in some engines in ms."""

    timestamp: int
    data: Any = msgspec.field(name="_data")


class GroupV2JoinEvent(GroupEvent):
    group: GroupInfo


class GroupV2LeaveEvent(GroupEvent):
    group: GroupId


class GroupV2UpdateEvent(GroupEvent):
    """``group`` has ``id`` and the members of GroupInfo that changed."""

    group: dict[str, Any]


class GroupV2ParticipantsEvent(GroupEvent):
    """``participants`` are those that changed, with the role that they have now."""

    type: Literal["join", "leave", "promote", "demote"]
    group: GroupId
    participants: list[GroupParticipant]


class MessageDestination(Answer):
    """A message by its id, with both ends; ``me`` stands for the account itself in some engines."""

    id: str
    to: str
    from_: str = msgspec.field(name="from")
    fromMe: bool
    participant: str | UnsetType | None = UNSET


class PollVote(MessageDestination):
    """``selectedOptions`` are all that are chosen now, empty when the vote was taken back."""

    selectedOptions: list[str] | None
    timestamp: float


class PollVotePayload(Answer):
    vote: PollVote
    poll: MessageDestination
    data: Any = msgspec.field(name="_data", default=UNSET)


class ChatArchiveEvent(Answer):
    id: str
    archived: bool
    timestamp: int


class CallData(Answer):
    """``timestamp`` in seconds, in some engines with a fraction."""

    id: str
    from_: str | None = msgspec.field(name="from", default=None)
    timestamp: float
    isVideo: bool
    isGroup: bool
    data: Any = msgspec.field(name="_data")


class LabelChatAssociation(Answer):
    """``label`` is None for a label that is not known (yet)."""

    labelId: str
    chatId: str
    label: Label | None


class EventResponse(Answer):
    response: Literal["UNKNOWN", "GOING", "NOT_GOING", "MAYBE"]
    timestampMs: int
    extraGuestCount: int


class EventResponsePayload(MessageEvent):
    """``eventResponse`` is None when it could not be read."""

    eventCreationKey: MessageDestination
    eventResponse: EventResponse | None = None
    data: Any = msgspec.field(name="_data", default=UNSET)


class EnginePayload(Answer):
    event: str
    data: Any


#: The payload's type for every event; Any is whatever the engine says.
PAYLOADS: dict[str, Any] = {
    "session.status": SessionStatusBody,
    "message": WAMessage,
    "message.any": WAMessage,
    "message.reaction": WAMessageReaction,
    "message.ack": WAMessageAckBody,
    "message.ack.group": WAMessageAckBody,
    "message.waiting": WAMessage,
    "message.edited": WAMessageEditedBody,
    "message.revoked": WAMessageRevokedBody,
    "state.change": Any,
    "group.join": Any,
    "group.leave": Any,
    "group.v2.join": GroupV2JoinEvent,
    "group.v2.leave": GroupV2LeaveEvent,
    "group.v2.participants": GroupV2ParticipantsEvent,
    "group.v2.update": GroupV2UpdateEvent,
    "presence.update": WAHAChatPresences,
    "poll.vote": PollVotePayload,
    "poll.vote.failed": PollVotePayload,
    "chat.archive": ChatArchiveEvent,
    "call.received": CallData,
    "call.accepted": CallData,
    "call.rejected": CallData,
    "label.upsert": Label,
    "label.deleted": Label,
    "label.chat.added": LabelChatAssociation,
    "label.chat.deleted": LabelChatAssociation,
    "event.response": EventResponsePayload,
    "event.response.failed": EventResponsePayload,
    "engine.event": EnginePayload,
}
