"""Who an account is: its phone number, its hidden id, and whether it is paired."""

from __future__ import annotations

import zlib

import msgspec

from waxbill.store import Database


class Identity(msgspec.Struct):
    """A simulated account: ``phone`` and ``lid`` in digits, ``picture`` the name of a file of its media folder, and how
    far its acknowledgements were told."""

    id: int
    session: str
    phone: str
    lid: str
    push_name: str
    about: str
    picture: str | None
    paired: bool
    listening: bool
    device_upto: int
    read_upto: int

    @property
    def own(self) -> str:
        """The account's own chat id."""
        return f"{self.phone}@c.us"


def lid_of(phone: str) -> str:
    """The hidden id of a number, both in digits. Real ones are random; these can be computed, so tests can rely on it.

    >>> lid_of("49301234567")
    '7776543210394'
    """
    return f"77{phone[::-1]}"


def phone_of(lid: str) -> str | None:
    """The number behind a hidden id, both in digits; None for one that nobody has."""
    return lid[:1:-1] if lid.startswith("77") and len(lid) >= 7 else None


def person(text: str) -> str:
    """A person by phone number, whichever of the two ids was given: the simulator keeps people by number."""
    user, _, server = text.partition("@")
    phone = phone_of(user) if server == "lid" else None
    return f"{phone}@c.us" if phone else text


def identity(db: Database, session: str) -> Identity:
    """The account of a session, made when there is none. A name always has the same number: tests can rely on it."""
    select = (
        "SELECT id, session, phone, lid, push_name, about, picture, paired, listening, device_upto, read_upto"
        " FROM mock_account WHERE session = ?"
    )
    row = db.execute(select, (session,)).fetchone()
    if row is None:
        phone = f"4915{zlib.crc32(session.encode()) % 10**9:09d}"
        db.execute(
            "INSERT INTO mock_account (session, phone, lid, push_name) VALUES (?, ?, ?, ?)",
            (session, phone, lid_of(phone), session),
        )
        row = db.execute(select, (session,)).fetchone()
    found = Identity(*row)
    found.paired, found.listening = bool(found.paired), bool(found.listening)
    return found
