"""What a dialect is: how one engine writes messages, chats, groups, answers and events.

``Dialect`` has what the engines share. ``web.Web`` adds what those on WhatsApp Web have in common (WEBJS, WPP),
``protocol.Protocol`` those on the protocol (NOWEB, GOWS); each engine's own file has its ways.
"""

from __future__ import annotations

from typing import Any, ClassVar

from waxbill.model.contacts import WANumberExistResult
from waxbill.model.errors import EngineFailure, NotImplementedByEngine, Unprocessable
from waxbill.model.groups import GroupParticipant
from waxbill.model.ids import MessageId, kind
from waxbill.model.messages import ACK_NAMES
from waxbill.model.presence import Presence

from ..account.chats import Chat
from ..account.contacts import Contact
from ..account.groups import ADMINS, Group, Member
from ..account.identity import Identity, lid_of
from ..account.messages import Message
from ..account.reactions import Vote

FILES = ("image", "video", "audio", "voice", "document", "sticker")


class Dialect:
    """One engine's shapes. ``refuses`` are the operations (methods of Account) that it answers with 501."""

    engine = ""
    refuses: frozenset[str] = frozenset()
    #: Events that the engine never tells.
    silent: frozenset[str] = frozenset()
    #: Events that it tells only to sessions with ``webjs.tagsEventsOn``.
    told_with_tags: frozenset[str] = frozenset()
    #: ``all`` as a chat id reads every chat.
    reads_all_chats = False
    #: The request may choose the key of a message.
    uses_given_keys = False
    #: sendSeen and messages/read mark the messages of the ids and answer with those that changed.
    reads_by_id = False
    #: A status may be for some contacts only.
    status_takes_contacts = False
    finds_channels_by_invite = True
    #: Whether there is a page to take a screenshot of, also when no QR code is shown.
    has_screen = False
    #: The order of chats where none is asked for.
    chats_sorted_by = "conversationTimestamp"
    chats_ascending = False
    #: What the presence of somebody who typed becomes when the message is there.
    after_typing: Presence = "online"
    #: The unit of timestamps in group events, in ms.
    group_time_unit_ms = 1000
    #: An own join or leave is also told as a change of participants.
    repeats_own_joins = True
    #: Ends of calls that are told only when the API caused them.
    calls_told_when_ours: frozenset[str] = frozenset()

    # -- messages

    def message_id(self, me: Identity, message: Message) -> str:
        """The id on the wire; with the sender as its fourth part where the chat has many."""
        participant = message.participant
        if participant is None and message.from_me and kind(message.chat) in ("group", "status"):
            participant = me.own
        return str(MessageId(message.from_me, message.chat, message.key, participant))

    def file_name(self, me: Identity, message: Message) -> str:
        """What the file of a message is called under /api/files, without its ending."""
        return self.message_id(me, message)

    def message(self, me: Identity, message: Message, quoted: Message | None) -> dict[str, Any]:
        """The message as WAHA's WAMessage."""
        raise NotImplementedError

    def sent(self, me: Identity, message: Message, quoted: Message | None) -> Any:
        """The answer to a send."""
        raise NotImplementedError

    def body(self, message: Message) -> str | None:
        """The text of a message as this engine finds it."""
        return message.body

    def _common(self, me: Identity, message: Message) -> dict[str, Any]:
        """The members that every engine sends alike."""
        has_media = message.kind in FILES and not message.revoked
        return {
            "id": self.message_id(me, message),
            "timestamp": message.at_ms // 1000,
            "from": message.chat,
            "fromMe": message.from_me,
            "source": message.source,
            # The document wants texts here where engines send null or nothing: empty ones satisfy both.
            "to": "",
            "participant": message.participant or "",
            "body": self.body(message) or "",
            "hasMedia": has_media,
            "media": message.media if has_media else None,
            "mediaUrl": "",
            **self._acknowledged(message),
            "location": self._location(message),
            "vCards": message.content.vcards if message.content and message.content.vcards else None,
            "replyTo": None,
        }

    def _acknowledged(self, message: Message) -> dict[str, Any]:
        if kind(message.chat) == "channel" and not message.from_me:
            return {"ack": None, "ackName": "UNKNOWN"}
        return {"ack": message.ack, "ackName": ACK_NAMES[message.ack]}

    def _location(self, message: Message) -> dict[str, Any] | None:
        place = message.content.location if message.content else None
        if place is None:
            return None
        return {
            "live": place.live,
            "latitude": f"{place.latitude:g}" if place.latitude == round(place.latitude, 4) else repr(place.latitude),
            "longitude": (
                f"{place.longitude:g}" if place.longitude == round(place.longitude, 4) else repr(place.longitude)
            ),
            "name": None if place.live else place.name,
            "address": None if place.live else place.address,
            "url": None,
            "description": None,
            "thumbnail": None,
        }

    def _author(self, me: Identity, message: Message) -> str:
        return me.own if message.from_me else message.participant or message.chat

    def _reply_to(self, me: Identity, quoted: Message | None, raw: Any) -> dict[str, Any] | None:
        if quoted is None:
            return None
        return {
            "id": quoted.key,
            "participant": self._author(me, quoted),
            "body": self.body(quoted),
            "hasMedia": quoted.kind in FILES and not quoted.revoked,
            "media": quoted.media,
            "_data": raw,
        }

    def not_forwarded(self, message: str) -> Any:
        """The answer to forwarding a message that is not known; or raises."""
        raise Unprocessable(f"Message '{message[:120]}' is not known and can't be forwarded.")

    def forwarded(self, me: Identity, message: Message) -> Any:
        raise NotImplementedByEngine("forward_message", self.engine)

    def not_editable(self, message: str) -> Any:
        raise EngineFailure(
            f"Message '{message[:120]}' can't be edited: only own texts and captions can.", "not-allowed"
        )

    def edited_answer(self, me: Identity, message: Message, key: str) -> Any:
        raise NotImplementedError

    def deleted_answer(self, me: Identity, message: Message, key: str, at_ms: int) -> Any:
        raise NotImplementedError

    def reacted_answer(self, me: Identity, message: Message, text: str, key: str, at_ms: int) -> Any:
        raise NotImplementedError

    def voted_answer(self, me: Identity, action: Message, poll: Message, chosen: list[str]) -> Any:
        raise NotImplementedByEngine("send_poll_vote", self.engine)

    def seen(self, me: Identity, messages: list[str], *, asked_for_ids: bool) -> Any:
        """The answer to sendSeen; ``messages`` are the ids that changed."""
        if asked_for_ids:
            return None
        return {"ids": messages if self.reads_by_id else None}

    # -- events of messages

    def ack(self, me: Identity, message: Message, level: int, *, reader: str | None = None) -> dict[str, Any]:
        """The payload of message.ack, and of message.ack.group with its ``reader``."""
        return {
            "id": self.message_id(me, message),
            "from": message.chat,
            "to": message.chat,
            "participant": reader or message.participant or "",
            "fromMe": message.from_me,
            "ack": level,
            "ackName": ACK_NAMES[level],
        }

    def edited(self, me: Identity, shown: dict[str, Any], message: Message, key: str) -> dict[str, Any]:
        """The payload of message.edited: the message as it is now; ``key`` is that of the edit itself."""
        edit = MessageId(message.from_me, message.chat, key, message.participant)
        return {**shown, "id": str(edit), "editedMessageId": message.key}

    def revoked(
        self, me: Identity, before: dict[str, Any], after: dict[str, Any], message: Message, key: str
    ) -> dict[str, Any]:
        """The payload of message.revoked; ``key`` is that of the revocation itself."""
        revocation = str(MessageId(message.from_me, message.chat, key, message.participant))
        return {"after": {**after, "id": revocation}, "before": None, "revokedMessageId": message.key}

    def reaction(self, me: Identity, action: Message, message: Message, text: str) -> dict[str, Any]:
        """The payload of message.reaction."""
        return {
            "id": self.message_id(me, action),
            "timestamp": action.at_ms / 1000,
            "from": action.chat,
            "fromMe": action.from_me,
            "source": action.source,
            "to": me.own,
            "participant": self._author(me, action),
            "reaction": {"text": text, "messageId": self.message_id(me, message)},
        }

    def vote(self, me: Identity, action: Message, poll: Message, vote: Vote, *, readable: bool) -> dict[str, Any]:
        """The payload of poll.vote and poll.vote.failed."""
        group = kind(poll.chat) == "group"
        voter = "me" if action.from_me else action.participant or action.chat
        author = "me" if poll.from_me else poll.participant or poll.chat
        return {
            "vote": {
                "id": self.message_id(me, action),
                "from": voter,
                "to": poll.chat if group or action.from_me else "me",
                "fromMe": action.from_me,
                **({"participant": self._author(me, action)} if group else {}),
                "selectedOptions": vote.options if readable else [],
                "timestamp": vote.at_ms,
            },
            "poll": {
                "id": self.message_id(me, poll),
                "from": author,
                "to": poll.chat if group or poll.from_me else "me",
                "fromMe": poll.from_me,
                **({"participant": self._author(me, poll)} if group else {}),
            },
        }

    def event_response(
        self, me: Identity, action: Message, event: Message, answer: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The payload of event.response and event.response.failed."""
        key = MessageId(False, me.own, event.key)  # as the one who answers sees it
        return {
            **self.message(me, action, None),
            "ack": None,
            "ackName": "UNKNOWN",
            "eventCreationKey": {"id": str(key), "to": event.chat, "from": me.own, "fromMe": False},
            "eventResponse": answer,
        }

    # -- chats and contacts

    def chat(self, me: Identity, chat: Chat, last: Message | None) -> dict[str, Any]:
        """A chat in the engine's own shape."""
        raise NotImplementedError

    def labelled_chat(self, me: Identity, chat: Chat, last: Message | None) -> dict[str, Any]:
        return self.chat(me, chat, last)

    def archived_answer(self, archived: bool) -> Any:
        return None

    def unread_answer(self) -> Any:
        return None

    def contact(self, me: Identity, contact: Contact, picture: str | None) -> dict[str, Any]:
        """A contact in the engine's own shape."""
        raise NotImplementedError

    def unknown_contact(self, me: Identity, contact: str) -> Any:
        """The answer for somebody who is not known."""
        return None

    def no_number(self) -> WANumberExistResult:
        return WANumberExistResult(numberExists=False)

    def subscribed_answer(self) -> Any:
        return None

    # -- groups

    def group(self, me: Identity, group: Group, without_members: bool) -> dict[str, Any]:
        """A group in the engine's own shape."""
        raise NotImplementedError

    def group_list(self, groups: list[tuple[str, dict[str, Any]]]) -> Any:
        return [group for _, group in groups]

    def created_group(self, me: Identity, group: Group, absent: list[str]) -> Any:
        """The answer to creating a group; ``absent`` are people who are not on WhatsApp."""
        return self.group(me, group, False)

    def members(self, me: Identity, members: list[Member]) -> Any:
        raise NotImplementedError

    def participant(self, member: Member, *, event: str = "") -> GroupParticipant:
        """A member in the one shape for all engines; ``event`` is the change that is told of, if any."""
        number = member.id.partition("@")[0]
        return GroupParticipant(id=f"{lid_of(number)}@lid", pn=member.id, role=member.role)  # type: ignore[arg-type]

    def members_changed(self, me: Identity, result: dict[str, int], change: str) -> Any:
        """The answer to adding, removing, promoting or demoting: WhatsApp's code for each of them."""
        raise NotImplementedError

    def members_refused(self, refusal: EngineFailure) -> Any:
        raise refusal

    def group_changed(self) -> Any:
        return None

    def group_refused(self, refusal: EngineFailure) -> Any:
        raise refusal

    def joined_can_send(self, group: Group) -> bool:
        """``membersCanSendMessages`` in group.v2.join: most engines send the announce flag, which is the opposite."""
        return group.messages_admins_only

    def group_info(self, group: Group) -> dict[str, Any]:
        """A group in the one shape for all engines, as group.v2 events have it."""
        return {
            "id": group.id,
            "subject": group.subject,
            "description": group.description,
            "invite": group.invite,
            "membersCanAddNewMember": group.members_can_add,
            "membersCanSendMessages": not group.messages_admins_only,
            "newMembersApprovalRequired": group.approval,
            "participants": [self.participant(member) for member in group.members],
        }

    def group_update(self, info: dict[str, Any], changed: set[str]) -> dict[str, Any] | None:
        """What group.v2.update tells of a change; None for one that the engine does not tell of."""
        return {"id": info["id"], **{name: info[name] for name in sorted(changed)}}

    # -- channels, calls and the engine itself

    #: What ``state.change`` tells when the account is connected, and the engine's own event for it.
    connected: ClassVar[Any] = "CONNECTED"
    connected_event: ClassVar[tuple[str, Any]] = ("change_state", {"state": "CONNECTED"})
    #: The engine's own event for a message that came in.
    message_event = "message"

    def listed_channel(self, channel: Any) -> Any:
        return channel

    def call(
        self, call: str, caller: str, at_ms: int, *, video: bool, group: bool, ours: bool = False
    ) -> dict[str, Any]:
        """The payload of the events of calls; ``ours`` is an end that the API caused."""
        return {
            "id": call,
            "from": caller,
            "timestamp": at_ms // 1000,
            "isVideo": video,
            "isGroup": group,
            "_data": {"id": call, "peerJid": caller, "offerTime": at_ms // 1000, "isVideo": video, "isGroup": group},
        }


def is_admin(member: Member) -> bool:
    return member.role in ADMINS


def protocol_id(chat: str) -> str:
    """A chat id as the protocol writes it: ``@s.whatsapp.net`` for a person."""
    return chat.replace("@c.us", "@s.whatsapp.net")
