"""Contacts: the people the account knows, numbers on WhatsApp, hidden ids."""

from typing import Any

from ..model import ids
from ..model.contacts import (
    ContactAbout,
    ContactPicture,
    ContactRequest,
    ContactsQuery,
    ContactUpdateBody,
    LidsQuery,
    LidToPhoneNumber,
    WANumberExistResult,
)
from ..model.wire import CountResponse, Request, Result
from .operation import Area, Call

area = Area("👤 Contacts", prefix="/api")


class ContactQuery(Request):
    session: str = "default"
    contactId: str


class ContactPictureQuery(ContactQuery):
    refresh: bool | None = False


class PhoneQuery(Request):
    session: str = "default"
    phone: str


@area.get("/contacts/all", capability="get_contacts")
def get_contacts(call: Call, query: ContactsQuery) -> list[Any]:
    """List the contacts, in the engine's own shape."""
    return call.account.get_contacts(query)


@area.get("/contacts", capability="get_contact")
def get_contact_by_query(call: Call, query: ContactQuery) -> Any:
    """Get one contact."""
    return call.account.get_contact(ids.chat_id(query.contactId, "contactId"))


@area.get("/contacts/check-exists", capability="check_exists")
def check_exists(call: Call, query: PhoneQuery) -> WANumberExistResult:
    """Check whether a number is on WhatsApp, and under which chat id."""
    return call.account.check_exists(ids.phone(query.phone))


@area.get("/contacts/about", capability="get_about")
def get_about(call: Call, query: ContactQuery) -> ContactAbout:
    """Get what a contact says about itself."""
    return call.account.get_about(ids.person_id(query.contactId))


@area.get("/contacts/profile-picture", capability="get_profile_picture")
def get_profile_picture(call: Call, query: ContactPictureQuery) -> ContactPicture:
    """Get a contact's picture."""
    return call.account.get_profile_picture(ids.chat_id(query.contactId, "contactId"), refresh=bool(query.refresh))


@area.post("/contacts/block", capability="block_contact")
def block_contact(call: Call, body: ContactRequest) -> Any:
    """Block a contact."""
    return call.account.block_contact(body.contactId)


@area.post("/contacts/unblock", capability="unblock_contact")
def unblock_contact(call: Call, body: ContactRequest) -> Any:
    """Unblock a contact."""
    return call.account.unblock_contact(body.contactId)


@area.get("/{session}/contacts/{id}", capability="get_contact")
def get_contact(call: Call, id: str) -> Any:
    """Get one contact."""
    return call.account.get_contact(ids.chat_id(id, "id"))


@area.put("/{session}/contacts/{chatId}", capability="update_contact")
def update_contact(call: Call, chatId: str, body: ContactUpdateBody) -> Result:  # noqa: N803
    """Put a contact into the address book, or change its name."""
    return call.account.update_contact(ids.person_id(chatId, "chatId"), body)


@area.get("/{session}/lids", capability="get_lids")
def get_lids(call: Call, query: LidsQuery) -> list[LidToPhoneNumber]:
    """List the hidden ids that are known, with their numbers."""
    return call.account.get_lids(query)


@area.get("/{session}/lids/count", capability="count_lids")
def count_lids(call: Call) -> CountResponse:
    """Get how many hidden ids are known."""
    return CountResponse(count=call.account.count_lids())


@area.get("/{session}/lids/{lid}", capability="find_pn_by_lid")
def find_pn_by_lid(call: Call, lid: str) -> LidToPhoneNumber:
    """Get the number behind a hidden id."""
    return call.account.find_pn_by_lid(ids.lid(lid))


@area.get("/{session}/lids/pn/{phoneNumber}", capability="find_lid_by_pn")
def find_lid_by_pn(call: Call, phoneNumber: str) -> LidToPhoneNumber:  # noqa: N803
    """Get the hidden id of a number."""
    return call.account.find_lid_by_pn(ids.person_id(phoneNumber, "phoneNumber"))
