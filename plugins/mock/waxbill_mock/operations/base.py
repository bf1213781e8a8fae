"""What all areas of operations share: the account, its timers, its clock, and how a message is made, sent and shown."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from waxbill import Account, SessionHost
from waxbill.media.files import Taken
from waxbill.model import ids
from waxbill.model.errors import EngineFailure, NotFound, Unprocessable
from waxbill.model.media import WAMedia
from waxbill.store import Database

from ..account.channels import Channels
from ..account.chats import Chats
from ..account.contacts import Contacts
from ..account.content import Content, Media
from ..account.groups import Groups, Refused
from ..account.identity import identity, person
from ..account.messages import DEVICE, SERVER, Message, Messages
from ..account.reactions import reactions
from ..dialects.dialect import Dialect
from ..settings import MockSettings
from ..world import Later, World

if TYPE_CHECKING:
    from ..driver import MockAccount
    from ..rules import Rules

#: How long a status can be seen.
STATUS_MS = 24 * 60 * 60 * 1000
STATUS = "status@broadcast"
#: Seconds after which an acknowledgement that only a control call gives comes by itself: never.
BY_HAND = 1e12


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What WhatsApp refuses inside the block is answered as WAHA answers it."""
    try:
        yield
    except Refused as refusal:
        raise EngineFailure(str(refusal), refusal.name) from None


class Base(Account):
    """One simulated account. Its timers run in the server's loop; every method may be called by any thread."""

    def __init__(
        self, host: SessionHost, settings: MockSettings, dialect: Dialect, peers: dict[str, MockAccount], world: World
    ) -> None:
        super().__init__(host)
        self.world = world
        #: What was set to go wrong, to be answered and to be acknowledged by hand; None where nothing is.
        self.rules: Rules | None = None
        #: The accounts of this server that work now, by their own ids: they reach each other.
        self._peers = peers
        self._settings = settings
        self._dialect = dialect
        #: Events that the engine does not tell, as this session is configured.
        self._silent = dialect.silent
        if not (host.config.webjs and host.config.webjs.tagsEventsOn):
            self._silent |= dialect.told_with_tags
        #: Guards the life of the account: after ``stop`` no timer reports anything any more. Who holds it may write to
        #: the store; who is inside a write, or in the server's loop among other requests, must not ask for it.
        self._lock = threading.RLock()
        #: Guards the timers, and nothing is done while it is held.
        self._setting = threading.Lock()
        self._stopped = False
        self._timers: dict[str, Later] = {}
        with host.store.write() as db:
            self.me = identity(db, host.name)
        self.messages = Messages(self.me.id)
        self.set_acks(settings.device_seconds, settings.read_seconds)
        self.chats = Chats(self.me.id)
        self.contacts = Contacts(self.me.id)
        self.groups = Groups(self.me.id, self.me.own, world)
        self.channels = Channels(self.me.id, world)

    def stop(self) -> None:
        self._peers.pop(self.me.own, None)
        with self._lock:
            self._stopped = True
            self._cancel(set(self._timers))

    def _later(self, name: str, delay_seconds: float, action: Callable[[], object]) -> None:
        """Does something later, in place of what was to be done under that name; not after ``stop``."""

        def run() -> None:
            with self._lock:
                with self._setting:
                    mine = self._timers.get(name) is timer
                    if mine:
                        del self._timers[name]
                if mine and not self._stopped:
                    action()

        with self._setting:
            if name in self._timers:
                self._timers[name].cancel()
            timer = self._timers[name] = self.world.call_later(delay_seconds, run)

    def _cancel(self, names: set[str]) -> None:
        """Does not do what was to be done under these names."""
        with self._setting:
            for name in names & self._timers.keys():
                self._timers.pop(name).cancel()

    def _tell(self, event: str, payload: Any, chat: str | None = None) -> None:
        """Emits an event, if the engine has it."""
        if event not in self._silent:
            self.host.emit(event, payload, chat=chat)

    def _now_ms(self) -> int:
        return self.world.now_ms()

    def set_acks(self, device_seconds: float, read_seconds: float) -> None:
        """When what is sent reaches the phone and is read, after the send; ``BY_HAND`` is never."""
        self._device_seconds, self._read_seconds = device_seconds, read_seconds
        self.messages.device_ms, self.messages.read_ms = int(device_seconds * 1000), int(read_seconds * 1000)

    @contextlib.contextmanager
    def _change(self) -> Iterator[Database]:
        """A transaction in which WhatsApp may refuse."""
        with refusals(), self.host.store.write() as db:
            yield db

    # -- messages

    def _message(
        self, chat: str, kind: str, body: str | None, *, from_me: bool, source: str, content: Content | None = None
    ) -> Message:
        return Message(
            id=0,
            chat=chat,
            key=self.world.message_key("3EB0" if from_me and source == "api" else "3A"),
            from_me=from_me,
            participant=None,
            at_ms=self._now_ms(),
            kind=kind,
            body=body,
            ack=SERVER if from_me else DEVICE,
            source=source,
            content=content,
        )

    def _send(
        self,
        chat: str,
        kind: str,
        body: str | None,
        *,
        content: Content | None = None,
        reply_to: str | None = None,
        key: str | None = None,
        mentions: list[str] | None = None,
        as_status: bool = False,
    ) -> Any:
        """Sends a message and answers as the engine does. ``key`` is the one that the client chose beforehand."""
        message, quoted = self._post(
            chat, kind, body, content=content, reply_to=reply_to, key=key, mentions=mentions, as_status=as_status
        )
        return self._dialect.sent(self.me, message, quoted)

    def _post(
        self,
        chat: str,
        kind: str,
        body: str | None,
        *,
        content: Content | None = None,
        reply_to: str | None = None,
        key: str | None = None,
        mentions: list[str] | None = None,
        as_status: bool = False,
        source: str = "api",
    ) -> tuple[Message, Message | None]:
        """Sends a message; answers it, and the one that it replies to."""
        chat = person(chat)
        message = self._message(chat, kind, body, from_me=True, source=source, content=content)
        if key and (self._dialect.uses_given_keys or source == "app"):
            message.key = ids.message_key(key, "id")
        peer = self._peer(chat)
        theirs: Message | None = None
        if content is not None and content.media is not None:  # published before the store is held: that may wait
            if not as_status:
                self._check_may_write(self.host.store.read(), chat)
            self.published(message)
            theirs = peer.prepared_of(self, message) if peer else None
        try:
            with self.host.store.write() as db:
                if not as_status:
                    self._check_may_write(db, chat)
                if mentions:
                    message.content = message.content or Content()
                    message.content.mentions = self._mentioned(db, chat, mentions)
                quoted = self._quoted(reply_to)
                message.quoted = quoted.key if quoted else None
                known = self.messages.get(db, message.key, 0) if message.key == key else None
                if known is not None and as_status and known.chat == STATUS and known.from_me:
                    # The same status for the next part of its audience: WhatsApp sees one message.
                    return known, None
                if known is not None:
                    raise Unprocessable(f"A message has the id '{message.key}' already; get one from new-message-id.")
                self.messages.add(db, message)
                if peer is not None and peer.receive_of(self, message, theirs):
                    theirs = None
                if self.host.wants("message.any"):
                    self.host.emit("message.any", self._shown(message, quoted), chat=chat)
        except BaseException:
            self.withdraw(message)
            raise
        finally:
            if peer is not None and theirs is not None:
                peer.withdraw(theirs)
        self._sent(message)
        return self.published(message), quoted

    def _peer(self, chat: str) -> MockAccount | None:
        """The account of this server behind a person's chat, if there is one."""
        peer = self._peers.get(chat)
        return None if peer is None or peer.me.own == self.me.own else peer

    def _sent(self, message: Message) -> None:
        """For what follows a send."""

    def _check_may_write(self, db: Database, chat: str) -> None:
        """Raises when WhatsApp would not let this account write there."""
        if chat == STATUS:
            raise Unprocessable("A status is sent with POST /api/{session}/status/text and the like.")
        where = ids.kind(chat)
        if where == "group":
            with refusals():
                self.groups.check_may_write(db, chat)
        elif where == "channel":
            found = self.channels.get(db, chat)
            if found is not None and found.role not in ("OWNER", "ADMIN"):
                raise EngineFailure(f"Only its owner and admins may write to the channel {chat}.", "not-authorized")

    def _mentioned(self, db: Database, chat: str, mentions: list[str]) -> list[str]:
        found = [text for text in mentions if text != "all"]
        if "all" in mentions and ids.kind(chat) == "group":
            found += [member.id for member in self.groups.members(db, chat) if member.id != self.me.own]
        return list(dict.fromkeys(found))

    def _quoted(self, reply_to: str | None) -> Message | None:
        """The message that is replied to; none for one that is not known, as WhatsApp does."""
        if not reply_to:
            return None
        return self._find(ids.message_key(reply_to, "reply_to"))

    def _find(self, key: str) -> Message | None:
        return self.messages.get(self.host.store.read(), key, self._now_ms())

    def _existing(self, text: str, chat: str | None = None) -> Message:
        """A message by its id, of a chat where one is named; raises NotFound."""
        found = self._find(ids.message_key(text))
        if found is None or (chat is not None and found.chat != person(chat)):
            place = f" in the chat {chat}" if chat else ""
            raise NotFound(f"Message '{text[:120]}' not found{place}.")
        return found

    def _shown(self, message: Message, quoted: Message | None = None, *, media: bool = True) -> dict[str, Any]:
        """The message as its events and reads show it; with ``media`` its file is published."""
        if quoted is None and message.quoted:
            quoted = self._find(message.quoted)
        if message.reacted:
            message.reactions = reactions(self.host.store.read(), self.me.id, message.id)
        if media:
            self.published(message)
        return self._dialect.message(self.me, message, quoted)

    # -- files

    @property
    def _media_folder(self) -> Path:
        return self.host.folder / "media"

    def _keep(self, taken: Taken) -> str:
        """Moves a file that was taken in to the account's own; answers its name."""
        self._media_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = os.urandom(12).hex()
        taken.path.rename(self._media_folder / name)
        return name

    def _media(self, taken: Taken, *, note: bool = False, animated: bool = False) -> Media:
        name = self._keep(taken)
        return Media(taken.mimetype, name, taken.size, filename=taken.filename, note=note, animated=animated)

    def published(self, message: Message) -> Message:
        """Publishes the file of a message, if it has one, and notes what clients are told of it."""
        file = message.content.media if message.content else None
        if file is not None and message.media is None and not message.revoked:
            name = self._dialect.file_name(self.me, message)
            shown_name = file.filename if message.kind == "document" else None
            path = self._media_folder / file.path
            if self.rules is not None and self.rules.faults.incomingMediaFails and not message.from_me:
                error = {"message": "Media could not be downloaded (simulated).", "details": "incomingMediaFails"}
                message.media = WAMedia(mimetype=file.mimetype, filename=shown_name, error=error)
                return message
            message.media = self.host.files.publish(
                self.host.name, name, path, file.mimetype, shown_name, chat=message.chat
            )
        return message

    def withdraw(self, message: Message) -> None:
        """Removes what was published for a message that is not kept after all. Never inside a write: it may wait."""
        if message.media is not None and message.media.url and self._find(message.key) is None:
            name = self._dialect.file_name(self.me, message)
            self.host.files.withdraw(self.host.name, name, message.media.mimetype or "")

    def _picture_url(self, owner: str, picture: str | None) -> str | None:
        """The address of a picture of somebody; None for nobody's."""
        if picture is None:
            return None
        path = self._media_folder / picture
        name = f"picture_{owner}_{picture[:8]}"
        published = self.host.files.publish(self.host.name, name, path, "image/jpeg", None)
        return None if isinstance(published.url, msgspec.UnsetType) else published.url
