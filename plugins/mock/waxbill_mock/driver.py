"""The driver: simulated accounts in the server's store. Rules are in ``account``, shapes in ``dialects``."""

from __future__ import annotations

from waxbill import Account, Driver, SessionHost, operations
from waxbill.clock import Clock
from waxbill.settings import Settings
from waxbill.store import Store

from .account.schema import SCHEMA
from .dialects import dialect
from .operations.calls import CallOperations
from .operations.channels import ChannelOperations
from .operations.contacts import ContactOperations
from .operations.groups import GroupOperations
from .operations.incoming import Incoming
from .operations.labels import LabelOperations
from .settings import MockSettings


class MockAccount(Incoming, CallOperations, ChannelOperations, ContactOperations, GroupOperations, LabelOperations):
    """One simulated account: every area's operations together."""

    def _join_peers(self) -> None:
        self._peers[self.me.own] = self


def supported(engine: str) -> frozenset[str]:
    """The operations that the simulator has as this engine."""
    return operations(MockAccount) - dialect(engine).refuses


class MockDriver(Driver):
    """Simulated accounts, all in the server's store."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self.engine = settings.core.engine
        self._settings = settings.part(MockSettings)
        self._dialect = dialect(self.engine)
        self._store = store
        self._peers: dict[str, MockAccount] = {}
        store.migrate("mock", SCHEMA)

    def account(self, host: SessionHost) -> Account:
        return MockAccount(host, self._settings, self._dialect, self._peers)

    def forget(self, session: str) -> None:
        with self._store.write() as db:
            db.execute("DELETE FROM mock_account WHERE session = ?", (session,))
