"""Control: reset sessions, keep their state under a name and bring it back."""

import re

from waxbill.api.operation import Call
from waxbill.model.errors import ValidationFailed
from waxbill.model.wire import Answer, Request

from ..state import Kept, States
from .calling import control_area, driver_of, world_area

area = world_area()
of_session = control_area()

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Which(Request):
    """Sessions by name; all where none are named."""

    sessions: list[str] | None = None


class Done(Answer):
    sessions: list[str]


def _states(call: Call) -> States:
    return States(call.server, driver_of(call))


def _checked(call: Call, name: str, body: Which) -> list[str] | None:
    if not _NAME.fullmatch(name):
        raise ValidationFailed(f"name must be 1 to 64 letters, digits, - and _, not {name[:80]!r}")
    for session in body.sessions or ():
        call.server.sessions.get(session)
    return body.sessions


@area.post("/reset", scope="admin", waits=True)
def reset(call: Call, body: Which) -> Done:
    """Empty sessions, but keep their pairing; with all sessions, time is real and chance is chance again."""
    return Done(sessions=_states(call).reset(_checked(call, "reset", body)))


@of_session.post("/reset", scope="control", waits=True)
def reset_session(call: Call) -> Done:
    """Empty one session, but keep its pairing."""
    return Done(sessions=_states(call).reset([call.session.name]))


@area.get("/snapshots", scope="admin", waits=True)
def list_snapshots(call: Call) -> list[Kept]:
    """List the states that are kept."""
    return _states(call).all()


@area.put("/snapshots/{name}", scope="admin", waits=True)
def keep(call: Call, name: str, body: Which) -> Kept:
    """Keep the state of sessions (all by default) under a name."""
    names = _checked(call, name, body)
    return _states(call).keep(name, names or [session.name for session in call.server.sessions.all()])


@area.post("/snapshots/{name}/restore", scope="admin", waits=True)
def restore(call: Call, name: str, body: Which) -> Done:
    """Bring sessions (all by default) back to a state that was kept."""
    return Done(sessions=_states(call).restore(name, _checked(call, name, body)))


@area.delete("/snapshots/{name}", scope="admin", waits=True)
def delete(call: Call, name: str) -> None:
    """Forget a state that was kept."""
    _checked(call, name, Which())
    _states(call).delete(name)
