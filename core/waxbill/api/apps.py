"""Apps: what runs beside a session."""

from ..model.apps import AppsQuery
from ..model.errors import NotFound
from ..model.sessions import App
from .operation import Area, Call

area = Area("🧩 Apps", prefix="/api/apps")


@area.get("", scope="app")
def list_apps(call: Call, query: AppsQuery) -> list[App]:
    """List the apps of a session."""
    return call.server.apps.of(call.session)


@area.post("", scope="app", waits=True)
def create_app(call: Call, body: App) -> App:
    """Add an app to a session."""
    return call.server.apps.create(body)


@area.get("/{id}", scope="app", late_session=True)
def get_app(call: Call, id: str) -> App:
    """Get an app."""
    return _own(call, id)


@area.put("/{id}", scope="app", late_session=True, session_in="", waits=True)
def update_app(call: Call, id: str, body: App) -> App:
    """Replace an app's configuration."""
    _own(call, id)
    return call.server.apps.update(id, body)


@area.delete("/{id}", scope="app", late_session=True, waits=True)
def delete_app(call: Call, id: str) -> None:
    """Take an app away from its session."""
    _own(call, id)
    call.server.apps.delete(id)


@area.post("/{id}/purge", scope="app", late_session=True, waits=True)
def purge_app(call: Call, id: str) -> None:
    """Forget what an app has stored; its configuration stays."""
    _own(call, id)
    call.server.apps.purge(id)


@area.post("/{app}/{session}/purge", scope="app", waits=True)
def purge_app_of_session(call: Call, app: str) -> None:
    """Forget what a session's app of a kind has stored; its configuration stays."""
    found = next((each for each in call.session.apps if each.app == app), None)
    if found is None:
        raise NotFound(f"Session '{call.session_name}' has no {app[:40]} app.")
    call.server.apps.purge(found.id)


def _own(call: Call, app_id: str) -> App:
    """The app, if the caller's key is for its session."""
    session, app = call.server.apps.get(app_id)
    call.permit(session.name)
    return app
