"""Statuses (stories): sending them and taking them back."""

from typing import Any

from ..model.messages import NewMessageIDResponse
from ..model.statuses import DeleteStatusRequest, ImageStatus, TextStatus, VideoStatus, VoiceStatus
from .operation import Area, Call

area = Area("🟢 Status", prefix="/api/{session}/status")


@area.post("/text", capability="send_text_status", paced=True)
def send_text_status(call: Call, body: TextStatus) -> Any:
    """Send a text status."""
    return call.account.send_text_status(body)


@area.post("/image", capability="send_image_status", paced=True, waits=True)
def send_image_status(call: Call, body: ImageStatus) -> Any:
    """Send an image status."""
    return call.account.send_image_status(body)


@area.post("/voice", capability="send_voice_status", paced=True, waits=True)
def send_voice_status(call: Call, body: VoiceStatus) -> Any:
    """Send a voice status."""
    return call.account.send_voice_status(body)


@area.post("/video", capability="send_video_status", paced=True, waits=True)
def send_video_status(call: Call, body: VideoStatus) -> Any:
    """Send a video status."""
    return call.account.send_video_status(body)


@area.post("/delete", capability="delete_status")
def delete_status(call: Call, body: DeleteStatusRequest) -> Any:
    """Take a status back."""
    return call.account.delete_status(body)


@area.get("/new-message-id", capability="new_message_id", scope="send")
def get_new_status_id(call: Call) -> NewMessageIDResponse:
    """Get a message key that a status can use."""
    return NewMessageIDResponse(id=call.account.new_message_id())
