"""Apps: what runs beside a session, and their configurations. The App itself is a part of sessions."""

from __future__ import annotations

from typing import Any, Literal

from .keys import SessionActionsDTO
from .wire import Request, Whole


class AppsQuery(Request):
    session: str


class ChatWootCommandsConfig(Request):
    server: bool | None = True
    queue: bool | None = False


class ChatWootConversationsConfig(Request):
    sort: Literal["activity_newest", "created_newest", "created_oldest", "activity_oldest"]
    status: list[Literal["open", "pending", "snoozed", "resolved"]] | None = None
    markAsRead: bool | None = True


class ChatWootAppConfig(Request):
    url: str
    accountId: Whole
    accountToken: str
    inboxId: Whole
    inboxIdentifier: str
    locale: str | None = "en-US"
    linkPreview: Literal["OFF", "LG", "HG"] | None = "OFF"
    templates: dict[str, Any] | None = None
    commands: ChatWootCommandsConfig | None = None
    conversations: ChatWootConversationsConfig | None = None


class CallsAppChannelConfig(Request):
    """What is done with a call: ``message`` is sent to who called; the waits are in seconds."""

    reject: bool | None = True
    message: str | None = None
    waitBeforeDecline: float | None = None
    waitBeforeResponse: float | None = None


class CallsAppConfig(Request):
    dm: CallsAppChannelConfig
    group: CallsAppChannelConfig


class McpAppConfig(Request):
    """``key_id`` and ``key`` are set by the server."""

    actions: SessionActionsDTO
    key_id: str | None = None
    key: str | None = None
