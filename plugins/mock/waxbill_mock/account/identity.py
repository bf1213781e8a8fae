"""Who an account is: its phone number, its hidden id, and whether it is paired."""

from __future__ import annotations

import sqlite3
import zlib

import msgspec


class Identity(msgspec.Struct):
    """A simulated account: ``phone`` in digits, ``lid`` in digits, and how far its acknowledgements were told."""

    id: int
    session: str
    phone: str
    lid: str
    push_name: str
    paired: bool
    listening: bool
    device_upto: int
    read_upto: int


def identity(db: sqlite3.Connection, session: str) -> Identity:
    """The account of a session, made when there is none. A name always has the same number: tests can rely on it."""
    select = (
        "SELECT id, session, phone, lid, push_name, paired, listening, device_upto, read_upto FROM mock_account"
        " WHERE session = ?"
    )
    row = db.execute(select, (session,)).fetchone()
    if row is None:
        number = zlib.crc32(session.encode())
        db.execute(
            "INSERT INTO mock_account (session, phone, lid, push_name) VALUES (?, ?, ?, ?)",
            (session, f"4915{number % 10**9:09d}", f"88{number:010d}001", session),
        )
        row = db.execute(select, (session,)).fetchone()
    found = Identity(*row)
    found.paired, found.listening = bool(found.paired), bool(found.listening)
    return found
