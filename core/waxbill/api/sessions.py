"""Sessions: list, create, change, start, stop, log out, delete."""

from typing import Literal

from ..model.sessions import (
    MeInfo,
    MessageCappingData,
    ReachoutTimelockData,
    SessionConfig,
    SessionCreateRequest,
    SessionDTO,
    SessionInfo,
    SessionLogoutDeprecatedRequest,
    SessionStartDeprecatedRequest,
    SessionStopDeprecatedRequest,
    SessionUpdateRequest,
)
from ..model.wire import Request
from .operation import Area, Call, NeedsThread

area = Area("🖥️ Sessions", prefix="/api/sessions")


class SessionQuery(Request):
    expand: list[Literal["apps"]] | None = None


class SessionsQuery(SessionQuery):
    all: bool | None = False


@area.get("", scope="any")
def list_sessions(call: Call, query: SessionsQuery) -> list[SessionInfo]:
    """List the running sessions, or all of them."""
    apps = "apps" in (query.expand or ())
    sessions = [s for s in call.server.sessions.all() if query.all or s.status != "STOPPED"]
    ours = [s.info(apps=apps) for s in sessions if call.key is None or s.name == call.key.session]
    if call.server.workers is None:
        return ours
    if call.server.in_loop():
        raise NeedsThread
    return [*ours, *call.server.workers.gather(call.request)]


@area.post("", scope="admin", waits=True, strict=True)
def create_session(call: Call, body: SessionCreateRequest) -> SessionDTO | None:
    """Create a session and start it, unless told not to."""
    if call.server.workers is not None and (address := call.server.workers.place(call.request, body.name)):
        call.server.workers.forward(address, call.request, call.response)
        return None
    apps = call.server.apps.checked(body.name or "", body.apps or [])
    session = call.server.sessions.create(body.name, body.config or SessionConfig())
    call.server.apps.replace(session, apps)
    if body.start:
        call.server.sessions.start(session.name)
    return session.dto()


@area.get("/{session}")
def get_session(call: Call, query: SessionQuery) -> SessionInfo:
    """Get a session."""
    return call.session.info(engine=True, apps="apps" in (query.expand or ()))


@area.put("/{session}", scope="setting", waits=True)
def update_session(call: Call, body: SessionUpdateRequest) -> SessionDTO:
    """Replace a session's configuration; a running session is started again."""
    session = call.session
    apps = None if body.apps is None else call.server.apps.checked(session.name, body.apps)
    call.server.sessions.update(session.name, body.config or SessionConfig())
    if apps is not None:
        call.server.apps.replace(session, apps)
    return session.dto()


@area.delete("/{session}", scope="delete", waits=True)
def delete_session(call: Call) -> None:
    """Stop and log out a session, and delete everything of it."""
    call.server.sessions.delete(call.session_name)


@area.get("/{session}/me")
def get_me(call: Call) -> MeInfo | None:
    """Get who is logged in; an empty answer when nobody is."""
    return call.session.me


@area.get("/{session}/capping", capability="get_capping")
def get_capping(call: Call) -> MessageCappingData:
    """Get how many new chats the account may still begin."""
    return call.account.get_capping()


@area.get("/{session}/timelock", capability="get_timelock")
def get_timelock(call: Call) -> ReachoutTimelockData:
    """Get whether WhatsApp keeps the account from writing to strangers."""
    return call.account.get_timelock()


@area.post("/{session}/start", scope="control", waits=True)
def start_session(call: Call) -> SessionDTO:
    """Start a session; one that runs is left alone."""
    return call.server.sessions.start(call.session_name).dto()


@area.post("/{session}/stop", scope="control", waits=True)
def stop_session(call: Call) -> SessionDTO:
    """Stop a session; its pairing stays."""
    return call.server.sessions.stop(call.session_name).dto()


@area.post("/{session}/logout", scope="control", waits=True)
def logout_session(call: Call) -> SessionDTO:
    """Log a session out; if it was running it starts again, to be paired anew."""
    return call.server.sessions.logout(call.session_name).dto()


@area.post("/{session}/restart", scope="control", waits=True)
def restart_session(call: Call) -> SessionDTO:
    """Stop a session and start it again."""
    return call.server.sessions.restart(call.session_name).dto()


@area.post("/start", scope="control", waits=True, deprecated=True, session_member="name")
def start_named(call: Call, body: SessionStartDeprecatedRequest) -> SessionDTO:
    """Create or change a session and start it."""
    sessions = call.server.sessions
    config = body.config or SessionConfig()
    if body.name in {session.name for session in sessions.all()}:
        if body.config is not None:
            sessions.update(body.name, config)
    else:
        sessions.create(body.name, config)
    return sessions.start(body.name).dto()


@area.post("/stop", scope="control", waits=True, deprecated=True, session_member="name")
def stop_named(call: Call, body: SessionStopDeprecatedRequest) -> None:
    """Stop a session; with logout also delete it."""
    if body.logout:
        call.server.sessions.delete(body.name)
    else:
        call.server.sessions.stop(body.name)


@area.post("/logout", scope="control", waits=True, deprecated=True, session_member="name")
def logout_named(call: Call, body: SessionLogoutDeprecatedRequest) -> None:
    """Stop, log out and delete a session."""
    call.server.sessions.delete(body.name)
