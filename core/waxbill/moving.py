"""``waxbill store copy A B``: everything that one store has, into another that is empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .store import Store, StoreError, open_store

if TYPE_CHECKING:
    import argparse

    from .plugins import Plugins
    from .settings import Settings

# Rows that are written together, and bytes of files in them.
_BATCH = 500
_BATCH_BYTES = 4 * 1024 * 1024


def add_store(commands: Any, settings: Settings, plugins: Callable[[], Plugins]) -> None:
    """The command ``store``."""
    parser = commands.add_parser("store", help="copy what is kept from one store to another")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser(
        "copy",
        help="copy everything from one store into another, which must be empty; no server may use them meanwhile",
        description="A store is sqlite:PATH or postgresql://user:password@host/database.",
    )
    action.add_argument("source", metavar="FROM")
    action.add_argument("target", metavar="TO")

    def run(parsed: argparse.Namespace) -> int:
        loaded = plugins()
        source = open_store(settings, loaded, parsed.source)
        try:
            target = open_store(settings, loaded, parsed.target)
            try:
                for table, rows in copy(source, target).items():
                    print(f"{rows:>10}  {table}")
            finally:
                target.close()
        finally:
            source.close()
        return 0

    action.set_defaults(run=run)


def copy(source: Store, target: Store) -> dict[str, int]:
    """Copies all parts, in one transaction of the target. Answers how many rows each table has.

    Raises StoreError when the target has something already, or a server uses one of them.
    """
    for store in (source, target):
        if others := store.users():
            raise StoreError(f"{others} other connections use the store {store.name}. Stop the servers first.")
    if target.parts():
        raise StoreError(f"The store {target.name} is not empty: it has {', '.join(sorted(target.parts()))}.")
    copied: dict[str, int] = {}
    with target.write() as db:
        for part, scripts in source.parts().items():
            target.migrate(part, scripts)
        for table in source.tables():
            db.execute(f"DELETE FROM {table}")  # noqa: S608  what a migration put in is in the source, too
        for table, columns in source.tables().items():
            copied[table] = 0
            places = ", ".join("?" * len(columns))
            for rows in _batches(source.dump(table, columns)):
                db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)  # noqa: S608
                copied[table] += len(rows)
        target.given_out(source.given_out())
    return copied


def _batches(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row if isinstance(value, bytes))
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
