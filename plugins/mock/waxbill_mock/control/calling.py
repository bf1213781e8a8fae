"""What all control operations share: their place in the API, and how they get at the simulator."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec

from waxbill.api.operation import Area, Call

from ..driver import MockAccount, MockDriver

TAG = "🧪 Simulator"


def control_area() -> Area:
    """An area of control operations on one session."""
    return Area(TAG, prefix="/api/waxbill/mock/{session}")


def world_area() -> Area:
    """An area of control operations on the whole simulator."""
    return Area(TAG, prefix="/api/waxbill/mock")


def driver_of(call: Call) -> MockDriver:
    driver = call.server.driver
    assert isinstance(driver, MockDriver)  # the routes are there only then
    return driver


def account_of(call: Call) -> MockAccount:
    """The account that a control call names, in a status that the operation needs."""
    account = call.session.running(call.operation.needs, may_wait=not call.server.in_loop())
    assert isinstance(account, MockAccount)
    return account


Handler = Callable[..., Any]


def recorded(
    name: str, made: Callable[[MockAccount, Any, dict[str, Any]], object] | None = None
) -> Callable[[Handler], Handler]:
    """Notes what a control operation did as a step of that name, for ``waxbill record``.

    ``made`` may change the noted values by what the operation answered: ids that it chose, files that it kept.
    """

    def wrap(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def run(call: Call, **given: Any) -> Any:
            answer = handler(call, **given)
            account = call.session.account
            if isinstance(account, MockAccount):
                body = given.pop("body", None)
                values = {**given, **({} if body is None else set_members(body))}
                if made is not None:
                    made(account, answer, values)
                if "id" in values:
                    values["id"] = values.pop("id")  # at the end, whoever chose it
                account.note(name, values)
            return answer

        run.step = name  # type: ignore[attr-defined]
        return run

    return wrap


def set_members(body: Any) -> dict[str, Any]:
    """The members of a request that a client set to something, as it named them."""
    found: dict[str, Any] = _without_nothing(msgspec.to_builtins(body))
    return found


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nothing(each) for name, each in value.items() if each is not None}
    return value
