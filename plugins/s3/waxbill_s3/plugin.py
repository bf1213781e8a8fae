"""What this plugin gives to waxbill: media in a bucket (WAHA_MEDIA_STORAGE=S3). Nothing is imported without that."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import msgspec

from waxbill import hookimpl
from waxbill.hookspecs import Check
from waxbill.settings import Secret, Setting, SettingError, Settings

if TYPE_CHECKING:
    from waxbill.app import Server
    from waxbill.clock import Clock
    from waxbill.media.storage import MediaStorage

    from .client import Place
    from .storage import S3Storage

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_WEEK_SECONDS = 7 * 24 * 3600


class S3Settings(msgspec.Struct, frozen=True):
    """The settings of this plugin; WAHA's, and three more."""

    region: Annotated[str, Setting("WAHA_S3_REGION", meaning="Region of the bucket.")] = "us-east-1"
    bucket: Annotated[
        str, Setting("WAHA_S3_BUCKET", meaning="Bucket for published media; it is made where it is not there.")
    ] = ""
    access_key_id: Annotated[Secret, Setting("WAHA_S3_ACCESS_KEY_ID", meaning="Access key for the bucket.")] = Secret(
        ""
    )
    secret_access_key: Annotated[Secret, Setting("WAHA_S3_SECRET_ACCESS_KEY", meaning="Secret of the access key.")] = (
        Secret("")
    )
    endpoint: Annotated[
        str,
        Setting("WAHA_S3_ENDPOINT", meaning="Where the storage is, as http(s)://host:port; empty: AWS S3."),
    ] = ""
    force_path_style: Annotated[
        bool,
        Setting(
            "WAHA_S3_FORCE_PATH_STYLE",
            meaning="The bucket stands in the path, not before the host: for most servers other than AWS S3.",
        ),
    ] = False
    proxy_files: Annotated[
        bool,
        Setting(
            "WAHA_S3_PROXY_FILES",
            meaning="Clients get media through this server, with their key, instead of by signed links.",
        ),
    ] = False
    link_seconds: Annotated[
        int,
        Setting(
            "WAXBILL_S3_LINK_SECONDS",
            meaning="How long a signed link can be used; a week at most.",
            low=1,
            high=_WEEK_SECONDS,
        ),
    ] = 24 * 3600
    timeout_seconds: Annotated[
        float,
        Setting("WAXBILL_S3_TIMEOUT_SECONDS", meaning="How long the storage may say nothing.", low=0.1, high=300),
    ] = 10.0
    forget: Annotated[
        bool,
        Setting(
            "WAXBILL_S3_FORGET",
            meaning="Remove a session's objects when it is deleted or logged out; WAHA leaves them.",
        ),
    ] = False


@hookimpl
def waxbill_settings() -> type[msgspec.Struct]:
    return S3Settings


@hookimpl
def waxbill_media_storage(kind: str, settings: Settings, clock: Clock) -> Callable[[], MediaStorage] | None:
    if kind != "S3":
        return None
    return lambda: _storage(settings, clock).open_checked()


@hookimpl
def waxbill_routes(server: Server) -> Any:
    if server.settings.core.media_storage.upper() != "S3":
        return None
    from .api import area

    return area


@hookimpl
def waxbill_startup(server: Server) -> None:
    if server.settings.core.media_storage.upper() == "S3":
        server.plugins.register("s3-health", Health(server.files.storage))


class Health:
    """How the bucket of one server is."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    @hookimpl
    def waxbill_health(self) -> dict[str, Any]:
        """A bucket that can't be had is a warning: messages go on without their media."""
        trouble = self._storage.trouble
        return {"media": {"status": "up", "storage": "S3", **({"warning": trouble} if trouble else {})}}


@hookimpl
def waxbill_doctor(settings: Settings) -> list[Check] | None:
    if settings.core.media_storage.upper() != "S3":
        return None
    from waxbill.clock import Clock
    from waxbill.media.storage import StorageError

    try:
        _storage(settings, Clock()).check()
    except (StorageError, SettingError) as error:
        return [Check("media on S3", False, str(error))]
    return [Check("media on S3", True, f"the bucket '{settings.part(S3Settings).bucket}' answers")]


def _storage(settings: Settings, clock: Clock) -> S3Storage:
    from .client import Client  # 9 MB with TLS: only where media is on S3
    from .signing import Keys
    from .storage import S3Storage

    own = settings.part(S3Settings)
    place = _place(own)
    keys = Keys(own.access_key_id, own.secret_access_key, own.region)
    client = Client(place, keys, own.timeout_seconds, clock)
    return S3Storage(client, keys, proxy=own.proxy_files, link_seconds=own.link_seconds, forgets=own.forget)


def _place(own: S3Settings) -> Place:
    """Where the bucket is. Raises SettingError for settings that name none."""
    from .client import Place

    for name, value in (
        ("WAHA_S3_BUCKET", own.bucket),
        ("WAHA_S3_ACCESS_KEY_ID", own.access_key_id),
        ("WAHA_S3_SECRET_ACCESS_KEY", own.secret_access_key),
    ):
        if not value:
            raise SettingError(f"WAHA_MEDIA_STORAGE is S3, but {name} is not set. Set it, or WAHA_MEDIA_STORAGE=LOCAL.")
    if not _BUCKET.fullmatch(own.bucket):
        raise SettingError(f"WAHA_S3_BUCKET is {own.bucket[:80]!r}, but must be a bucket's name, without a path.")
    if not re.fullmatch(r"[A-Za-z0-9-]+", own.region):
        raise SettingError(f"WAHA_S3_REGION is {own.region[:80]!r}, but must be a region's name, like eu-west-1.")
    ending = "amazonaws.com.cn" if own.region.startswith("cn-") else "amazonaws.com"
    url = own.endpoint or f"https://s3.{own.region}.{ending}"
    try:
        parts = urlsplit(url)
        netloc = parts.netloc
        port = parts.port
    except ValueError:
        parts, netloc, port = urlsplit(""), "", None
    plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in netloc
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise SettingError(
            f"WAHA_S3_ENDPOINT is {own.endpoint[:80]!r}, but must be a scheme, a host and a port only, like "
            "http://127.0.0.1:9000."
        )
    if port == {"http": 80, "https": 443}[parts.scheme]:
        netloc = netloc.rpartition(":")[0]  # it is left out of Host, which is signed
    if own.force_path_style:
        return Place(own.bucket, parts.scheme, netloc, f"/{own.bucket}")
    return Place(own.bucket, parts.scheme, f"{own.bucket}.{netloc}", "")
