"""API keys beside the server's own: each for one session, with what it may do there, or for everything.

Secrets are kept readable, since WAHA's list shows them; the store's file is private to the server's user.
"""

from __future__ import annotations

import os
from _operator import _compare_digest as compare_digest  # what hmac offers, without OpenSSL
from typing import TYPE_CHECKING

import msgspec

from .model.errors import NotFound, Unprocessable
from .model.keys import ApiKeyDTO, ApiKeyRequest, SessionActionsDTO

if TYPE_CHECKING:
    from .sessions import Sessions
    from .store import Store

_SCHEMA = [
    """
    CREATE TABLE api_key (
        id TEXT PRIMARY KEY, secret TEXT NOT NULL UNIQUE, active INTEGER NOT NULL, admin INTEGER NOT NULL,
        session TEXT, actions BLOB, app TEXT) WITHOUT ROWID
    """
]


class ApiKey(msgspec.Struct, frozen=True):
    """A key; ``app`` names the app that owns it, ``actions`` that are None are all but delete."""

    id: str
    secret: str
    active: bool
    admin: bool
    session: str | None
    actions: SessionActionsDTO | None
    app: str | None = None

    def may(self, action: str) -> bool:
        if self.admin:
            return True
        return action != "delete" if self.actions is None else bool(getattr(self.actions, action, False))

    def dto(self) -> ApiKeyDTO:
        shown = ApiKeyDTO(id=self.id, key=self.secret, isActive=self.active, isAdmin=self.admin, session=self.session)
        if not self.admin:
            shown.actions = self.actions
        return shown


class ApiKeys:
    """All keys, in memory by their secret: every request looks one up. Any thread may call it."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions
        store.migrate("api_keys", _SCHEMA)
        self._by_secret: dict[str, ApiKey] = {}
        self.load()

    def load(self) -> None:
        """Reads all keys, at the start and when another process may have changed some."""
        found: dict[str, ApiKey] = {}
        columns = "id, secret, active, admin, session, actions, app"
        rows = self._store.read().execute(f"SELECT {columns} FROM api_key ORDER BY id")  # noqa: S608
        for key_id, secret, active, admin, session, actions, app in rows:
            decoded = msgspec.json.decode(actions, type=SessionActionsDTO) if actions else None
            found[secret] = ApiKey(key_id, secret, bool(active), bool(admin), session, decoded, app)
        self._by_secret = found

    def find(self, secret: str) -> ApiKey | None:
        """The active key of a secret."""
        key = self._by_secret.get(secret)
        if key is None or not key.active or not compare_digest(key.secret.encode(), secret.encode()):
            return None
        return key

    def all(self) -> list[ApiKey]:
        return sorted(self._by_secret.values(), key=lambda key: key.id)

    def create(self, request: ApiKeyRequest) -> ApiKey:
        """A new key; raises Unprocessable when its members contradict each other."""
        self._check(request)
        return self._keep(_key(f"key_id_{os.urandom(16).hex()}", _secret(), request))

    def scoped(self, kind: str, session: str, actions: SessionActionsDTO) -> ApiKey:
        """The key of a kind for a session, made at the first call."""
        key_id = f"key_id_{kind}_{session}"
        found = self._by_id(key_id)
        if found is not None:
            return found
        request = ApiKeyRequest(session=session, actions=actions)
        self._check(request)
        return self._keep(_key(key_id, _secret(), request))

    def update(self, key_id: str, request: ApiKeyRequest) -> ApiKey:
        """Replaces everything but id and secret."""
        found = self._own(key_id)
        self._check(request)
        return self._keep(_key(found.id, found.secret, request))

    def delete(self, key_id: str) -> None:
        self._remove(self._own(key_id))

    def of_app(
        self, app: str, *, session: str = "", actions: SessionActionsDTO | None = None, active: bool = True
    ) -> ApiKey | None:
        """The key that an app owns; with ``session`` it is made, or brought to these actions."""
        found = next((key for key in self._by_secret.values() if key.app == app), None)
        if not session:
            return found
        request = ApiKeyRequest(session=session, actions=actions, isActive=active)
        key_id, secret = (found.id, found.secret) if found else (f"key_id_{os.urandom(16).hex()}", _secret())
        return self._keep(_key(key_id, secret, request, app))

    def delete_of_app(self, app: str) -> None:
        for key in [key for key in self.all() if key.app == app]:
            self._remove(key)

    def delete_of_session(self, session: str) -> None:
        for key in [key for key in self.all() if key.session == session]:
            self._remove(key)

    def _by_id(self, key_id: str) -> ApiKey | None:
        return next((key for key in self.all() if key.id == key_id), None)

    def _own(self, key_id: str) -> ApiKey:
        found = self._by_id(key_id)
        if found is None:
            raise NotFound(f"API key '{key_id[:80]}' not found. GET /api/keys lists the keys.")
        if found.app:
            raise Unprocessable(
                f"API key '{key_id}' belongs to the app '{found.app}'; change or delete the app instead."
            )
        return found

    def _check(self, request: ApiKeyRequest) -> None:
        if request.isAdmin and request.session:
            raise Unprocessable("An admin's key has no session: leave session out, or set isAdmin to false.")
        if not request.isAdmin and not request.session:
            raise Unprocessable("A key that is no admin's needs the session that it is for.")
        if request.actions and not request.session:
            raise Unprocessable("actions are for a session's key: name the session, or leave actions out.")
        if request.session:
            try:
                self._sessions.check_known(request.session)
            except NotFound as error:
                raise Unprocessable(str(error)) from None

    def _keep(self, key: ApiKey) -> ApiKey:
        with self._store.write() as db:
            db.execute(
                "INSERT INTO api_key (id, secret, active, admin, session, actions, app) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET active = excluded.active, admin = excluded.admin,"
                " session = excluded.session, actions = excluded.actions",
                (
                    key.id,
                    key.secret,
                    key.active,
                    key.admin,
                    key.session,
                    msgspec.json.encode(key.actions) if key.actions else None,
                    key.app,
                ),
            )
            self._store.after_commit(lambda: self._by_secret.update({key.secret: key}))
            self._store.after_commit(self._store.announce)
        return key

    def _remove(self, key: ApiKey) -> None:
        with self._store.write() as db:
            db.execute("DELETE FROM api_key WHERE id = ?", (key.id,))
            self._store.after_commit(lambda: self._by_secret.pop(key.secret, None))
            self._store.after_commit(self._store.announce)


def _key(key_id: str, secret: str, request: ApiKeyRequest, app: str | None = None) -> ApiKey:
    return ApiKey(
        id=key_id,
        secret=secret,
        active=bool(request.isActive),
        admin=bool(request.isAdmin),
        session=request.session or None,
        actions=request.actions,
        app=app,
    )


def _secret() -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    # 256 is no multiple of 62: what is above the last one is thrown away, so that every letter is as likely.
    found = ""
    while len(found) < 32:
        found += "".join(letters[byte % 62] for byte in os.urandom(40) if byte < 248)
    return f"key_{found[:32]}"
