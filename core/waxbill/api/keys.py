"""API keys: for the whole server, or for one session with what may be done there."""

from ..model.keys import ApiKeyDTO, ApiKeyRequest, ScopedApiKeyRequest, SessionActionsDTO
from .operation import Area, Call

area = Area("🔑 Api Keys", prefix="/api/keys")


@area.post("", scope="admin", waits=True)
def create_key(call: Call, body: ApiKeyRequest) -> ApiKeyDTO:
    """Create a key."""
    return call.server.api_keys.create(body).dto()


@area.get("", scope="admin")
def list_keys(call: Call) -> list[ApiKeyDTO]:
    """List the keys with their secrets."""
    return [key.dto() for key in call.server.api_keys.all()]


@area.post("/media", scope="admin", session_in="", waits=True)
def create_media_key(call: Call, body: ScopedApiKeyRequest) -> ApiKeyDTO:
    """Create or get a session's key that can download media and nothing else."""
    return call.server.api_keys.scoped("media", body.session, SessionActionsDTO()).dto()


@area.post("/control", scope="admin", session_in="", waits=True)
def create_control_key(call: Call, body: ScopedApiKeyRequest) -> ApiKeyDTO:
    """Create or get a session's key that can start, stop and pair it and nothing else."""
    return call.server.api_keys.scoped("control", body.session, SessionActionsDTO(control=True)).dto()


@area.put("/{id}", scope="admin", waits=True)
def update_key(call: Call, id: str, body: ApiKeyRequest) -> ApiKeyDTO:
    """Replace everything of a key but its id and secret."""
    return call.server.api_keys.update(id, body).dto()


@area.delete("/{id}", scope="admin", waits=True)
def delete_key(call: Call, id: str) -> dict[str, bool]:
    """Delete a key."""
    call.server.api_keys.delete(id)
    return {"result": True}
