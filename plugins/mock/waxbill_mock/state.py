"""The state of simulated accounts as a whole: reset, kept under a name, and brought back.

A kept state is a folder with a SQLite file (the rows of its sessions) and links to the files that their messages
carry. Everything here waits for the disk and runs in threads.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from waxbill.media.storage import remove_tree
from waxbill.model.errors import NotFound, Unprocessable
from waxbill.sqlite import SqliteStore
from waxbill.store import Database

from .driver import MockAccount, MockDriver

if TYPE_CHECKING:
    from waxbill.app import Server

#: How many states are kept, and how many messages one may have.
MOST_KEPT = 50
MOST_MESSAGES = 1_000_000

# Every table with rows of an account, in an order in which they can be filled, with its columns of messages' row ids.
_TABLES: dict[str, tuple[str, ...]] = {
    "mock_chat": ("last",),
    "mock_message": ("id",),
    "mock_reaction": ("message",),
    "mock_vote": ("message",),
    "mock_contact": (),
    "mock_group": (),
    "mock_member": (),
    "mock_join_request": (),
    "mock_channel": (),
    "mock_label": (),
    "mock_label_chat": (),
    "mock_call": (),
    "mock_step": ("upto",),
}
_OF_ACCOUNT = ("push_name", "about", "picture", "paired", "listening")


class Kept(msgspec.Struct):
    """A kept state: when it was made (Unix ms), of which sessions, how many messages they had, and the simulated time
    (Unix ms, None where it was real) and seed at that moment."""

    name: str
    createdMs: int
    sessions: list[str]
    messages: int
    clockMs: int | None
    frozen: bool
    seed: int | None


class States:
    """The kept states of a server, below its store's folder."""

    def __init__(self, server: Server, driver: MockDriver) -> None:
        self._server = server
        self._driver = driver
        self._folder = server.settings.core.store_dir / "snapshots"

    def all(self) -> list[Kept]:
        files = sorted(self._folder.glob("*/about.json"))
        return [msgspec.json.decode(file.read_bytes(), type=Kept) for file in files]

    def get(self, name: str) -> Kept:
        try:
            return msgspec.json.decode((self._folder / name / "about.json").read_bytes(), type=Kept)
        except FileNotFoundError:
            raise NotFound(f"No snapshot '{name}' is kept.") from None

    def delete(self, name: str) -> None:
        self.get(name)
        remove_tree(self._folder / name)

    # -- keep

    def keep(self, name: str, sessions: list[str]) -> Kept:
        """Keeps the state of sessions under a name, in place of what was kept under it before."""
        self._path()
        others = {kept.name for kept in self.all()} - {name}
        if len(others) >= MOST_KEPT:
            raise Unprocessable(f"{MOST_KEPT} snapshots are kept; delete one first.")
        half = self._folder / f".{name}"
        remove_tree(half)
        half.mkdir(parents=True, mode=0o700)
        try:
            messages = self._copy_rows(half / "state.sqlite3", sessions)
            for session in sessions:
                _link_all(self._media(session), half / "media" / session)
            world = self._driver.world
            kept = Kept(
                name=name,
                createdMs=world.now_ms(),
                sessions=sessions,
                messages=messages,
                clockMs=None if world.real else world.now_ms(),
                frozen=world.frozen,
                seed=world.seed,
            )
            (half / "about.json").write_bytes(msgspec.json.encode(kept))
            remove_tree(self._folder / name)
            half.rename(self._folder / name)
        finally:
            remove_tree(half)
        return kept

    def _path(self) -> Path:
        """The file that rows are copied from and to; raises Unprocessable where the store is another one."""
        store = self._server.store
        if not isinstance(store, SqliteStore):
            raise Unprocessable("Snapshots are SQLite files and need a server whose store is one: unset WAXBILL_STORE.")
        return store.path

    def _copy_rows(self, path: Path, sessions: list[str]) -> int:
        """Writes the rows of the sessions to a file of their own; answers how many messages they have."""
        marks = ", ".join("?" * len(sessions))
        accounts = f"SELECT id FROM live.mock_account WHERE session IN ({marks})"  # noqa: S608
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("ATTACH ? AS live", (str(self._path()),))
            db.execute("BEGIN")
            for table in ("mock_account", "mock_rules"):
                rows = f"SELECT * FROM live.{table} WHERE session IN ({marks})"  # noqa: S608
                db.execute(f"CREATE TABLE {table} AS {rows}", sessions)
            query = f"SELECT count(*) FROM live.mock_message WHERE account IN ({accounts})"  # noqa: S608
            (messages,) = db.execute(query, sessions).fetchone()
            if messages > MOST_MESSAGES:
                raise Unprocessable(f"A snapshot has at most {MOST_MESSAGES} messages, not {messages}.")
            for table in _TABLES:
                rows = f"SELECT * FROM live.{table} WHERE account IN ({accounts})"  # noqa: S608
                db.execute(f"CREATE TABLE {table} AS {rows}", sessions)
            db.execute("COMMIT")
        return int(messages)

    # -- bring back

    def restore(self, name: str, sessions: list[str] | None) -> list[str]:
        """Brings sessions back to a kept state (all of it, with its time and seed, where none are named); answers those
        that are back. Sessions that are there no more are left out."""
        self._path()
        kept = self.get(name)
        back = [each for each in kept.sessions if self._is_there(each) and (sessions is None or each in sessions)]
        db = self._server.store.read()
        db.execute("ATTACH ? AS kept", (str(self._folder / name / "state.sqlite3"),))
        try:
            for session in back:
                self._replace(session, _bring_back)
                media = self._folder / name / "media" / session
                _link_all(media, self._media(session))
        finally:
            db.execute("DETACH kept")
        if sessions is None:
            world = self._driver.world
            world.set_seed(kept.seed)
            if kept.clockMs is not None:
                world.freeze(kept.clockMs)
                if not kept.frozen:
                    world.resume()
        return back

    def reset(self, sessions: list[str] | None) -> list[str]:
        """Empties sessions: chats, people, groups, rules and all else but the pairing. Where none are named, it is all
        sessions, and time and chance are real again."""
        found = [session.name for session in self._server.sessions.all()] if sessions is None else sessions
        for session in found:
            self._replace(session, _empty)
            remove_tree(self._media(session))
            self._server.files.forget(session)
        if sessions is None:
            self._driver.world.set_seed(None)
            self._driver.world.real_time()
        return found

    def _replace(self, name: str, replace: Any) -> None:
        """Replaces the rows of a session; its account goes on with them, or starts anew when its pairing differs."""
        session = self._server.sessions.get(name)
        with session.changing:
            account = session.account
            again = False
            held = account.held() if isinstance(account, MockAccount) else nullcontext()
            with held, self._server.store.write() as db:
                row = db.execute("SELECT id FROM mock_account WHERE session = ?", (name,)).fetchone()
                if row is None:
                    return
                for table in reversed(_TABLES):
                    db.execute(f"DELETE FROM {table} WHERE account = ?", row)  # noqa: S608
                db.execute("DELETE FROM mock_rules WHERE session = ?", (name,))
                replace(db, row[0], name)
                if isinstance(account, MockAccount):
                    again = not account.reload()
                self._driver.settle_cursors(db)
            if again:
                self._server.sessions.restart(name)

    def _is_there(self, session: str) -> bool:
        return any(each.name == session for each in self._server.sessions.all())

    def _media(self, session: str) -> Path:
        return self._server.sessions.folder_of(session) / "media"


def _empty(db: Database, account: int, session: str) -> None:
    db.execute("UPDATE mock_account SET about = '', picture = NULL WHERE id = ?", (account,))


def _bring_back(db: Database, account: int, session: str) -> None:
    """Copies the rows of a session from the attached state. Its messages get row ids beyond all others."""
    row = db.execute("SELECT id FROM kept.mock_account WHERE session = ?", (session,)).fetchone()
    if row is None:
        return
    (of,) = row
    query = "SELECT coalesce(min(id), 1) FROM kept.mock_message WHERE account = ?"
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM main.mock_message").fetchone()
    (first,) = db.execute(query, (of,)).fetchone()
    shift = max(0, last + 1 - first)
    for table, shifted in _TABLES.items():
        columns = [found[1] for found in db.execute(f"PRAGMA main.table_info({table})")]
        values = [
            "?" if column == "account"
            # 0 is no message: a chat without one.
            else f"CASE {column} WHEN 0 THEN 0 ELSE {column} + {shift} END" if column in shifted
            else column
            for column in columns
        ]  # fmt: skip
        db.execute(
            f"INSERT INTO main.{table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM kept.{table}"  # noqa: S608
            " WHERE account = ?",
            (account, of),
        )
    assigned = ", ".join(f"{column} = kept.{column}" for column in _OF_ACCOUNT)
    db.execute(
        f"UPDATE main.mock_account SET {assigned}, device_upto = kept.device_upto + ?1,"  # noqa: S608
        " read_upto = kept.read_upto + ?1 FROM kept.mock_account AS kept"
        " WHERE kept.id = ?2 AND main.mock_account.id = ?3",
        (shift, of, account),
    )
    db.execute("INSERT INTO main.mock_rules SELECT * FROM kept.mock_rules WHERE session = ?", (session,))


def _link_all(source: Path, target: Path) -> None:
    """Every file of a folder also in another; no copy where both are on one file system."""
    if not source.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in source.iterdir():
        if not (target / file.name).exists():
            try:
                os.link(file, target / file.name)
            except OSError:
                shutil.copyfile(file, target / file.name)
