"""Contacts: the address book, whether a number is on WhatsApp, blocking, hidden ids."""

from __future__ import annotations

from typing import Any

from waxbill.model import ids
from waxbill.model.contacts import (
    ContactAbout,
    ContactPicture,
    ContactsQuery,
    ContactUpdateBody,
    LidsQuery,
    LidToPhoneNumber,
    WANumberExistResult,
)
from waxbill.model.errors import Unprocessable, ValidationFailed
from waxbill.model.wire import Result

from ..account.contacts import Contact
from ..account.groups import Refused
from ..account.identity import lid_of, person, phone_of
from .chats import ChatOperations


class ContactOperations(ChatOperations):
    """People that the account knows."""

    def get_contacts(self, query: ContactsQuery) -> Any:
        found = self.contacts.all(
            self.host.store.read(),
            by_name=query.sortBy == "name",
            descending=query.sortOrder == "desc",
            limit=query.limit,
            offset=query.offset or 0,
        )
        return [self._shown_contact(contact) for contact in found]

    def get_contact(self, contact: str) -> Any:
        db = self.host.store.read()
        if ids.kind(contact) == "group":
            try:
                group = self.groups.get(db, contact)
            except Refused:
                return self._dialect.unknown_contact(self.me, contact)
            return self._shown_contact(Contact(group.id, name=group.subject))
        found = self.contacts.get(db, contact)
        if found is None and person(contact) == self.me.own:
            found = Contact(self.me.own, push_name=self.me.push_name, about=self.me.about)
        if found is None:
            return self._dialect.unknown_contact(self.me, person(contact))
        return self._shown_contact(found)

    def _shown_contact(self, contact: Contact) -> Any:
        return self._dialect.contact(self.me, contact, self._picture_url(contact.id, contact.picture))

    def check_exists(self, phone: str) -> WANumberExistResult:
        if not self.contacts.exists(phone):
            return self._dialect.no_number()
        return WANumberExistResult(numberExists=True, chatId=f"{phone}@c.us")

    def get_about(self, contact: str) -> ContactAbout:
        found = self.contacts.get(self.host.store.read(), contact)
        if found is None and person(contact) == self.me.own:
            return ContactAbout(about=self.me.about)
        return ContactAbout(about=found.about if found else None)

    def get_profile_picture(self, contact: str, *, refresh: bool = False) -> ContactPicture:
        return ContactPicture(profilePictureURL=self._picture_of(contact))

    def block_contact(self, contact: str) -> Any:
        return self._block(contact, True)

    def unblock_contact(self, contact: str) -> Any:
        return self._block(contact, False)

    def _block(self, contact: str, blocked: bool) -> None:
        if person(contact) == self.me.own:
            raise Unprocessable("An account can't block itself.")
        with self.host.store.write() as db:
            self.contacts.set(db, contact, blocked=blocked)

    def update_contact(self, contact: str, request: ContactUpdateBody) -> Result:
        name = f"{request.firstName} {request.lastName}".strip()
        if not name:
            raise ValidationFailed("firstName must not be empty")
        with self.host.store.write() as db:
            self.contacts.set(db, contact, name=name)
            self.chats.set(db, person(contact), name=name)
        return Result()

    # -- hidden ids

    def get_lids(self, query: LidsQuery) -> list[LidToPhoneNumber]:
        found = self.contacts.all(self.host.store.read(), by_name=False, descending=False, limit=None, offset=0)
        pairs = sorted((f"{lid_of(contact.id.partition('@')[0])}@lid", contact.id) for contact in found)
        window = pairs[query.offset or 0 :][: query.limit]
        return [LidToPhoneNumber(lid=lid, pn=number) for lid, number in window]

    def count_lids(self) -> int:
        return self.contacts.count(self.host.store.read())

    def find_pn_by_lid(self, lid: str) -> LidToPhoneNumber:
        phone = phone_of(lid.partition("@")[0])
        known = phone and self.contacts.exists(phone)
        return LidToPhoneNumber(lid=lid, pn=f"{phone}@c.us" if known else None)

    def find_lid_by_pn(self, phone: str) -> LidToPhoneNumber:
        digits, _, server = phone.partition("@")
        if server == "lid":
            return LidToPhoneNumber(lid=phone, pn=None)
        return LidToPhoneNumber(lid=f"{lid_of(digits)}@lid" if self.contacts.exists(digits) else None, pn=phone)
