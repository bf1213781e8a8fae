"""The simulator's tables, in the server's own store, so that a change and its event are one transaction."""

from __future__ import annotations

SCHEMA = [
    """
    CREATE TABLE mock_account (
        id INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, lid TEXT NOT NULL,
        push_name TEXT NOT NULL, paired INTEGER NOT NULL DEFAULT 0,
        listening INTEGER NOT NULL DEFAULT 0, device_upto INTEGER NOT NULL DEFAULT 0,
        read_upto INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE mock_chat (
        account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE, id TEXT NOT NULL, name TEXT,
        last INTEGER NOT NULL, at_ms INTEGER NOT NULL, unread INTEGER NOT NULL DEFAULT 0,
        archived INTEGER NOT NULL DEFAULT 0, pinned INTEGER NOT NULL DEFAULT 0, muted_until_ms INTEGER,
        PRIMARY KEY (account, id)) WITHOUT ROWID;
    CREATE TABLE mock_message (
        id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE,
        chat TEXT NOT NULL, key TEXT NOT NULL, from_me INTEGER NOT NULL, participant TEXT, at_ms INTEGER NOT NULL,
        kind TEXT NOT NULL, body TEXT, ack INTEGER NOT NULL, source TEXT NOT NULL, quoted TEXT, push_name TEXT,
        content BLOB, edited_ms INTEGER, revoked INTEGER NOT NULL DEFAULT 0, starred INTEGER NOT NULL DEFAULT 0,
        pinned_until_ms INTEGER);
    CREATE UNIQUE INDEX mock_message_by_key ON mock_message (account, key);
    CREATE INDEX mock_message_by_chat ON mock_message (account, chat, at_ms, id)
    """
]
