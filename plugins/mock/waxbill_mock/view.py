"""Messages as a test wants to see them: one shape, whatever the engine."""

from __future__ import annotations

from typing import Any

from waxbill.api.operation import encode
from waxbill.model.messages import ACK_NAMES
from waxbill.model.wire import Answer

from .account.content import Content
from .account.messages import DEVICE, READ, Message
from .account.reactions import reactions, votes
from .driver import MockAccount


class SentFile(Answer):
    """A file; ``size`` in bytes, ``url`` where it can be fetched now (null when it is not published)."""

    mimetype: str
    size: int
    filename: str | None
    url: str | None


class Said(Answer):
    """What somebody did to a message: reacted with a text, or chose options of a poll. Unix ms."""

    who: str
    value: str | list[str]
    timestampMs: int


class SeenMessage(Answer):
    """A message; ``seq`` counts the messages of the server, ``type`` is text, image, video, audio, voice, document,
    sticker, location, contact, poll, list, buttons, button_reply or event."""

    seq: int
    session: str
    id: str
    chatId: str
    fromMe: bool
    participant: str | None
    source: str
    type: str
    text: str | None
    timestampMs: int
    ack: str
    replyTo: str | None
    edited: bool
    deleted: bool
    forwarded: bool
    mentions: list[str]
    file: SentFile | None
    location: dict[str, Any] | None
    contacts: list[str]
    poll: dict[str, Any] | None
    event: dict[str, Any] | None
    #: Lists, buttons and answers to them, as they were sent; and a link's preview.
    interactive: dict[str, Any] | None
    preview: dict[str, Any] | None
    reactions: list[Said]
    votes: list[Said]


def seen(message: Message, session: str, account: MockAccount | None, now_ms: int) -> SeenMessage:
    """A message of a session, whose account is None when it does not run."""
    content = message.content or Content()
    said: list[Said] = []
    cast: list[Said] = []
    if account is not None:
        db = account.host.store.read()
        if message.reacted:
            said = [
                Said(who=r.who, value=r.text, timestampMs=r.at_ms) for r in reactions(db, account.me.id, message.id)
            ]
        if content.poll is not None:
            chosen = votes(db, account.me.id, message.id)
            cast = [Said(who=each.who, value=each.options, timestampMs=each.at_ms) for each in chosen]
    return SeenMessage(
        seq=message.id,
        session=session,
        id=f"{'true' if message.from_me else 'false'}_{message.chat}_{message.key}",
        chatId=message.chat,
        fromMe=message.from_me,
        participant=message.participant,
        source=message.source,
        type=message.kind,
        text=message.body,
        timestampMs=message.at_ms,
        ack=ACK_NAMES[_ack(message, account, now_ms)],
        replyTo=message.quoted,
        edited=message.edited_ms is not None,
        deleted=message.revoked,
        forwarded=content.forwarded,
        mentions=content.mentions,
        file=_file(message, account),
        location=None if content.location is None else _members(content.location),
        contacts=content.vcards,
        poll=None
        if content.poll is None
        else {
            "name": content.poll.name,
            "options": content.poll.options,
            "multipleAnswers": content.poll.selectable != 1,
        },
        event=None if content.event is None else _members(content.event),
        interactive=content.interactive,
        preview=content.preview,
        reactions=said,
        votes=cast,
    )


def _members(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _ack(message: Message, account: MockAccount | None, now_ms: int) -> int:
    """How far a sent message is acknowledged: by what is kept, and by the passing of time."""
    if not message.from_me or account is None:
        return message.ack
    passed = now_ms - message.at_ms
    by_time = READ if passed >= account.messages.read_ms else DEVICE if passed >= account.messages.device_ms else 0
    return max(message.ack, by_time) if message.ack >= 0 else message.ack


def _file(message: Message, account: MockAccount | None) -> SentFile | None:
    media = message.content.media if message.content else None
    if media is None:
        return None
    published = account.published(message).media if account is not None else None
    url = getattr(published, "url", None)
    return SentFile(mimetype=media.mimetype, size=media.size, filename=media.filename, url=url)


def summary(message: SeenMessage) -> str:
    """One line about a message, for errors."""
    what = message.text if message.text is not None else message.type
    return f"to {message.chatId}: {encode(what).decode()[:120]}"
