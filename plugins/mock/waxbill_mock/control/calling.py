"""How a control operation gets at the simulated account."""

from waxbill.api.operation import Call

from ..driver import MockAccount


def account_of(call: Call) -> MockAccount:
    """The account that a control call names, in a status that the operation needs."""
    account = call.session.running(call.operation.needs, may_wait=not call.server.in_loop())
    assert isinstance(account, MockAccount)
    return account
