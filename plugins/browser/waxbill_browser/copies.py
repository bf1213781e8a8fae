"""Copies of profiles in the store: a session that another worker goes on with needs no QR code there.

A copy is made when a session's browser was closed, and good until the next is started, here or elsewhere: that one
moves the account's keys on. So each start of a browser is a run with a name, the profile's folder and the store both
have the last one, and the store takes a copy of that run only. Runs are numbered, for which of two is the newer.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from waxbill import SessionHost
from waxbill.media.storage import remove_tree

from . import packing, processes
from .link import Lost
from .seen import Seen
from .settings import BrowserSettings

if TYPE_CHECKING:
    from waxbill.settings import CoreSettings
    from waxbill.store import Store

log = logging.getLogger("waxbill.browser")

_MARK = "waxbill-run"
_THREADS = 2
#: How long a copy that is no longer wanted may take to notice; it waits for the store at most.
_LEAVE_SECONDS = 30.0
#: Pieces that are removed in one transaction.
_BATCH = 32


class Run(NamedTuple):
    """One start of a browser. The first of a pairing has the time as its number, in Unix ms; each adds one."""

    number: int
    name: str


class Row(NamedTuple):
    """What the store has of a session: who may write (``holder``), its last paired run, the copy of that if any."""

    holder: str
    run: Run
    pieces: int
    digest: str


class _Unkept(Exception):
    """A copy is not made; the text is the reason, empty where nobody needs one."""


def source(mark: Run | None, row: Row | None, *, paired: bool) -> str:
    """Where a start takes its profile from: ``folder``, ``store``, or ``nowhere``, when a newer one is out of reach.

    ``mark`` is the run that the folder was last used by, None without a paired one.
    """
    if row is None:  # one without a pairing that has a mark is left over from a session that was deleted elsewhere
        return "folder" if paired or mark is None else "nowhere"
    if mark is not None and (mark == row.run or mark.number > row.run.number):
        return "folder"
    if row.pieces:
        return "store"
    return "folder" if mark is None else "nowhere"


class Copies:
    """The copies of all sessions of this server."""

    def __init__(self, settings: BrowserSettings, core: CoreSettings, store: Store) -> None:
        self.most_bytes = settings.profile_mb * 1024 * 1024
        self._seconds = settings.profile_seconds
        self.store = store
        wanted = settings.keep_profiles
        self.on = wanted == "on" or (wanted == "auto" and store.shared and core.take_over)
        self._threads = ThreadPoolExecutor(_THREADS, "waxbill-profile")
        self._lock = threading.Lock()
        self._under_way: dict[str, tuple[threading.Event, Future[None]]] = {}
        self._closed = False
        #: Why those that are under way are given up.
        self.reason = ""

    def begin(self, session: str, work: Callable[[threading.Event], None]) -> None:
        """Makes a copy in another thread; it stops soon after its event is set."""
        with self._lock:
            if not self._closed:
                given_up = threading.Event()
                self._under_way[session] = (given_up, self._threads.submit(work, given_up))

    def leave(self, session: str) -> None:
        """Gives up a copy that is being made, and waits until nothing of the profile is read any more."""
        with self._lock:
            found = self._under_way.pop(session, None)
        if found is not None:
            found[0].set()
            if wait([found[1]], _LEAVE_SECONDS).not_done:
                raise Lost("its profile is still being copied to the store")

    def forget(self, session: str) -> None:
        """Removes everything of a session; it is logged out, or deleted."""
        self.leave(session)
        with self.store.write() as db:
            db.execute("DELETE FROM browser_profile WHERE session = ?", (session,))
        self.clear(session)

    def clear(self, session: str, run: str = "") -> None:
        """Removes the pieces of a run, and those of all whose session is another's by now: some at a time, since
        others write meanwhile."""
        select = "SELECT max(n) FROM browser_profile_piece WHERE session = ?"
        (last,) = self.store.read().execute(select, (session,)).fetchone()
        for first in range(0, 0 if last is None else last + 1, _BATCH):
            with self.store.write() as db:
                db.execute(
                    "DELETE FROM browser_profile_piece WHERE session = ? AND n >= ? AND n < ? AND"
                    " (run = ? OR run NOT IN (SELECT holder FROM browser_profile WHERE session = ?))",
                    (session, first, first + _BATCH, run, session),
                )

    def close(self) -> None:
        """Waits for the copies that are being made, a bounded time for all of them, and gives up the rest."""
        with self._lock:
            self._closed = True
            under_way = list(self._under_way.values())
        wait([done for _, done in under_way], self._seconds)
        self.reason = f"not all were done within {self._seconds:g} s (WAXBILL_BROWSER_PROFILE_SECONDS)"
        for given_up, _ in under_way:
            given_up.set()
        self._threads.shutdown(wait=True)


class Copy:
    """The copy of one session's profile, as one life of it needs it."""

    def __init__(self, host: SessionHost, copies: Copies) -> None:
        self._host, self._copies = host, copies
        self._store = copies.store
        self._session = host.name
        self._profile = host.folder.absolute() / "browser"
        self._scratch = self._profile.with_name("browser.new")
        self._seen = Seen(host.name)
        #: This run's name in the store, from its start until its copy is made.
        self._holder = ""
        self._marked = False

    def take(self, stopped: Callable[[], bool]) -> None:
        """Before a browser is started: brings the profile that is the newest, and makes it this run's alone.

        Raises Lost; OSError when the folder can't be written.
        """
        try:
            self._copies.leave(self._session)
            row = self._row()
            if not self._copies.on:
                if row is not None:  # it would be used for a newer one once copies are made again
                    self._copies.forget(self._session)
                    (self._profile / _MARK).unlink(missing_ok=True)
                return
            self._hold(row, self._bring(row, stopped))
            self._copies.clear(self._session)
        except self._store.errors as error:
            raise Lost(f"the store could not be asked for its profile ({error})") from error

    def _row(self) -> Row | None:
        row = (
            self._store.read()
            .execute(
                "SELECT holder, number, run, pieces, digest FROM browser_profile WHERE session = ?", (self._session,)
            )
            .fetchone()
        )
        return None if row is None else Row(row[0], Run(row[1], row[2]), row[3], row[4])

    def _bring(self, row: Row | None, stopped: Callable[[], bool]) -> Run | None:
        """The profile into its folder; answers the run that it is of, None where it is not paired."""
        remove_tree(self._scratch)  # of a start that was killed
        mark = _read_mark(self._profile)
        paired = self._seen.paired(self._store.read()) is not None
        found = source(mark, row, paired=paired)
        if found == "folder":
            if row is not None and row.run.name and mark is None and paired:
                self._say("another worker had its profile and ended without keeping it in the store")
            first = row is None and paired and self._profile.exists()
            return Run(_now(), "") if first else mark
        if processes.of_profile(self._profile):
            raise Lost(f"processes still use {self._profile}, which is to be replaced")
        if found == "store":
            assert row is not None
            try:
                self._restore(row, stopped)
            except packing.Damaged as error:
                self._say(f"the copy of its profile in the store is damaged ({error})")
            else:
                return row.run
        elif paired:
            self._say("another worker had a newer profile and ended without keeping it in the store")
        remove_tree(self._profile)
        return None

    def _say(self, what: str) -> None:
        log.warning("Session '%s': %s; it may have to be paired anew", self._session, what)

    def _restore(self, row: Row, stopped: Callable[[], bool]) -> None:
        began = time.monotonic()
        self._scratch.mkdir(mode=0o700)
        try:
            packing.unpack(self._pieces(row, stopped), self._scratch, self._copies.most_bytes)
            _write_mark(self._scratch, row.run)
            remove_tree(self._profile)
            self._scratch.rename(self._profile)
        finally:
            remove_tree(self._scratch)
        log.info("Session '%s': its profile comes from the store (%.1f s)", self._session, time.monotonic() - began)

    def _pieces(self, row: Row, stopped: Callable[[], bool]) -> Iterator[bytes]:
        """The pieces of a copy in their order; Damaged where they are not those that were kept."""
        import hashlib  # OpenSSL

        digest = hashlib.sha256()
        for n in range(row.pieces):
            if stopped() or self._host.lost:
                raise Lost("the session is stopped")
            found = (
                self._store.read()
                .execute(
                    "SELECT substr(data, 1, ?) FROM browser_profile_piece WHERE session = ? AND run = ? AND n = ?",
                    (packing.PIECE_BYTES + 1, self._session, row.run.name, n),
                )
                .fetchone()
            )
            if found is None or not isinstance(found[0], bytes) or not 0 < len(found[0]) <= packing.PIECE_BYTES:
                raise packing.Damaged(f"piece {n} of {row.pieces} is not there or too large")
            digest.update(found[0])
            yield found[0]
        if digest.hexdigest() != row.digest:
            raise packing.Damaged("its checksum is another one")

    def _hold(self, row: Row | None, mark: Run | None) -> None:
        """From now on nobody else may keep this session's profile, and what was kept is not good any more."""
        self._holder = os.urandom(8).hex()
        self._marked = mark is not None
        run = Run(mark.number + 1, self._holder) if mark else row.run if row else Run(0, "")
        if mark:  # first here: whatever happens next, a folder that was used does not look older than it is
            _write_mark(self._profile, run)
        with self._store.write() as db:
            if row is None:
                changed = db.execute(
                    "INSERT INTO browser_profile VALUES (?, ?, ?, ?, 0, '') ON CONFLICT DO NOTHING",
                    (self._session, self._holder, run.number, run.name),
                )
            else:
                changed = db.execute(
                    "UPDATE browser_profile SET holder = ?, number = ?, run = ?, pieces = 0, digest = ''"
                    " WHERE session = ? AND holder = ? AND pieces = ?",
                    (self._holder, run.number, run.name, self._session, row.holder, row.pieces),
                )
        if not changed.rowcount:
            raise Lost("another worker changed what the store keeps of its profile")

    def paired(self) -> None:
        """The account is paired: from now on its profile is worth being kept. Raises Lost."""
        if self._marked or not self._holder:
            return
        try:
            row = self._row()
            run = Run(max(_now(), row.run.number + 1 if row else 0), self._holder)
            with self._store.write() as db:
                changed = db.execute(
                    "UPDATE browser_profile SET number = ?, run = ? WHERE session = ? AND holder = ?",
                    (run.number, run.name, self._session, self._holder),
                )
            if not changed.rowcount:
                raise Lost("another worker has started the session")
            _write_mark(self._profile, run)
        except self._store.errors as error:
            raise Lost(f"the store could not note its profile ({error})") from error
        except OSError as error:
            raise Lost(f"its profile can't be written ({error})") from error
        self._marked = True

    def keep(self) -> None:
        """The browser is closed for now: has a copy made, beside this thread, if there is something to keep."""
        run, self._holder = self._holder, ""
        if self._marked and run and not self._host.lost:
            self._copies.begin(self._session, partial(self._keep, run))

    def _keep(self, run: str, given_up: threading.Event) -> None:
        began = time.monotonic()
        try:
            size = self._write(run, given_up)
        except (_Unkept, packing.TooLarge, OSError) as error:
            if str(error):
                self._say_unkept(error)
            try:
                self._copies.clear(self._session, run)
            except self._store.errors as away:
                log.warning("Session '%s': its next start removes what there is of a copy: %s", self._session, away)
        except self._store.errors as error:  # it may be good all the same
            self._say_unkept(error)
        except Exception:
            log.exception("Session '%s': its profile could not be kept", self._session)
        else:
            took = time.monotonic() - began
            log.info("Session '%s': its profile is kept in the store (%.0f KB, %.1f s)", self._session, size, took)

    def _say_unkept(self, error: Exception) -> None:
        log.warning(
            "Session '%s': its profile is not kept in the store, so another worker has to pair it anew: %s",
            self._session,
            error,
        )

    def _write(self, run: str, given_up: threading.Event) -> float:
        """Writes a copy piece by piece, and makes it good at the end; answers its KB. Another run's is left alone."""
        import hashlib  # OpenSSL

        if self._seen.paired(self._store.read()) is None:
            raise _Unkept
        if processes.of_profile(self._profile):
            raise _Unkept("processes still use it")
        digest, n, size = hashlib.sha256(), 0, 0
        for n, piece in enumerate(packing.pack(self._profile, self._copies.most_bytes), 1):
            if given_up.is_set() or self._host.lost:
                raise _Unkept(self._copies.reason)
            with self._store.write() as db:
                changed = db.execute(
                    "INSERT INTO browser_profile_piece SELECT ?, ?, ?, ?"
                    " WHERE EXISTS (SELECT 1 FROM browser_profile WHERE session = ? AND holder = ?)",
                    (self._session, run, n - 1, piece, self._session, run),
                )
            if not changed.rowcount:
                raise _Unkept("another worker has started the session")
            digest.update(piece)
            size += len(piece)
        with self._store.write() as db:
            changed = db.execute(
                "UPDATE browser_profile SET pieces = ?, digest = ? WHERE session = ? AND holder = ? AND run = ?",
                (n, digest.hexdigest(), self._session, run, run),
            )
        if not changed.rowcount:
            raise _Unkept("another worker has started the session")
        return size / 1024


def _now() -> int:
    return time.time_ns() // 1_000_000


def _read_mark(profile: Path) -> Run | None:
    """The run that a profile was last used by; None where no paired one was."""
    try:
        number, _, name = (profile / _MARK).read_text().partition(" ")
        return Run(int(number), name)
    except FileNotFoundError:
        return None
    except ValueError:  # it is older than any
        return Run(0, "")


def _write_mark(profile: Path, run: Run) -> None:
    new = profile / f"{_MARK}.new"
    with open(new, "w") as file:
        file.write(f"{run.number} {run.name}")
        file.flush()
        os.fsync(file.fileno())
    new.replace(profile / _MARK)
