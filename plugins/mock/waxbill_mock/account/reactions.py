"""Reactions to messages, and votes in polls: one of each per person and message."""

from __future__ import annotations

import msgspec

from waxbill.store import Database


class Reaction(msgspec.Struct):
    """Somebody's reaction: an emoji, and when in Unix ms."""

    who: str
    text: str
    at_ms: int


class Vote(msgspec.Struct):
    """Somebody's choice in a poll: the texts of the options, and when in Unix ms."""

    who: str
    options: list[str]
    at_ms: int


def react(db: Database, account: int, message: int, who: str, text: str, at_ms: int) -> None:
    """Puts somebody's reaction in place of the one before; an empty text takes it back."""
    if text:
        db.execute(
            "INSERT INTO mock_reaction VALUES (?, ?, ?, ?, ?) ON CONFLICT (account, message, who)"
            " DO UPDATE SET text = excluded.text, at_ms = excluded.at_ms",
            (account, message, who, text, at_ms),
        )
    else:
        db.execute("DELETE FROM mock_reaction WHERE account = ? AND message = ? AND who = ?", (account, message, who))
    db.execute(
        "UPDATE mock_message SET reacted = (SELECT count(*) FROM mock_reaction WHERE account = ? AND message = ?)"
        " WHERE id = ?",
        (account, message, message),
    )


def reactions(db: Database, account: int, message: int) -> list[Reaction]:
    rows = db.execute(
        "SELECT who, text, at_ms FROM mock_reaction WHERE account = ? AND message = ? ORDER BY at_ms",
        (account, message),
    )
    return [Reaction(*row) for row in rows]


def vote(db: Database, account: int, message: int, who: str, options: list[str], at_ms: int) -> None:
    """Puts somebody's vote in place of the one before; no options take it back."""
    if options:
        choice = msgspec.json.encode(options).decode()
        db.execute(
            "INSERT INTO mock_vote VALUES (?, ?, ?, ?, ?) ON CONFLICT (account, message, who)"
            " DO UPDATE SET choice = excluded.choice, at_ms = excluded.at_ms",
            (account, message, who, choice, at_ms),
        )
    else:
        db.execute("DELETE FROM mock_vote WHERE account = ? AND message = ? AND who = ?", (account, message, who))


def votes(db: Database, account: int, message: int) -> list[Vote]:
    rows = db.execute(
        "SELECT who, choice, at_ms FROM mock_vote WHERE account = ? AND message = ? ORDER BY at_ms", (account, message)
    )
    return [Vote(who, msgspec.json.decode(choice, type=list[str]), at_ms) for who, choice, at_ms in rows]
