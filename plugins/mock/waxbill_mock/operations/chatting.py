"""Chatting: what the account sends, and the acknowledgements that follow a send."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from waxbill.model import ids
from waxbill.model.errors import Unprocessable, ValidationFailed
from waxbill.model.messages import (
    ChatRequest,
    Contact,
    EventMessageRequest,
    MessageButtonReply,
    MessageContactVcardRequest,
    MessageForwardRequest,
    MessageLinkCustomPreviewRequest,
    MessageLinkPreviewRequest,
    MessageLocationRequest,
    MessagePollRequest,
    MessageTextRequest,
    SendButtonsRequest,
    SendListRequest,
    SendSeenRequest,
)
from waxbill.store import Database

from ..account.content import CalendarEvent, Content, Location, Poll
from ..account.messages import DEVICE, READ, Message
from .pairing import Pairing

log = logging.getLogger("waxbill.mock")

# How many acknowledgements are told in one transaction: the loop goes on with requests in between.
_ACKS_AT_ONCE = 200
#: When the store was away.
_ACKS_AGAIN_SECONDS = 1.0
_OPTIONS = range(1, 13)


class Chatting(Pairing):
    """What the account sends."""

    def send_text(self, request: MessageTextRequest) -> Any:
        return self._send(
            ids.chat_id(request.chatId),
            "text",
            request.text,
            reply_to=request.reply_to,
            key=request.id,
            mentions=request.mentions,
        )

    def send_link_preview(self, request: MessageLinkPreviewRequest) -> Any:
        content = Content(preview={"url": request.url, "title": request.title})
        return self._send(request.chatId, "text", f"{request.title}\n{request.url}", content=content, key=request.id)

    def send_link_custom_preview(self, request: MessageLinkCustomPreviewRequest) -> Any:
        preview = request.preview
        if preview.url not in request.text:
            raise Unprocessable(
                f"text must contain preview.url ({preview.url[:200]}): the preview belongs to that link."
            )
        shown = {"url": preview.url, "title": preview.title, "description": preview.description}
        if preview.image is not None:
            taken = self.host.files.take(url=preview.image.url, data=preview.image.data)
            shown["image"] = self._keep(taken)
        content = Content(preview=shown)
        return self._send(request.chatId, "text", request.text, content=content, reply_to=request.reply_to)

    def send_location(self, request: MessageLocationRequest) -> Any:
        if not (-90 <= request.latitude <= 90 and -180 <= request.longitude <= 180):
            raise ValidationFailed(
                f"latitude must be from -90 to 90 and longitude from -180 to 180, not {request.latitude} and "
                f"{request.longitude}"
            )
        content = Content(location=Location(request.latitude, request.longitude, name=request.title))
        return self._send(request.chatId, "location", None, content=content, reply_to=request.reply_to, key=request.id)

    def send_contact_vcard(self, request: MessageContactVcardRequest) -> Any:
        if not request.contacts:
            raise ValidationFailed("contacts must have at least one contact")
        content = Content(vcards=[contact.vcard or vcard(contact) for contact in request.contacts])
        return self._send(request.chatId, "contact", None, content=content, reply_to=request.reply_to, key=request.id)

    def send_poll(self, request: MessagePollRequest) -> Any:
        options = request.poll.options
        if len(options) not in _OPTIONS or len(set(options)) != len(options) or not all(options):
            raise ValidationFailed("poll.options must be 1 to 12 different texts")
        poll = Poll(request.poll.name, options, selectable=0 if request.poll.multipleAnswers else 1)
        return self._send(
            request.chatId,
            "poll",
            request.poll.name,
            content=Content(poll=poll),
            reply_to=request.reply_to,
            key=request.id,
        )

    def send_event(self, request: EventMessageRequest) -> Any:
        event = request.event
        if event.endTime is not None and event.endTime < event.startTime:
            raise ValidationFailed("event.endTime must not be before event.startTime")
        content = Content(
            event=CalendarEvent(
                name=event.name,
                start=int(event.startTime),
                end=None if event.endTime is None else int(event.endTime),
                description=event.description,
                location=event.location.name if event.location else None,
                extra_guests=bool(event.extraGuestsAllowed),
            )
        )
        return self._send(request.chatId, "event", event.name, content=content, reply_to=request.reply_to)

    def send_list(self, request: SendListRequest) -> Any:
        if ids.kind(request.chatId) != "person":
            raise Unprocessable(f"A list can be sent to one person only, not to {request.chatId}.")
        rows = [row for section in request.message.sections for row in section.rows]
        if not rows:
            raise ValidationFailed("message.sections must have at least one row to choose")
        content = Content(interactive=msgspec.to_builtins(request.message))
        text = request.message.description or request.message.title
        return self._send(request.chatId, "list", text, content=content, reply_to=request.reply_to)

    def send_buttons(self, request: SendButtonsRequest) -> Any:
        if not request.buttons:
            raise ValidationFailed("buttons must have at least one button")
        content = Content()
        if request.headerImage is not None:
            image = request.headerImage
            taken = self.host.files.take(url=image.url, data=image.data, mimetype=image.mimetype)
            content.media = self._media(taken)
        content.interactive = {
            "header": request.header,
            "footer": request.footer,
            "buttons": [msgspec.to_builtins(button) for button in request.buttons],
        }
        return self._send(request.chatId, "buttons", request.body, content=content)

    def send_buttons_reply(self, request: MessageButtonReply) -> Any:
        content = Content(interactive={"selected": request.selectedButtonID})
        return self._send(
            request.chatId, "button_reply", request.selectedDisplayText, content=content, reply_to=request.reply_to
        )

    def forward_message(self, request: MessageForwardRequest) -> Any:
        found = self._find(ids.message_key(request.messageId))
        if found is None:
            return self._dialect.not_forwarded(request.messageId)
        if found.revoked:
            raise Unprocessable(f"Message '{request.messageId[:120]}' was deleted and can't be forwarded.")
        content = found.content or Content()
        content.forwarded, content.mentions = True, []
        message, _ = self._post(request.chatId, found.kind, found.body, content=content, key=request.id)
        return self._dialect.forwarded(self.me, message)

    def new_message_id(self) -> str:
        return self.world.message_key()

    # -- reading and typing

    def send_seen(self, request: SendSeenRequest) -> Any:
        asked = request.messageIds or ([request.messageId] if request.messageId else None)
        keys = [ids.message_key(text) for text in asked] if asked else None
        shown = self._mark_read(ids.chat_id(request.chatId), keys)
        return self._dialect.seen(self.me, shown, asked_for_ids=asked is not None)

    def _mark_read(self, chat: str, keys: list[str] | None) -> list[str]:
        """Marks messages as read and answers their ids."""
        with self.host.store.write() as db:
            if keys is None or not self._dialect.reads_by_id:
                keys = None
                self.chats.set(db, chat, unread=0)
            changed = self.messages.mark_read(db, chat, keys)
        return [str(ids.MessageId(False, chat, key)) for key in changed]

    def start_typing(self, request: ChatRequest) -> Any:
        return {"result": True}

    def stop_typing(self, request: ChatRequest) -> Any:
        return {"result": True}

    # -- acknowledgements: told in order of sending, from where the last run stopped

    def _working(self) -> None:
        """Begins or ends telling acknowledgements; what was sent while nobody listened is not told later."""
        wanted = self._acks_wanted()
        if wanted != self.me.listening:
            with self.host.store.write() as db:
                self._listen(db, wanted, self.messages.last_id(db))
        if wanted:
            self._later("acks", 0, self._tell_acks)

    def _acks_wanted(self) -> bool:
        return self.host.wants("message.ack") or self.host.wants("message.ack.group")

    def _listen(self, db: Database, wanted: bool, upto: int) -> None:
        """Tells acknowledgements of messages after ``upto`` from now on, or none any more."""
        self.me.listening = wanted
        self.me.device_upto = self.me.read_upto = upto
        self._save_cursors(db)

    def _sent(self, message: Message) -> None:
        if not self.me.listening and self._acks_wanted():  # a stream has come since the session started
            with self.host.store.write() as db:
                self._listen(db, True, message.id - 1)
        if self.me.listening and "acks" not in self._timers:
            self._later("acks", self._device_seconds, self._tell_acks)

    def _save_cursors(self, db: Database) -> None:
        db.execute(
            "UPDATE mock_account SET listening = ?, device_upto = ?, read_upto = ? WHERE id = ?",
            (self.me.listening, self.me.device_upto, self.me.read_upto, self.me.id),
        )

    def _tell_acks(self) -> None:
        """Tells what is due; later, when the store is away."""
        told = self.me.device_upto, self.me.read_upto
        try:
            self._tell_due_acks()
        except self.host.store.errors as error:
            log.warning("Acknowledgements can't be told now: %s", error)
            self.me.device_upto, self.me.read_upto = told
            self._later("acks", _ACKS_AGAIN_SECONDS, self._tell_acks)

    def _tell_due_acks(self) -> None:
        now = self._now_ms()
        device_ms, read_ms = self.messages.device_ms, self.messages.read_ms
        with self.host.store.write() as db:
            device = self.messages.due(db, self.me.device_upto, now - device_ms, DEVICE, _ACKS_AT_ONCE)
            read = self.messages.due(db, self.me.read_upto, now - read_ms, READ, _ACKS_AT_ONCE)
            for level, due in ((DEVICE, device), (READ, read)):
                for message in due:
                    self._tell_ack(db, message, level)
            self.me.device_upto = device[-1].id if device else self.me.device_upto
            self.me.read_upto = read[-1].id if read else self.me.read_upto
            if device or read:
                self._save_cursors(db)
            left = self.messages.due(db, self.me.read_upto, now + 1, READ, 1)
            last = self.messages.due(db, self.me.device_upto, now + 1, DEVICE, 1)
        waiting = [found[0].at_ms + delay for found, delay in ((left, read_ms), (last, device_ms)) if found]
        if waiting:
            self._later("acks", max(0.0, (min(waiting) - now) / 1000), self._tell_acks)

    def acknowledge(self, message: str, level: int) -> None:
        """A sent message reaches the phone, is read, played, or fails (-1), whatever the clock says."""
        found = self._existing(message)
        if not found.from_me:
            raise Unprocessable("Only sent messages are acknowledged; let the bot read those that came in.")
        with self.host.store.write() as db:
            self.messages.set(db, found.id, ack=level)
            if self.host.wants("message.ack") or self.host.wants("message.ack.group"):
                found.ack = level
                self._tell_ack(db, found, level)

    def change_acks(self, device_seconds: float, read_seconds: float) -> None:
        """From now on what is sent reaches the phone and is read after these times; see ``set_acks``."""
        with self.host.store.write() as db:
            self.messages.settle_acks(db, self._now_ms())
        self.set_acks(device_seconds, read_seconds)
        if self.me.listening:
            self._later("acks", 0, self._tell_acks)

    def _tell_ack(self, db: Database, message: Message, level: int) -> None:
        """One event for a person's chat, one for each reader in a group; channels and statuses tell none."""
        where = ids.kind(message.chat)
        if where == "person":
            self.host.emit("message.ack", self._dialect.ack(self.me, message, level), chat=message.chat)
        elif where == "group" and "message.ack.group" not in self._silent and self.host.wants("message.ack.group"):
            for member in self.groups.members(db, message.chat):
                if member.id != self.me.own:
                    payload = self._dialect.ack(self.me, message, level, reader=member.id)
                    self.host.emit("message.ack.group", payload, chat=message.chat)


def vcard(contact: Contact) -> str:
    """A contact card, version 3.0, of its fields."""
    waid = f";waid={contact.whatsappId}" if contact.whatsappId else ""
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{_escaped(contact.fullName)}"]
    if contact.organization:
        lines.append(f"ORG:{_escaped(contact.organization)};")
    lines += [f"TEL;type=CELL;type=VOICE{waid}:{_escaped(contact.phoneNumber)}", "END:VCARD"]
    return "\n".join(lines)


def _escaped(text: str | None) -> str:
    return (text or "").replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n")
