"""Apps: what runs beside a session. They are kept with the session; ``calls`` and ``mcp`` are served, see WAHA.

``calls`` rejects calls and answers them with a text. ``mcp`` has an API key of its own, with which the tools of
``POST /mcp`` may be used for that session.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from .model.apps import CallsAppConfig, McpAppConfig
from .model.calls import RejectCallRequest
from .model.errors import NotFound, Unprocessable, ValidationFailed, WahaError
from .model.keys import SessionActionsDTO
from .model.messages import MessageTextRequest
from .model.sessions import App

if TYPE_CHECKING:
    from .apikeys import ApiKeys
    from .driver import Account
    from .session import Session
    from .sessions import Sessions
    from .settings import CoreSettings

log = logging.getLogger("waxbill.apps")

_NOT_SERVED = {
    "chatwoot": "waxbill has no Chatwoot connector. Point a webhook of the session at a bridge of your own instead."
}


class Apps:
    """The apps of all sessions. Any thread may call it."""

    def __init__(self, core: CoreSettings, sessions: Sessions, keys: ApiKeys, *, inline: bool) -> None:
        self._core = core
        self._sessions = sessions
        self._keys = keys
        self._inline = inline

    # -- finding

    def of(self, session: Session) -> list[App]:
        """The apps of a session as clients see them."""
        return [self._shown(app) for app in session.apps]

    def get(self, app_id: str) -> tuple[Session, App]:
        """An app and its session; raises NotFound."""
        for session in self._sessions.all():
            for app in session.apps:
                if app.id == app_id:
                    return session, self._shown(app)
        raise NotFound(f"App '{app_id[:80]}' not found. GET /api/apps?session=... lists a session's apps.")

    def _shown(self, app: App) -> App:
        """An app with its key, which is kept with the keys."""
        if app.app != "mcp":
            return app
        key = self._keys.of_app(app.id)
        found = {"key_id": key.id, "key": key.secret} if key else {}
        return msgspec.structs.replace(app, config={**app.config, **found})

    # -- changing

    def create(self, app: App) -> App:
        """A new app; raises Unprocessable for one that is not served and for a second one of its kind."""
        session = self._session(app)
        with session.changing:
            return self._set(session, [*session.apps, app], app)

    def update(self, app_id: str, app: App) -> App:
        """Replaces an app; its id, kind and session stay."""
        session, found = self.get(app_id)
        if app.app != found.app or app.session not in ("", session.name):
            raise Unprocessable(f"App '{app_id}' is {found.app} of '{session.name}': neither can be changed.")
        app = msgspec.structs.replace(app, id=app_id, session=session.name)
        with session.changing:
            return self._set(session, [app if each.id == app_id else each for each in session.apps], app)

    def delete(self, app_id: str) -> None:
        session, _ = self.get(app_id)
        with session.changing:
            self.replace(session, [each for each in session.apps if each.id != app_id])

    def purge(self, app_id: str) -> None:
        """Forgets what an app keeps beside its configuration: for mcp its key, which is made anew."""
        _, found = self.get(app_id)
        if found.app == "mcp":
            self._keys.delete_of_app(app_id)
            self._make_key(found)

    def _session(self, app: App) -> Session:
        try:
            return self._sessions.get(app.session)
        except NotFound as error:
            raise Unprocessable(str(error)) from None

    def _set(self, session: Session, apps: list[App], changed: App) -> App:
        kept = self.replace(session, apps)
        index = next(i for i, each in enumerate(apps) if each is changed)
        return self._shown(kept[index])

    def replace(self, session: Session, apps: list[App]) -> list[App]:
        """Makes these all the apps of a session."""
        apps = self.checked(session.name, apps)
        gone = {each.id for each in session.apps} - {each.id for each in apps}
        with self._sessions.store.write():
            self._sessions.set_apps(session, apps)
            for app_id in gone:
                self._keys.delete_of_app(app_id)
            for app in apps:
                if app.app == "mcp":
                    self._make_key(app)
        return apps

    def _make_key(self, app: App) -> None:
        actions = msgspec.convert(app.config.get("actions") or {}, SessionActionsDTO)
        self._keys.of_app(app.id, session=app.session, actions=actions, active=app.enabled is not False)

    def checked(self, session: str, apps: list[App]) -> list[App]:
        """The apps of a session, complete; raises Unprocessable or ValidationFailed."""
        found: list[App] = []
        for app in apps:
            if not self._core.apps_enabled:
                raise Unprocessable("Apps are switched off here (WAHA_APPS_ENABLED).")
            if app.app in _NOT_SERVED:
                raise Unprocessable(_NOT_SERVED[app.app])
            if any(app.app == each.app for each in found):
                raise Unprocessable(f"Session '{session}' can have one {app.app} app only; change that one.")
            app = msgspec.structs.replace(
                app, id=app.id or f"app_{os.urandom(16).hex()}", session=session, config=_config(app)
            )
            owner = next((s.name for s in self._sessions.all() for each in s.apps if each.id == app.id), session)
            if owner != session or any(app.id == each.id for each in found):
                raise Unprocessable(f"There is an app '{app.id[:80]}' already; leave id out to get a new one.")
            found.append(app)
        return found

    # -- calls

    def called(self, session: Session, call: dict[str, Any]) -> None:
        """Does what the session's calls app says about a call that rings now."""
        app = next((each for each in session.apps if each.app == "calls" and each.enabled is not False), None)
        if app is None or not call.get("from"):
            return
        config = msgspec.convert(app.config, CallsAppConfig)
        rule = config.group if call["isGroup"] else config.dm
        if not rule.reject:
            return

        def decline() -> None:
            self._do(session, lambda account: account.reject_call(RejectCallRequest(from_=call["from"], id=call["id"])))
            if rule.message:
                self._sessions.clock.call_later(rule.waitBeforeResponse or 0, answer)

        def answer() -> None:
            text = MessageTextRequest(session=session.name, chatId=call["from"], text=rule.message or "")
            self._do(session, lambda account: account.send_text(text))

        self._sessions.clock.call_later(rule.waitBeforeDecline or 0, decline)

    def _do(self, session: Session, action: Any) -> None:
        """Does something with a session's account, in a thread where the driver may wait."""

        def run() -> None:
            account: Account | None = session.account
            if account is None:
                return
            try:
                action(account)
            except WahaError as error:
                log.warning("The calls app of session '%s' could not act: %s", session.name, error)

        if self._inline:
            run()
        else:
            threading.Thread(target=run, name="calls-app", daemon=True).start()


def _config(app: App) -> dict[str, Any]:
    """An app's configuration as its type reads it; raises ValidationFailed."""
    kind: type[CallsAppConfig | McpAppConfig] = CallsAppConfig if app.app == "calls" else McpAppConfig
    try:
        found: dict[str, Any] = msgspec.to_builtins(msgspec.convert(app.config, kind))
    except msgspec.ValidationError as error:
        raise ValidationFailed(f"config of the {app.app} app: {error}") from None
    for name in ("key", "key_id"):  # told to clients, never kept here
        found.pop(name, None)
    return found
