"""The simulator's tables, in the server's own store, so that a change and its event are one transaction."""

from __future__ import annotations

SCHEMA = [
    """
    CREATE TABLE mock_account (
        id INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, lid TEXT NOT NULL,
        push_name TEXT NOT NULL, paired INTEGER NOT NULL DEFAULT 0, about TEXT NOT NULL DEFAULT '', picture TEXT,
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
        pinned_until_ms INTEGER, reacted INTEGER NOT NULL DEFAULT 0);
    CREATE UNIQUE INDEX mock_message_by_key ON mock_message (account, key);
    CREATE INDEX mock_message_by_chat ON mock_message (account, chat, at_ms, id);
    CREATE INDEX mock_message_unread ON mock_message (account, chat, at_ms) WHERE from_me = 0 AND ack < 3;
    CREATE INDEX mock_chat_by_time ON mock_chat (account, at_ms);
    CREATE TABLE mock_reaction (
        account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE, message INTEGER NOT NULL,
        who TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (account, message, who)) WITHOUT ROWID;
    CREATE TABLE mock_vote (
        account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE, message INTEGER NOT NULL,
        who TEXT NOT NULL, choice TEXT NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (account, message, who)) WITHOUT ROWID;
    CREATE TABLE mock_contact (
        account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE, id TEXT NOT NULL, name TEXT,
        push_name TEXT, about TEXT, picture TEXT, blocked INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (account, id)) WITHOUT ROWID;
    CREATE TABLE mock_group (
        account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE, id TEXT NOT NULL,
        subject TEXT NOT NULL, subject_at INTEGER NOT NULL, subject_by TEXT NOT NULL, description TEXT NOT NULL,
        description_at INTEGER, description_by TEXT, description_id TEXT, owner TEXT NOT NULL, created INTEGER NOT NULL,
        invite TEXT NOT NULL, info_admins_only INTEGER NOT NULL DEFAULT 0,
        messages_admins_only INTEGER NOT NULL DEFAULT 0, members_can_add INTEGER NOT NULL DEFAULT 1,
        members_can_share INTEGER NOT NULL DEFAULT 0, approval INTEGER NOT NULL DEFAULT 0, picture TEXT,
        PRIMARY KEY (account, id)) WITHOUT ROWID;
    CREATE UNIQUE INDEX mock_group_by_invite ON mock_group (account, invite);
    CREATE TABLE mock_member (
        account INTEGER NOT NULL, grp TEXT NOT NULL, id TEXT NOT NULL, role TEXT NOT NULL, n INTEGER NOT NULL,
        PRIMARY KEY (account, grp, id),
        FOREIGN KEY (account, grp) REFERENCES mock_group (account, id) ON DELETE CASCADE) WITHOUT ROWID;
    CREATE INDEX mock_member_by_id ON mock_member (account, id);
    CREATE TABLE mock_join_request (
        account INTEGER NOT NULL, grp TEXT NOT NULL, id TEXT NOT NULL, added_by TEXT NOT NULL, at INTEGER NOT NULL,
        method TEXT NOT NULL, PRIMARY KEY (account, grp, id),
        FOREIGN KEY (account, grp) REFERENCES mock_group (account, id) ON DELETE CASCADE) WITHOUT ROWID;
    CREATE TABLE mock_channel (
        account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE, id TEXT NOT NULL, name TEXT NOT NULL,
        description TEXT NOT NULL, invite TEXT NOT NULL, role TEXT NOT NULL, verified INTEGER NOT NULL DEFAULT 0,
        subscribers INTEGER NOT NULL DEFAULT 1, muted INTEGER NOT NULL DEFAULT 0, picture TEXT,
        country TEXT, category TEXT, PRIMARY KEY (account, id)) WITHOUT ROWID;
    CREATE UNIQUE INDEX mock_channel_by_invite ON mock_channel (account, invite);
    CREATE TABLE mock_label (
        account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE, id INTEGER NOT NULL,
        name TEXT NOT NULL, color INTEGER NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;
    CREATE TABLE mock_label_chat (
        account INTEGER NOT NULL, label INTEGER NOT NULL, chat TEXT NOT NULL, PRIMARY KEY (account, label, chat),
        FOREIGN KEY (account, label) REFERENCES mock_label (account, id) ON DELETE CASCADE) WITHOUT ROWID;
    CREATE INDEX mock_label_by_chat ON mock_label_chat (account, chat);
    CREATE TABLE mock_call (
        account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE, id TEXT NOT NULL, caller TEXT NOT NULL,
        at_ms INTEGER NOT NULL, video INTEGER NOT NULL, grouped INTEGER NOT NULL, PRIMARY KEY (account, id)
        ) WITHOUT ROWID
    """,
    """
    CREATE TABLE mock_rules (session TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE mock_step (
        account INTEGER NOT NULL REFERENCES mock_account (id) ON DELETE CASCADE, n INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, upto INTEGER NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (account, n)) WITHOUT ROWID
    """,
]
