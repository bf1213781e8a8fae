"""Contacts: who they are, whether a number is on WhatsApp, and the hidden ids (lids) of people."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from . import ids
from .wire import Answer, Count, Request


class ContactsQuery(Request):
    session: str = "default"
    sortBy: Literal["id", "name"] | None = None
    sortOrder: Literal["asc", "desc"] | None = None
    limit: Count | None = None
    offset: Count | None = 0


class ContactRequest(Request):
    """``contactId`` is in its canonical form once it was read."""

    session: str
    contactId: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.contactId = ids.person_id(self.contactId)


class ContactUpdateBody(Request):
    firstName: str
    lastName: str


class WANumberExistResult(Answer):
    """Without ``chatId`` (or with null, by engine) when the number is not on WhatsApp."""

    numberExists: bool
    chatId: str | UnsetType | None = UNSET
    pn: str | UnsetType | None = UNSET


class ContactAbout(Answer):
    about: str | None


class ContactPicture(Answer):
    profilePictureURL: str | None


class LidsQuery(Request):
    limit: Count | None = 100
    offset: Count | None = 0


class LidToPhoneNumber(Answer):
    """A person's hidden id (``@lid``) and phone number (``@c.us``); None for the one that is not known."""

    lid: str | None = None
    pn: str | None = None
