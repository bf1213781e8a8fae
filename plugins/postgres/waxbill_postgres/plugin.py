"""What this plugin gives to waxbill: the store of ``postgresql:`` URLs. Nothing is imported until one is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from waxbill import hookimpl
from waxbill.settings import Setting, Settings
from waxbill.store import Store


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


@hookimpl
def waxbill_settings() -> type[msgspec.Struct]:
    return PostgresSettings


@hookimpl
def waxbill_store(url: str, settings: Settings) -> Callable[[], Store] | None:
    if not url.startswith(("postgresql:", "postgres:")):
        return None

    def open_it() -> Store:
        from .store import PostgresStore  # 8 MB: only where the store is a PostgreSQL

        own = settings.part(PostgresSettings)
        return PostgresStore(url, pool=own.pool, wait_seconds=own.wait_seconds)

    return open_it
