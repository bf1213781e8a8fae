"""Labels of business accounts, and the chats that have them."""

from typing import Any

from ..model import ids
from ..model.labels import Label, LabelBody, SetLabelsRequest
from .operation import Area, Call

area = Area("🏷️ Labels", prefix="/api/{session}/labels")


@area.get("", capability="get_labels")
def get_labels(call: Call) -> list[Label]:
    """List the labels."""
    return call.account.get_labels()


@area.post("", capability="create_label")
def create_label(call: Call, body: LabelBody) -> Label:
    """Create a label."""
    return call.account.create_label(body)


@area.put("/{labelId}", capability="update_label")
def update_label(call: Call, labelId: str, body: LabelBody) -> Label:  # noqa: N803
    """Change a label's name and colour."""
    return call.account.update_label(labelId, body)


@area.delete("/{labelId}", capability="delete_label", scope="delete")
def delete_label(call: Call, labelId: str) -> dict[str, bool]:  # noqa: N803
    """Delete a label."""
    return call.account.delete_label(labelId)


@area.get("/chats/{chatId}", capability="get_chat_labels")
def get_chat_labels(call: Call, chatId: str) -> list[Label]:  # noqa: N803
    """List the labels of a chat."""
    return call.account.get_chat_labels(ids.chat_id(chatId))


@area.put("/chats/{chatId}", capability="set_chat_labels")
def set_chat_labels(call: Call, chatId: str, body: SetLabelsRequest) -> Any:  # noqa: N803
    """Set all labels of a chat."""
    return call.account.set_chat_labels(ids.chat_id(chatId), [label.id for label in body.labels])


@area.get("/{labelId}/chats", capability="get_label_chats")
def get_label_chats(call: Call, labelId: str) -> list[Any]:  # noqa: N803
    """List the chats that have a label, in the engine's own shape."""
    return call.account.get_label_chats(labelId)
