"""WhatsApp as a test sees it: people who write to a bot, and what the bot sends them.

It speaks to any server with the simulator over HTTP, in this process or not; the pytest fixture ``whatsapp`` is one.
"""

from __future__ import annotations

import base64
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import msgspec

from .client import Client

MOCK = "/api/waxbill/mock"

Presence = Literal["online", "offline", "typing", "recording", "paused"]


class Refused(AssertionError):
    """The server refuses what the test asks for; the text has its answer."""


class Reaction(msgspec.Struct):
    who: str
    value: str | list[str]
    timestampMs: int


class SentFile(msgspec.Struct):
    """``url`` is where it can be fetched; ``size`` in bytes."""

    mimetype: str
    size: int
    filename: str | None
    url: str | None


class Message(msgspec.Struct):
    """A message of the simulated account. ``type`` is text, image, video, audio, voice, document, sticker, location,
    contact, poll, list, buttons or event; ``ack`` SERVER, DEVICE, READ, PLAYED or ERROR."""

    seq: int
    session: str
    id: str
    chatId: str
    fromMe: bool
    participant: str | None
    source: str
    type: str
    text: str | None
    timestampMs: int
    ack: str
    replyTo: str | None
    edited: bool
    deleted: bool
    forwarded: bool
    mentions: list[str]
    file: SentFile | None
    location: dict[str, Any] | None
    contacts: list[str]
    poll: dict[str, Any] | None
    event: dict[str, Any] | None
    interactive: dict[str, Any] | None
    preview: dict[str, Any] | None
    reactions: list[Reaction]
    votes: list[Reaction]


def number_of(name: str) -> str:
    """The number of somebody who has none of their own: always the same for a name, in Germany's fictitious range."""
    return f"4917{zlib.crc32(name.encode()) % 10**9:09d}"


class WhatsApp:
    """The simulated WhatsApp around one session of a server.

    >>> whatsapp.contact("Ana").says("hi")
    >>> whatsapp.sent.wait_for(text="Hello Ana!")
    """

    def __init__(self, server: Client, session: str = "default") -> None:
        self.server = server
        self.session = session
        self.sent = Outbox(self)
        self.clock = Clock(self)
        self._bots: list[_Bot] = []
        self._configured = False

    @property
    def url(self) -> str:
        """Where the bot finds the API."""
        return self.server.url

    @property
    def key(self) -> str:
        return self.server.key

    def ask(self, method: str, path: str, body: Any = None, *, wait_seconds: float = 0.0, **query: Any) -> Any:
        """A request to the server; raises Refused for an error."""
        given = {name: value for name, value in query.items() if value is not None}
        answer = self.server.request(method, path, body, query=given, timeout_seconds=30.0 + wait_seconds)
        if answer.status >= 400:
            said = answer.json().get("message", answer.text) if answer.body.startswith(b"{") else answer.text
            raise Refused(f"{method} {path} answered {answer.status}: {said}")
        return answer.json() if answer.body.startswith((b"{", b"[")) else answer.text

    def ask_for(self, method: str, path: str, body: Any = None) -> Any:
        """A request as ``waxbill_mock.scenario.play`` makes it; one that waits may take its time."""
        return self.ask(method, path, body, wait_seconds=60)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A control operation on the session, such as ``control("POST", "/presence", {...})``."""
        return self.ask(method, f"{MOCK}/{self.session}{path}", body)

    # -- the session

    def begin(self) -> WhatsApp:
        """Makes the session, if it is not there, and pairs it; empties it, if it is."""
        if self.server.get(f"/api/sessions/{self.session}").status == 404:
            self.ask("POST", "/api/sessions", {"name": self.session})
        else:
            self.reset()
            self._configure({})
        if self.server.get(f"/api/sessions/{self.session}").json()["status"] not in ("WORKING", "STARTING"):
            self.ask("POST", f"/api/sessions/{self.session}/restart")
        self.server.wait_for_status(self.session, "WORKING")
        return self

    def _configure(self, config: dict[str, Any]) -> None:
        now = self.ask("GET", f"/api/sessions/{self.session}")["config"]
        if (now or {}) != config:
            self.ask("PUT", f"/api/sessions/{self.session}", {"config": config})
            self.server.wait_for_status(self.session, "WORKING")

    def webhook(self, url: str, *events: str, hmac: str | None = None) -> None:
        """Sends the session's events (``message`` by default) to a URL, signed with a key where one is given."""
        webhook: dict[str, Any] = {"url": url, "events": list(events) or ["message"]}
        if hmac is not None:
            webhook["hmac"] = {"key": hmac}
        self._configure({"webhooks": [webhook]})

    def bot(self, app: Callable[..., Any], *events: str, path: str = "/webhook", hmac: str | None = None) -> str:
        """Serves a bot (a WSGI application, such as Flask's) on a free port until the test ends, and makes it the
        session's webhook; answers its URL."""
        bot = _Bot(app)
        self._bots.append(bot)
        self.webhook(bot.url + path, *events, hmac=hmac)
        return bot.url

    def reset(self) -> None:
        """Empties the session, and ends faults, scripted replies and simulated time."""
        self.ask("POST", f"{MOCK}/reset")
        self.sent.forget()

    def close(self) -> None:
        """Stops the bots."""
        while self._bots:
            self._bots.pop().close()

    def __enter__(self) -> WhatsApp:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- people

    def contact(self, name: str, number: str | None = None) -> Contact:
        """Somebody with a name; the number follows from the name where none is given."""
        return Contact(self, f"{number or number_of(name)}@c.us", name)

    def group(self, subject: str, *members: Contact) -> Group:
        """A group that its first member has made, with the account and the other members in it."""
        if not members:
            raise ValueError("a group needs at least one member, who makes it")
        body = {"creator": members[0].id, "subject": subject, "participants": [member.id for member in members[1:]]}
        return Group(self, self.control("POST", "/groups", body)["id"], subject)

    # -- what goes wrong, and who answers by themselves

    def faults(self, **faults: Any) -> None:
        """Lets things go wrong, in place of what went wrong before: ``faults(banned=True)``; none end them all."""
        self.control("PUT", "/faults", faults)

    def fail(self, operation: str = "*", *, rate: float = 1.0, latency: float | str = 0, **more: Any) -> None:
        """Lets an operation of the API fail, at a rate, or be late; takes ``status``, ``message``, ``times``."""
        self.faults(operations=[{"operation": operation, "errorRate": rate, "latency": latency, **more}])

    def disconnect(self, seconds: float | str = 5.0) -> None:
        """Loses the connection for a while."""
        self.control("POST", "/disconnect", {"seconds": seconds})

    def answers(self, text: str | None = None, *, when: dict[str, Any] | None = None, **more: Any) -> None:
        """Scripts a reply to what the bot sends: ``answers("two", when={"contains": "how many"}, after="2s")``."""
        self.control("POST", "/replies", {"when": when or {}, **({} if text is None else {"text": text}), **more})

    def acks(self, device: float | str | None = None, read: float | str | None = None) -> None:
        """When sent messages reach the phone and are read; ``hand``: only by ``ack``."""
        self.control("PUT", "/acks", {"device": device, "read": read})

    def ack(self, message: Message, level: str) -> None:
        """Acknowledges a sent message: DEVICE, READ, PLAYED or ERROR."""
        self.control("POST", f"/messages/{message.id}/ack", {"ack": level})

    # -- states

    def seed(self, seed: int | None) -> None:
        """Makes ids repeatable."""
        self.ask("PUT", f"{MOCK}/seed", {"seed": seed})

    def keep(self, name: str) -> None:
        """Keeps the session's state under a name."""
        self.ask("PUT", f"{MOCK}/snapshots/{quote(name)}", {"sessions": [self.session]})

    def restore(self, name: str) -> None:
        """Brings the session back to a state that was kept."""
        self.ask("POST", f"{MOCK}/snapshots/{quote(name)}/restore", {"sessions": [self.session]})
        self.sent.forget()

    def message(self, message: Message | str) -> Message:
        """A message as it is now, with its reactions and votes."""
        found = message.id if isinstance(message, Message) else message
        return msgspec.convert(self.control("GET", f"/messages/{quote(found)}"), Message)


class Chat:
    """A chat of the account: with a person, or of a group."""

    def __init__(self, whatsapp: WhatsApp, chat: str) -> None:
        self.whatsapp = whatsapp
        self.id = chat
        #: What the bot sent there.
        self.received = Outbox(whatsapp, chat)

    def _say(self, body: dict[str, Any]) -> Message:
        answer = self.whatsapp.control("POST", "/messages", {"from": self.id, **body})
        return self.whatsapp.message(answer["id"])


class Contact(Chat):
    """Somebody who writes to the account, alone or (with ``to``) in a group."""

    def __init__(self, whatsapp: WhatsApp, chat: str, name: str) -> None:
        super().__init__(whatsapp, chat)
        self.name = name

    def sends(self, *, to: Group | None = None, reply_to: Message | None = None, **content: Any) -> Message:
        """Sends a message with any content that the control operation takes (``text``, ``file``, ``location``,
        ``poll``, ``vcards``, ...)."""
        place = {"from": self.id} if to is None else {"from": to.id, "participant": self.id}
        quoted = {} if reply_to is None else {"reply_to": reply_to.id}
        return self._say({"pushName": self.name, **quoted, **content, **place})

    def says(self, text: str, *, to: Group | None = None, reply_to: Message | None = None) -> Message:
        """Writes a text."""
        return self.sends(text=text, to=to, reply_to=reply_to)

    def sends_file(
        self, file: Path | bytes, *, mimetype: str | None = None, filename: str | None = None, **more: Any
    ) -> Message:
        """Sends a file as what it is (an image, a video, a sound, a document); ``type="voice"`` and a ``text`` beside
        it are possible."""
        data = file if isinstance(file, bytes) else file.read_bytes()
        name = filename or (None if isinstance(file, bytes) else file.name)
        body = {"data": base64.b64encode(data).decode(), "mimetype": mimetype, "filename": name}
        return self.sends(file={key: value for key, value in body.items() if value is not None}, **more)

    def sends_location(self, latitude: float, longitude: float, name: str | None = None, **more: Any) -> Message:
        return self.sends(location={"latitude": latitude, "longitude": longitude, "name": name}, **more)

    def sends_poll(self, question: str, *options: str, multiple: bool = False, **more: Any) -> Message:
        return self.sends(poll={"name": question, "options": list(options), "multipleAnswers": multiple}, **more)

    def edits(self, message: Message, text: str) -> None:
        self.whatsapp.control("PUT", f"/messages/{message.id}", {"text": text})

    def deletes(self, message: Message) -> None:
        """Deletes an own message for everyone."""
        self.whatsapp.control("DELETE", f"/messages/{message.id}")

    def reacts(self, message: Message, reaction: str) -> None:
        """Reacts with an emoji; an empty text takes it back."""
        self.whatsapp.control("POST", f"/messages/{message.id}/reactions", {"from": self.id, "reaction": reaction})

    def votes(self, poll: Message, *options: str) -> None:
        self.whatsapp.control("POST", f"/messages/{poll.id}/votes", {"from": self.id, "votes": list(options)})

    def is_(self, presence: Presence, *, to: Group | None = None) -> None:
        """Is online, offline, typing or recording; told where the bot asked about the chat."""
        body = {"chatId": self.id if to is None else to.id, "participant": self.id, "presence": presence}
        self.whatsapp.control("POST", "/presence", body)

    def calls(self, *, video: bool = False) -> str:
        """Calls; answers the id of the call that rings."""
        return str(self.whatsapp.control("POST", "/calls", {"from": self.id, "isVideo": video})["id"])


class Group(Chat):
    """A group that the account is in; its members write with ``ana.says("hi", to=group)``."""

    def __init__(self, whatsapp: WhatsApp, chat: str, subject: str) -> None:
        super().__init__(whatsapp, chat)
        self.subject = subject

    def changes(self, type: Literal["join", "leave", "promote", "demote"], *members: Contact) -> None:
        """Members join, leave, become admins or are admins no more."""
        body = {"type": type, "participants": [member.id for member in members]}
        self.whatsapp.control("POST", f"/groups/{self.id}/participants", body)


class Outbox:
    """What the bot has sent, in all chats or in one. It can be counted, looped over and waited for."""

    def __init__(self, whatsapp: WhatsApp, chat: str | None = None) -> None:
        self._whatsapp = whatsapp
        self._chat = chat
        self._taken: set[int] = set()

    def all(self, **fitting: Any) -> list[Message]:
        """All messages so far, the oldest first, those that fit: ``text``, ``contains``, ``regex``, ``type``."""
        return self._ask(fitting, limit=1000)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def wait_for(
        self,
        *,
        text: str | None = None,
        contains: str | None = None,
        regex: str | None = None,
        type: str | None = None,
        timeout_seconds: float = 5.0,
    ) -> Message:
        """The next message that fits, waiting for it. Each message is found once. Raises an AssertionError that says
        what was sent instead."""
        fitting = {"text": text, "contains": contains, "regex": regex, "type": type}
        found = self._ask(fitting, limit=1000)
        new = [message for message in found if message.seq not in self._taken]
        if not new:
            wait = {"wait": f"{timeout_seconds}s", "count": len(found) + 1, "wait_seconds": timeout_seconds}
            found = self._ask(fitting, limit=1000, **wait)
            new = [message for message in found if message.seq not in self._taken]
        self._taken.add(new[0].seq)
        return new[0]

    def forget(self) -> None:
        """Messages that were found may be found again."""
        self._taken.clear()

    def _ask(self, fitting: dict[str, Any], **more: Any) -> list[Message]:
        query = {"session": self._whatsapp.session, "chatId": self._chat, **fitting, **more}
        return msgspec.convert(self._whatsapp.ask("GET", f"{MOCK}/outbox", **query), list[Message])


class Clock:
    """The simulated time of the whole server."""

    def __init__(self, whatsapp: WhatsApp) -> None:
        self._whatsapp = whatsapp

    @property
    def now(self) -> str:
        """ISO time, in UTC."""
        return str(self._whatsapp.ask("GET", f"{MOCK}/clock")["now"])

    def freeze(self, now: str | int | None = None) -> None:
        """Stops time, now or at a moment (ISO, or Unix ms)."""
        self._whatsapp.ask("PUT", f"{MOCK}/clock", {"frozen": True, **({} if now is None else {"now": now})})

    def set(self, now: str | int) -> None:
        self._whatsapp.ask("PUT", f"{MOCK}/clock", {"now": now})

    def resume(self) -> None:
        """Lets time run on from where it is."""
        self._whatsapp.ask("PUT", f"{MOCK}/clock", {"frozen": False})

    def advance(self, by: float | str) -> None:
        """Lets time pass at once: ``advance("2h")``, ``advance(30)``; what is due happens before this returns."""
        self._whatsapp.ask("POST", f"{MOCK}/clock/advance", {"by": by})


class _Quiet(WSGIRequestHandler):
    """Writes no log: the test looks at what comes of a request."""

    def log_message(self, format: str, *args: Any) -> None: ...


class _Threading(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Bot:
    """A WSGI application on a free port."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._server = make_server("127.0.0.1", 0, app, server_class=_Threading, handler_class=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="bot", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
