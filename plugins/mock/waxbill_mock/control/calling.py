"""What all control operations share: their place in the API, and how they get at the simulated account."""

from waxbill.api.operation import Area, Call

from ..driver import MockAccount


def control_area() -> Area:
    """An area of control operations."""
    return Area("🧪 Simulator", prefix="/api/waxbill/mock/{session}")


def account_of(call: Call) -> MockAccount:
    """The account that a control call names, in a status that the operation needs."""
    account = call.session.running(call.operation.needs, may_wait=not call.server.in_loop())
    assert isinstance(account, MockAccount)
    return account
