"""Sessions: their life from create to delete, kept in the store. The API calls this; it calls the driver.

Statuses: STOPPED -> STARTING -> SCAN_QR_CODE -> WORKING, FAILED from anywhere. A session that was running when the
server stopped (whatever its status then) runs again after the next start; one that was stopped stays stopped.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from .admission import Admission
from .at_once import at_once
from .media.storage import remove_tree
from .model.errors import NotFound, Unprocessable, ValidationFailed
from .model.events import select
from .model.sessions import (
    STARTING,
    STOPPED,
    App,
    CustomHeader,
    HmacConfiguration,
    MeInfo,
    RetriesConfiguration,
    SessionConfig,
    Status,
    WebhookConfig,
    look_faults,
    session_name,
)
from .session import Session

if TYPE_CHECKING:
    from .clock import Clock
    from .delivery.outbox import Outbox
    from .driver import Driver
    from .events import Events
    from .media.files import Files
    from .settings import CoreSettings, Settings
    from .store import Database, Store

log = logging.getLogger("waxbill.sessions")

SCHEMA = [
    """
    CREATE TABLE session (
        name TEXT PRIMARY KEY, config BLOB NOT NULL, apps BLOB, me BLOB, running INTEGER NOT NULL DEFAULT 0,
        activity INTEGER) WITHOUT ROWID
    """
]

# How long a session that is let go may be in the middle of a change.
_ABANDON_SECONDS = 2.0
_SELECT = "SELECT name, config, apps, me, activity, running FROM session"


class Sessions:
    """All sessions of this server. Any thread may call it; changes of one session take turns."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, outbox: Outbox) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self._outbox = outbox
        self.files: Files
        self.admission = Admission()
        self.events: Events  # set, like files, by the server, which needs the sessions to make them
        self.driver: Driver | None = None
        self.engine: str = settings.core.engine
        #: Why there is no driver, in words.
        self.obstacle = ""
        #: Called with the name of a session that is deleted, in the transaction that does it.
        self.on_delete: list[Callable[[str], object]] = []
        #: Called with the name of a session that is created, in the transaction that does it.
        self.on_create: list[Callable[[Database, str], object]] = []
        self.changed = threading.Condition()
        self._sessions: dict[str, Session] = {}
        self._changing = threading.Lock()
        self._global = global_webhooks(settings.core)
        store.migrate("sessions", SCHEMA)

    # -- finding

    def get(self, name: str) -> Session:
        """The session of a name; raises NotFound."""
        session = self._sessions.get(name)
        if session is None:
            raise _not_found(name)
        return session

    def has(self, name: str) -> bool:
        """Whether this process has a session of a name."""
        return name in self._sessions

    def check_known(self, name: str) -> None:
        """Raises NotFound when there is no session of a name, in this process or in another one."""
        if not self.store.shared:
            self.get(name)
        elif self.store.read().execute("SELECT 1 FROM session WHERE name = ?", (name,)).fetchone() is None:
            raise _not_found(name)

    def all(self) -> list[Session]:
        return list(self._sessions.values())

    def folder_of(self, name: str) -> Path:
        return self.settings.core.store_dir / "sessions" / name

    # -- life

    def load(self) -> None:
        """Reads the sessions from the store; none is started."""
        for row in self.store.read().execute(f"{_SELECT} ORDER BY name"):
            self._put(row)

    def _put(self, row: tuple[Any, ...], status: Status = STOPPED) -> None:
        name, config, apps, me, activity, _ = row
        session = Session(
            self,
            name,
            msgspec.json.decode(config, type=SessionConfig),
            msgspec.json.decode(apps, type=list[App]) if apps else [],
        )
        session.me = msgspec.json.decode(me, type=MeInfo) if me else None
        session.activity = activity
        session.webhooks = self._lanes(name, session.config)
        session.status = status
        self._sessions[name] = session

    # -- for workers that share a store

    def adopt(self, name: str) -> None:
        """Takes a session up that was another process's, and starts it if it ran there."""
        core = self.settings.core
        row = self.store.read().execute(f"{_SELECT} WHERE name = ?", (name,)).fetchone()
        if row is None:
            return
        runs = core.restart_all or (row[-1] and core.restart_own)
        self._put(row, STARTING if runs else STOPPED)  # whoever asks for it now waits, rather than hear that it stands
        if runs:
            self.start(name)

    def take_out(self, name: str) -> Session | None:
        """Forgets a session without changing anything in the store; see ``abandon``."""
        session = self._sessions.pop(name, None)
        if session is not None:
            session.lost = True
        return session

    def abandon(self, session: Session) -> None:
        """Stops the account of a session that was taken out and says nothing of it: it may live elsewhere already."""
        held = session.changing.acquire(timeout=_ABANDON_SECONDS)  # who holds it may wait for the store
        try:
            self._halt(session)
            session.status = STOPPED
        finally:
            if held:
                session.changing.release()

    def start_kept(self) -> None:
        """Starts what ran before, and what the settings name; one that can't be started is FAILED, the rest go on."""
        core = self.settings.core
        rows = self.store.read().execute("SELECT name, running FROM session ORDER BY name").fetchall()
        names = [name for name, running in rows if core.restart_all or (running and core.restart_own)]
        for name in core.start_sessions:
            if name not in self._sessions:
                self.create(name, SessionConfig())
            if name not in names:
                names.append(name)
        for index, name in enumerate(names):
            delay = index * core.auto_start_delay_seconds
            if delay:
                self.clock.call_later(delay, lambda name=name: self.start(name))  # type: ignore[misc]
            else:
                self.start(name)

    def create(self, name: str | None, config: SessionConfig) -> Session:
        """A new session, STOPPED; raises Unprocessable when there is one of that name."""
        name = session_name(name) if name else f"session_{os.urandom(16).hex()}"
        check(config)
        self.admission.admit("A new session")
        with self._changing:
            if name in self._sessions:
                raise Unprocessable(f"Session '{name}' already exists. Use PUT /api/sessions/{name} to change it.")
            session = Session(self, name, config, [])
            with self.store.write() as db:
                db.execute("INSERT INTO session (name, config) VALUES (?, ?)", (name, msgspec.json.encode(config)))
                session.webhooks = self._lanes(name, config)
                for hook in self.on_create:
                    hook(db, name)
            self._sessions[name] = session
        return session

    def set_apps(self, session: Session, apps: list[App]) -> None:
        """Keeps the apps of a session; see ``apps.Apps``, which checks them."""
        with self.store.write() as db:
            db.execute("UPDATE session SET apps = ? WHERE name = ?", (msgspec.json.encode(apps), session.name))
            self.store.after_commit(lambda: session.take_apps(apps))

    def update(self, name: str, config: SessionConfig) -> Session:
        """Replaces the whole configuration; a running session is started again with it."""
        check(config)
        session = self.get(name)
        with session.changing:
            ran = session.account is not None
            with self.store.write() as db:
                db.execute("UPDATE session SET config = ? WHERE name = ?", (msgspec.json.encode(config), name))
                webhooks = self._lanes(name, config)
            self._halt(session)
            session.config, session.webhooks = config, webhooks
            if ran:
                self._begin(session)
        return session

    def start(self, name: str) -> Session:
        """Starts a session; one that runs is left alone."""
        session = self.get(name)
        with session.changing:
            if session.account is None:
                self.admission.admit(f"Session '{name}'")
                self._set_running(session, True)
                self._begin(session)
        return session

    def stop(self, name: str) -> Session:
        """Stops a session and remembers that it is not to run; its pairing stays."""
        session = self.get(name)
        with session.changing:
            self._set_running(session, False)
            if session.account is not None or session.status != STOPPED:
                self._halt(session)
                session.set_status(STOPPED)
        return session

    def restart(self, name: str) -> Session:
        session = self.get(name)
        with session.changing:
            self._set_running(session, True)
            self._halt(session)
            self._begin(session)
        return session

    def logout(self, name: str) -> Session:
        """Unlinks the device and forgets the pairing; a session that ran starts again, to be paired anew."""
        session = self.get(name)
        with session.changing:
            ran = session.account is not None
            self._unlink(session)
            session.set_me(None)
            if ran:
                self._begin(session)
        return session

    def delete(self, name: str) -> None:
        """Stops, unlinks and forgets a session; one that does not exist is no error."""
        session = self._sessions.get(name)
        if session is None:
            return
        with session.changing:
            self._unlink(session)
            if session.status != STOPPED:
                session.set_status(STOPPED)
            with self.store.write() as db:
                db.execute("DELETE FROM session WHERE name = ?", (name,))
                self._outbox.set_lanes(name, [])
                for forget in self.on_delete:
                    forget(name)
            self._sessions.pop(name, None)

    def stop_all(self) -> None:
        """For the end of the server: every account is stopped, and runs again after the next start."""
        at_once(self._end, self.all())

    def _end(self, session: Session) -> None:
        with session.changing:
            if session.account is None:
                return
            self._halt(session)
            try:
                self._set_running(session, True)
                session.set_status(STOPPED)
            except self.store.errors as error:
                log.error("Session '%s' is stopped, but that could not be kept: %s", session.name, error)

    def _begin(self, session: Session) -> None:
        """STARTING, and on from there by the driver. The session's lock is held, its account is None."""
        session.reason = ""
        session.set_status(STARTING)
        if self.driver is None:
            session.fail(self.obstacle)
            return
        try:
            session.account = self.driver.account(session)
            session.account.start()
        except Exception as error:
            log.exception("Session '%s' could not be started", session.name)
            session.fail(f"The driver could not start it: {type(error).__name__}: {error}")

    def _halt(self, session: Session) -> None:
        """Stops the account, if there is one. A driver that raises here has lost its backend anyway."""
        account, session.account = session.account, None
        if account is not None:
            try:
                account.stop()
            except Exception:
                log.exception("Session '%s' did not stop cleanly", session.name)

    def _unlink(self, session: Session) -> None:
        """Logs out, stops, and removes what the driver and the session's folder keep."""
        if session.account is not None:
            try:
                session.account.logout()
            except Exception:
                log.exception("Session '%s' could not be unlinked on the phone", session.name)
        self._halt(session)
        if self.driver is not None:
            self.driver.forget(session.name)
        self.files.forget(session.name)
        remove_tree(self.folder_of(session.name))

    def _set_running(self, session: Session, running: bool) -> None:
        with self.store.write() as db:
            db.execute(
                "UPDATE session SET running = ?, activity = ? WHERE name = ?", (running, session.activity, session.name)
            )

    def _lanes(self, name: str, config: SessionConfig) -> dict[str, tuple[int, ...]]:
        return self._outbox.set_lanes(name, [*(config.webhooks or ()), *self._global])


def _not_found(name: str) -> NotFound:
    return NotFound(f"Session '{name[:80]}' not found. Create it with POST /api/sessions first.")


def global_webhooks(core: CoreSettings) -> list[WebhookConfig]:
    """The webhook of the settings WHATSAPP_HOOK_*, which gets the events of every session; none without a URL."""
    if not (core.hook_url and core.hook_events):
        return []
    return [
        WebhookConfig(
            url=core.hook_url,
            events=list(core.hook_events),
            hmac=HmacConfiguration(key=core.hook_hmac_key) if core.hook_hmac_key else None,
            retries=RetriesConfiguration(
                policy=core.hook_retries_policy,
                delaySeconds=core.hook_retries_delay_seconds,
                attempts=core.hook_retries_attempts,
            ),
            customHeaders=[
                CustomHeader(name=name.strip(), value=value.strip())
                for name, _, value in (header.partition(":") for header in core.hook_custom_headers)
            ]
            or None,
        )
    ]


def check(config: SessionConfig) -> None:
    """Raises ValidationFailed with every fault of a configuration that its types don't catch."""
    faults: list[str] = []
    for index, webhook in enumerate(config.webhooks or ()):
        where = f"config.webhooks.{index}"
        if webhook.url:
            faults += _url_faults(f"{where}.url", webhook.url)
        faults += [
            f"{where}.events: '{name}' is no event; see the events of the contract, or use *"
            for name in select(webhook.events)[1]
        ]
        for number, header in enumerate(webhook.customHeaders or ()):
            token = header.name.replace("-", "").replace("_", "")
            if not (token.isascii() and token.isalnum()):
                faults.append(f"{where}.customHeaders.{number}.name must be a header name of letters, digits, - and _")
            if not (header.value.isprintable() and header.value.isascii()):
                faults.append(f"{where}.customHeaders.{number}.value must be printable ASCII text on one line")
        retries = webhook.retries
        if retries and not 0 <= (retries.delaySeconds or 0) <= 86400:
            faults.append(f"{where}.retries.delaySeconds must be from 0 to 86400")
        if retries and not 0 <= (retries.attempts or 0) <= 1000:
            faults.append(f"{where}.retries.attempts must be from 0 to 1000")
    faults += look_faults(config)
    if faults:
        raise ValidationFailed(*faults)


def _url_faults(where: str, url: str) -> list[str]:
    """What is wrong with a webhook URL: it needs a scheme, a host, a real port, and no spaces or control characters."""
    try:
        parts = urlsplit(url)
        good = bool(parts.scheme and parts.netloc and parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        return [f"{where} must be a URL address such as https://example.com/hook, not {url[:120]!r}"]
    return []
