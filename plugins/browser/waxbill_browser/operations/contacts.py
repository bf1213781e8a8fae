"""Contacts, presence, hidden ids, labels, calls and the own profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waxbill.model.contacts import ContactAbout, ContactPicture, LidToPhoneNumber, WANumberExistResult
from waxbill.model.errors import NotFound, Unprocessable, ValidationFailed
from waxbill.model.labels import PALETTE, Label
from waxbill.model.profile import MyProfile
from waxbill.model.wire import Result

from ..shapes import chats as shapes
from .sending import Sending

if TYPE_CHECKING:
    from waxbill.model.calls import RejectCallRequest
    from waxbill.model.contacts import ContactsQuery, ContactUpdateBody, LidsQuery
    from waxbill.model.labels import LabelBody
    from waxbill.model.messages import ChatRequest
    from waxbill.model.presence import WAHAChatPresences, WAHASessionPresence
    from waxbill.model.profile import ProfilePictureRequest

_MOST_LABELS = 20
_NAME_LETTERS = 25
_ABOUT_LETTERS = 139
_PICTURES = ("image/jpeg", "image/png", "image/webp")


class Contacts(Sending):
    """People, and what the account says of itself."""

    def get_contacts(self, query: ContactsQuery) -> Any:
        found = self.run("contacts")
        by = "name" if query.sortBy == "name" else "id"
        found.sort(key=lambda each: (each.get(by) or "").casefold(), reverse=query.sortOrder == "desc")
        return found[query.offset or 0 :][: query.limit]

    def get_contact(self, contact: str) -> Any:
        return self.run("contact", contact=contact)

    def check_exists(self, phone: str) -> WANumberExistResult:
        found = self.run("exists", phone=phone)
        if not found:
            return WANumberExistResult(numberExists=False)
        return WANumberExistResult(numberExists=True, chatId=found["id"])

    def get_about(self, contact: str) -> ContactAbout:
        return ContactAbout(about=self.run("about", contact=contact))

    def get_profile_picture(self, contact: str, *, refresh: bool = False) -> ContactPicture:
        return ContactPicture(profilePictureURL=self.run("picture", contact=contact, refresh=refresh))

    def block_contact(self, contact: str) -> Any:
        self._block(contact, True)

    def unblock_contact(self, contact: str) -> Any:
        self._block(contact, False)

    def _block(self, contact: str, block: bool) -> None:
        if contact in self.mine:
            raise Unprocessable("An account can't block itself.")
        self.run("block", contact=contact, block=block)

    def update_contact(self, contact: str, request: ContactUpdateBody) -> Result:
        if not request.firstName.strip():
            raise ValidationFailed("firstName must not be empty")
        self.run("saveContact", contact=contact, firstName=request.firstName, lastName=request.lastName)
        return Result()

    # -- hidden ids

    def _lids(self) -> list[LidToPhoneNumber]:
        pairs = sorted({(pair["lid"], pair["pn"]) for pair in self.run("lids")})
        return [LidToPhoneNumber(lid=lid, pn=number) for lid, number in pairs]

    def get_lids(self, query: LidsQuery) -> list[LidToPhoneNumber]:
        return self._lids()[query.offset or 0 :][: query.limit]

    def count_lids(self) -> int:
        return len(self._lids())

    def find_pn_by_lid(self, lid: str) -> LidToPhoneNumber:
        return LidToPhoneNumber(lid=lid, pn=self.run("pair", who=lid).get("pn"))

    def find_lid_by_pn(self, phone: str) -> LidToPhoneNumber:
        if phone.endswith("@lid"):
            return LidToPhoneNumber(lid=phone, pn=None)
        return LidToPhoneNumber(lid=self.run("pair", who=phone).get("lid"), pn=phone)

    # -- presence

    _online: bool | None = None

    def presence(self) -> str | None:
        return None if self._online is None else "online" if self._online else "offline"

    def set_presence(self, request: WAHASessionPresence) -> Any:
        if request.chatId is None:
            self.run("online", online=request.presence == "online")
            self._online = request.presence == "online"
        else:
            self.run("typing", chat=request.chatId, what=request.presence)

    def start_typing(self, request: ChatRequest) -> Any:
        self.run("typing", chat=request.chatId, what="typing")
        return {"result": True}

    def stop_typing(self, request: ChatRequest) -> Any:
        self.run("typing", chat=request.chatId, what="paused")
        return {"result": True}

    def get_presences(self) -> list[WAHAChatPresences]:
        return [shapes.presences(raw) for raw in self.run("presences")]

    def get_presence(self, chat: str) -> WAHAChatPresences:
        return shapes.presences(self.run("presence", chat=chat))

    def subscribe_presence(self, chat: str) -> Any:
        self.run("subscribe", chat=chat)

    # -- profile

    def get_profile(self) -> MyProfile:
        found = self.run("profile")
        return MyProfile(id=found["id"], name=found.get("name") or "", picture=found.get("picture") or "")

    def set_profile_name(self, name: str) -> Result:
        if not name.strip() or len(name) > _NAME_LETTERS:
            raise ValidationFailed(f"name must have 1 to {_NAME_LETTERS} letters")
        self.run("setName", name=name)
        self.host.set_me(self._identify(self.run("profile")))
        return Result()

    def set_profile_status(self, status: str) -> Result:
        if len(status) > _ABOUT_LETTERS:
            raise ValidationFailed(f"status must have at most {_ABOUT_LETTERS} letters")
        self.run("setAbout", about=status)
        return Result()

    def set_profile_picture(self, request: ProfilePictureRequest) -> Result:
        self.set_picture("setPicture", request)
        return Result()

    def set_picture(self, operation: str, request: ProfilePictureRequest, **arguments: Any) -> None:
        """Gives the account, or a group, a picture."""
        taken = self.take(request.file)
        try:
            if taken.mimetype not in _PICTURES:
                raise Unprocessable(f"A picture must be a JPEG (or PNG or WebP), not {taken.mimetype}.")
            with self.page() as page, self.handed_in(page, taken) as file:
                page.run(operation, self.settings.call_seconds, file=file, **arguments)
        finally:
            taken.path.unlink(missing_ok=True)

    def delete_profile_picture(self) -> Result:
        return Result(success=bool(self.run("removePicture")))

    # -- labels

    def get_labels(self) -> list[Label]:
        return [shapes.label(raw) for raw in self.run("labels")]

    def _label(self, label: str, labels: list[Label]) -> Label:
        found = next((each for each in labels if each.id == label), None)
        if found is None:
            raise NotFound(f"Label '{label[:40]}' not found.")
        return found

    def create_label(self, request: LabelBody) -> Label:
        labels = self.get_labels()
        if len(labels) >= _MOST_LABELS:
            raise Unprocessable(f"There are {_MOST_LABELS} labels already, all that WhatsApp allows; delete one.")
        return self._put_label(request, labels, "addLabel")

    def update_label(self, label: str, request: LabelBody) -> Label:
        labels = self.get_labels()
        return self._put_label(request, labels, "editLabel", label=self._label(label, labels).id)

    def _put_label(self, request: LabelBody, labels: list[Label], operation: str, **arguments: Any) -> Label:
        if not request.name.strip():
            raise ValidationFailed("name must not be empty")
        same = next((each for each in labels if each.name == request.name), None)
        if same is not None:  # the label itself too, as in WAHA
            raise Unprocessable(f"Label '{request.name[:80]}' already exists with the id {same.id}.")
        return shapes.label(self.run(operation, name=request.name, color=_color(request), **arguments))

    def delete_label(self, label: str) -> dict[str, bool]:
        self.run("deleteLabel", label=self._label(label, self.get_labels()).id)
        return {"result": True}

    def get_chat_labels(self, chat: str) -> list[Label]:
        of_chat = self.run("chatLabels", chat=chat)
        return [label for label in self.get_labels() if label.id in of_chat]

    def set_chat_labels(self, chat: str, labels: list[str]) -> Any:
        known = self.get_labels()
        wanted = {self._label(label, known).id for label in labels}
        present = set(self.run("chatLabels", chat=chat))
        if wanted != present:
            self.run("setChatLabels", chat=chat, add=sorted(wanted - present), remove=sorted(present - wanted))

    def get_label_chats(self, label: str) -> Any:
        found = self._label(label, self.get_labels())
        return [shapes.chat(raw) for raw in self.run("labelChats", label=found.id)]

    # -- calls

    def reject_call(self, request: RejectCallRequest) -> Any:
        self.run("rejectCall", call=request.id)


def _color(request: LabelBody) -> int:
    if request.colorHex is not None:
        wanted = "#" + request.colorHex.lower().lstrip("#")
        if wanted not in PALETTE:
            raise ValidationFailed(f"colorHex must be one of WhatsApp's colours: {', '.join(PALETTE)}")
        return PALETTE.index(wanted)
    color = int(request.color or 0)
    if not 0 <= color < len(PALETTE):
        raise ValidationFailed(f"color must be from 0 to {len(PALETTE) - 1}")
    return color
