"""Settings: one typed table, read from the environment and an optional .env file. Everything may import it.

A settings type is a frozen Struct whose members are declared with ``Setting``; the core has one, a plugin brings
its own through the hook ``waxbill_settings``. WAHA's own names are used wherever a WAHA setting means the same thing.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, TypeVar

import msgspec

from . import memory, profiles
from .masking import mask_text

#: Text that is never shown: its value is masked wherever settings are printed.
Secret = NewType("Secret", str)

T = TypeVar("T", bound=msgspec.Struct)


class Setting:
    """How one setting is read: its name in the environment, other names, what it means, and its bounds.

    The first name that is set wins; ``low`` and ``high`` are inclusive.
    """

    __slots__ = ("high", "low", "meaning", "names")

    def __init__(self, *names: str, meaning: str, low: float | None = None, high: float | None = None) -> None:
        self.names, self.meaning, self.low, self.high = names, meaning, low, high


class SettingError(Exception):
    """A setting has a value that it can't have; the text names the setting, the value and what is allowed."""


class Row(msgspec.Struct, frozen=True):
    """One line of the table: a setting with its type, default, value in force and where that came from."""

    name: str
    aliases: tuple[str, ...]
    type: str
    default: Any
    meaning: str
    value: Any
    source: str
    secret: bool

    def shown(self, value: Any = ...) -> str:
        """A value (the one in force) as it is written in the environment; ``***`` for a secret that is set."""
        value = self.value if value is ... else value
        if self.secret:
            return "***" if value else ""
        if isinstance(value, tuple):
            hides = self.name.endswith("_HEADERS")  # their values are often tokens
            return ",".join(f"{part.partition(':')[0]}:***" if hides else part for part in value)
        return str(value).lower() if isinstance(value, bool) else mask_text(str(value))


class CoreSettings(msgspec.Struct, frozen=True):
    """The settings of the core."""

    profile: Annotated[
        tuple[str, ...],
        Setting(
            profiles.NAME,
            meaning="Defaults that belong together. For a memory limit: 512mb, 256mb, 128mb, off, or auto, which goes "
            "by the limit found. With a comma, public: stricter ones, for servers whose clients are strangers.",
        ),
    ] = (profiles.AUTO,)

    # -- the server
    port: Annotated[int, Setting("PORT", "WHATSAPP_API_PORT", meaning="Port to listen on.", low=0, high=65535)] = 3000
    host: Annotated[
        str,
        Setting(
            "WAXBILL_HOST",
            meaning="Address to listen on. Empty: all addresses when a key is set, else 127.0.0.1 only.",
        ),
    ] = ""
    hostname: Annotated[
        str, Setting("WHATSAPP_API_HOSTNAME", meaning="Host name in the URLs that the server hands out.")
    ] = "localhost"
    schema: Annotated[
        Literal["http", "https"],
        Setting("WHATSAPP_API_SCHEMA", meaning="Scheme in the URLs that the server hands out."),
    ] = "http"
    base_url: Annotated[
        str,
        Setting(
            "WAHA_BASE_URL",
            meaning="Start of the URLs that the server hands out, in place of scheme and host.",
        ),
    ] = ""
    threads: Annotated[
        int,
        Setting(
            "WAXBILL_THREADS",
            meaning="Threads for requests that may wait; they start when needed.",
            low=1,
            high=64,
        ),
    ] = 4
    max_body_mb: Annotated[
        int,
        Setting(
            "WAXBILL_MAX_BODY_MB",
            meaning="Largest request body in MB; a larger one gets 413.",
            low=1,
            high=1024,
        ),
    ] = 10
    max_connections: Annotated[
        int,
        Setting("WAXBILL_MAX_CONNECTIONS", meaning="Most open connections; more wait.", low=10, high=100_000),
    ] = 1000
    request_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_REQUEST_SECONDS",
            meaning="How long the head of a request may take to come in; a body has a second more for each KB of it.",
            low=0.1,
            high=3600,
        ),
    ] = 20.0
    idle_seconds: Annotated[
        float,
        Setting("WAXBILL_IDLE_SECONDS", meaning="How long a connection may do nothing.", low=0.1, high=86400),
    ] = 120.0
    max_incoming_mb: Annotated[
        int,
        Setting(
            "WAXBILL_MAX_INCOMING_MB",
            meaning="Most MB of large bodies that are under way at once; more gets 503. They lie in temporary files.",
            low=1,
        ),
    ] = 512
    keep_alive: Annotated[
        bool,
        Setting("KEEP_ALIVE", meaning="Reuse connections: clients' to the server and the server's to webhooks."),
    ] = True
    stop_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_STOP_SECONDS",
            meaning="How long running requests may take when the server stops.",
            low=0,
            high=300,
        ),
    ] = 10.0
    strict_mode: Annotated[
        bool,
        Setting("WAHA_HTTP_STRICT_MODE", meaning="Refuse unknown members in request bodies of sessions with 400."),
    ] = False
    apps_enabled: Annotated[bool, Setting("WAHA_APPS_ENABLED", meaning="Let sessions have apps (calls, mcp).")] = True
    debug_mode: Annotated[bool, Setting("WAHA_DEBUG_MODE", meaning="Serve the debug operations.")] = False
    log_level: Annotated[
        Literal["fatal", "error", "warn", "info", "debug", "trace"],
        Setting("WAHA_LOG_LEVEL", meaning="How much is logged."),
    ] = "info"
    log_format: Annotated[Literal["PRETTY", "JSON"], Setting("WAHA_LOG_FORMAT", meaning="Form of the log lines.")] = (
        "PRETTY"
    )
    print_qr: Annotated[
        bool,
        Setting("WAHA_PRINT_QR", meaning="Print QR codes to the log (off unless asked for; WAHA's default is on)."),
    ] = False
    worker_id: Annotated[str, Setting("WAHA_WORKER_ID", meaning="Name of this server in answers and events.")] = ""
    worker_url: Annotated[
        str,
        Setting(
            "WAXBILL_WORKER_URL",
            meaning="Where workers that share a store reach this one. Empty: http://, the machine's name, the port.",
        ),
    ] = ""
    take_over: Annotated[
        bool,
        Setting(
            "WAXBILL_TAKE_OVER",
            meaning="Let the others take the sessions of a worker that has gone; off: they wait until it is back.",
        ),
    ] = True

    # -- keys
    api_key: Annotated[
        Secret,
        Setting(
            "WHATSAPP_API_KEY",
            "WAHA_API_KEY",
            meaning="Key that clients send as X-Api-Key: plain, or sha512:<hex>.",
        ),
    ] = Secret("")
    no_api_key: Annotated[
        bool,
        Setting("WAHA_NO_API_KEY", meaning="Serve without a key on every address: only for closed networks."),
    ] = False
    api_key_exclude_path: Annotated[
        tuple[str, ...],
        Setting(
            "WHATSAPP_API_KEY_EXCLUDE_PATH",
            "WAHA_API_KEY_EXCLUDE_PATH",
            meaning="Paths that need no key, without the leading slash; api/files/(.*) is everything below.",
        ),
    ] = ()

    rate_limit: Annotated[
        int,
        Setting("WAXBILL_RATE_LIMIT", meaning="Most requests a minute with one key; more get 429. 0: no limit.", low=0),
    ] = 0
    trusted_proxy: Annotated[
        str,
        Setting("WAXBILL_TRUSTED_PROXY", meaning="Address of a proxy in front whose X-Forwarded-For is believed."),
    ] = ""
    audit_keep: Annotated[
        int,
        Setting("WAXBILL_AUDIT_KEEP", meaning="How many entries the audit log keeps; 0: there is none.", low=0),
    ] = 0

    swagger_enabled: Annotated[
        bool, Setting("WHATSAPP_SWAGGER_ENABLED", meaning="Serve the API reference at / and its document at /-json.")
    ] = True
    swagger_username: Annotated[str, Setting("WHATSAPP_SWAGGER_USERNAME", meaning="User name for it.")] = "admin"
    swagger_password: Annotated[
        Secret,
        Setting(
            "WHATSAPP_SWAGGER_PASSWORD", meaning="Password for it, plain or as sha512:<hex>; empty: none is asked for."
        ),
    ] = Secret("")

    dashboard_enabled: Annotated[bool, Setting("WAHA_DASHBOARD_ENABLED", meaning="Serve the dashboard.")] = True
    dashboard_username: Annotated[str, Setting("WAHA_DASHBOARD_USERNAME", meaning="User name for it.")] = "admin"
    dashboard_password: Annotated[
        Secret,
        Setting("WAHA_DASHBOARD_PASSWORD", meaning="Password for it; empty: it asks for the API key where one is set."),
    ] = Secret("")
    dashboard_no_password: Annotated[
        bool,
        Setting(
            "WAHA_DASHBOARD_NO_PASSWORD", meaning="No password of its own: it asks for the API key where one is set."
        ),
    ] = False

    # -- what is kept
    store: Annotated[
        Secret,
        Setting(
            "WAXBILL_STORE",
            "WHATSAPP_SESSIONS_POSTGRESQL_URL",
            meaning="Where everything is kept: postgresql://user:password@host/database (with waxbill[postgres]), or"
            " sqlite:PATH. Empty: a SQLite file in the store's folder.",
        ),
    ] = Secret("")
    store_dir: Annotated[
        Path, Setting("WAHA_LOCAL_STORE_BASE_DIR", meaning="Folder for the store and the sessions' files.")
    ] = Path(".waxbill")
    store_fallback: Annotated[
        bool,
        Setting(
            "WAXBILL_STORE_FALLBACK",
            meaning="Use a temporary folder, with a warning, where that one can't be written.",
        ),
    ] = False
    store_sync: Annotated[
        Literal["normal", "full"],
        Setting(
            "WAXBILL_STORE_SYNC",
            meaning="normal: safe when the process is killed; full: when power fails, too.",
        ),
    ] = "normal"

    # -- media
    media_storage: Annotated[
        str,
        Setting(
            "WAHA_MEDIA_STORAGE",
            meaning="Where published media is kept: LOCAL (a folder), S3 (with waxbill[s3]), POSTGRESQL (with"
            " waxbill[postgres]), or what a plugin brings.",
        ),
    ] = "LOCAL"
    files_folder: Annotated[
        Path, Setting("WHATSAPP_FILES_FOLDER", meaning="Folder for published media; empty: files/ beside the store.")
    ] = Path()
    files_lifetime_seconds: Annotated[
        int,
        Setting(
            "WHATSAPP_FILES_LIFETIME",
            meaning="How long published media can be fetched, in seconds; 0: for good.",
            low=0,
        ),
    ] = 180
    files_mimetypes: Annotated[
        tuple[str, ...],
        Setting("WHATSAPP_FILES_MIMETYPES", meaning="Types of media to publish, by their beginnings; empty: all."),
    ] = ()
    download_media: Annotated[bool, Setting("WHATSAPP_DOWNLOAD_MEDIA", meaning="Publish media at all.")] = True
    max_media_mb: Annotated[
        int, Setting("WAXBILL_MAX_MEDIA_MB", meaning="Largest media file in MB.", low=1, high=4096)
    ] = 100
    fetch_seconds: Annotated[
        float, Setting("WAXBILL_FETCH_SECONDS", meaning="How long fetching a media URL may take.", low=0.1, high=3600)
    ] = 30.0
    sends_per_minute: Annotated[
        float,
        Setting(
            "WAXBILL_SENDS_PER_MINUTE",
            meaning="Most messages a minute of one session; more wait for their turn. 0: as fast as they come.",
            low=0,
            high=6000,
        ),
    ] = 0.0
    sends_jitter: Annotated[
        float,
        Setting("WAXBILL_SENDS_JITTER", meaning="How much the gaps between them vary: 0.3 is 30 %.", low=0, high=1),
    ] = 0.3
    sends_queue: Annotated[
        int, Setting("WAXBILL_SENDS_QUEUE", meaning="Most messages of a session that wait.", low=0, high=10_000)
    ] = 100
    sends_wait_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_SENDS_WAIT_SECONDS",
            meaning="A message that would wait longer is refused with 429.",
            low=0,
            high=3600,
        ),
    ] = 120.0

    keep_free_mb: Annotated[
        int,
        Setting("WAXBILL_KEEP_FREE_MB", meaning="Take no media where the disk has less than so many MB free.", low=0),
    ] = 50
    session_quota_mb: Annotated[
        int,
        Setting("WAXBILL_SESSION_QUOTA_MB", meaning="Most MB of files that a session may have; 0: no limit.", low=0),
    ] = 0
    allow_private_addresses: Annotated[
        bool,
        Setting(
            "WAXBILL_ALLOW_PRIVATE_ADDRESSES",
            meaning="Let media URLs and webhooks point into private networks; turn it off where clients are strangers.",
        ),
    ] = True

    # -- drivers and modes
    engine: Annotated[
        Literal["WEBJS", "WPP", "NOWEB", "GOWS"],
        Setting("WHATSAPP_DEFAULT_ENGINE", meaning="Engine whose dialect the mock speaks."),
    ] = "WEBJS"
    force_mock: Annotated[
        bool, Setting("FORCE_MOCK_MODE", meaning="Use the simulator, whatever else is installed.")
    ] = False
    enable_real: Annotated[
        bool,
        Setting(
            "ENABLE_REAL_WHATSAPP",
            meaning="Use a real driver; sessions fail with the reason where none can run.",
        ),
    ] = False
    mock_fallback: Annotated[
        bool,
        Setting("MOCK_FALLBACK", meaning="With ENABLE_REAL_WHATSAPP: simulate where no real driver can run."),
    ] = False
    driver: Annotated[str, Setting("WAXBILL_DRIVER", meaning="Name of the driver to use, instead of a choice.")] = ""
    disable_plugins: Annotated[
        tuple[str, ...],
        Setting("WAXBILL_DISABLE_PLUGINS", meaning="Names of installed plugins to leave out."),
    ] = ()
    memory_limit_mb: Annotated[
        int,
        Setting("MEMORY_LIMIT_MB", meaning="Memory limit in MB, in place of the one found; 0: find it.", low=0),
    ] = 0
    max_heap_mb: Annotated[
        int,
        Setting(
            "MAX_HEAP_MB",
            meaning="Most heap of the server, and of a browser page, in MB: a request that needs more fails with 503, "
            "the server goes on; 0: no limit.",
            low=0,
        ),
    ] = 0
    buffer_kb: Annotated[
        int,
        Setting(
            "WAXBILL_BUFFER_KB",
            meaning="Most of a request's body kept in memory, in KB (of an answer: four times that); more goes to a "
            "temporary file.",
            low=4,
            high=64 * 1024,
        ),
    ] = 256
    max_reconnect_attempts: Annotated[
        int,
        Setting(
            "MAX_RECONNECT_ATTEMPTS",
            meaning="How often a session that lost its backend is brought back, with a growing delay, before it fails.",
            low=0,
            high=100,
        ),
    ] = 2

    # -- sessions
    start_sessions: Annotated[
        tuple[str, ...],
        Setting("WHATSAPP_START_SESSION", meaning="Sessions to start (and create) when the server starts."),
    ] = ()
    restart_all: Annotated[
        bool,
        Setting(
            "WHATSAPP_RESTART_ALL_SESSIONS",
            "WAHA_RESTART_ALL_SESSIONS",
            meaning="Start stopped sessions, too, when the server starts.",
        ),
    ] = False
    restart_own: Annotated[
        bool,
        Setting(
            "WAHA_WORKER_RESTART_SESSIONS",
            meaning="Start the sessions that ran before when the server starts.",
        ),
    ] = True
    auto_start_delay_seconds: Annotated[
        float,
        Setting("WAHA_AUTO_START_DELAY_SECONDS", meaning="Pause between two of those starts.", low=0, high=3600),
    ] = 0.0
    ignore_status: Annotated[
        bool, Setting("WAHA_SESSION_CONFIG_IGNORE_STATUS", meaning="Default of config.ignore.status.")
    ] = False
    ignore_groups: Annotated[
        bool, Setting("WAHA_SESSION_CONFIG_IGNORE_GROUPS", meaning="Default of config.ignore.groups.")
    ] = False
    ignore_channels: Annotated[
        bool, Setting("WAHA_SESSION_CONFIG_IGNORE_CHANNELS", meaning="Default of config.ignore.channels.")
    ] = False
    ignore_broadcast: Annotated[
        bool, Setting("WAHA_SESSION_CONFIG_IGNORE_BROADCAST", meaning="Default of config.ignore.broadcast.")
    ] = False

    # -- webhooks
    hook_url: Annotated[str, Setting("WHATSAPP_HOOK_URL", meaning="URL that gets the events of all sessions.")] = ""
    hook_events: Annotated[
        tuple[str, ...], Setting("WHATSAPP_HOOK_EVENTS", meaning="Events for it; * is all but engine.event.")
    ] = ()
    hook_hmac_key: Annotated[
        Secret, Setting("WHATSAPP_HOOK_HMAC_KEY", meaning="Key that signs its deliveries (HMAC-SHA512).")
    ] = Secret("")
    hook_retries_policy: Annotated[
        Literal["constant", "linear", "exponential"],
        Setting("WHATSAPP_HOOK_RETRIES_POLICY", meaning="How the delay between its attempts grows."),
    ] = "constant"
    hook_retries_delay_seconds: Annotated[
        float,
        Setting("WHATSAPP_HOOK_RETRIES_DELAY_SECONDS", meaning="First delay between attempts.", low=0, high=86400),
    ] = 2.0
    hook_retries_attempts: Annotated[
        int,
        Setting("WHATSAPP_HOOK_RETRIES_ATTEMPTS", meaning="Attempts after the first one.", low=0, high=1000),
    ] = 15
    hook_custom_headers: Annotated[
        tuple[str, ...],
        Setting("WHATSAPP_HOOK_CUSTOM_HEADERS", meaning="Headers for it: Name:Value;Name2:Value2."),
    ] = ()
    hook_timeout_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_HOOK_TIMEOUT_SECONDS",
            meaning="How long a webhook may take to answer.",
            low=0.1,
            high=600,
        ),
    ] = 30.0
    hook_total_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_HOOK_TOTAL_SECONDS",
            meaning="How long a delivery may take in all, however slowly the answer comes.",
            low=0.1,
            high=3600,
        ),
    ] = 60.0
    hook_redirects: Annotated[
        int,
        Setting("WAXBILL_HOOK_REDIRECTS", meaning="Redirects that a delivery follows; 0: none.", low=0, high=10),
    ] = 0
    hook_per_host: Annotated[
        int, Setting("WAXBILL_HOOK_PER_HOST", meaning="Most deliveries in flight to one host.", low=1, high=64)
    ] = 4
    hook_pause_after: Annotated[
        int,
        Setting(
            "WAXBILL_HOOK_PAUSE_AFTER",
            meaning="Dead letters in a row after which a webhook is paused and probed; 0: never.",
            low=0,
            high=1000,
        ),
    ] = 3
    hook_probe_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_HOOK_PROBE_SECONDS",
            meaning="When a paused webhook is first probed; later probes wait twice as long, up to an hour.",
            low=0.05,
            high=3600,
        ),
    ] = 30.0
    standard_webhooks: Annotated[
        bool,
        Setting("WAXBILL_STANDARD_WEBHOOKS", meaning="Also send the headers of standardwebhooks.com with deliveries."),
    ] = False
    events_keep_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_EVENTS_KEEP_SECONDS",
            meaning="How long events stay for replay and for streams that come back.",
            low=0,
            high=30 * 86400,
        ),
    ] = 3600.0
    events_keep: Annotated[
        int, Setting("WAXBILL_EVENTS_KEEP", meaning="How many events stay at most.", low=0, high=10_000_000)
    ] = 10_000
    most_streams: Annotated[
        int, Setting("WAXBILL_MAX_STREAMS", meaning="Most WebSocket and event stream clients.", low=0, high=100_000)
    ] = 1000
    hook_workers: Annotated[
        int, Setting("WAXBILL_HOOK_WORKERS", meaning="Most deliveries in flight at once.", low=1, high=64)
    ] = 4

    @property
    def public_url(self) -> str:
        """Start of every URL that the server hands out, without a trailing slash."""
        return (self.base_url or f"{self.schema}://{self.hostname}:{self.port}").rstrip("/")


# What requests need beside the server, in MB, for anything to work.
_LEAST_HEAP_MB = 16
_NOTHING: Mapping[str, str] = types.MappingProxyType({})

#: Settings whose values are separated by something other than a comma.
_SEPARATORS = {"WHATSAPP_HOOK_CUSTOM_HEADERS": ";"}
_TRUE, _FALSE = ("true", "1"), ("false", "0")


def check_limits(core: CoreSettings, reading: memory.Reading) -> None:
    """Raises SettingError for a limit that is larger than what the kernel allows, or too small to start with."""
    allowed = memory.read()
    if core.memory_limit_mb > allowed.limit_mb:
        raise SettingError(
            f"MEMORY_LIMIT_MB is {core.memory_limit_mb}, but no more than {allowed.limit_mb:.0f} MB can be used "
            f"({allowed.source}). Lower it, or leave it out: then the limit is found."
        )
    if core.max_heap_mb > reading.limit_mb:
        raise SettingError(
            f"MAX_HEAP_MB is {core.max_heap_mb}, but the limit is {reading.limit_mb:.0f} MB ({reading.source}). "
            "Lower it; half of the limit is a good value."
        )
    if core.max_heap_mb and core.max_heap_mb < reading.heap_mb + _LEAST_HEAP_MB:
        raise SettingError(
            f"MAX_HEAP_MB is {core.max_heap_mb}, but the server itself needs {reading.heap_mb:.0f} MB, and requests "
            f"{_LEAST_HEAP_MB} MB at least. Raise it, or set it to 0 for no limit."
        )


def read_env_file(path: Path) -> dict[str, str]:
    """The names and values of a .env file; empty when there is none."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # 0.6 MB, only where there is such a file

    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except UnicodeDecodeError as error:
        raise SettingError(f"{path} is not UTF-8 text ({error}). Save it as UTF-8.") from None


def _declared(kind: type[msgspec.Struct]) -> Iterator[tuple[str, Any, Setting, Any]]:
    """Member, bare type, declaration and default of every setting in a settings type."""
    hints = typing.get_type_hints(kind, include_extras=True)
    defaults = dict(zip(kind.__struct_fields__, kind.__struct_defaults__, strict=True))
    for member, hint in hints.items():
        if typing.get_origin(hint) is Annotated:
            bare, declaration = typing.get_args(hint)[:2]
            yield member, bare, declaration, defaults[member]


def _allowed(bare: Any, declaration: Setting) -> str:
    """What a value may be, in words."""
    low, high = declaration.low, declaration.high
    if typing.get_origin(bare) is Literal:
        return "one of " + ", ".join(typing.get_args(bare))
    if bare is bool:
        return "true or false"
    if bare in (int, float):
        what = "a whole number" if bare is int else "a number"
        if low is not None and high is not None:
            return f"{what} from {low} to {high}"
        return what + (f", {low} or more" if low is not None else "")
    return "a list" if typing.get_origin(bare) is tuple else "text"


def _parse(name: str, text: str, bare: Any, declaration: Setting) -> Any:
    """The typed value of a setting; raises ValueError."""
    text = text.strip()
    if typing.get_origin(bare) is Literal:
        choices = {str(choice).lower(): choice for choice in typing.get_args(bare)}
        if text.lower() not in choices:
            raise ValueError(text)
        return choices[text.lower()]
    if typing.get_origin(bare) is tuple:
        return tuple(part.strip() for part in text.split(_SEPARATORS.get(name, ",")) if part.strip())
    if bare is bool:
        if text.lower() not in _TRUE + _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    if bare in (int, float):
        number = bare(text)
        if not (declaration.low is None or number >= declaration.low):
            raise ValueError(text)
        if not (declaration.high is None or number <= declaration.high):
            raise ValueError(text)
        return number
    return Path(text) if bare is Path else text


class Settings:
    """All settings in force: the core's and those that plugins brought.

    >>> Settings({"PORT": "8080"}).core.port
    8080
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        file: Mapping[str, str] = _NOTHING,
        *,
        limit_mb: float | None = None,
    ) -> None:
        """``limit_mb`` is the memory limit found, for the profile that goes by it; None: no such profile."""
        self.environment = environment
        self._file = file
        self._parts: dict[type[msgspec.Struct], msgspec.Struct] = {}
        self._rows: list[Row] = []
        named = (environment.get(profiles.NAME) or file.get(profiles.NAME) or "").strip()
        try:
            #: The profiles in force and what each sets, the first first.
            self.profiles = profiles.chosen(named.lower().split(",") if named else [], limit_mb)
        except ValueError as error:
            raise SettingError(f"{profiles.NAME} is {named!r}, but must be {error}.") from None
        self.core = self.add(CoreSettings)

    @classmethod
    def load(cls, environment: Mapping[str, str], folder: Path = Path()) -> Settings:
        """The settings of an environment and of the .env file in ``folder``, over those of the profile for the memory
        limit found; the environment wins, then the file."""
        file = read_env_file(folder / ".env")
        limit = cls(environment, file).core.memory_limit_mb
        return cls(environment, file, limit_mb=memory.read(limit).limit_mb)

    def add(self, kind: type[T]) -> T:
        """Reads the settings of a type and keeps them; raises SettingError for the first bad value."""
        values: dict[str, Any] = {}
        for member, bare, declaration, default in _declared(kind):
            value, source = self._read(bare, declaration, default)
            values[member] = value
            self._rows.append(
                Row(
                    name=declaration.names[0],
                    aliases=declaration.names[1:],
                    type=_allowed(bare, declaration),
                    default=default,
                    meaning=declaration.meaning,
                    value=value,
                    source=source,
                    secret=bare is Secret,
                )
            )
        self._parts[kind] = part = kind(**values)
        return part

    def _read(self, bare: Any, declaration: Setting, default: Any) -> tuple[Any, str]:
        for name in declaration.names:
            for where, values in (
                (name, self.environment),
                (f"{name} in .env", self._file),
                *((f"{profiles.NAME}={profile}", sets) for profile, sets in self.profiles.items()),
            ):
                text = values.get(name)
                if text is None or text.strip() == "":
                    continue
                try:
                    return _parse(name, text, bare, declaration), where
                except ValueError:
                    shown = "***" if bare is Secret else repr(text[:80])
                    raise SettingError(
                        f"{name} is {shown}, but must be {_allowed(bare, declaration)}. {declaration.meaning}"
                    ) from None
        return default, "default"

    def move_store(self, folder: Path) -> None:
        """Keeps everything in another folder than the one that was set, which can't be written."""
        self.core = msgspec.structs.replace(self.core, store_dir=folder)
        self._parts[CoreSettings] = self.core

    def part(self, kind: type[T]) -> T:
        """The settings of a type that was added."""
        found = self._parts[kind]
        assert isinstance(found, kind)
        return found

    def secrets(self) -> list[str]:
        """The values of all settings that are secret, to be masked."""
        return [str(row.value) for row in self._rows if row.secret and row.value]

    def table(self) -> list[Row]:
        """Every setting with its value in force, the core's first."""
        return self._rows
