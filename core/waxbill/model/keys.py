"""API keys: the server's own, those of one session, and what these may do."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from .wire import Answer, Request


class SessionActionsDTO(Request):
    """What a session's key may do; a member that is absent is denied."""

    read: bool | None = None
    send: bool | None = None
    control: bool | None = None
    setting: bool | None = None
    app: bool | None = None
    delete: bool | None = None


class ApiKeyRequest(Request):
    isAdmin: bool | None = False
    session: str | None = None
    isActive: bool | None = True
    actions: SessionActionsDTO | None = None


class ScopedApiKeyRequest(Request):
    session: str


class ApiKeyDTO(Answer):
    """A key with its secret; ``actions`` only where it is a session's."""

    id: str
    key: str
    isActive: bool
    isAdmin: bool
    session: str | None = None
    actions: SessionActionsDTO | UnsetType | None = UNSET
