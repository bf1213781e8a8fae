"""What stores that speak SQL have in common: transactions that share a commit, and migrations. For their authors."""

from __future__ import annotations

import abc
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from .store import Database, Store, StoreError


class Local(threading.local):
    """What one thread knows: how deep it is in ``write()``, whether a group or a transaction is open."""

    depth = 0
    grouping = False
    open = False

    def __init__(self) -> None:
        #: What waits for the commit.
        self.committed: list[Callable[[], object]] = []


class SqlStore(Store):
    """A store with a transaction for each thread; what begins one is the store's own ``write()``."""

    local: Local

    @abc.abstractmethod
    def end(self, *, commit: bool) -> None:
        """Ends the thread's transaction; what waited for the commit runs afterwards, outside it."""

    @contextlib.contextmanager
    def group(self) -> Iterator[None]:
        local = self.local
        assert not local.grouping
        assert not local.open
        local.grouping = True
        try:
            yield
        except BaseException:
            local.grouping = False
            if local.open:
                self.end(commit=False)
            raise
        local.grouping = False
        if local.open:
            self.end(commit=True)

    def after_commit(self, then: Callable[[], object]) -> None:
        if self.local.depth:
            self.local.committed.append(then)
        else:
            then()

    def migrating(self) -> AbstractContextManager[Database]:
        """A transaction in which tables are made."""
        return self.write()

    def definition(self, statement: str) -> str:
        """A statement that makes or changes tables, as this store takes it."""
        return statement

    def migrate(self, part: str, scripts: list[str]) -> None:
        with self.migrating() as db:
            row = db.execute("SELECT version FROM part WHERE name = ?", (part,)).fetchone()
            version = row[0] if row else 0
            if version > len(scripts):
                raise StoreError(
                    f"The store {self.name} was written by a newer waxbill (its part '{part}' has version {version}, "
                    f"this one knows {len(scripts)}). Upgrade, or use another store."
                )
            for script in scripts[version:]:
                for statement in script.split(";"):
                    if statement.strip():
                        db.execute(self.definition(statement))
            db.execute(
                "INSERT INTO part VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version",
                (part, len(scripts)),
            )
            db.executemany(
                "INSERT OR IGNORE INTO part_script VALUES (?, ?, ?)",
                [(part, n, script) for n, script in enumerate(scripts)],
            )

    def parts(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for part, script in self.read().execute("SELECT part, script FROM part_script ORDER BY part, n"):
            found.setdefault(part, []).append(script)
        return found
