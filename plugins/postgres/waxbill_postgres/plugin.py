"""What this plugin gives to waxbill: the store of ``postgresql:`` URLs, and media in such a database. Nothing is
imported until one is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec

from waxbill import hookimpl
from waxbill.settings import Secret, Setting, SettingError, Settings
from waxbill.store import Store

if TYPE_CHECKING:
    from waxbill.media.storage import MediaStorage

_SCHEMES = ("postgresql:", "postgres:")


class PostgresSettings(msgspec.Struct, frozen=True):
    """The settings of this plugin."""

    pool: Annotated[
        int,
        Setting(
            "WAXBILL_POSTGRES_POOL",
            meaning="Most connections for what is kept; there are two more beside them.",
            low=2,
            high=100,
        ),
    ] = 4
    wait_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_POSTGRES_WAIT_SECONDS",
            meaning="How long a request waits for its turn, a connection, or one statement; then it gets 503.",
            low=0.1,
            high=300,
        ),
    ] = 5.0
    media_url: Annotated[
        Secret,
        Setting(
            "WAHA_MEDIA_POSTGRESQL_URL",
            meaning="Where media is kept with WAHA_MEDIA_STORAGE=POSTGRESQL; empty: in the database of WAXBILL_STORE.",
        ),
    ] = Secret("")


@hookimpl
def waxbill_settings() -> type[msgspec.Struct]:
    return PostgresSettings


@hookimpl
def waxbill_store(url: str, settings: Settings) -> Callable[[], Store] | None:
    if not url.startswith(_SCHEMES):
        return None

    def open_it() -> Store:
        from .store import PostgresStore  # 8 MB: only where the store is a PostgreSQL

        own = settings.part(PostgresSettings)
        return PostgresStore(url, pool=own.pool, wait_seconds=own.wait_seconds)

    return open_it


@hookimpl
def waxbill_media_storage(kind: str, settings: Settings) -> Callable[[], MediaStorage] | None:
    if kind != "POSTGRESQL":
        return None

    def open_it() -> MediaStorage:
        own = settings.part(PostgresSettings)
        url = own.media_url or settings.core.store
        if not url.startswith(_SCHEMES):
            raise SettingError(
                "WAHA_MEDIA_STORAGE is POSTGRESQL, but WAHA_MEDIA_POSTGRESQL_URL is not set. Set it to "
                "postgresql://user:password@host/database, or WAHA_MEDIA_STORAGE=LOCAL."
            )
        from .media import PostgresMedia

        lifetime = settings.core.files_lifetime_seconds
        return PostgresMedia(url, pool=own.pool, wait_seconds=own.wait_seconds, lifetime_seconds=lifetime)

    return open_it
