"""Sessions: their configuration, status and the requests that change them."""

from __future__ import annotations

import pathlib
import re
from typing import Any, Final, Literal

from msgspec import UNSET, UnsetType

from .errors import ValidationFailed
from .wire import Answer, Request, Whole

STOPPED: Final = "STOPPED"
STARTING: Final = "STARTING"
SCAN_QR_CODE: Final = "SCAN_QR_CODE"
PASSKEY_REQUIRED: Final = "PASSKEY_REQUIRED"
PASSKEY_CONFIRMATION_REQUIRED: Final = "PASSKEY_CONFIRMATION_REQUIRED"
WORKING: Final = "WORKING"
FAILED: Final = "FAILED"

Status = Literal[
    "STOPPED",
    "STARTING",
    "SCAN_QR_CODE",
    "PASSKEY_REQUIRED",
    "PASSKEY_CONFIRMATION_REQUIRED",
    "WORKING",
    "FAILED",
]
#: A session in one of these is on its way: waiting a moment for the next status makes sense.
ON_THE_WAY = (STARTING, SCAN_QR_CODE, PASSKEY_REQUIRED, PASSKEY_CONFIRMATION_REQUIRED)

# WAHA 2024.10: 64 characters less a prefix of its own; the character set is limited since 2025.8.1 (#1163).
NAME_LENGTH = 54
_NAME = re.compile(r"[A-Za-z0-9_-]{1,54}")


def session_name(text: str) -> str:
    """A session name that is safe as a folder name; raises ValidationFailed with what is allowed."""
    if _NAME.fullmatch(text):
        return text
    raise ValidationFailed(
        f"name must be 1 to {NAME_LENGTH} letters, digits, '-' or '_', not {text[:80]!r}; "
        "leave it out to get a generated name"
    )


class HmacConfiguration(Request):
    key: str | None = None


class RetriesConfiguration(Request):
    policy: Literal["linear", "exponential", "constant"] | None = None
    delaySeconds: float | None = None
    attempts: Whole | None = None


class CustomHeader(Request):
    name: str
    value: str


class WebhookConfig(Request):
    url: str
    events: list[str]
    hmac: HmacConfiguration | None = None
    retries: RetriesConfiguration | None = None
    customHeaders: list[CustomHeader] | None = None


class ProxyConfig(Request):
    server: str
    username: str | None = None
    password: str | None = None


class IgnoreConfig(Request):
    status: bool | None = None
    groups: bool | None = None
    channels: bool | None = None
    broadcast: bool | None = None


class ClientSessionConfig(Request):
    deviceName: str | None = None
    browserName: str | None = None


class NowebStoreConfig(Request):
    enabled: bool | None = False
    fullSync: bool | None = False


class NowebConfig(Request):
    markOnline: bool | None = True
    store: NowebStoreConfig | None = None


class GowsStorageConfig(Request):
    messages: bool | None = None
    groups: bool | None = None
    chats: bool | None = None
    labels: bool | None = None


class GowsConfig(Request):
    storage: GowsStorageConfig | None = None


class WebjsConfig(Request):
    tagsEventsOn: bool | None = False


class BrowserConfig(Request):
    """waxbill's own, as ``noweb``, ``gows`` and ``webjs`` are WAHA's: how a session that runs in a browser looks."""

    userAgent: str | None = None
    locale: str | None = None
    timeZone: str | None = None


class SessionConfig(Request, omit_defaults=True):
    metadata: dict[str, str] | None = None
    proxy: ProxyConfig | None = None
    debug: bool | None = False
    ignore: IgnoreConfig | None = None
    client: ClientSessionConfig | None = None
    noweb: NowebConfig | None = None
    gows: GowsConfig | None = None
    webjs: WebjsConfig | None = None
    browser: BrowserConfig | None = None
    webhooks: list[WebhookConfig] | None = None


_PROXY = re.compile(r"(?:(?:https?|socks[45])://)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_LOCALE = re.compile(r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}")


def look_faults(config: SessionConfig) -> list[str]:
    """What is wrong with what a session is to show of itself, in words."""
    faults = []
    client, proxy, browser = config.client, config.proxy, config.browser or BrowserConfig()
    names = {
        "client.deviceName": (client and client.deviceName, 100),
        "client.browserName": (client and client.browserName, 100),
        "browser.userAgent": (browser.userAgent, 512),
    }
    for name, (text, most) in names.items():
        if text and not (len(text) <= most and text.isprintable()):
            faults.append(f"config.{name} must be at most {most} printable characters")
    if browser.userAgent and not browser.userAgent.isascii():
        faults.append("config.browser.userAgent must be ASCII: it becomes a header")
    if proxy is not None and not (_PROXY.fullmatch(proxy.server) and int(proxy.server.rpartition(":")[2]) < 65536):
        faults.append(f"config.proxy.server must be host:port, such as proxy.example:3128, not {proxy.server[:100]!r}")
    if browser.locale and not _LOCALE.fullmatch(browser.locale):
        faults.append(
            f"config.browser.locale must be a language such as en, pt-BR or zh-Hant-TW, not {browser.locale[:40]!r}"
        )
    if browser.timeZone and not (_ZONE.fullmatch(browser.timeZone) and _zone_exists(browser.timeZone)):
        faults.append(
            f"config.browser.timeZone must be a time zone such as Europe/Berlin, not {browser.timeZone[:60]!r}"
        )
    return faults


def _zone_exists(name: str) -> bool:
    """Whether this system knows a time zone; one without a list of them (a bare image) believes the name."""
    import zoneinfo  # 0.3 MB, for those who name one

    folders = [folder for folder in map(pathlib.Path, zoneinfo.TZPATH) if folder.is_dir()]
    return not folders or any((folder / name).is_file() for folder in folders)


class App(Request):
    id: str = ""
    session: str = ""
    app: Literal["chatwoot", "calls", "mcp"]
    config: dict[str, Any]
    enabled: bool | None = True


class SessionCreateRequest(Request):
    name: str | None = None
    start: bool | None = True
    config: SessionConfig | None = None
    apps: list[App] | None = None


class SessionUpdateRequest(Request):
    config: SessionConfig | None = None
    apps: list[App] | None = None


class SessionStartDeprecatedRequest(Request):
    name: str
    config: SessionConfig | None = None


class SessionStopDeprecatedRequest(Request):
    name: str
    logout: bool | None = False


class SessionLogoutDeprecatedRequest(Request):
    name: str


class MeInfo(Answer):
    id: str
    pushName: str
    lid: str | UnsetType = UNSET
    jid: str | UnsetType = UNSET


class ReachoutTimelockData(Answer):
    """WhatsApp's lock on writing to strangers; ``timeEnforcementEnds`` in seconds."""

    enforcementType: str
    isActive: bool
    timeEnforcementEnds: int


class MessageCappingData(Answer):
    """How many new chats the account may begin in a cycle, -1 for any number; the cycle's ends in seconds."""

    cappingStatus: Literal["NONE", "FIRST_WARNING", "SECOND_WARNING", "CAPPED"]
    totalQuota: int
    usedQuota: int
    cycleStart: int
    cycleEnd: int
    mvStatus: str
    oteStatus: str


class Timestamps(Answer):
    activity: int | None = None


class SessionDTO(Answer):
    name: str
    status: Status
    config: SessionConfig | UnsetType = UNSET


class SessionInfo(SessionDTO):
    me: MeInfo | None = None
    assignedWorker: str | UnsetType = UNSET
    presence: str | None = None
    timestamps: Timestamps
    engine: dict[str, Any] | UnsetType = UNSET
    apps: list[App] | UnsetType = UNSET


class StatusPoint(Answer):
    """One status that a session had; ``timestamp`` in ms."""

    status: Status
    timestamp: int


class SessionStatusBody(Answer):
    """Payload of ``session.status``; ``statuses`` are the last three, oldest first."""

    name: str
    status: Status
    statuses: list[StatusPoint]
    data: Any = None
