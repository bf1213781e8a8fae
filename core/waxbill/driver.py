"""What a driver is: a backend that speaks (or simulates) WhatsApp. With ``hookspecs.py``, all a plugin author reads.

A plugin offers a ``DriverSpec`` through the hook ``waxbill_driver``. The server picks one, calls its factory once, and
asks the ``Driver`` for an ``Account`` for every session that it starts. Each method of ``Account`` is one operation of
WAHA's API. A driver overrides what it can do; the rest answers 501 and is not in its capabilities.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from .model.errors import NotImplementedByEngine
from .model.messages import MessagesQuery, MessageTextRequest, SendSeenRequest
from .model.pairing import (
    PairingCode,
    PasskeyAssertionRequest,
    PasskeyChallenge,
    PasskeyConfirmationResponse,
    RequestCodeRequest,
)
from .model.sessions import MeInfo, SessionConfig, Status

if TYPE_CHECKING:
    from .clock import Clock
    from .media.files import Files
    from .settings import Settings
    from .store import Store


class SessionHost(Protocol):
    """What the server gives to one account: where it reports to and what it may use. Any thread may call it."""

    @property
    def name(self) -> str:
        """The session's name; letters, digits, ``-`` and ``_`` only."""

    @property
    def config(self) -> SessionConfig:
        """The session's configuration at this start."""

    @property
    def settings(self) -> Settings: ...

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def folder(self) -> Path:
        """A private folder (0700) for this session's files, made on first use and removed at log-out."""

    @property
    def files(self) -> Files:
        """Where media is taken in and published."""

    def set_status(self, status: Status, data: Any = None) -> None:
        """Reports the session's status; also when a new QR code replaced the last one."""

    def fail(self, reason: str) -> None:
        """Reports FAILED, with the reason for the operator in words."""

    def set_me(self, me: MeInfo | None) -> None:
        """Reports who is logged in; None when nobody is."""

    def wants(self, event: str) -> bool:
        """Whether anyone listens to an event now. A payload that costs work need not be made when nobody does."""

    def emit(self, event: str, payload: Any, *, chat: str | None = None) -> None:
        """Puts an event into the outbox. Inside ``store.write()`` it is kept or undone with that transaction.

        ``chat`` is the chat that it is about, for the session's ``ignore`` rules.
        """


class Account:
    """A session that runs: one WhatsApp account. Override what the backend can do.

    Methods answer what WAHA's wire shows (Structs or plain dicts and lists), None for an empty answer, or raise an
    error of ``waxbill.model.errors``. A driver whose spec says ``inline`` promises that none of them waits for
    anything but the store, save those whose operation is declared with ``waits``.
    """

    def __init__(self, host: SessionHost) -> None:
        self.host = host

    # -- life of the session

    def start(self) -> None:
        """Begins to connect and returns at once; progress is told through ``host.set_status``."""
        raise NotImplementedError

    def stop(self) -> None:
        """Disconnects and lets go of everything; what is needed to come back without pairing stays."""
        raise NotImplementedError

    def logout(self) -> None:
        """Unlinks this device on the phone, if it is linked. ``stop`` and ``Driver.forget`` follow."""

    def presence(self) -> str | None:
        """``online`` or ``offline`` as others see the account; None when not known."""
        return None

    def engine_details(self) -> dict[str, Any]:
        """More members for ``engine`` in GET session, such as versions."""
        return {}

    # -- pairing

    def qr_value(self) -> str:
        """The text that the QR code carries now."""
        raise self._missing("qr_value")

    def request_code(self, request: RequestCodeRequest) -> PairingCode:
        raise self._missing("request_code")

    def passkey_challenge(self) -> PasskeyChallenge:
        raise self._missing("passkey_challenge")

    def passkey_assertion(self, request: PasskeyAssertionRequest) -> None:
        raise self._missing("passkey_assertion")

    def passkey_confirmation(self) -> PasskeyConfirmationResponse:
        raise self._missing("passkey_confirmation")

    def passkey_confirm(self) -> None:
        raise self._missing("passkey_confirm")

    def screenshot(self) -> tuple[str, bytes]:
        """Content type and bytes of a picture of what the session shows."""
        raise self._missing("screenshot")

    # -- chatting

    def send_text(self, request: MessageTextRequest) -> Any:
        raise self._missing("send_text")

    def send_seen(self, request: SendSeenRequest) -> Any:
        raise self._missing("send_seen")

    # -- chats

    def get_messages(self, chat: str, query: MessagesQuery) -> Any:
        raise self._missing("get_messages")

    def get_message(self, chat: str, message: str, *, download_media: bool = True) -> Any:
        raise self._missing("get_message")

    def _missing(self, operation: str) -> NotImplementedByEngine:
        return NotImplementedByEngine(operation, self.host.settings.core.engine)


#: Methods of Account that are no operations: every driver has them.
NOT_OPERATIONS = frozenset({"start", "stop", "logout", "presence", "engine_details"})


def operations(account: type[Account]) -> frozenset[str]:
    """The operations that an account type really has: the methods of Account that it overrides."""
    return frozenset(
        name
        for name, method in inspect.getmembers(account, inspect.isfunction)
        if not name.startswith("_") and name not in NOT_OPERATIONS and getattr(Account, name, method) is not method
    )


class Driver:
    """A backend in use: made once by the spec's factory, closed when the server stops."""

    #: The engine name on the wire, and the browser's path where there is one.
    engine = ""
    browser: str | None = None

    def account(self, host: SessionHost) -> Account:
        """The account of a session that is being started."""
        raise NotImplementedError

    def forget(self, session: str) -> None:
        """Removes everything that was kept for a session: pairing, chats, files. It is not running."""

    def close(self) -> None:
        """Lets go of everything; all accounts are stopped."""


class DriverSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin says about its driver before it is used."""

    #: Word by which operators name it (``WAXBILL_DRIVER``), and a title for people.
    name: str
    title: str
    #: Memory that it needs beside the server, for one session.
    need_mb: float
    #: Speaks to WhatsApp (True) or simulates it.
    real: bool
    #: Whether it can run here; if not, ``obstacle`` says why and what to install or set.
    runnable: bool = True
    obstacle: str = ""
    #: Names of the methods of Account that it has; see ``operations()``.
    operations: frozenset[str]
    #: Its operations wait for nothing but the store, so they may run in the server's loop.
    inline: bool = False
    #: Makes the driver; called once, when it has been chosen.
    factory: Callable[[Settings, Store, Clock], Driver]
