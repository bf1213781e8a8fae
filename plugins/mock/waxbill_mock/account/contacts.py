"""People that an account knows: the address book, what they call themselves, whom it blocked.

Anybody can be written to: a number that is not in the table is somebody that the account knows nothing of. Numbers
that begin with 000 are not on WhatsApp.
"""

from __future__ import annotations

from typing import Any

import msgspec

from waxbill.store import NO_LIMIT, Database

from .identity import person

_SELECT = "SELECT id, name, push_name, about, picture, blocked FROM mock_contact WHERE account = ?"


class Contact(msgspec.Struct):
    """A person: ``name`` from the address book, ``push_name`` as the person goes by, ``picture`` a file's name."""

    id: str
    name: str | None = None
    push_name: str | None = None
    about: str | None = None
    picture: str | None = None
    blocked: bool = False

    @property
    def shown_name(self) -> str | None:
        return self.name or self.push_name


class Contacts:
    """The contacts of one account."""

    def __init__(self, account: int) -> None:
        self.account = account

    def exists(self, phone: str) -> bool:
        """Whether a number, in digits, is on WhatsApp."""
        return not phone.startswith("000")

    def get(self, db: Database, contact: str) -> Contact | None:
        """A contact by either of its ids; None for somebody who is not known."""
        row = db.execute(f"{_SELECT} AND id = ?", (self.account, person(contact))).fetchone()
        return None if row is None else _contact(row)

    def all(self, db: Database, *, by_name: bool, descending: bool, limit: int | None, offset: int) -> list[Contact]:
        order = "lower(coalesce(name, push_name, ''))" if by_name else "id"
        rows = db.execute(
            f"{_SELECT} ORDER BY {order} {'DESC' if descending else 'ASC'}, id LIMIT ? OFFSET ?",
            (self.account, NO_LIMIT if limit is None else limit, offset),
        )
        return [_contact(row) for row in rows]

    def set(self, db: Database, contact: str, **values: Any) -> None:
        """Sets columns of a contact, which becomes known if it was not."""
        columns = ", ".join(values)
        db.execute(
            f"INSERT INTO mock_contact (account, id, {columns}) VALUES (?, ?{', ?' * len(values)})"  # noqa: S608
            f" ON CONFLICT (account, id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in values)}",
            (self.account, person(contact), *values.values()),
        )

    def count(self, db: Database) -> int:
        (found,) = db.execute("SELECT count(*) FROM mock_contact WHERE account = ?", (self.account,)).fetchone()
        return int(found)


def _contact(row: tuple[Any, ...]) -> Contact:
    found = Contact(*row)
    found.blocked = bool(row[5])
    return found
