"""Control: what goes wrong, who answers what, when messages are acknowledged, and a connection that is lost."""

from typing import Any

from waxbill.api.operation import Call
from waxbill.model.wire import Request

from ..driver import OPERATIONS
from ..faulty import check
from ..rules import Acks, Duration, Faults, Reply, Rules, check_reply, seconds, to_wire
from .calling import account_of, control_area, driver_of, recorded

area = control_area()

_MOST_REPLIES = 200


class Interruption(Request):
    seconds: Duration | None = 5.0


class ReplyRule(Reply):
    """A rule as it is listed."""

    id: int = 0


def _rules(call: Call) -> Rules:
    return driver_of(call).rules(call.session.name, call.session.account)


def _change(call: Call, change: Any) -> Rules:
    return driver_of(call).change_rules(call.session.name, call.session.account, change)


@area.get("/faults")
def get_faults(call: Call) -> Faults:
    """See what goes wrong in a session."""
    return _rules(call).faults


@area.put("/faults", scope="control", waits=True)
@recorded("faults")
def set_faults(call: Call, body: Faults) -> Faults:
    """Let things go wrong, in place of what went wrong before; an empty object ends all faults."""
    check(body, OPERATIONS)
    _change(call, lambda rules: setattr(rules, "faults", body))
    return body


@area.delete("/faults", scope="control", waits=True)
def end_faults(call: Call) -> None:
    """End all faults."""
    _change(call, lambda rules: setattr(rules, "faults", Faults()))


@area.get("/replies")
def list_replies(call: Call) -> list[ReplyRule]:
    """List the scripted replies, in the order in which they are tried."""
    return [ReplyRule(id=n, **to_wire_members(reply)) for n, reply in enumerate(_rules(call).replies)]


def to_wire_members(reply: Reply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in reply.__struct_fields__}


@area.post("/replies", scope="control", waits=True)
@recorded("reply")
def add_reply(call: Call, body: Reply) -> dict[str, int]:
    """Script a reply: the first rule that fits what the bot sends answers it."""
    check_reply(body)

    def add(rules: Rules) -> None:
        if len(rules.replies) >= _MOST_REPLIES:
            raise rules_full()
        rules.replies.append(body)

    return {"id": len(_change(call, add).replies) - 1}


def rules_full() -> Exception:
    from waxbill.model.errors import Unprocessable

    return Unprocessable(f"A session has at most {_MOST_REPLIES} scripted replies; remove some with DELETE.")


@area.delete("/replies", scope="control", waits=True)
def remove_replies(call: Call) -> None:
    """Remove all scripted replies."""
    _change(call, lambda rules: rules.replies.clear())


@area.get("/acks")
def get_acks(call: Call) -> dict[str, Any]:
    """See when sent messages are acknowledged; nothing for what the settings say."""
    return to_wire(_rules(call).acks)


@area.put("/acks", scope="control", waits=True)
@recorded("acks")
def set_acks(call: Call, body: Acks) -> dict[str, Any]:
    """Set when sent messages reach the phone and are read: after a time, or ``hand``."""
    for name in ("device", "read"):
        if getattr(body, name) not in (None, "hand"):
            seconds(getattr(body, name), name)
    _change(call, lambda rules: setattr(rules, "acks", body))
    return to_wire(body)


@area.post("/disconnect", scope="control", waits=True)
@recorded("disconnect")
def disconnect(call: Call, body: Interruption) -> None:
    """Lose the connection to WhatsApp for a while: the session is STARTING, then WORKING again."""
    account_of(call).disconnect(seconds(5.0 if body.seconds is None else body.seconds, "seconds"))
