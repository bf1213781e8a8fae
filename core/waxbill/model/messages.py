"""Messages: what is sent, what is read back, and the acknowledgement levels."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from . import ids
from .media import File, FileSource, VideoFile, VoiceFile, WAMedia
from .wire import Answer, Count, Request, Whole

#: Acknowledgement levels of a message: error, clock, one tick, two ticks, blue ticks, played.
ACK_NAMES = {-1: "ERROR", 0: "PENDING", 1: "SERVER", 2: "DEVICE", 3: "READ", 4: "PLAYED"}
ACK_LEVELS = {name: level for level, name in ACK_NAMES.items()}

Ack = Literal[-1, 0, 1, 2, 3, 4]
AckName = Literal["ERROR", "PENDING", "SERVER", "DEVICE", "READ", "PLAYED"]
Source = Literal["api", "app"]


class ChatRequest(Request):
    """Something for one chat. ``chatId`` is in its canonical form once it was read."""

    session: str
    chatId: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.chatId = ids.chat_id(self.chatId)


class ReplyingRequest(ChatRequest):
    """A message that may answer another. Drivers read ``reply_to``: ``replyTo`` is the same by its other name."""

    reply_to: str | None = None
    replyTo: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reply_to = self.reply_to or self.replyTo or None


class MentioningRequest(ReplyingRequest):
    """A message that may mention people: canonical ids, or ``all`` in a group."""

    mentions: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mentions = mentioned(self.mentions)


def mentioned(people: list[str] | None) -> list[str] | None:
    """The canonical ids of people to mention; ``all`` stays. Raises ValidationFailed."""
    return people and [text if text == "all" else ids.person_id(text, "mentions") for text in people]


class MessageTextRequest(MentioningRequest):
    """``id`` is the key that the message is to get, from new-message-id."""

    text: str
    id: str | None = None
    linkPreview: bool | None = True
    linkPreviewHighQuality: bool | None = False


class MessageReplyRequest(MessageTextRequest):
    """What is sent to the deprecated ``/api/reply``."""


class MessageImageRequest(MentioningRequest):
    file: File
    caption: str | None = None


class MessageFileRequest(MentioningRequest):
    file: File
    caption: str | None = None


class MessageVoiceRequest(ReplyingRequest):
    file: VoiceFile
    convert: bool | None = False


class MessageVideoRequest(MentioningRequest):
    """``asNote`` makes it a round video note."""

    file: VideoFile
    caption: str | None = None
    asNote: bool | None = False
    convert: bool | None = False


class MessageStickerRequest(ReplyingRequest):
    file: File


class LinkPreviewImage(FileSource):
    """The picture of a link's preview."""


class LinkPreviewData(Request):
    url: str
    title: str
    description: str | None = None
    image: LinkPreviewImage | None = None


class MessageLinkCustomPreviewRequest(ReplyingRequest):
    """``text`` has to contain ``preview.url``."""

    text: str
    preview: LinkPreviewData
    linkPreviewHighQuality: bool | None = True


class MessageLinkPreviewRequest(ChatRequest):
    """What is sent to the deprecated ``/api/sendLinkPreview``."""

    url: str
    title: str
    id: str | None = None


class Button(Request):
    type: Literal["reply", "url", "call", "copy"] | None = "reply"
    text: str
    id: str | None = None
    url: str | None = None
    phoneNumber: str | None = None
    copyCode: str | None = None


class SendButtonsRequest(ChatRequest):
    header: str
    headerImage: File | None = None
    body: str
    footer: str
    buttons: list[Button]


class MessageButtonReply(ReplyingRequest):
    selectedDisplayText: str
    selectedButtonID: str


class Row(Request):
    title: str
    rowId: str
    description: str | None = None


class Section(Request):
    title: str
    rows: list[Row]


class SendListMessage(Request):
    title: str
    description: str | None = None
    footer: str | None = None
    button: str
    sections: list[Section]


class SendListRequest(ReplyingRequest):
    message: SendListMessage


class MessageForwardRequest(ChatRequest):
    messageId: str
    id: str | None = None


class SendSeenRequest(ChatRequest):
    messageIds: list[str] | None = None
    messageId: str | None = None
    participant: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.participant = self.participant and ids.person_id(self.participant, "participant")


class MessageReactionRequest(Request):
    """``reaction`` is an emoji; an empty text takes the reaction back."""

    session: str
    messageId: str
    reaction: str


class MessageStarRequest(ChatRequest):
    messageId: str
    star: bool


class MessagePoll(Request):
    name: str
    options: list[str]
    multipleAnswers: bool | None = False


class MessagePollRequest(ReplyingRequest):
    poll: MessagePoll
    id: str | None = None


class MessagePollVoteRequest(ChatRequest):
    """The document has a list of lists in ``votes``, its examples a list: both are read, see ``chosen``."""

    pollMessageId: str
    pollServerId: Whole | None = None
    votes: list[str | list[str]]

    @property
    def chosen(self) -> list[str]:
        """The texts of the chosen options; none takes the vote back."""
        return [text for vote in self.votes for text in ([vote] if isinstance(vote, str) else vote)]


class MessageLocationRequest(ReplyingRequest):
    """``latitude`` and ``longitude`` in degrees; ``title`` becomes the name of the place."""

    latitude: float
    longitude: float
    title: str | None = None
    id: str | None = None


class Contact(Request):
    """A contact card: finished as ``vcard``, or made of the other members. ``whatsappId`` is a number in digits."""

    vcard: str | None = None
    fullName: str | None = None
    phoneNumber: str | None = None
    organization: str | None = None
    whatsappId: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.vcard and not (self.fullName and self.phoneNumber):
            raise ValueError("must have vcard, or fullName and phoneNumber")


class MessageContactVcardRequest(ReplyingRequest):
    contacts: list[Contact]
    id: str | None = None


class EventLocation(Request):
    name: str


class EventMessage(Request):
    """Something that takes place, for people to say whether they come; times in Unix seconds."""

    name: str
    description: str | None = None
    startTime: Whole
    endTime: Whole | None = None
    location: EventLocation | None = None
    extraGuestsAllowed: bool | None = None


class EventMessageRequest(Request):
    """``chatId`` is canonical, and ``reply_to`` has what came as ``replyTo``, once it was read."""

    chatId: str
    event: EventMessage
    reply_to: str | None = None
    replyTo: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.chatId = ids.chat_id(self.chatId)
        self.reply_to = self.reply_to or self.replyTo or None


class NewMessageIDResponse(Answer):
    """A message key, upper-case hex, that a send can be told to use."""

    id: str


class MessagesQuery(
    Request,
    rename={
        "timestamp_gte": "filter.timestamp.gte",
        "timestamp_lte": "filter.timestamp.lte",
        "from_me": "filter.fromMe",
        "ack": "filter.ack",
    },
):
    """Which messages of a chat to read; timestamps in seconds, both ends included."""

    limit: Count | None = 10
    offset: Count | None = 0
    sortBy: Literal["timestamp", "messageTimestamp"] | None = "timestamp"
    sortOrder: Literal["asc", "desc"] | None = "desc"
    downloadMedia: bool | None = True
    merge: bool | None = True
    timestamp_gte: float | None = None
    timestamp_lte: float | None = None
    from_me: bool | None = None
    ack: AckName | None = None


class WALocation(Answer):
    latitude: str
    longitude: str
    live: bool = False
    name: str | None = None
    address: str | None = None
    url: str | None = None
    description: str | None = None
    thumbnail: str | None = None


class ReplyToMessage(Answer):
    id: str
    hasMedia: bool = False
    participant: str | None = None
    body: str | None = None
    media: WAMedia | None = None
    data: dict[str, Any] = msgspec.field(name="_data", default_factory=dict)


class WAMessage(Answer):
    """A message as WAHA shows it; ``timestamp`` in seconds. Which members an engine sends, and what ``from``
    and ``to`` mean there, differs by engine: see the dialects of a driver."""

    id: str
    timestamp: int
    from_: str = msgspec.field(name="from")
    fromMe: bool
    source: Source | None = None
    to: str | UnsetType | None = UNSET
    participant: str | UnsetType | None = UNSET
    body: str | None = None
    hasMedia: bool = False
    media: WAMedia | None = None
    mediaUrl: str | UnsetType | None = UNSET
    ack: Ack | None = None
    ackName: str = "UNKNOWN"
    author: str | UnsetType | None = UNSET
    location: WALocation | None = None
    vCards: list[str] | None = None
    replyTo: ReplyToMessage | None = None
    data: Any = msgspec.field(name="_data", default_factory=dict)
