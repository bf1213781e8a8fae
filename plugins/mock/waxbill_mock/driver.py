"""The driver: WAHA's operations on a simulated account. Rules are in ``account``, shapes in ``dialects``."""

from __future__ import annotations

import base64
import os
import threading
import time
from typing import Any

from waxbill import Account, Driver, SessionHost, operations
from waxbill.clock import Clock, Timer
from waxbill.model import ids
from waxbill.model.errors import NotFound, NotImplementedByEngine, Unprocessable
from waxbill.model.messages import ACK_LEVELS, MessagesQuery, MessageTextRequest, SendSeenRequest
from waxbill.model.pairing import PairingCode, RequestCodeRequest
from waxbill.model.sessions import SCAN_QR_CODE, WORKING, MeInfo
from waxbill.settings import Settings
from waxbill.store import Store

from .account.identity import Identity, identity
from .account.messages import DEVICE, READ, SERVER, Message, Messages, Page
from .account.schema import SCHEMA
from .dialects import dialect
from .settings import MockSettings

# How many acknowledgements are told in one transaction: the loop goes on with requests in between.
_ACKS_AT_ONCE = 200


def supported(engine: str) -> frozenset[str]:
    """The operations that the simulator has as this engine."""
    return operations(MockAccount) - dialect(engine).refuses


class MockDriver(Driver):
    """Simulated accounts, all in the server's store."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self.settings = settings.part(MockSettings)
        self.engine = settings.core.engine
        self.dialect = dialect(self.engine)
        self._store = store
        store.migrate("mock", SCHEMA)

    def account(self, host: SessionHost) -> Account:
        return MockAccount(host, self)

    def forget(self, session: str) -> None:
        with self._store.write() as db:
            db.execute("DELETE FROM mock_account WHERE session = ?", (session,))


class MockAccount(Account):
    """One simulated account. Its timers run in the server's loop; every method may be called by any thread."""

    def __init__(self, host: SessionHost, driver: MockDriver) -> None:
        super().__init__(host)
        self._settings = driver.settings
        self._dialect = driver.dialect
        #: Guards the life of the account: after ``stop`` no timer reports anything any more.
        self._lock = threading.RLock()
        self._stopped = False
        self._timers: dict[str, Timer] = {}
        self._qr = ""
        self._qr_count = 0
        with host.store.write() as db:
            self.me = identity(db, host.name)
        self.messages = Messages(
            self.me.id, int(self._settings.device_seconds * 1000), int(self._settings.read_seconds * 1000)
        )

    # -- life of the session

    def start(self) -> None:
        self._later("connect", 0, self._connected if self.me.paired else self._show_qr)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for timer in self._timers.values():
                timer.cancel()

    def presence(self) -> str | None:
        return "online" if self.me.paired else None

    def _later(self, name: str, delay_seconds: float, action: Any) -> None:
        """Does something later, in place of what was to be done under that name; not after ``stop``."""

        def run() -> None:
            with self._lock:
                if not self._stopped and self._timers.get(name) is timer:
                    del self._timers[name]
                    action()

        with self._lock:
            if name in self._timers:
                self._timers[name].cancel()
            timer = self._timers[name] = self.host.clock.call_later(delay_seconds, run)

    def _connected(self) -> None:
        own = f"{self.me.phone}@c.us"
        jid = f"{self.me.phone}:1@s.whatsapp.net"
        self.host.set_me(MeInfo(id=own, pushName=self.me.push_name, lid=f"{self.me.lid}@lid", jid=jid))
        self.host.set_status(WORKING)
        self._listen()

    # -- pairing

    def _show_qr(self) -> None:
        if self._qr_count >= self._settings.qr_codes:
            self._qr = ""
            self.host.fail("The QR code was not scanned in time; restart the session for a new one.")
            return
        first = self._qr_count == 0
        self._qr_count += 1
        parts = (base64.b64encode(os.urandom(size)).decode() for size in (32, 32, 24))
        self._qr = f"2@{base64.b64encode(os.urandom(66)).decode()},{','.join(parts)},1"
        self.host.set_status(SCAN_QR_CODE)
        life = self._settings.first_qr_seconds if first else self._settings.next_qr_seconds
        self._later("qr", life, self._show_qr)
        if first and self._settings.scan_seconds >= 0:
            self._later("scan", self._settings.scan_seconds, self.scan)

    def scan(self) -> None:
        """The phone scans the code: the account is paired from now on."""
        with self._lock:
            if self._stopped or not self._qr:
                raise Unprocessable("No QR code is shown now; start or restart the session first.")
            for name in ("qr", "scan"):
                if name in self._timers:
                    self._timers.pop(name).cancel()
            self._qr = ""
            self._qr_count = 0
            with self.host.store.write() as db:
                db.execute("UPDATE mock_account SET paired = 1 WHERE id = ?", (self.me.id,))
            self.me.paired = True
            self._connected()

    def qr_value(self) -> str:
        return self._qr

    def request_code(self, request: RequestCodeRequest) -> PairingCode:
        digits = request.phoneNumber.strip().lstrip("+")
        if not (digits.isascii() and digits.isdigit() and 5 <= len(digits) <= 15):
            raise Unprocessable(f"phoneNumber must be an international number in digits, not {request.phoneNumber[:40]!r}")
        if request.method:
            raise Unprocessable(f"The pairing method {request.method[:40]!r} is not supported; leave it out.")
        letters = base64.b32encode(os.urandom(5)).decode()
        return PairingCode(code=f"{letters[:4]}-{letters[4:8]}")

    def screenshot(self) -> tuple[str, bytes]:
        from waxbill.qr import png

        if not self._qr:
            raise Unprocessable("The simulator has a picture only while it shows a QR code.")
        return "image/png", png(self._qr)

    # -- chatting

    def send_text(self, request: MessageTextRequest) -> Any:
        chat = ids.chat_id(request.chatId)
        if ids.kind(chat) == "status":
            raise Unprocessable("A status is sent with POST /api/{session}/status/text, not with sendText.")
        reply_to = request.reply_to or request.replyTo
        message = self._message(chat, request.text, from_me=True, source="api")
        with self.host.store.write() as db:
            quoted = self._quoted(ids.message_key(reply_to, "reply_to")) if reply_to else None
            message.quoted = quoted.key if quoted else None
            self.messages.add(db, message)
            if self.host.wants("message.any"):
                self.host.emit("message.any", self._dialect.message(self.me, message, quoted), chat=chat)
        if self.me.listening and "acks" not in self._timers:
            self._later("acks", self._settings.device_seconds, self._tell_acks)
        return self._dialect.sent(self.me, message, quoted)

    def _message(self, chat: str, text: str, *, from_me: bool, source: str) -> Message:
        return Message(
            id=0,
            chat=chat,
            key=ids.new_message_key("3EB0" if from_me and source == "api" else "3A"),
            from_me=from_me,
            participant=None,
            at_ms=time.time_ns() // 1_000_000,
            kind="text",
            body=text,
            ack=SERVER if from_me else DEVICE,
            source=source,
        )

    def _quoted(self, key: str | None) -> Message | None:
        return self.messages.get(self.host.store.read(), key, _now_ms()) if key else None

    def send_seen(self, request: SendSeenRequest) -> Any:
        asked = request.messageIds or ([request.messageId] if request.messageId else None)
        keys = [ids.message_key(text) for text in asked] if asked else None
        chat = ids.chat_id(request.chatId)
        with self.host.store.write() as db:
            changed = self.messages.mark_read(db, chat, keys)
        shown = [str(ids.MessageId(False, chat, key)) for key in changed]
        return self._dialect.seen(self.me, shown, asked_for_ids=asked is not None)

    # -- chats

    def get_messages(self, chat: str, query: MessagesQuery) -> Any:
        if chat == "all" and not self._dialect.reads_all_chats:
            raise NotImplementedByEngine("get_chat_messages", self._dialect.engine, "The chat 'all' can't be read.")
        page = Page(
            chat=None if chat == "all" else chat,
            limit=query.limit,
            offset=query.offset or 0,
            newest_first=query.sortOrder != "asc",
            from_ms=None if query.timestamp_gte is None else int(query.timestamp_gte * 1000),
            to_ms=None if query.timestamp_lte is None else int(query.timestamp_lte * 1000) + 999,
            from_me=query.from_me,
            ack=None if query.ack is None else ACK_LEVELS[query.ack],
        )
        found = self.messages.page(self.host.store.read(), page, _now_ms())
        return [self._dialect.message(self.me, message, self._quoted(message.quoted)) for message in found]

    def get_message(self, chat: str, message: str, *, download_media: bool = True) -> Any:
        found = self.messages.get(self.host.store.read(), ids.message_key(message), _now_ms())
        if found is None or (chat != "all" and found.chat != chat):
            raise NotFound(f"Message '{message[:120]}' not found in the chat {chat}.")
        return self._dialect.message(self.me, found, self._quoted(found.quoted))

    # -- what happens on the other side

    def receive(self, sender: str, text: str, *, push_name: str | None = None, reply_to: str | None = None) -> Any:
        """Somebody writes to this account; answers the message as its events show it."""
        message = self._message(sender, text, from_me=False, source="app")
        message.push_name = push_name
        quoted = self._quoted(ids.message_key(reply_to, "reply_to")) if reply_to else None
        message.quoted = quoted.key if quoted else None
        with self.host.store.write() as db:
            self.messages.add(db, message)
            shown = self._dialect.message(self.me, message, quoted)
            for event in ("message", "message.any"):
                self.host.emit(event, shown, chat=sender)
        return shown

    # -- acknowledgements: told in order of sending, from where the last run stopped

    def _listen(self) -> None:
        """Begins or ends telling acknowledgements; what was sent while nobody listened is not told later."""
        wanted = self.host.wants("message.ack")
        if wanted != self.me.listening:
            with self.host.store.write() as db:
                last = self.messages.last_id(db)
                self.me.listening = wanted
                self.me.device_upto = self.me.read_upto = last
                self._save_cursors(db)
        if wanted:
            self._later("acks", 0, self._tell_acks)

    def _save_cursors(self, db: Any) -> None:
        db.execute(
            "UPDATE mock_account SET listening = ?, device_upto = ?, read_upto = ? WHERE id = ?",
            (self.me.listening, self.me.device_upto, self.me.read_upto, self.me.id),
        )

    def _tell_acks(self) -> None:
        now = _now_ms()
        settings = self._settings
        with self.host.store.write() as db:
            device = self.messages.due(db, self.me.device_upto, now - int(settings.device_seconds * 1000), _ACKS_AT_ONCE)
            read = self.messages.due(db, self.me.read_upto, now - int(settings.read_seconds * 1000), _ACKS_AT_ONCE)
            for level, due in ((DEVICE, device), (READ, read)):
                for message in due:
                    self.host.emit("message.ack", self._dialect.ack(self.me, message, level), chat=message.chat)
            self.me.device_upto = device[-1].id if device else self.me.device_upto
            self.me.read_upto = read[-1].id if read else self.me.read_upto
            if device or read:
                self._save_cursors(db)
            left = self.messages.due(db, self.me.read_upto, now + 1, 1)
            last = self.messages.due(db, self.me.device_upto, now + 1, 1)
        if not left:
            return
        waiting = [(left[0].at_ms, settings.read_seconds)] + ([(last[0].at_ms, settings.device_seconds)] if last else [])
        next_ms = min(at + delay * 1000 for at, delay in waiting)
        self._later("acks", max(0.0, (next_ms - now) / 1000), self._tell_acks)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


__all__ = ["Identity", "MockAccount", "MockDriver", "supported"]
