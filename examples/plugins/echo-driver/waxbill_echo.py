"""A driver for waxbill: whoever is written to answers with the same words."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec

from waxbill import Account, Driver, DriverSpec, SessionHost, Setting, hookimpl, operations
from waxbill.clock import Clock
from waxbill.model import ids
from waxbill.model.messages import MessageTextRequest, WAMessage
from waxbill.model.sessions import WORKING, MeInfo
from waxbill.settings import Settings
from waxbill.store import Store

ME = "10000000000@c.us"


class EchoSettings(msgspec.Struct, frozen=True):
    shout: Annotated[bool, Setting("ECHO_SHOUT", meaning="Answer in capitals.")] = False


class EchoAccount(Account):
    """Needs no pairing: it works at once."""

    def __init__(self, host: SessionHost, shout: bool) -> None:
        super().__init__(host)
        self._shout = shout

    def start(self) -> None:
        self.host.set_me(MeInfo(id=ME, pushName="Echo"))
        self.host.set_status(WORKING)

    def stop(self) -> None:
        """There is no connection to close."""

    def send_text(self, request: MessageTextRequest) -> WAMessage:
        answer = request.text.upper() if self._shout else request.text
        sent = self._message(request.chatId, request.text, from_me=True)
        echoed = self._message(request.chatId, answer, from_me=False)
        with self.host.store.write():
            self.host.emit("message.any", sent, chat=request.chatId)
            for event in ("message", "message.any"):
                self.host.emit(event, echoed, chat=request.chatId)
        return sent

    def _message(self, chat: str, text: str, *, from_me: bool) -> WAMessage:
        return WAMessage(
            id=str(ids.MessageId(from_me, chat, ids.new_message_key())),
            timestamp=int(time.time()),
            from_=ME if from_me else chat,
            to=chat if from_me else ME,
            fromMe=from_me,
            source="api" if from_me else "app",
            body=text,
            ack=1,
            ackName="SERVER",
        )


class EchoDriver(Driver):
    engine = "WEBJS"

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self._shout = settings.part(EchoSettings).shout

    def account(self, host: SessionHost) -> Account:
        return EchoAccount(host, self._shout)


@hookimpl
def waxbill_settings() -> type[msgspec.Struct]:
    return EchoSettings


@hookimpl
def waxbill_driver(settings: Settings) -> DriverSpec:
    return DriverSpec(
        name="echo",
        title="Echo",
        need_mb=1,
        real=False,
        operations=operations(EchoAccount),
        inline=True,
        factory=EchoDriver,
    )


@hookimpl
def waxbill_health() -> dict[str, Any]:
    return {"echo": {"status": "up"}}
