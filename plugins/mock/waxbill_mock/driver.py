"""The driver: simulated accounts in the server's store. Rules are in ``account``, shapes in ``dialects``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from waxbill import Account, Driver, SessionHost, operations
from waxbill.clock import Clock
from waxbill.settings import Settings
from waxbill.store import Database, Store

from .account.identity import identity
from .account.messages import Message, Messages
from .account.schema import SCHEMA
from .dialects import dialect
from .operations.calls import CallOperations
from .operations.channels import ChannelOperations
from .operations.contacts import ContactOperations
from .operations.groups import GroupOperations
from .operations.incoming import Incoming
from .operations.labels import LabelOperations
from .settings import MockSettings
from .world import World

if TYPE_CHECKING:
    from .rules import Rules


class MockAccount(Incoming, CallOperations, ChannelOperations, ContactOperations, GroupOperations, LabelOperations):
    """One simulated account: every area's operations together."""

    def _join_peers(self) -> None:
        self._peers[self.me.own] = self

    def _sent(self, message: Message) -> None:
        super()._sent(message)
        if self.rules is not None and self.rules.replies:
            self.answer(message, self.rules.replies)
        if self.world.on_sent:
            self.world.sent()

    def held(self) -> AbstractContextManager[object]:
        """While this is held, nothing that the account does by the clock is done."""
        return self._lock

    def reload(self) -> bool:
        """Goes on with what is in the store now; False when the account must start anew, for its pairing differs."""
        from .rules import load

        with self._lock:
            self._cancel(self._timers.keys() - {"connect", "qr", "scan"})
            paired, db = self.me.paired, self.host.store.read()
            self.me = identity(db, self.host.name)
            self._presences.clear()
            self.set_rules(load(db, self.host.name))
            if self.me.paired != paired:
                return False
            if self.me.own in self._peers:
                self._working()
        return True

    def set_rules(self, rules: Rules) -> None:
        """Gives the account its rules, in place of those before."""
        from .faulty import apply
        from .rules import delays

        before, self.rules = self.rules, rules
        apply(self, rules.faults, OPERATIONS)
        acks = delays(rules.acks, self._settings)
        if acks != (self._device_seconds, self._read_seconds):
            self.change_acks(*acks)
        if rules.faults.banned and self.me.paired and not (before and before.faults.banned):
            self.ban()


#: The operations that the simulator has in some dialect.
OPERATIONS = operations(MockAccount)


def supported(engine: str) -> frozenset[str]:
    """The operations that the simulator has as this engine."""
    return OPERATIONS - dialect(engine).refuses


class MockDriver(Driver):
    """Simulated accounts, all in the server's store."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self.engine = settings.core.engine
        self._settings = settings.part(MockSettings)
        self._dialect = dialect(self.engine)
        self._store = store
        self._peers: dict[str, MockAccount] = {}
        self.world = World(clock)
        store.migrate("mock", SCHEMA)

    def account(self, host: SessionHost) -> Account:
        account = MockAccount(host, self._settings, self._dialect, self._peers, self.world)
        if self._has_rules(host.name):
            account.set_rules(self.rules(host.name))
        return account

    def _has_rules(self, session: str) -> bool:
        row = self._store.read().execute("SELECT 1 FROM mock_rules WHERE session = ?", (session,)).fetchone()
        return row is not None

    def rules(self, session: str, account: Account | None = None) -> Rules:
        """The rules of a session: those of its account where one runs, else as they are kept."""
        if isinstance(account, MockAccount) and account.rules is not None:
            return account.rules
        from .rules import load

        return load(self._store.read(), session)

    def change_rules(self, session: str, account: Account | None, change: Callable[[Rules], object]) -> Rules:
        """Changes the rules of a session, and gives them to its account where one runs. Never in the server's loop."""
        from .rules import save

        running = account if isinstance(account, MockAccount) else None
        with running.held() if running else nullcontext(), self._store.write() as db:
            rules = self.rules(session, account)
            change(rules)
            save(db, session, rules)
            if running:
                running.set_rules(rules)
        return rules

    def forget(self, session: str) -> None:
        with self._store.write() as db:
            db.execute("DELETE FROM mock_account WHERE session = ?", (session,))
            self.settle_cursors(db)

    def settle_cursors(self, db: Database) -> None:
        """After messages were removed: new ones may get their row ids, and no account may take those for old."""
        last = Messages.last_id(db)
        for cursor in ("device_upto", "read_upto"):
            db.execute(f"UPDATE mock_account SET {cursor} = ? WHERE {cursor} > ?", (last, last))  # noqa: S608
        for account in self._peers.values():
            account.me.device_upto = min(account.me.device_upto, last)
            account.me.read_upto = min(account.me.read_upto, last)

    def forget_rules(self, session: str) -> None:
        """For a session that is deleted."""
        with self._store.write() as db:
            db.execute("DELETE FROM mock_rules WHERE session = ?", (session,))
