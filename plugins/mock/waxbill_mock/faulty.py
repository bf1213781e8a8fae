"""Faults at work: operations that are late or fail, events told twice or out of order, files that can't be fetched.

Nothing of this is in the way of an account without faults: its operations and its host are replaced while it has some.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from waxbill import SessionHost
from waxbill.api.operation import Parked
from waxbill.media.files import Files, Taken
from waxbill.model.errors import EngineFailure, Unprocessable, ValidationFailed, WahaError

from .rules import Faults, OperationFault, seconds

if TYPE_CHECKING:
    from .driver import MockAccount
    from .world import World

#: The longest delay of an operation.
MOST_LATENCY_SECONDS = 60.0
# An event that was held back leaves after this time where none follows.
_HELD_SECONDS = 0.5


class SimulatedFault(WahaError):
    """An error that was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.title = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Simulated Fault"


class _Delay(Parked):
    """A request that is late."""


class _Inside(threading.local):
    """Whether this thread is inside an operation: what that calls of its own account is not late once more."""

    deep = False


_inside = _Inside()


def operation_name(text: str, known: frozenset[str]) -> str:
    """The account's method behind an operation's name (``sendText``, ``/api/sendText``, ``send_text``); raises
    ValidationFailed for an unknown one."""
    if text == "*":
        return text
    last = text.rstrip("/").rpartition("/")[2]
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in last).replace("-", "_")
    if name not in known:
        from difflib import get_close_matches

        close = ", ".join(get_close_matches(name, known)) or "send_text"
        raise ValidationFailed(f"operation must be * or one such as {close}, not {text[:80]!r}")
    return name


def check(faults: Faults, known: frozenset[str]) -> None:
    """Raises ValidationFailed for faults that can't be simulated."""
    for fault in faults.operations or ():
        operation_name(fault.operation, known)
        seconds(fault.latency or 0, "latency", MOST_LATENCY_SECONDS)


def apply(account: MockAccount, faults: Faults, known: frozenset[str]) -> None:
    """Gives an account these faults in place of those that it had."""
    for name in known & vars(account).keys():
        delattr(account, name)
    host: Any = account.host
    account.host = host.own if isinstance(host, FaultyHost) else host
    if faults.duplicateEvents or faults.shuffledEvents or faults.outgoingMediaFails:
        account.host = FaultyHost(account.host, faults, account.world)
    by_name: dict[str, list[OperationFault]] = {}
    for fault in faults.operations or ():
        name = operation_name(fault.operation, known)
        for each in known if name == "*" else [name]:
            by_name.setdefault(each, []).append(fault)
    for name, found in by_name.items():
        setattr(account, name, _faulty(getattr(account, name), found, account.world))


def _faulty(operation: Callable[..., Any], faults: list[OperationFault], world: World) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        if _inside.deep:
            return operation(*arguments, **named)
        due = [fault for fault in faults if fault.times != 0]
        _wait(sum(seconds(fault.latency or 0, "latency") for fault in due), world)
        for fault in due:
            if fault.times is not None:
                fault.times -= 1
            if world.happens(fault.errorRate or 0):
                message, status = fault.message or "Simulated fault.", fault.status or 500
                raise EngineFailure(message, "SimulatedFault") if status == 500 else SimulatedFault(status, message)
        _inside.deep = True
        try:
            return operation(*arguments, **named)
        finally:
            _inside.deep = False

    return run


def _wait(delay_seconds: float, world: World) -> None:
    """Makes the request late: in the server's loop it is parked, elsewhere its own thread waits."""
    server = world.server
    if not delay_seconds or (server is not None and isinstance(server.resumed, _Delay)):
        return
    if server is not None and server.in_loop():
        raise _Delay(lambda again: server.clock.call_later(delay_seconds, again))
    time.sleep(delay_seconds)


class FaultyHost:
    """The host of an account, with faults in what it tells and takes in."""

    def __init__(self, own: SessionHost, faults: Faults, world: World) -> None:
        self.own = own
        self._faults = faults
        self._world = world
        self._held: list[tuple[str, Any, str | None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    @property
    def files(self) -> Any:
        return FailingFiles(self.own.files) if self._faults.outgoingMediaFails else self.own.files

    def emit(self, event: str, payload: Any, *, chat: str | None = None) -> None:
        if not self._held and self._world.happens(self._faults.shuffledEvents or 0):
            self._held.append((event, payload, chat))
            self.own.clock.call_later(_HELD_SECONDS, self._let_go)
            return
        self.own.emit(event, payload, chat=chat)
        if self._world.happens(self._faults.duplicateEvents or 0):
            self.own.emit(event, payload, chat=chat)
        self._let_go()

    def _let_go(self) -> None:
        while self._held:
            event, payload, chat = self._held.pop()
            self.own.emit(event, payload, chat=chat)


class FailingFiles:
    """Files of which none can be fetched."""

    def __init__(self, own: Files) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def take(self, *, url: str | None = None, **given: Any) -> Taken:
        if url is not None:
            raise Unprocessable("file.url can't be fetched: simulated fault (outgoingMediaFails)")
        return self._own.take(url=url, **given)
