"""What a driver is: a backend that speaks (or simulates) WhatsApp. With ``hookspecs.py``, all a plugin author reads.

A plugin offers a ``DriverSpec`` through the hook ``waxbill_driver``. The server picks one, calls its factory once, and
asks the ``Driver`` for an ``Account`` for every session that it starts. Each method of ``Account`` is one operation of
WAHA's API. A driver overrides what it can do; the rest answers 501 and is not in its capabilities.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from .model.errors import NotImplementedByEngine
from .model.pairing import (
    PairingCode,
    PasskeyAssertionRequest,
    PasskeyChallenge,
    PasskeyConfirmationResponse,
    RequestCodeRequest,
)
from .model.sessions import MeInfo, SessionConfig, Status

if TYPE_CHECKING:
    from .clock import Clock
    from .media.files import Files
    from .model.calls import (
        RejectCallRequest,
    )
    from .model.channels import (
        Channel,
        ChannelCategory,
        ChannelCountry,
        ChannelListResult,
        ChannelMessage,
        ChannelSearchByText,
        ChannelSearchByView,
        ChannelsQuery,
        ChannelView,
        CreateChannelRequest,
        PreviewQuery,
    )
    from .model.chats import (
        ChatPictureResponse,
        ChatsQuery,
        EditMessageRequest,
        GetChatsOverviewParams,
        PinMessageRequest,
        ReadMessagesQuery,
    )
    from .model.contacts import (
        ContactAbout,
        ContactPicture,
        ContactsQuery,
        ContactUpdateBody,
        LidsQuery,
        LidToPhoneNumber,
        WANumberExistResult,
    )
    from .model.groups import (
        CreateGroupRequest,
        GroupJoinRequest,
        GroupJoinRequestResult,
        GroupParticipant,
        GroupsQuery,
        ParticipantsRequest,
    )
    from .model.labels import (
        Label,
        LabelBody,
    )
    from .model.messages import (
        ChatRequest,
        EventMessageRequest,
        MessageButtonReply,
        MessageContactVcardRequest,
        MessageFileRequest,
        MessageForwardRequest,
        MessageImageRequest,
        MessageLinkCustomPreviewRequest,
        MessageLinkPreviewRequest,
        MessageLocationRequest,
        MessagePollRequest,
        MessagePollVoteRequest,
        MessageReactionRequest,
        MessagesQuery,
        MessageStarRequest,
        MessageStickerRequest,
        MessageTextRequest,
        MessageVideoRequest,
        MessageVoiceRequest,
        SendButtonsRequest,
        SendListRequest,
        SendSeenRequest,
    )
    from .model.presence import (
        WAHAChatPresences,
        WAHASessionPresence,
    )
    from .model.profile import (
        MyProfile,
        ProfilePictureRequest,
    )
    from .model.sessions import (
        MessageCappingData,
        ReachoutTimelockData,
    )
    from .model.statuses import (
        DeleteStatusRequest,
        ImageStatus,
        TextStatus,
        VideoStatus,
        VoiceStatus,
    )
    from .model.wire import (
        Result,
    )
    from .settings import Settings
    from .store import Store


class SessionHost(Protocol):
    """What the server gives to one account: where it reports to and what it may use. Any thread may call it."""

    @property
    def name(self) -> str:
        """The session's name; letters, digits, ``-`` and ``_`` only."""

    @property
    def config(self) -> SessionConfig:
        """The session's configuration at this start."""

    @property
    def settings(self) -> Settings: ...

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def folder(self) -> Path:
        """A private folder (0700) for this session's files, made on first use and removed at log-out."""

    @property
    def lost(self) -> bool:
        """Whether the session was taken from this process, for another worker to have: from then on nothing of it may
        be kept in the store. ``stop`` follows."""

    @property
    def files(self) -> Files:
        """Where media is taken in and published."""

    def set_status(self, status: Status, data: Any = None) -> None:
        """Reports the session's status; also when a new QR code replaced the last one."""

    def fail(self, reason: str) -> None:
        """Reports FAILED, with the reason for the operator in words."""

    def set_me(self, me: MeInfo | None) -> None:
        """Reports who is logged in; None when nobody is."""

    def wants(self, event: str) -> bool:
        """Whether anyone listens to an event now. A payload that costs work need not be made when nobody does."""

    def emit(self, event: str, payload: Any, *, chat: str | None = None) -> None:
        """Puts an event into the outbox. Inside ``store.write()`` it is kept or undone with that transaction.

        ``chat`` is the chat that it is about, for the session's ``ignore`` rules.
        """


class Account:
    """A session that runs: one WhatsApp account. Override what the backend can do.

    Methods answer what WAHA's wire shows (Structs or plain dicts and lists), None for an empty answer, or raise an
    error of ``waxbill.model.errors``. A driver whose spec says ``inline`` promises that none of them waits for
    anything but the store, save those whose operation is declared with ``waits``.
    """

    def __init__(self, host: SessionHost) -> None:
        self.host = host

    # -- life of the session

    def start(self) -> None:
        """Begins to connect and returns at once; progress is told through ``host.set_status``."""
        raise NotImplementedError

    def stop(self) -> None:
        """Disconnects and lets go of everything; what is needed to come back without pairing stays."""
        raise NotImplementedError

    def logout(self) -> None:
        """Unlinks this device on the phone, if it is linked. ``stop`` and ``Driver.forget`` follow."""

    def presence(self) -> str | None:
        """``online`` or ``offline`` as others see the account; None when not known."""
        return None

    def engine_details(self) -> dict[str, Any]:
        """More members for ``engine`` in GET session, such as versions."""
        return {}

    # -- pairing

    def qr_value(self) -> str:
        """The text that the QR code carries now."""
        raise self._missing("qr_value")

    def request_code(self, request: RequestCodeRequest) -> PairingCode:
        raise self._missing("request_code")

    def passkey_challenge(self) -> PasskeyChallenge:
        raise self._missing("passkey_challenge")

    def passkey_assertion(self, request: PasskeyAssertionRequest) -> None:
        raise self._missing("passkey_assertion")

    def passkey_confirmation(self) -> PasskeyConfirmationResponse:
        raise self._missing("passkey_confirmation")

    def passkey_confirm(self) -> None:
        raise self._missing("passkey_confirm")

    def screenshot(self) -> tuple[str, bytes]:
        """Content type and bytes of a picture of what the session shows."""
        raise self._missing("screenshot")

    def browser_trace(self, seconds: int, categories: list[str]) -> bytes:
        """What the session's browser did for some seconds, in Chromium's trace format; waits that long."""
        raise self._missing("browser_trace")

    # -- sessions

    def get_capping(self) -> MessageCappingData:
        raise self._missing("get_capping")

    def get_timelock(self) -> ReachoutTimelockData:
        raise self._missing("get_timelock")

    # -- profile

    def get_profile(self) -> MyProfile:
        raise self._missing("get_profile")

    def set_profile_name(self, name: str) -> Result:
        raise self._missing("set_profile_name")

    def set_profile_status(self, status: str) -> Result:
        raise self._missing("set_profile_status")

    def set_profile_picture(self, request: ProfilePictureRequest) -> Result:
        raise self._missing("set_profile_picture")

    def delete_profile_picture(self) -> Result:
        raise self._missing("delete_profile_picture")

    # -- chatting

    def send_text(self, request: MessageTextRequest) -> Any:
        raise self._missing("send_text")

    def send_image(self, request: MessageImageRequest) -> Any:
        raise self._missing("send_image")

    def send_file(self, request: MessageFileRequest) -> Any:
        raise self._missing("send_file")

    def send_voice(self, request: MessageVoiceRequest) -> Any:
        raise self._missing("send_voice")

    def send_video(self, request: MessageVideoRequest) -> Any:
        raise self._missing("send_video")

    def send_sticker(self, request: MessageStickerRequest) -> Any:
        raise self._missing("send_sticker")

    def send_link_custom_preview(self, request: MessageLinkCustomPreviewRequest) -> Any:
        raise self._missing("send_link_custom_preview")

    def send_link_preview(self, request: MessageLinkPreviewRequest) -> Any:
        raise self._missing("send_link_preview")

    def send_buttons(self, request: SendButtonsRequest) -> Any:
        raise self._missing("send_buttons")

    def send_buttons_reply(self, request: MessageButtonReply) -> Any:
        raise self._missing("send_buttons_reply")

    def send_list(self, request: SendListRequest) -> Any:
        raise self._missing("send_list")

    def send_poll(self, request: MessagePollRequest) -> Any:
        raise self._missing("send_poll")

    def send_poll_vote(self, request: MessagePollVoteRequest) -> Any:
        raise self._missing("send_poll_vote")

    def send_location(self, request: MessageLocationRequest) -> Any:
        raise self._missing("send_location")

    def send_contact_vcard(self, request: MessageContactVcardRequest) -> Any:
        raise self._missing("send_contact_vcard")

    def send_event(self, request: EventMessageRequest) -> Any:
        raise self._missing("send_event")

    def forward_message(self, request: MessageForwardRequest) -> Any:
        raise self._missing("forward_message")

    def send_seen(self, request: SendSeenRequest) -> Any:
        raise self._missing("send_seen")

    def start_typing(self, request: ChatRequest) -> Any:
        raise self._missing("start_typing")

    def stop_typing(self, request: ChatRequest) -> Any:
        raise self._missing("stop_typing")

    def set_reaction(self, request: MessageReactionRequest) -> Any:
        raise self._missing("set_reaction")

    def set_star(self, request: MessageStarRequest) -> Any:
        raise self._missing("set_star")

    def new_message_id(self) -> str:
        raise self._missing("new_message_id")

    # -- chats

    def get_chats(self, query: ChatsQuery) -> Any:
        raise self._missing("get_chats")

    def get_chats_overview(self, query: GetChatsOverviewParams, chats: list[str] | None) -> Any:
        raise self._missing("get_chats_overview")

    def delete_chat(self, chat: str) -> Any:
        raise self._missing("delete_chat")

    def get_chat_picture(self, chat: str, *, refresh: bool = False) -> ChatPictureResponse:
        raise self._missing("get_chat_picture")

    def get_messages(self, chat: str, query: MessagesQuery) -> Any:
        raise self._missing("get_messages")

    def get_message(self, chat: str, message: str, *, download_media: bool = True) -> Any:
        raise self._missing("get_message")

    def clear_messages(self, chat: str) -> Any:
        raise self._missing("clear_messages")

    def read_messages(self, chat: str, query: ReadMessagesQuery) -> Any:
        raise self._missing("read_messages")

    def delete_message(self, chat: str, message: str) -> Any:
        raise self._missing("delete_message")

    def edit_message(self, chat: str, message: str, request: EditMessageRequest) -> Any:
        raise self._missing("edit_message")

    def pin_message(self, chat: str, message: str, request: PinMessageRequest) -> Any:
        raise self._missing("pin_message")

    def unpin_message(self, chat: str, message: str) -> Any:
        raise self._missing("unpin_message")

    def archive_chat(self, chat: str) -> Any:
        raise self._missing("archive_chat")

    def unarchive_chat(self, chat: str) -> Any:
        raise self._missing("unarchive_chat")

    def unread_chat(self, chat: str) -> Any:
        raise self._missing("unread_chat")

    # -- calls

    def reject_call(self, request: RejectCallRequest) -> Any:
        raise self._missing("reject_call")

    # -- contacts

    def get_contacts(self, query: ContactsQuery) -> Any:
        raise self._missing("get_contacts")

    def get_contact(self, contact: str) -> Any:
        raise self._missing("get_contact")

    def check_exists(self, phone: str) -> WANumberExistResult:
        raise self._missing("check_exists")

    def get_about(self, contact: str) -> ContactAbout:
        raise self._missing("get_about")

    def get_profile_picture(self, contact: str, *, refresh: bool = False) -> ContactPicture:
        raise self._missing("get_profile_picture")

    def block_contact(self, contact: str) -> Any:
        raise self._missing("block_contact")

    def unblock_contact(self, contact: str) -> Any:
        raise self._missing("unblock_contact")

    def update_contact(self, contact: str, request: ContactUpdateBody) -> Result:
        raise self._missing("update_contact")

    def get_lids(self, query: LidsQuery) -> list[LidToPhoneNumber]:
        raise self._missing("get_lids")

    def count_lids(self) -> int:
        raise self._missing("count_lids")

    def find_pn_by_lid(self, lid: str) -> LidToPhoneNumber:
        raise self._missing("find_pn_by_lid")

    def find_lid_by_pn(self, phone: str) -> LidToPhoneNumber:
        raise self._missing("find_lid_by_pn")

    # -- labels

    def get_labels(self) -> list[Label]:
        raise self._missing("get_labels")

    def create_label(self, request: LabelBody) -> Label:
        raise self._missing("create_label")

    def update_label(self, label: str, request: LabelBody) -> Label:
        raise self._missing("update_label")

    def delete_label(self, label: str) -> dict[str, bool]:
        raise self._missing("delete_label")

    def get_chat_labels(self, chat: str) -> list[Label]:
        raise self._missing("get_chat_labels")

    def set_chat_labels(self, chat: str, labels: list[str]) -> Any:
        raise self._missing("set_chat_labels")

    def get_label_chats(self, label: str) -> Any:
        raise self._missing("get_label_chats")

    # -- presence

    def set_presence(self, request: WAHASessionPresence) -> Any:
        raise self._missing("set_presence")

    def get_presences(self) -> list[WAHAChatPresences]:
        raise self._missing("get_presences")

    def get_presence(self, chat: str) -> WAHAChatPresences:
        raise self._missing("get_presence")

    def subscribe_presence(self, chat: str) -> Any:
        raise self._missing("subscribe_presence")

    # -- groups

    def create_group(self, request: CreateGroupRequest) -> Any:
        raise self._missing("create_group")

    def get_groups(self, query: GroupsQuery) -> Any:
        raise self._missing("get_groups")

    def get_join_info(self, code: str) -> Any:
        raise self._missing("get_join_info")

    def join_group(self, code: str) -> str:
        raise self._missing("join_group")

    def count_groups(self) -> int:
        raise self._missing("count_groups")

    def refresh_groups(self) -> Any:
        raise self._missing("refresh_groups")

    def get_group(self, group: str) -> Any:
        raise self._missing("get_group")

    def delete_group(self, group: str) -> Any:
        raise self._missing("delete_group")

    def leave_group(self, group: str) -> Any:
        raise self._missing("leave_group")

    def set_group_picture(self, group: str, request: ProfilePictureRequest) -> Result:
        raise self._missing("set_group_picture")

    def delete_group_picture(self, group: str) -> Result:
        raise self._missing("delete_group_picture")

    def set_group_description(self, group: str, description: str) -> Any:
        raise self._missing("set_group_description")

    def set_group_subject(self, group: str, subject: str) -> Any:
        raise self._missing("set_group_subject")

    def set_info_admins_only(self, group: str, admins_only: bool) -> Any:
        raise self._missing("set_info_admins_only")

    def get_info_admins_only(self, group: str) -> bool:
        raise self._missing("get_info_admins_only")

    def set_messages_admins_only(self, group: str, admins_only: bool) -> Any:
        raise self._missing("set_messages_admins_only")

    def get_messages_admins_only(self, group: str) -> bool:
        raise self._missing("get_messages_admins_only")

    def set_member_add_mode(self, group: str, members_can_add: bool) -> Any:
        raise self._missing("set_member_add_mode")

    def get_member_add_mode(self, group: str) -> bool:
        raise self._missing("get_member_add_mode")

    def set_member_share_history_mode(self, group: str, members_can_share: bool) -> Any:
        raise self._missing("set_member_share_history_mode")

    def get_member_share_history_mode(self, group: str) -> bool:
        raise self._missing("get_member_share_history_mode")

    def set_membership_approval(self, group: str, required: bool) -> Any:
        raise self._missing("set_membership_approval")

    def get_membership_approval(self, group: str) -> bool:
        raise self._missing("get_membership_approval")

    def get_invite_code(self, group: str) -> str:
        raise self._missing("get_invite_code")

    def revoke_invite_code(self, group: str) -> str:
        raise self._missing("revoke_invite_code")

    def get_participants(self, group: str) -> Any:
        raise self._missing("get_participants")

    def get_participants_v2(self, group: str) -> list[GroupParticipant]:
        raise self._missing("get_participants_v2")

    def add_participants(self, group: str, request: ParticipantsRequest) -> Any:
        raise self._missing("add_participants")

    def remove_participants(self, group: str, request: ParticipantsRequest) -> Any:
        raise self._missing("remove_participants")

    def promote_participants(self, group: str, request: ParticipantsRequest) -> Any:
        raise self._missing("promote_participants")

    def demote_participants(self, group: str, request: ParticipantsRequest) -> Any:
        raise self._missing("demote_participants")

    def get_join_requests(self, group: str) -> list[GroupJoinRequest]:
        raise self._missing("get_join_requests")

    def approve_join_requests(self, group: str, request: ParticipantsRequest) -> list[GroupJoinRequestResult]:
        raise self._missing("approve_join_requests")

    def reject_join_requests(self, group: str, request: ParticipantsRequest) -> list[GroupJoinRequestResult]:
        raise self._missing("reject_join_requests")

    # -- channels

    def get_channels(self, query: ChannelsQuery) -> list[Channel]:
        raise self._missing("get_channels")

    def create_channel(self, request: CreateChannelRequest) -> Channel:
        raise self._missing("create_channel")

    def delete_channel(self, channel: str) -> Any:
        raise self._missing("delete_channel")

    def get_channel(self, channel: str) -> Channel:
        raise self._missing("get_channel")

    def preview_channel_messages(self, channel: str, query: PreviewQuery) -> list[ChannelMessage]:
        raise self._missing("preview_channel_messages")

    def follow_channel(self, channel: str) -> Any:
        raise self._missing("follow_channel")

    def unfollow_channel(self, channel: str) -> Any:
        raise self._missing("unfollow_channel")

    def mute_channel(self, channel: str) -> Any:
        raise self._missing("mute_channel")

    def unmute_channel(self, channel: str) -> Any:
        raise self._missing("unmute_channel")

    def search_channels_by_view(self, request: ChannelSearchByView) -> ChannelListResult:
        raise self._missing("search_channels_by_view")

    def search_channels_by_text(self, request: ChannelSearchByText) -> ChannelListResult:
        raise self._missing("search_channels_by_text")

    def get_channel_views(self) -> list[ChannelView]:
        raise self._missing("get_channel_views")

    def get_channel_countries(self) -> list[ChannelCountry]:
        raise self._missing("get_channel_countries")

    def get_channel_categories(self) -> list[ChannelCategory]:
        raise self._missing("get_channel_categories")

    # -- statuses

    def send_text_status(self, request: TextStatus) -> Any:
        raise self._missing("send_text_status")

    def send_image_status(self, request: ImageStatus) -> Any:
        raise self._missing("send_image_status")

    def send_voice_status(self, request: VoiceStatus) -> Any:
        raise self._missing("send_voice_status")

    def send_video_status(self, request: VideoStatus) -> Any:
        raise self._missing("send_video_status")

    def delete_status(self, request: DeleteStatusRequest) -> Any:
        raise self._missing("delete_status")

    def _missing(self, operation: str) -> NotImplementedByEngine:
        return NotImplementedByEngine(operation, self.host.settings.core.engine)


#: Methods of Account that are no operations: every driver has them.
NOT_OPERATIONS = frozenset({"start", "stop", "logout", "presence", "engine_details"})


def operations(account: type[Account]) -> frozenset[str]:
    """The operations that an account type really has: the methods of Account that it overrides."""
    return frozenset(
        name
        for name, method in inspect.getmembers(account, inspect.isfunction)
        if not name.startswith("_") and name not in NOT_OPERATIONS and getattr(Account, name, method) is not method
    )


class DriverProcess(msgspec.Struct, frozen=True):
    """A process that a driver has started. What it has started in its turn is counted with it.

    Below it, a process that says ``--type=NAME`` on its command line, as Chromium's do, is the part NAME; others are
    the part of the process that started them.
    """

    pid: int
    #: What it is, for the figures by part: ``chromedriver``, ``browser``.
    part: str
    #: The session that it works for; empty when it works for several.
    session: str = ""


class Driver:
    """A backend in use: made once by the spec's factory, closed when the server stops."""

    #: The engine name on the wire, and the browser's path where there is one.
    engine = ""
    browser: str | None = None

    def account(self, host: SessionHost) -> Account:
        """The account of a session that is being started."""
        raise NotImplementedError

    def forget(self, session: str) -> None:
        """Removes everything that was kept for a session: pairing, chats, files. It is not running."""

    def processes(self) -> list[DriverProcess]:
        """The processes that it has started and that run now; any thread may ask, often, so it must not wait.

        The server limits its own heap (MAX_HEAP_MB) and children inherit that: take it from a process that needs
        more with ``waxbill.memory.uncap(pid)`` as soon as it is started.
        """
        return []

    def misfits(self) -> dict[str, str]:
        """The sessions that may not fit into this machine's memory, each with why, in words; must not wait.

        To be said while there is time: an account that is too large can't be made smaller when memory has run out.
        """
        return {}

    def close(self) -> None:
        """Lets go of everything; all accounts are stopped. Other workers get their sessions when this returns: what
        they need is in the store by then."""


class DriverSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin says about its driver before it is used."""

    #: Word by which operators name it (``WAXBILL_DRIVER``), and a title for people.
    name: str
    title: str
    #: Memory that it needs beside the server, for one session.
    need_mb: float
    #: Speaks to WhatsApp (True) or simulates it.
    real: bool
    #: Whether it can run here; if not, ``obstacle`` says why and what to install or set.
    runnable: bool = True
    obstacle: str = ""
    #: Names of the methods of Account that it has; see ``operations()``.
    operations: frozenset[str]
    #: Its operations wait for nothing but the store, so they may run in the server's loop.
    inline: bool = False
    #: Makes the driver; called once, when it has been chosen.
    factory: Callable[[Settings, Store, Clock], Driver]
