"""Editing: what is done to a message after it was sent: edited, deleted, starred, pinned, reacted to, voted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waxbill.model import ids
from waxbill.model.chats import EditMessageRequest, PinMessageRequest
from waxbill.model.errors import EngineFailure, Unprocessable, ValidationFailed
from waxbill.model.messages import MessagePollVoteRequest, MessageReactionRequest, MessageStarRequest
from waxbill.model.wire import Result

from ..account.content import Content, encode
from ..account.groups import ADMINS
from ..account.messages import Message
from ..account.reactions import Vote, react, vote
from .base import STATUS, Base

if TYPE_CHECKING:
    from ..driver import MockAccount

_CAPTIONED = ("text", "image", "video", "document")
_PIN_SECONDS = (86400, 604800, 2592000)
_EDIT_MS = 15 * 60 * 1000


class Editing(Base):
    """Changes of messages, by the API, by the own phone and by others alike."""

    def _at_peer(self, message: Message, who: str | None = None) -> tuple[MockAccount | None, Message | None]:
        """The account of this server that has the same message, and that message; for what this account does to it.

        ``who`` does it; without one it is whoever sent the message.
        """
        ours = message.from_me if who is None else who == self.me.own
        peer = self._peer(message.chat) if ours else None
        return peer, peer._find(message.key) if peer else None

    # -- edit

    def edit_message(self, chat: str, message: str, request: EditMessageRequest) -> Any:
        found = self._existing(message, chat)
        if not found.from_me or found.revoked or found.kind not in _CAPTIONED:
            return self._dialect.not_editable(message)
        edited = self._edit(found, request.text, "api", request.mentions)
        return self._dialect.edited_answer(self.me, edited, self.world.message_key())

    def _edit(self, found: Message, text: str, source: str, mentions: list[str] | None = None) -> Message:
        """Gives a message a new text; ``source`` says where that was done."""
        now = self._now_ms()
        if now - found.at_ms > _EDIT_MS:
            raise EngineFailure("The message is older than 15 minutes and can't be edited any more.", "not-allowed")
        peer, theirs = self._at_peer(found)
        for account, message in ((self, found), (peer, theirs)):
            if account is not None and message is not None and account.host.wants("message.edited"):
                account.published(message)  # before the store is held: it may wait
        with self.host.store.write() as db:
            values: dict[str, Any] = {"body": text, "edited_ms": now}
            if mentions:
                found.content = found.content or Content()
                found.content.mentions = self._mentioned(db, found.chat, mentions)
                values["content"] = encode(found.content)
            self.messages.set(db, found.id, **values)
            found.body, found.edited_ms = text, now
            if self.host.wants("message.edited"):
                found.source = source
                payload = self._dialect.edited(self.me, self._shown(found), found, self.world.message_key())
                self.host.emit("message.edited", payload, chat=found.chat)
            if peer is not None and theirs is not None:
                peer._edit(theirs, text, "app")
        return found

    # -- delete for everyone

    def delete_message(self, chat: str, message: str) -> Any:
        found = self._existing(message, chat)
        if not found.from_me:
            self._check_may_delete(found)
        self._revoke(found, "api")
        return self._dialect.deleted_answer(self.me, found, self.world.message_key(), self._now_ms())

    def _check_may_delete(self, message: Message) -> None:
        role = self.groups.role(self.host.store.read(), message.chat) if ids.kind(message.chat) == "group" else None
        if role not in ADMINS:
            raise EngineFailure("Only the sender, or an admin of the group, can delete a message.", "not-allowed")

    def _revoke(self, found: Message, source: str) -> None:
        before = self._shown(found) if self.host.wants("message.revoked") else None
        peer, theirs = self._at_peer(found)
        if peer is not None and theirs is not None and peer.host.wants("message.revoked"):
            peer.published(theirs)  # before the store is held: it may wait
        now = self._now_ms()
        with self.host.store.write() as db:
            self.messages.set(db, found.id, revoked=True, body=None, content=None, reacted=False)
            for table in ("mock_reaction", "mock_vote"):
                db.execute(
                    f"DELETE FROM {table} WHERE account = ? AND message = ?",  # noqa: S608
                    (self.me.id, found.id),
                )
            if before is not None:
                gone = self._existing(found.key)
                gone.source, gone.at_ms = source, now
                payload = self._dialect.revoked(self.me, before, self._shown(gone), gone, self.world.message_key())
                self.host.emit("message.revoked", payload, chat=found.chat)
            if peer is not None and theirs is not None:
                peer._revoke(theirs, "app")

    # -- reactions

    def set_reaction(self, request: MessageReactionRequest) -> Any:
        found = self._existing(request.messageId)
        now = self._now_ms()
        self._react(found, self.me.own, request.reaction, "api", now)
        return self._dialect.reacted_answer(self.me, found, request.reaction, self.world.message_key(), now)

    def _react(self, found: Message, who: str, text: str, source: str, at_ms: int) -> None:
        if found.revoked:
            raise Unprocessable("The message was deleted; nobody can react to it any more.")
        if len(text) > 32:
            raise ValidationFailed("reaction must be one emoji, or an empty text to take it back")
        with self.host.store.write() as db:
            react(db, self.me.id, found.id, who, text, at_ms)
            if self.host.wants("message.reaction"):
                action = self._action(found, who, source, at_ms)
                self.host.emit(
                    "message.reaction", self._dialect.reaction(self.me, action, found, text), chat=found.chat
                )
            peer, theirs = self._at_peer(found, who)
            if peer is not None and theirs is not None:
                peer._react(theirs, who, text, "app", at_ms)

    def _action(self, found: Message, who: str, source: str, at_ms: int) -> Message:
        """What somebody did to a message, as a message of its own; it is not kept."""
        from_me = who == self.me.own
        return Message(
            id=0,
            chat=found.chat,
            key=self.world.message_key("3EB0" if source == "api" else "3A"),
            from_me=from_me,
            participant=None if from_me or ids.kind(found.chat) == "person" else who,
            at_ms=at_ms,
            kind="action",
            body=None,
            ack=1 if from_me else 2,
            source=source,
        )

    # -- polls

    def send_poll_vote(self, request: MessagePollVoteRequest) -> Any:
        found = self._existing(request.pollMessageId, request.chatId)
        action = self._vote(found, self.me.own, request.chosen, "api")
        return self._dialect.voted_answer(self.me, action, found, request.chosen)

    def _vote(self, found: Message, who: str, chosen: list[str], source: str, *, readable: bool = True) -> Message:
        """Somebody votes; ``readable`` is False for a vote whose secret this device has not got."""
        poll = found.content.poll if found.content else None
        if poll is None:
            raise Unprocessable(f"Message '{found.key}' is no poll (any more).")
        unknown = [text for text in chosen if text not in poll.options]
        if unknown:
            raise Unprocessable(f"The poll has no option {unknown[0][:80]!r}; it has {', '.join(poll.options)}.")
        if poll.selectable and len(set(chosen)) > poll.selectable:
            raise Unprocessable(f"The poll takes {poll.selectable} option(s), not {len(set(chosen))}.")
        chosen = [option for option in poll.options if option in chosen]
        now = self._now_ms()
        event = "poll.vote" if readable else "poll.vote.failed"
        action = self._action(found, who, source, now)
        with self.host.store.write() as db:
            if readable:
                vote(db, self.me.id, found.id, who, chosen, now)
            if self.host.wants(event):
                payload = self._dialect.vote(self.me, action, found, Vote(who, chosen, now), readable=readable)
                self._tell(event, payload, found.chat)
            peer, theirs = self._at_peer(found, who)
            if peer is not None and theirs is not None:
                peer._vote(theirs, who, chosen, "app")
        return action

    # -- star and pin

    def set_star(self, request: MessageStarRequest) -> Any:
        found = self._existing(request.messageId, request.chatId)
        with self.host.store.write() as db:
            self.messages.set(db, found.id, starred=request.star)

    def pin_message(self, chat: str, message: str, request: PinMessageRequest) -> Result:
        if request.duration not in _PIN_SECONDS:
            raise ValidationFailed(f"duration must be one of {', '.join(map(str, _PIN_SECONDS))} seconds")
        return self._pin(chat, message, self._now_ms() + int(request.duration) * 1000)

    def unpin_message(self, chat: str, message: str) -> Result:
        return self._pin(chat, message, None)

    def _pin(self, chat: str, message: str, until_ms: int | None) -> Result:
        found = self._existing(message, chat)
        if found.revoked or found.chat == STATUS:
            raise Unprocessable("A deleted message and a status can't be pinned.")
        with self.host.store.write() as db:
            self.messages.set(db, found.id, pinned_until_ms=until_ms)
        return Result()
