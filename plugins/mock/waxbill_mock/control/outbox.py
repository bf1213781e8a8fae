"""Control: what the bot sent, so that an assertion in any language is one request; it can wait for what is to come."""

import threading
import time
from collections.abc import Callable
from typing import Annotated

import msgspec

from waxbill.api.operation import Call, Parked
from waxbill.clock import Timer
from waxbill.model import ids
from waxbill.model.errors import NotFound, Unavailable
from waxbill.model.wire import Request

from ..account.identity import person
from ..account.messages import Messages
from ..driver import MockAccount
from ..rules import When, fits, pattern, seconds
from ..view import SeenMessage, seen, summary
from ..world import World
from .calling import account_of, control_area, driver_of, world_area

area = world_area()
of_session = control_area()

#: How long a request may wait, and how many may wait at once.
MOST_WAIT_SECONDS = 300.0
MOST_WAITING = 100
# How far back is looked for a message that fits.
_LOOK_BACK = 20_000
_SHOWN = 5


class OutboxQuery(Request):
    """``text`` is the whole text, ``contains`` a part of it (both without regard to case), ``regex`` a pattern in it.
    ``after`` is a ``seq``: only what was sent after it. With ``wait``, the answer comes as soon as ``count`` messages
    fit, and is 404 when the time is up; the ``limit`` newest are answered, the oldest of them first."""

    session: str | None = None
    chatId: str | None = None
    text: str | None = None
    contains: str | None = None
    regex: str | None = None
    type: str | None = None
    after: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = 100
    count: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = 1
    wait: str | None = None


class _Waiting(Parked):
    """A request that waits for a message. It is told of each one that is sent, from before its first look."""

    def __init__(self, world: World, wait_seconds: float) -> None:
        super().__init__(self._begin)
        self._world = world
        self.end = time.monotonic() + wait_seconds
        self._again: Callable[[], None] | None = None
        self._timer: Timer | None = None
        #: Whether something was sent since the last look.
        self.told = threading.Event()

    def watch(self) -> None:
        self.told.clear()
        if self not in self._world.on_sent and len(self._world.on_sent) >= MOST_WAITING:
            raise Unavailable(f"{MOST_WAITING} requests wait for messages already; try again later.", 1)
        self._world.on_sent[self] = self._tell

    def leave(self) -> None:
        self._world.on_sent.pop(self, None)

    def _tell(self) -> None:
        self.told.set()
        again, self._again = self._again, None
        if again is not None:
            if self._timer is not None:
                self._timer.cancel()
            again()

    def _begin(self, again: Callable[[], None]) -> None:
        server = self._world.server
        assert server is not None
        self._again = again
        self._timer = server.clock.call_later(max(0.0, self.end - time.monotonic()), self._tell)
        if self.told.is_set():
            self._tell()

    @property
    def time_is_up(self) -> bool:
        return self.over or time.monotonic() >= self.end


@area.get("/outbox")
def outbox(call: Call, query: OutboxQuery) -> list[SeenMessage]:
    """See what the bot sent, or wait until it sends something that fits."""
    when = When(text=query.text, contains=query.contains, regex=query.regex)
    pattern(when)
    if query.session:
        call.server.sessions.get(query.session)
    if query.wait is None:
        return _look(call, query, when)
    resumed = call.server.resumed
    waiting = (
        resumed
        if isinstance(resumed, _Waiting) and call.server.in_loop()
        else _Waiting(driver_of(call).world, seconds(query.wait, "wait", MOST_WAIT_SECONDS))
    )
    waiting.watch()
    parked = False
    try:
        while True:
            found = _look(call, query, when)
            if len(found) >= (query.count or 1):
                return found
            if waiting.time_is_up:
                raise NotFound(_missed(call, query, found))
            if call.server.in_loop():
                parked = True
                raise waiting
            waiting.told.wait(waiting.end - time.monotonic())
            waiting.told.clear()
    finally:
        if not parked:
            waiting.leave()


def _look(call: Call, query: OutboxQuery, when: When) -> list[SeenMessage]:
    db = call.server.store.read()
    chat = person(ids.chat_id(query.chatId)) if query.chatId else None
    now = driver_of(call).world.now_ms()
    found = []
    for session, message in Messages.sent(db, query.session, chat, query.type, query.after or 0, _LOOK_BACK):
        if fits(when, message.kind, message.body, message.chat):
            account = call.server.sessions.get(session).account
            found.append(seen(message, session, account if isinstance(account, MockAccount) else None, now))
            if len(found) >= (query.limit or 100):
                break
    return found[::-1]


def _missed(call: Call, query: OutboxQuery, found: list[SeenMessage]) -> str:
    """Why a wait ended without success, with what was sent instead."""
    everything = _look(call, OutboxQuery(session=query.session, after=query.after, limit=_SHOWN), When())
    sent = "; ".join(summary(message) for message in everything) or "nothing"
    wanted = query.count or 1
    fitting = f"{len(found)} of {wanted} messages fit" if wanted > 1 else "No message fits"
    return f"{fitting} within {query.wait}. The bot sent {sent}."


@of_session.get("/messages/{messageId}")
def get_message(call: Call, messageId: str) -> SeenMessage:  # noqa: N803
    """See a message in the same shape for every engine, with its reactions and votes."""
    account = account_of(call)
    found = account.find(messageId)
    return seen(found, call.session.name, account, account.world.now_ms())
