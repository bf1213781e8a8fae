"""The contract of a store: everything that must outlive the process is behind it.

The core brings SQLite (``sqlite.py``); a plugin brings another by the hook ``waxbill_store``. All take the same SQL:
what SQLite and PostgreSQL have in common, with ``?`` or ``:name`` for values, and these of SQLite's: ``INTEGER PRIMARY
KEY [AUTOINCREMENT]`` as the first column of a table, for keys that are given out (read ``lastrowid``); ``WITHOUT
ROWID``; ``INSERT OR IGNORE``; ``NOT INDEXED``; ``IN ()``; ``IN (SELECT value FROM json_each(?))`` for a list of texts.
Truth is 0 or 1, and written ``retired = 1``; text is compared byte by byte.

``executemany`` answers nothing, so a store may send it with what comes next: what is wrong with it may be raised by
that, or by the commit, and undoes the transaction then, in a group all of it.

Threads: a store may be used by every thread; writers of a process take turns. Nothing slow (network, media, sleeping)
may happen inside ``write()``.

Grouping: the server's loop answers all requests that arrived together inside one ``group()``, so that they share
one commit; inside it each ``write()`` is a savepoint that fails alone. Answers leave after the commit.
"""

from __future__ import annotations

import abc
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .plugins import Plugins
    from .settings import CoreSettings, Settings

#: For ``LIMIT`` where there is none.
NO_LIMIT = 2**63 - 1


class StoreError(Exception):
    """The store can't be used; the text says why and what to do."""


class Unstorable(ValueError):
    """A value that this store can't keep; the text says which kind."""


class Rows(Protocol):
    """What a statement found; iterated or fetched as tuples."""

    @property
    def rowcount(self) -> int: ...
    @property
    def lastrowid(self) -> int | None: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Database(Protocol):
    """What ``read()`` and ``write()`` give; sqlite3's connections are such."""

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ..., /) -> Rows: ...
    def executemany(self, sql: str, parameters: Iterable[Any], /) -> object: ...


class Store(abc.ABC):
    """A store that is open. Raises StoreError when it is made and can't be used, one of ``errors`` later on."""

    #: What reading and writing may raise when the store fails: nothing was kept, and trying again may help.
    errors: tuple[type[Exception], ...]
    #: What the operator has to know about it, in words.
    warning = ""
    #: What it is called in messages; never with a password.
    name: str
    #: Whether other processes may write to it at the same time.
    shared = False

    @abc.abstractmethod
    def read(self) -> Database:
        """For reading; it sees what this thread wrote and what others committed."""

    @abc.abstractmethod
    def write(self) -> AbstractContextManager[Database]:
        """A transaction: committed at the end of the block, undone when the block raises.

        A ``write()`` inside another joins it. Never read from outside or wait for anything inside the block.

        >>> with store.write() as db:
        ...     db.execute("INSERT INTO note VALUES (?)", ("kept",))
        """

    @abc.abstractmethod
    def group(self) -> AbstractContextManager[None]:
        """All ``write()`` blocks inside share one commit at the end; each of them still fails alone.

        Raises one of ``errors`` when the commit fails; then nothing of the group was kept.
        """

    @abc.abstractmethod
    def after_commit(self, then: Callable[[], object]) -> None:
        """Runs ``then`` in this thread once the open transaction is kept; at once when none is open."""

    @abc.abstractmethod
    def migrate(self, part: str, scripts: list[str]) -> None:
        """Brings the tables of ``part`` up to ``len(scripts)``: each script runs once, in order, forward only.

        Scripts are statements separated by ``;``, which none of their texts may have.
        """

    @abc.abstractmethod
    def settled(self, table: str) -> int:
        """The last key that a table has given out, and below which no row appears any more: whoever reads up to it
        in order of keys misses nothing. 0 when there was none. For tables with AUTOINCREMENT."""

    @abc.abstractmethod
    def health(self) -> dict[str, Any]:
        """Its part of /health: ``status`` is ``up`` or ``down``."""

    def shrink(self) -> int:
        """Lets go of what it keeps in memory and can read again; answers how many connections there are."""
        return 0

    @abc.abstractmethod
    def close(self) -> None:
        """Closes every connection; call it when no other thread uses the store any more."""

    # -- for stores that processes share; one that belongs to its process has nothing to do here

    def claim(self, kind: str, key: int) -> bool:
        """Takes something for this process alone, until ``release()`` or the end of the process; never waits.

        False when another process has it. Taking it twice is once.
        """
        return True

    def held(self, kind: str) -> set[int]:
        """What of a kind this process has claimed and still has; raises one of ``errors`` when that can't be known."""
        return set()

    def release(self, kind: str, key: int) -> None:  # noqa: B027
        """Lets go of what was claimed."""

    def announce(self) -> None:  # noqa: B027
        """Tells the other processes, soon, that there is something new. Cheap; may be called for every event."""

    def listen(self, heard: Callable[[], object]) -> None:  # noqa: B027
        """Calls ``heard``, in a thread of the store's, when another process announced something, and every now and
        then in case an announcement was lost."""

    def users(self) -> int:
        """How many connections of other waxbill processes there are."""
        return 0

    # -- for copies from store to store

    @abc.abstractmethod
    def parts(self) -> dict[str, list[str]]:
        """The parts that were migrated and the scripts that made them."""

    @abc.abstractmethod
    def tables(self) -> dict[str, list[str]]:
        """The tables of all parts with their columns, each after those that it refers to."""

    @abc.abstractmethod
    def dump(self, table: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        """All rows of a table."""

    @abc.abstractmethod
    def given_out(self, keys: dict[str, int] | None = None) -> dict[str, int]:
        """The last key that each table with AUTOINCREMENT gave out; sets them when they are given."""


def folder_for(core: CoreSettings) -> tuple[Path, str]:
    """Where the store goes, and a warning where that is not the folder that was set (WAXBILL_STORE_FALLBACK).

    Raises StoreError when the folder can't be written and nothing else may be used.
    """
    folder = core.store_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder, ""
        why = "Permission denied"
    except OSError as error:
        why = error.strerror or str(error)
    if not core.store_fallback:
        return folder, ""  # the store says itself what is wrong
    import tempfile

    # The same at each start, so that a restart finds what was kept; nobody else may have made it.
    other = Path(tempfile.gettempdir()) / f"waxbill-{os.getuid()}"
    try:
        other.mkdir(exist_ok=True, mode=0o700)
        found = other.lstat()
    except OSError as error:
        raise StoreError(f"Neither {folder} ({why}) nor {other} ({error.strerror}) can be written.") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StoreError(f"{folder} can't be written ({why}), and {other} is not a private folder of this user.")
    return other, (
        f"The folder {folder} can't be written ({why}), so everything is kept in {other}, which may not outlive this "
        "machine. Set WAHA_LOCAL_STORE_BASE_DIR to a folder that this user can write."
    )


def open_store(settings: Settings, plugins: Plugins, url: str | None = None) -> Store:
    """The store of the settings, or of a URL: ``postgresql://...``, ``sqlite:PATH``; empty for the one in the store's
    folder. Raises StoreError."""
    core = settings.core
    url = str(core.store) if url is None else url
    scheme = url.partition(":")[0]
    if not url or scheme == "sqlite":
        from .sqlite import SqliteStore

        path = Path(url.partition(":")[2]) if url else core.store_dir / "waxbill.sqlite3"
        return SqliteStore(path, full_sync=core.store_sync == "full")
    opener: Callable[[], Store] | None = plugins.first("waxbill_store", url=url, settings=settings)
    if opener is None:
        raise StoreError(
            f"No installed plugin keeps a store at '{scheme}:' (WAXBILL_STORE). "
            "For postgresql: URLs, install waxbill[postgres]."
        )
    core.store_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # the sessions' files are there
    return opener()
