"""What all areas of operations share: the account, its timers, its clock, and how a message is made and quoted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from waxbill import Account, SessionHost
from waxbill.clock import Timer
from waxbill.model import ids

from ..account.identity import identity
from ..account.messages import DEVICE, SERVER, Message, Messages
from ..dialects.dialect import Dialect
from ..settings import MockSettings


class Base(Account):
    """One simulated account. Its timers run in the server's loop; every method may be called by any thread."""

    def __init__(self, host: SessionHost, settings: MockSettings, dialect: Dialect) -> None:
        super().__init__(host)
        self._settings = settings
        self._dialect = dialect
        #: Guards the life of the account: after ``stop`` no timer reports anything any more.
        self._lock = threading.RLock()
        self._stopped = False
        self._timers: dict[str, Timer] = {}
        with host.store.write() as db:
            self.me = identity(db, host.name)
        self.messages = Messages(
            self.me.id, int(self._settings.device_seconds * 1000), int(self._settings.read_seconds * 1000)
        )

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for timer in self._timers.values():
                timer.cancel()

    def presence(self) -> str | None:
        return "online" if self.me.paired else None

    def _later(self, name: str, delay_seconds: float, action: Callable[[], object]) -> None:
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

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def _message(self, chat: str, text: str, *, from_me: bool, source: str) -> Message:
        return Message(
            id=0,
            chat=chat,
            key=ids.new_message_key("3EB0" if from_me and source == "api" else "3A"),
            from_me=from_me,
            participant=None,
            at_ms=self._now_ms(),
            kind="text",
            body=text,
            ack=SERVER if from_me else DEVICE,
            source=source,
        )

    def _quoted(self, key: str | None) -> Message | None:
        return self.messages.get(self.host.store.read(), key, self._now_ms()) if key else None

    def _shown(self, message: Message, quoted: Message | None = None) -> dict[str, Any]:
        """The message as its events and reads show it."""
        return self._dialect.message(self.me, message, quoted or self._quoted(message.quoted))
