"""One session as this process knows it: what its account may use and report, and what clients see of it."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from .model import ids
from .model.errors import Unavailable, WrongState
from .model.sessions import (
    FAILED,
    ON_THE_WAY,
    SCAN_QR_CODE,
    STOPPED,
    WORKING,
    App,
    MeInfo,
    SessionConfig,
    SessionDTO,
    SessionInfo,
    SessionStatusBody,
    Status,
    StatusPoint,
    Timestamps,
)

if TYPE_CHECKING:
    from .clock import Clock
    from .driver import Account
    from .media.files import Files
    from .sessions import Sessions
    from .settings import Settings
    from .store import Store

log = logging.getLogger("waxbill.sessions")

#: How long a call waits for a session that is on its way to the status that it needs (WAHA 2024.10).
GATE_SECONDS = 5.0
_STATUSES_KEPT = 3


class Session:
    """One session as this process knows it; the ``SessionHost`` of its account. Any thread may call it."""

    def __init__(self, sessions: Sessions, name: str, config: SessionConfig, apps: list[App]) -> None:
        self._sessions = sessions
        self.name = name
        self.config = config
        self.apps: list[App] = []
        #: Events that an app of this session acts on.
        self.app_events: frozenset[str] = frozenset()
        self.take_apps(apps)
        self.status: Status = STOPPED
        self.statuses: list[StatusPoint] = []
        self.me: MeInfo | None = None
        #: Why it FAILED, in words.
        self.reason = ""
        self.account: Account | None = None
        #: Another worker has it, or will have it.
        self.lost = False
        #: When a client last used it, Unix ms.
        self.activity: int | None = None
        #: Which lanes of the outbox take which event.
        self.webhooks: dict[str, tuple[int, ...]] = {}
        #: One change of its life at a time.
        self.changing = threading.RLock()

    def take_apps(self, apps: list[App]) -> None:
        self.apps = apps
        calls = any(app.app == "calls" and app.enabled is not False for app in apps)
        self.app_events = frozenset({"call.received"} if calls else ())

    # -- what the account may use and report: see driver.SessionHost

    @property
    def settings(self) -> Settings:
        return self._sessions.settings

    @property
    def store(self) -> Store:
        return self._sessions.store

    @property
    def clock(self) -> Clock:
        return self._sessions.clock

    @property
    def files(self) -> Files:
        return self._sessions.files

    @property
    def folder(self) -> Path:
        folder = self._sessions.folder_of(self.name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def set_status(self, status: Status, data: Any = None) -> None:
        point = StatusPoint(status=status, timestamp=self.clock.now_ms())
        statuses = [*self.statuses, point][-_STATUSES_KEPT:]
        body = SessionStatusBody(name=self.name, status=status, statuses=statuses, data=data)
        self._sessions.events.emit(self, "session.status", body)
        with self._sessions.changed:
            self.status, self.statuses = status, statuses
            self._sessions.changed.notify_all()
        log.info("Session '%s' is %s", self.name, status)
        if status == SCAN_QR_CODE and self.settings.core.print_qr and self.account is not None:
            from .qr import ascii_art

            log.info("Scan to pair session '%s':\n%s", self.name, ascii_art(self.account.qr_value()))

    def fail(self, reason: str) -> None:
        """Reports FAILED with the reason, which clients find in ``engine.reason`` and in the event's data."""
        self.reason = reason
        log.error("Session '%s' failed: %s", self.name, reason)
        self.set_status(FAILED, {"reason": reason})

    def set_me(self, me: MeInfo | None) -> None:
        self.me = me
        with self.store.write() as db:
            db.execute(
                "UPDATE session SET me = ? WHERE name = ?",
                (None if me is None else msgspec.json.encode(me), self.name),
            )

    def wants(self, event: str) -> bool:
        return self._sessions.events.wanted(self, event)

    def emit(self, event: str, payload: Any, *, chat: str | None = None) -> None:
        if chat is None or not self._ignores(chat):
            self._sessions.events.emit(self, event, payload)

    def _ignores(self, chat: str) -> bool:
        """Whether the session's configuration (or the server's default) says to ignore events of such a chat."""
        what = ids.kind(chat)
        if what == "person":
            return False
        name = {"status": "status", "group": "groups", "channel": "channels", "broadcast": "broadcast"}[what]
        own = getattr(self.config.ignore, name) if self.config.ignore else None
        return bool(getattr(self.settings.core, f"ignore_{name}") if own is None else own)

    # -- what clients see

    def dto(self) -> SessionDTO:
        return SessionDTO(name=self.name, status=self.status, config=self.config)

    def info(self, *, engine: bool = False, apps: bool = False) -> SessionInfo:
        """The session for GET: ``engine`` for one session, not in the list; ``apps`` when asked to expand them."""
        running = self.account is not None
        return SessionInfo(
            name=self.name,
            status=self.status,
            config=self.config,
            me=self.me,
            assignedWorker=self.settings.core.worker_id if running and self.settings.core.worker_id else UNSET,
            presence=self.account.presence() if self.account else None,
            timestamps=Timestamps(activity=self.activity),
            engine=self._engine() if engine else UNSET,
            apps=self.apps if apps else UNSET,
        )

    def _engine(self) -> dict[str, Any]:
        details = self.account.engine_details() if self.account else {}
        reason = {"reason": self.reason} if self.status == FAILED and self.reason else {}
        return {"engine": self._sessions.engine, **details, **reason}

    def used(self) -> None:
        """Notes that a client uses it now."""
        self.activity = time.time_ns() // 1_000_000

    def running(self, expected: tuple[str, ...] = (WORKING,), *, may_wait: bool = True) -> Account:
        """The account, once the session has one of the expected statuses; waits a moment if it is on its way.

        Raises WrongState; with ``may_wait=False`` at once, with the status that it has.
        """
        if self.status not in expected and may_wait and self.status in ON_THE_WAY:
            with self._sessions.changed:
                self._sessions.changed.wait_for(
                    lambda: self.status in expected or self.status not in ON_THE_WAY, GATE_SECONDS
                )
        account = self.account
        if account is None or self.status not in expected:
            if not self._sessions.has(self.name):  # it was taken out while this waited
                raise Unavailable(f"Session '{self.name}' is moving to another worker; nothing was done. Try again.", 1)
            raise WrongState(self.name, self.status, expected)
        return account
