"""Sends, and what is done to a message afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from waxbill.media.files import Taken
from waxbill.model import ids
from waxbill.model.errors import EngineFailure, Unprocessable, ValidationFailed
from waxbill.model.wire import Result

from .base import Base

if TYPE_CHECKING:
    from waxbill.model.chats import EditMessageRequest, PinMessageRequest
    from waxbill.model.media import File
    from waxbill.model.messages import (
        Contact,
        EventMessageRequest,
        MessageContactVcardRequest,
        MessageFileRequest,
        MessageForwardRequest,
        MessageImageRequest,
        MessageLinkCustomPreviewRequest,
        MessageLocationRequest,
        MessagePollRequest,
        MessagePollVoteRequest,
        MessageReactionRequest,
        MessageStarRequest,
        MessageStickerRequest,
        MessageTextRequest,
        MessageVideoRequest,
        MessageVoiceRequest,
        SendListRequest,
    )

_OPTIONS = range(1, 13)
_PINS = {86400: "OneDay", 604800: "SevenDays", 2592000: "ThirtyDays"}


class Sending(Base):
    """What the account sends."""

    def _send(self, operation: str, request: Any, **arguments: Any) -> Any:
        """Sends with the options that most requests have: a reply, mentions, a key chosen beforehand."""
        wanted = getattr(request, "id", None)
        raw = self.run(
            operation,
            chat=request.chatId,
            quotedId=getattr(request, "reply_to", None),
            mentions=getattr(request, "mentions", None),
            key=ids.message_key(wanted, "id") if wanted else None,
            **arguments,
        )
        return self.sent(raw)

    def send_text(self, request: MessageTextRequest) -> Any:
        return self._send("sendText", request, text=request.text, linkPreview=bool(request.linkPreview))

    def send_link_custom_preview(self, request: MessageLinkCustomPreviewRequest) -> Any:
        shown = request.preview
        if shown.url not in request.text:
            raise Unprocessable(f"text must contain preview.url ({shown.url[:200]}): the preview belongs to that link.")
        preview: dict[str, Any] = {"url": shown.url, "title": shown.title, "description": shown.description}
        if shown.image is None:
            return self._send("sendText", request, text=request.text, preview=preview)
        taken = self.host.files.take(url=shown.image.url, data=shown.image.data)
        try:
            if not taken.mimetype.startswith("image/"):
                raise Unprocessable(f"preview.image must be a picture, not {taken.mimetype}.")
            with self.page() as page, self.handed_in(page, taken) as file:
                preview["file"] = file
                return self._send("sendText", request, text=request.text, preview=preview)
        finally:
            taken.path.unlink(missing_ok=True)

    def send_location(self, request: MessageLocationRequest) -> Any:
        if not (-90 <= request.latitude <= 90 and -180 <= request.longitude <= 180):
            raise ValidationFailed(
                f"latitude must be from -90 to 90 and longitude from -180 to 180, not {request.latitude} and "
                f"{request.longitude}"
            )
        return self._send(
            "sendLocation", request, latitude=request.latitude, longitude=request.longitude, title=request.title
        )

    def send_contact_vcard(self, request: MessageContactVcardRequest) -> Any:
        if not request.contacts:
            raise ValidationFailed("contacts must have at least one contact")
        return self._send("sendCards", request, cards=[_card(contact) for contact in request.contacts])

    def send_poll(self, request: MessagePollRequest) -> Any:
        options = request.poll.options
        if len(options) not in _OPTIONS or len(set(options)) != len(options) or not all(options):
            raise ValidationFailed("poll.options must be 1 to 12 different texts")
        return self._send(
            "sendPoll",
            request,
            name=request.poll.name,
            options=options,
            selectable=0 if request.poll.multipleAnswers else 1,
        )

    def send_poll_vote(self, request: MessagePollVoteRequest) -> Any:
        if ids.kind(request.chatId) == "channel":
            raise Unprocessable("A vote in a channel's poll can't be sent by this engine.")
        self.run("vote", chat=request.chatId, messageId=request.pollMessageId, options=request.chosen)

    def send_list(self, request: SendListRequest) -> Any:
        if ids.kind(request.chatId) != "person":
            raise Unprocessable("A list can be sent to one person only, not to a group or a channel.")
        shown = request.message
        sections = [
            {
                "title": section.title,
                "rows": [
                    {"rowId": row.rowId, "title": row.title, "description": row.description or ""}
                    for row in section.rows
                ],
            }
            for section in shown.sections
        ]
        made = {
            "buttonText": shown.button,
            "description": shown.description or "",
            "title": shown.title,
            "footer": shown.footer,
            "sections": sections,
        }
        return self._send("sendList", request, list=made)

    def send_event(self, request: EventMessageRequest) -> Any:
        event = request.event
        made: dict[str, Any] = {
            "name": event.name,
            "description": event.description,
            "startTime": event.startTime,
            "endTime": event.endTime,
        }
        if event.location is not None:
            made["location"] = {"degreesLatitude": 0, "degreesLongitude": 0, "name": event.location.name}
        return self._send(
            "sendEvent", request, event={name: value for name, value in made.items() if value is not None}
        )

    def new_message_id(self) -> str:
        return ids.new_message_key()

    # -- files

    def take(self, file: File, *, convert: Literal["voice", "video"] | None = None) -> Taken:
        taken = self.host.files.take(url=file.url, data=file.data, mimetype=file.mimetype, filename=file.filename)
        return self.host.files.converted(taken, convert) if convert else taken

    def _send_file(
        self, request: Any, taken: Taken, how: dict[str, Any], caption: str | None = None, name: str = ""
    ) -> Any:
        try:
            with self.page() as page, self.handed_in(page, taken, name) as file:
                raw = page.run(
                    "sendFile",
                    self.settings.call_seconds * 3,  # a file takes longer than a text
                    chat=request.chatId,
                    quotedId=request.reply_to,
                    mentions=getattr(request, "mentions", None),
                    file=file,
                    caption=caption or None,
                    **{"as": how},
                )
        finally:
            taken.path.unlink(missing_ok=True)
        return self.sent(raw)

    def send_image(self, request: MessageImageRequest) -> Any:
        return self._send_file(request, self.take(request.file), {"type": "image"}, request.caption)

    def send_file(self, request: MessageFileRequest) -> Any:
        return self._send_file(request, self.take(request.file), {"type": "document"}, request.caption)

    def send_voice(self, request: MessageVoiceRequest) -> Any:
        taken = self.take(request.file, convert="voice" if request.convert else None)
        return self._send_file(request, taken, {"type": "audio", "isPtt": True, "waveform": True})

    def send_video(self, request: MessageVideoRequest) -> Any:
        taken = self.take(request.file, convert="video" if request.convert else None)
        how = {"type": "video", "isPtv": bool(request.asNote), "isGif": taken.mimetype == "image/gif"}
        return self._send_file(request, taken, how, request.caption)

    def send_sticker(self, request: MessageStickerRequest) -> Any:
        return self._send_file(request, self.take(request.file), {"type": "sticker"})

    # -- afterwards

    def forward_message(self, request: MessageForwardRequest) -> Any:
        return {"sent": self.run("forward", chat=request.chatId, messageId=request.messageId)}

    def edit_message(self, chat: str, message: str, request: EditMessageRequest) -> Any:
        raw = self.run("edit", chat=chat, messageId=message, text=request.text, mentions=request.mentions)
        return self.shown(raw)

    def delete_message(self, chat: str, message: str) -> Any:
        return self.run("revoke", chat=chat, messageId=message)

    def set_reaction(self, request: MessageReactionRequest) -> Any:
        if len(request.reaction) > 32:
            raise ValidationFailed("reaction must be one emoji, or an empty text to take it back")
        return self.run("react", messageId=request.messageId, reaction=request.reaction)

    def set_star(self, request: MessageStarRequest) -> Any:
        self.run("star", chat=request.chatId, messageId=request.messageId, star=request.star)

    def pin_message(self, chat: str, message: str, request: PinMessageRequest) -> Result:
        if request.duration not in _PINS:
            raise ValidationFailed(f"duration must be one of {', '.join(map(str, _PINS))} seconds")
        return self._pin(chat, message, True, _PINS[int(request.duration)])

    def unpin_message(self, chat: str, message: str) -> Result:
        return self._pin(chat, message, False, _PINS[604800])

    def _pin(self, chat: str, message: str, pin: bool, duration: str) -> Result:
        try:
            done = self.run("pin", chat=chat, messageId=message, pin=pin, duration=duration)
        except EngineFailure as failure:
            if "already" in str(failure):  # pinned, or not: as it is wanted
                return Result()
            raise
        return Result(success=bool(done))


def _card(contact: Contact) -> dict[str, str]:
    """A contact's card with the name that is shown beside it."""
    if contact.vcard:
        lines = contact.vcard.splitlines()
        name = next((line[3:] for line in lines if line.startswith("FN:")), contact.fullName or "")
        return {"name": name, "vcard": contact.vcard}
    name, phone = _clean(contact.fullName), _clean(contact.phoneNumber)
    number = f";waid={_clean(contact.whatsappId)}" if contact.whatsappId else ""
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{name}"]
    if contact.organization:
        lines.append(f"ORG:{_clean(contact.organization)};")
    lines += [f"TEL;type=CELL;type=VOICE{number}:{phone}", "END:VCARD"]
    return {"name": name, "vcard": "\n".join(lines)}


def _clean(text: str | None) -> str:
    """A text that stays on its line of a card."""
    return " ".join((text or "").split())
