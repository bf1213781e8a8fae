"""Chatting: sending, and what goes with it."""

from typing import Any

from ..model import ids
from ..model.contacts import WANumberExistResult
from ..model.messages import (
    ChatRequest,
    EventMessageRequest,
    MessageButtonReply,
    MessageContactVcardRequest,
    MessageFileRequest,
    MessageForwardRequest,
    MessageImageRequest,
    MessageLinkCustomPreviewRequest,
    MessageLinkPreviewRequest,
    MessageLocationRequest,
    MessagePollRequest,
    MessagePollVoteRequest,
    MessageReactionRequest,
    MessageReplyRequest,
    MessageStarRequest,
    MessageStickerRequest,
    MessageTextRequest,
    MessageVideoRequest,
    MessageVoiceRequest,
    NewMessageIDResponse,
    SendButtonsRequest,
    SendListRequest,
    SendSeenRequest,
    WAMessage,
)
from ..model.wire import Request
from .operation import Area, Call

area = Area("📤 Chatting", prefix="/api")
events = Area("📅 Events", prefix="/api")


class SendTextQuery(Request):
    phone: str
    text: str
    session: str = "default"


class NumberStatusQuery(Request):
    phone: str
    session: str = "default"


@area.post("/sendText", capability="send_text", paced=True)
def send_text(call: Call, body: MessageTextRequest) -> WAMessage | Any:
    """Send a text message."""
    return call.account.send_text(body)


@area.get("/sendText", capability="send_text", paced=True, scope="send", deprecated=True)
def send_text_get(call: Call, query: SendTextQuery) -> WAMessage | Any:
    """Send a text message by GET."""
    return call.account.send_text(MessageTextRequest(session=query.session, chatId=query.phone, text=query.text))


@area.post("/sendImage", capability="send_image", paced=True, waits=True)
def send_image(call: Call, body: MessageImageRequest) -> WAMessage | Any:
    """Send an image by URL, as base64 or as an upload."""
    return call.account.send_image(body)


@area.post("/sendFile", capability="send_file", paced=True, waits=True)
def send_file(call: Call, body: MessageFileRequest) -> WAMessage | Any:
    """Send a file as a document."""
    return call.account.send_file(body)


@area.post("/sendVoice", capability="send_voice", paced=True, waits=True)
def send_voice(call: Call, body: MessageVoiceRequest) -> WAMessage | Any:
    """Send a voice message; with convert any sound becomes one."""
    return call.account.send_voice(body)


@area.post("/sendVideo", capability="send_video", paced=True, waits=True)
def send_video(call: Call, body: MessageVideoRequest) -> WAMessage | Any:
    """Send a video, or a round video note."""
    return call.account.send_video(body)


@area.post("/sendSticker", capability="send_sticker", paced=True, waits=True)
def send_sticker(call: Call, body: MessageStickerRequest) -> WAMessage | Any:
    """Send a picture as a sticker."""
    return call.account.send_sticker(body)


@area.post("/send/link-custom-preview", capability="send_link_custom_preview", paced=True, waits=True)
def send_link_custom_preview(call: Call, body: MessageLinkCustomPreviewRequest) -> WAMessage | Any:
    """Send a text with a link whose preview is given."""
    return call.account.send_link_custom_preview(body)


@area.post("/sendButtons", capability="send_buttons", paced=True, waits=True, deprecated=True)
def send_buttons(call: Call, body: SendButtonsRequest) -> WAMessage | Any:
    """Send a message with buttons."""
    return call.account.send_buttons(body)


@area.post("/sendList", capability="send_list", paced=True)
def send_list(call: Call, body: SendListRequest) -> WAMessage | Any:
    """Send a list to choose from."""
    return call.account.send_list(body)


@area.post("/forwardMessage", capability="forward_message", paced=True)
def forward_message(call: Call, body: MessageForwardRequest) -> WAMessage | Any:
    """Forward a message to a chat."""
    return call.account.forward_message(body)


@area.post("/sendSeen", capability="send_seen")
def send_seen(call: Call, body: SendSeenRequest) -> Any:
    """Mark messages of a chat as read."""
    return call.account.send_seen(body)


@area.post("/startTyping", capability="start_typing")
def start_typing(call: Call, body: ChatRequest) -> Any:
    """Show that the account is typing in a chat."""
    return call.account.start_typing(body)


@area.post("/stopTyping", capability="stop_typing")
def stop_typing(call: Call, body: ChatRequest) -> Any:
    """Show that the account has stopped typing."""
    return call.account.stop_typing(body)


@area.put("/reaction", capability="set_reaction")
def set_reaction(call: Call, body: MessageReactionRequest) -> Any:
    """React to a message with an emoji, or take the reaction back."""
    return call.account.set_reaction(body)


@area.put("/star", capability="set_star")
def set_star(call: Call, body: MessageStarRequest) -> Any:
    """Star a message, or take the star away."""
    return call.account.set_star(body)


@area.post("/sendPoll", capability="send_poll", paced=True)
def send_poll(call: Call, body: MessagePollRequest) -> WAMessage | Any:
    """Send a poll."""
    return call.account.send_poll(body)


@area.post("/sendPollVote", capability="send_poll_vote")
def send_poll_vote(call: Call, body: MessagePollVoteRequest) -> Any:
    """Vote in a poll; without votes the vote is taken back."""
    return call.account.send_poll_vote(body)


@area.post("/sendLocation", capability="send_location", paced=True)
def send_location(call: Call, body: MessageLocationRequest) -> WAMessage | Any:
    """Send a place."""
    return call.account.send_location(body)


@area.post("/sendContactVcard", capability="send_contact_vcard", paced=True)
def send_contact_vcard(call: Call, body: MessageContactVcardRequest) -> WAMessage | Any:
    """Send contact cards."""
    return call.account.send_contact_vcard(body)


@area.post("/send/buttons/reply", capability="send_buttons_reply", paced=True)
def send_buttons_reply(call: Call, body: MessageButtonReply) -> Any:
    """Answer a message with buttons."""
    return call.account.send_buttons_reply(body)


@area.get("/checkNumberStatus", capability="check_exists", deprecated=True)
def check_number_status(call: Call, query: NumberStatusQuery) -> WANumberExistResult:
    """Check whether a number is on WhatsApp."""
    return call.account.check_exists(ids.phone(query.phone))


@area.post("/reply", capability="send_text", paced=True, deprecated=True)
def reply(call: Call, body: MessageReplyRequest) -> WAMessage | Any:
    """Answer a message with a text; sendText with reply_to does the same."""
    return call.account.send_text(body)


@area.post("/sendLinkPreview", capability="send_link_preview", paced=True, deprecated=True)
def send_link_preview(call: Call, body: MessageLinkPreviewRequest) -> WAMessage | Any:
    """Send a link with its title as a text."""
    return call.account.send_link_preview(body)


@area.get("/{session}/new-message-id", capability="new_message_id", scope="send")
def get_new_message_id(call: Call) -> NewMessageIDResponse:
    """Get a message key that a send can use."""
    return NewMessageIDResponse(id=call.account.new_message_id())


@events.post("/{session}/events", capability="send_event", paced=True)
def send_event(call: Call, body: EventMessageRequest) -> WAMessage | Any:
    """Send an event that people can say they come to."""
    return call.account.send_event(body)
