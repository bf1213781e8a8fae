"""Apps: what runs beside a session."""

from ..model.apps import AppsQuery
from ..model.sessions import App
from .operation import Area, Call

area = Area("🧩 Apps", prefix="/api/apps")


@area.get("", scope="app")
def list_apps(call: Call, query: AppsQuery) -> list[App]:
    """List the apps of a session."""
    return call.server.apps.of(call.session)


@area.post("", scope="app")
def create_app(call: Call, body: App) -> App:
    """Add an app to a session."""
    return call.server.apps.create(body)


@area.get("/{id}", scope="app", late_session=True)
def get_app(call: Call, id: str) -> App:
    """Get an app."""
    return _own(call, id)


@area.put("/{id}", scope="app", late_session=True, session_in="")
def update_app(call: Call, id: str, body: App) -> App:
    """Replace an app's configuration."""
    _own(call, id)
    return call.server.apps.update(id, body)


@area.delete("/{id}", scope="app", late_session=True)
def delete_app(call: Call, id: str) -> None:
    """Take an app away from its session."""
    _own(call, id)
    call.server.apps.delete(id)


@area.post("/{id}/purge", scope="app", late_session=True)
def purge_app(call: Call, id: str) -> None:
    """Forget what an app has stored; its configuration stays."""
    _own(call, id)
    call.server.apps.purge(id)


def _own(call: Call, app_id: str) -> App:
    """The app, if the caller's key is for its session."""
    session, app = call.server.apps.get(app_id)
    call.permit(session.name)
    return app
