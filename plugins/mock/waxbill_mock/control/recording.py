"""Control: what happened in a session, as a scenario."""

from typing import Any

from waxbill.api.operation import Call

from ..recording import recorded_scenario
from .calling import account_of, control_area

area = control_area()


@area.get("/recording", waits=True)
def get_recording(call: Call) -> dict[str, Any]:
    """See what happened in a session as the steps of a scenario: what others did, and what is expected of the bot."""
    return recorded_scenario(account_of(call))
