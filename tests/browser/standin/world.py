"""What the stand-in's server knows: devices, accounts, files. It is kept here, so it outlives pages and browsers."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from .account import Account

Record = dict[str, Any]


class Refused(Exception):
    """The server's answer when something may not be: a code as WhatsApp's servers use it, and words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Options(msgspec.Struct):
    """How the page behaves; changed while it runs, the next load of the page follows."""

    version: str = "2.3000.1045000000"
    #: Chats of people are addressed by LID instead of by phone number.
    lids: bool = False
    #: A business account, which has labels.
    business: bool = True
    #: Only scripts from the page's own address may run, and only there may it connect to.
    strict_csp: bool = True
    #: Message keys keep their text in ``_serialized``, as older releases of WhatsApp Web have it.
    plain_keys: bool = False
    #: How long a QR code is good for, and how many there are until the page waits for a click.
    qr_seconds: float = 20.0
    qr_codes: int = 5
    #: How long taking an account in lasts.
    sync_seconds: float = 0.05
    #: How long the second half of the page's modules keeps it waiting.
    slow_seconds: float = 0.0
    #: The page's modules never come.
    never_ready: bool = False
    #: Messages that came while no page was there are new to the page that comes back (in its history they always are).
    offline_is_new: bool = False
    #: How long after it has entered the account such a page hears of them.
    offline_seconds: float = 3.0
    #: Sent messages are delivered and read at once.
    reads: bool = False
    #: Modules that others can't find, find under another name, or find only after some milliseconds.
    hidden: list[str] = msgspec.field(default_factory=list)
    renamed: dict[str, str] = msgspec.field(default_factory=dict)
    late: dict[str, int] = msgspec.field(default_factory=dict)


class Device:
    """One browser profile: its keys name it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.account: Account | None = None
        self.number = 0
        self.happened: list[Record] = []
        self.ref = ""
        self.refs_left = 0
        self.link_code = ""
        #: Pages that listen now, and how often one has said hello.
        self.listening = 0
        self.hellos = 0

    def tell(self, **happened: Any) -> None:
        self.happened.append(happened)


class World:
    """All devices and accounts. ``changed`` is the one lock; it wakes whoever waits when anything happened."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.changed = threading.Condition(threading.RLock())
        self.devices: dict[str, Device] = {}
        self.accounts: list[Account] = []
        self.files: dict[str, bytes] = {}
        self.channels: dict[str, Record] = {}
        self.invites: dict[str, str] = {}
        #: Numbers that have no WhatsApp.
        self.absent: set[str] = set()
        self._last_time = 0

    def device(self, name: str) -> Device:
        return self.devices.setdefault(name, Device(name))

    def keep(self, content: bytes) -> str:
        filehash = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self.files[filehash] = content
        return filehash

    def time(self) -> int:
        """Seconds, never running backwards."""
        self._last_time = max(self._last_time, int(time.time()))
        return self._last_time

    def exists(self, wid: str) -> bool:
        number = wid.partition("@")[0]
        return 7 <= len(number) <= 16 and number.isdigit() and number not in self.absent

    def wait(self, reached: Callable[[], Any], seconds: float, what: str) -> Any:
        """The first true answer of ``reached``; raises TimeoutError with ``what`` was waited for."""
        with self.changed:
            if not self.changed.wait_for(reached, seconds):
                raise TimeoutError(f"within {seconds} s there was no {what}")
            return reached()


def lid_of(number: str) -> str:
    """The LID that belongs to a phone number: always the same one."""
    return f"{10**14 + int(hashlib.sha256(number.encode()).hexdigest(), 16) % 10**14}@lid"


def new_id() -> str:
    """A message's id as a phone makes it."""
    return "3A" + secrets.token_hex(9).upper()


def wid(number: str) -> str:
    """A phone number or an id as an id."""
    return number if "@" in number else f"{number}@c.us"
