"""Incoming: what people, and the account's own phone, do to its chats."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from waxbill.model import ids
from waxbill.model.errors import Unprocessable, ValidationFailed
from waxbill.model.media import File, WAMedia

from ..account.content import Content, Media
from ..account.identity import person
from ..account.messages import Message, Page
from ..account.reactions import Reaction, Vote, reactions, votes
from .base import Base
from .chats import ChatOperations
from .presence import PresenceOperations
from .statuses import StatusOperations

if TYPE_CHECKING:
    from waxbill.store import Database

    from ..account.contacts import Contact
    from ..rules import Reply

# How many steps of a session are kept.
_MOST_STEPS = 10_000


class Incoming(StatusOperations, PresenceOperations, ChatOperations):
    """What others do, and what the phone does: the same rules and events as for the API."""

    def receive(
        self,
        chat: str,
        kind: str,
        body: str | None,
        *,
        sender: str | None = None,
        push_name: str | None = None,
        reply_to: str | None = None,
        content: Content | None = None,
        waiting: bool = False,
        key: str | None = None,
        media: WAMedia | None = None,
    ) -> Any:
        """Somebody writes; answers the message as its events show it.

        ``sender`` is who writes in a group or a status. A message that is ``waiting`` can't be read yet. ``media`` is
        given where its file is published already.
        """
        chat = person(chat)
        message = self._message(chat, kind, body, from_me=False, source="app", content=content)
        message.push_name, message.key, message.media = push_name, key or message.key, media
        if key and self._find(key) is not None:
            raise Unprocessable(f"A message has the id '{key}' already.")
        if ids.kind(chat) in ("group", "status"):
            if sender is None:
                raise ValidationFailed("participant must say who writes, in a group and in a status")
            message.participant = person(sender)
        quoted = self._quoted(reply_to)
        message.quoted = quoted.key if quoted else None
        writer = message.participant or chat
        try:
            self._check_not_blocked(self.host.store.read(), writer)
            self.published(message)  # before the store is held: it may wait
            with self.host.store.write() as db:
                known = self._check_not_blocked(db, writer)
                if ids.kind(writer) == "person" and (push_name is not None or known is None):
                    self.contacts.set(db, writer, push_name=push_name or (known.push_name if known else None))
                self.messages.add(db, message)
                shown = self._shown(message, quoted)
                if waiting:
                    self._tell("message.waiting", {**shown, "media": None, "body": ""}, chat)
                else:
                    for event in ("message", "message.any"):
                        self.host.emit(event, shown, chat=chat)
                    if self.host.wants("engine.event"):
                        self.host.emit("engine.event", {"event": self._dialect.message_event, "data": shown["_data"]})
                self._stops_typing(chat, writer)
        except BaseException:
            if media is None:
                self.withdraw(message)
            raise
        return shown

    def _check_not_blocked(self, db: Database, writer: str) -> Contact | None:
        """What is known of who writes; raises when WhatsApp delivers nothing of them."""
        known = self.contacts.get(db, writer) if ids.kind(writer) == "person" else None
        if known is not None and known.blocked:
            raise Unprocessable(f"{writer} is blocked by this account: WhatsApp delivers nothing of them.")
        return known

    def _blocks(self, sender: Base) -> bool:
        known = self.contacts.get(self.host.store.read(), sender.me.own)
        return known is not None and known.blocked

    def prepared_of(self, sender: Base, message: Message) -> Message | None:
        """The file of a message that another account of this server is about to send, as this account's own, and
        published: before the store is held, since that may wait. None where nothing will be received."""
        assert message.content is not None
        assert message.content.media is not None
        if self._blocks(sender):
            return None
        content = Content(media=self._linked(sender, message.content.media))
        mine = self._message(sender.me.own, message.kind, None, from_me=False, source="app", content=content)
        mine.key = message.key
        return self.published(mine)

    def withdraw(self, message: Message) -> None:
        super().withdraw(message)
        media = message.content and message.content.media
        if media and not message.from_me:  # one of somebody else's has its file for itself
            (self._media_folder / media.path).unlink(missing_ok=True)

    def receive_of(self, sender: Base, message: Message, prepared: Message | None) -> bool:
        """Another account of this server has written: the same message, as this side has it. False when WhatsApp tells
        nobody."""
        content = message.content and msgspec.structs.replace(message.content)
        has_media = content is not None and content.media is not None
        if self._blocks(sender) or (has_media and prepared is None):  # blocked now, or when it was sent
            return False
        if content is not None and prepared is not None and prepared.content is not None:
            content.media = prepared.content.media
        self.receive(
            sender.me.own,
            message.kind,
            message.body,
            push_name=sender.me.push_name,
            reply_to=message.quoted,
            content=content,
            key=message.key,
            media=prepared.media if prepared is not None else None,
        )
        return True

    def _linked(self, sender: Base, media: Media) -> Media:
        """The file of another account's message, as this account's own."""
        name = os.urandom(12).hex()
        self._media_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.link(sender._media_folder / media.path, self._media_folder / name)
        return msgspec.structs.replace(media, path=name)

    def write_on_phone(
        self,
        chat: str,
        kind: str,
        text: str | None,
        *,
        reply_to: str | None = None,
        content: Content | None = None,
        key: str | None = None,
    ) -> Any:
        """The account's own phone sends a message."""
        message, quoted = self._post(chat, kind, text, reply_to=reply_to, content=content, key=key, source="app")
        return self._shown(message, quoted)

    def read_on_phone(self, chat: str) -> None:
        """The account's own phone opens a chat."""
        self._mark_read(person(chat), None)

    def others_edit(self, message: str, text: str) -> None:
        self._edit(self._of_others(message), text, "app")

    def others_revoke(self, message: str) -> None:
        self._revoke(self._of_others(message), "app")

    def _of_others(self, message: str) -> Message:
        found = self._existing(message)
        if found.revoked:
            raise Unprocessable("The message was deleted already.")
        return found

    def others_react(self, message: str, who: str, text: str) -> None:
        self._react(self._existing(message), person(who), text, "app", self._now_ms())

    def others_vote(self, message: str, who: str, chosen: list[str], *, readable: bool = True) -> None:
        self._vote(self._existing(message), person(who), chosen, "app", readable=readable)

    def others_answer_event(
        self, message: str, who: str, response: str, *, extra_guests: int = 0, readable: bool = True
    ) -> None:
        """Somebody says whether they come to an event."""
        found = self._existing(message)
        if found.content is None or found.content.event is None:
            raise Unprocessable(f"Message '{message[:120]}' is no event.")
        if extra_guests and not found.content.event.extra_guests:
            raise Unprocessable("The event takes no extra guests.")
        event = "event.response" if readable else "event.response.failed"
        action = self._action(found, person(who), "app", self._now_ms())
        answer = {"response": response, "timestampMs": action.at_ms, "extraGuestCount": extra_guests}
        with self.host.store.write():
            payload = self._dialect.event_response(self.me, action, found, answer if readable else None)
            self._tell(event, payload, found.chat)

    def media_content(self, url: str | None, data: str | None, mimetype: str | None, filename: str | None) -> Media:
        """The file of a message; waits for the network when it is given by URL."""
        return self._media(self.host.files.take(url=url, data=data, mimetype=mimetype, filename=filename))

    def tally(self, message: str) -> dict[str, list[str]]:
        """Who chose which option of a poll."""
        found = self._existing(message)
        poll = found.content.poll if found.content else None
        if poll is None:
            raise Unprocessable(f"Message '{message[:120]}' is no poll.")
        cast = votes(self.host.store.read(), self.me.id, found.id)
        return {option: [vote.who for vote in cast if option in vote.options] for option in poll.options}

    def answers(self, chat: str, limit: int, offset: int) -> list[tuple[str, list[Reaction], list[Vote]]]:
        """The reactions and votes to messages of a chat, newest first; only of those that got any."""
        db = self.host.store.read()
        found = []
        for message in self.messages.page(db, Page(chat=person(chat), limit=limit, offset=offset), self._now_ms()):
            answers = (
                reactions(db, self.me.id, message.id) if message.reacted else [],
                votes(db, self.me.id, message.id) if message.kind == "poll" else [],
            )
            if any(answers):
                found.append((self._dialect.message_id(self.me, message), *answers))
        return found

    def find(self, message: str) -> Message:
        """A message by its id; raises NotFound."""
        return self._existing(message)

    # -- what happened, for ``waxbill record``

    def note(self, name: str, values: dict[str, Any]) -> None:
        """Keeps a step of what others did; the oldest are forgotten."""
        with self.host.store.write() as db:
            (last,) = db.execute("SELECT max(n) FROM mock_step WHERE account = ?", (self.me.id,)).fetchone()
            n = (last or 0) + 1
            db.execute(
                "INSERT INTO mock_step VALUES (?, ?, ?, ?, ?, ?)",
                (self.me.id, n, self._now_ms(), self.messages.last_id(db), name, msgspec.json.encode(values)),
            )
            db.execute("DELETE FROM mock_step WHERE account = ? AND n <= ?", (self.me.id, n - _MOST_STEPS))

    # -- scripted replies

    def answer(self, message: Message, replies: list[Reply]) -> None:
        """Lets people answer what was sent, as the rules say: the first that fits, after its delay."""
        from ..rules import fits, seconds

        kind, text, chat = message.kind, message.body, message.chat
        reply = next((each for each in replies if each.times != 0 and fits(each.when, kind, text, chat)), None)
        if reply is None:
            return
        if reply.times is not None:
            reply.times -= 1
        who = self._who_answers(chat, reply.participant)
        if reply.typing:
            self.others_presence(chat, who, "typing")
        self._later(
            f"reply {message.key}", seconds(reply.after or 0, "after"), lambda: self._reply(message, reply, who)
        )

    def _who_answers(self, chat: str, participant: str | None) -> str:
        """Who is behind a reply: the person of the chat, or in a group the one that is named, else its first member."""
        if participant is not None:
            return person(ids.person_id(participant, "participant"))
        if ids.kind(chat) != "group":
            return chat
        members = self.groups.members(self.host.store.read(), chat)
        return next((member.id for member in members if member.id != self.me.own), chat)

    def _reply(self, message: Message, reply: Reply, who: str) -> None:
        if reply.reaction is not None:
            self.others_react(message.key, who, reply.reaction)
        elif reply.votes is not None:
            self.others_vote(message.key, who, reply.votes)
        else:
            sender = who if ids.kind(message.chat) == "group" else None
            quoted = message.key if reply.quote else None
            key = self.world.message_key("3A")
            self.receive(message.chat, "text", reply.text, sender=sender, reply_to=quoted, key=key)
            self.note("replied", {"id": key})

    def know(
        self, contact: str, *, name: str | None, push_name: str | None, about: str | None, picture: File | None
    ) -> None:
        """Somebody becomes known, or something more of them."""
        given: dict[str, Any] = {"name": name, "push_name": push_name, "about": about}
        values = {column: value for column, value in given.items() if value is not None}
        if picture is not None:
            values["picture"] = self._take_picture(picture)
        with self.host.store.write() as db:
            self.contacts.set(db, contact, **(values or {"blocked": False}))
