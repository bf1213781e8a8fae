"""Groups of one account: members, names, settings, invites, and who may do what."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from waxbill.store import NO_LIMIT, Database

from ..world import World

ADMINS = ("admin", "superadmin")
#: WhatsApp's codes for what became of one member of a request.
OK, NOT_ON_WHATSAPP, ALREADY_MEMBER, NO_MEMBER, FULL = 200, 404, 409, 404, 419
MOST_MEMBERS = 1024

_COLUMNS = (
    "id, subject, subject_at, subject_by, description, description_at, description_by, description_id, owner, created,"
    " invite, info_admins_only, messages_admins_only, members_can_add, members_can_share, approval, picture"
)


class Refused(Exception):
    """WhatsApp refuses: ``name`` is its word for why, such as ``forbidden``."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class Member(msgspec.Struct):
    """A member; ``role`` is participant, admin or superadmin (who made the group)."""

    id: str
    role: str


class JoinRequest(msgspec.Struct):
    """Somebody who asks to be let in; ``at`` in seconds, ``method`` is invite_link or non_admin_add."""

    id: str
    added_by: str
    at: int
    method: str


class Group(msgspec.Struct):
    """A group; times in seconds."""

    id: str
    subject: str
    subject_at: int
    subject_by: str
    description: str
    description_at: int | None
    description_by: str | None
    description_id: str | None
    owner: str
    created: int
    invite: str
    info_admins_only: bool
    messages_admins_only: bool
    members_can_add: bool
    members_can_share: bool
    approval: bool
    picture: str | None
    members: list[Member] = []


class Groups:
    """The groups of one account, whose own id is ``own``."""

    def __init__(self, account: int, own: str, world: World) -> None:
        self.account = account
        self.own = own
        self._world = world

    # -- reading

    def get(self, db: Database, group: str) -> Group:
        """A group with its members; raises Refused when the account knows none of that id."""
        row = db.execute(
            f"SELECT {_COLUMNS} FROM mock_group WHERE account = ? AND id = ?",  # noqa: S608
            (self.account, group),
        ).fetchone()
        if row is None:
            raise Refused("item-not-found", f"There is no group {group}.")
        found = _group(row)
        found.members = self.members(db, group)
        return found

    def all(
        self,
        db: Database,
        *,
        by_subject: bool = False,
        descending: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Group]:
        """The groups that the account is a member of, with their members."""
        order = "lower(subject)" if by_subject else "id"
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM mock_group g WHERE account = ? AND EXISTS (SELECT 1 FROM mock_member m"  # noqa: S608
            " WHERE m.account = g.account AND m.grp = g.id AND m.id = ?)"
            f" ORDER BY {order} {'DESC' if descending else 'ASC'} LIMIT ? OFFSET ?",
            (self.account, self.own, NO_LIMIT if limit is None else limit, offset),
        ).fetchall()
        found = [_group(row) for row in rows]
        for group in found:
            group.members = self.members(db, group.id)
        return found

    def count(self, db: Database) -> int:
        (found,) = db.execute(
            "SELECT count(*) FROM mock_member WHERE account = ? AND id = ?", (self.account, self.own)
        ).fetchone()
        return int(found)

    def members(self, db: Database, group: str) -> list[Member]:
        rows = db.execute(
            "SELECT id, role FROM mock_member WHERE account = ? AND grp = ? ORDER BY n, id", (self.account, group)
        )
        return [Member(*row) for row in rows]

    def role(self, db: Database, group: str, who: str | None = None) -> str | None:
        """The role of somebody (of the account itself) in a group; None for no member."""
        row = db.execute(
            "SELECT role FROM mock_member WHERE account = ? AND grp = ? AND id = ?",
            (self.account, group, who or self.own),
        ).fetchone()
        return None if row is None else str(row[0])

    def by_invite(self, db: Database, code: str) -> Group:
        """The group of an invite code; raises Refused for one that is worth nothing."""
        row = db.execute("SELECT id FROM mock_group WHERE account = ? AND invite = ?", (self.account, code)).fetchone()
        if row is None:
            raise Refused("not-acceptable", f"The invite code {code[:80]!r} is not valid (any more).")
        return self.get(db, row[0])

    # -- who may do what

    def check_member(self, db: Database, group: str) -> str:
        """The account's role; raises Refused when it is no member."""
        role = self.role(db, group)
        if role is None:
            self.get(db, group)
            raise Refused("forbidden", f"This account is not a member of {group} (any more).")
        return role

    def check_admin(self, db: Database, group: str) -> None:
        if self.check_member(db, group) not in ADMINS:
            raise Refused("forbidden", f"Only admins of {group} may do that, and this account is none.")

    def check_may_write(self, db: Database, group: str) -> None:
        """Raises Refused where this account can't write. A group that it knows nothing of takes the message: tests
        write to ids of their own, and WhatsApp says no only later."""
        row = db.execute(
            "SELECT messages_admins_only FROM mock_group WHERE account = ? AND id = ?", (self.account, group)
        ).fetchone()
        if row is None:
            return
        if self.check_member(db, group) not in ADMINS and row[0]:
            raise Refused("forbidden", f"Only admins may write to {group}, and this account is none.")

    def check_info(self, db: Database, group: str) -> Group:
        """The group, when this account may change its name, description and picture."""
        role, found = self.check_member(db, group), self.get(db, group)
        if found.info_admins_only and role not in ADMINS:
            raise Refused("forbidden", f"Only admins may change the info of {group}, and this account is none.")
        return found

    def known(self, db: Database, group: str) -> bool:
        row = db.execute("SELECT 1 FROM mock_group WHERE account = ? AND id = ?", (self.account, group)).fetchone()
        return row is not None

    # -- changing

    def create(
        self,
        db: Database,
        subject: str,
        members: list[str],
        owner: str | None = None,
        group: str | None = None,
    ) -> Group:
        """A new group, made by this account or by somebody else."""
        now = self._world.now_ms() // 1000
        group = group or f"120363{int.from_bytes(self._world.random(6), 'big') % 10**12:012d}@g.us"
        by = owner or self.own
        db.execute(
            "INSERT INTO mock_group (account, id, subject, subject_at, subject_by, description, owner, created, invite)"
            " VALUES (?, ?, ?, ?, ?, '', ?, ?, ?)",
            (self.account, group, subject, now, by, by, now, self.new_invite()),
        )
        self._put(db, group, by, "superadmin")
        for member in dict.fromkeys(members):
            if member != by:
                self._put(db, group, member, "participant")
        return self.get(db, group)

    def set(self, db: Database, group: str, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        db.execute(
            f"UPDATE mock_group SET {columns} WHERE account = ? AND id = ?",  # noqa: S608
            (*values.values(), self.account, group),
        )

    def add(self, db: Database, group: str, members: list[str]) -> dict[str, int]:
        """Adds members; says for each what became of it, as WhatsApp's code."""
        present = {member.id for member in self.members(db, group)}
        result = {}
        for member in members:
            if member in present:
                result[member] = ALREADY_MEMBER
            elif member.startswith("000"):
                result[member] = NOT_ON_WHATSAPP
            elif len(present) >= MOST_MEMBERS:
                result[member] = FULL
            else:
                self._put(db, group, member, "participant")
                present.add(member)
                result[member] = OK
        return result

    def remove(self, db: Database, group: str, members: list[str]) -> dict[str, int]:
        result = {}
        for member in members:
            gone = db.execute(
                "DELETE FROM mock_member WHERE account = ? AND grp = ? AND id = ?", (self.account, group, member)
            )
            result[member] = OK if gone.rowcount else NO_MEMBER
        return result

    def set_role(self, db: Database, group: str, members: list[str], role: str) -> dict[str, int]:
        result = {}
        for member in members:
            changed = db.execute(
                "UPDATE mock_member SET role = ? WHERE account = ? AND grp = ? AND id = ? AND role != 'superadmin'",
                (role, self.account, group, member),
            )
            result[member] = OK if changed.rowcount else NO_MEMBER
        return result

    def delete(self, db: Database, group: str) -> None:
        db.execute("DELETE FROM mock_group WHERE account = ? AND id = ?", (self.account, group))

    def _put(self, db: Database, group: str, member: str, role: str) -> None:
        db.execute(
            "INSERT INTO mock_member SELECT ?, ?, ?, ?, coalesce(max(n), 0) + 1 FROM mock_member"
            " WHERE account = ? AND grp = ?",
            (self.account, group, member, role, self.account, group),
        )
        db.execute(
            "DELETE FROM mock_join_request WHERE account = ? AND grp = ? AND id = ?", (self.account, group, member)
        )

    def new_invite(self) -> str:
        """A fresh invite code: 22 letters and digits."""
        return base64.b32encode(self._world.random(14)).decode().rstrip("=")[:22]

    # -- people who ask to be let in

    def join_requests(self, db: Database, group: str) -> list[JoinRequest]:
        rows = db.execute(
            "SELECT id, added_by, at, method FROM mock_join_request WHERE account = ? AND grp = ? ORDER BY at, id",
            (self.account, group),
        )
        return [JoinRequest(*row) for row in rows]

    def ask(self, db: Database, group: str, who: str, *, added_by: str | None = None) -> None:
        """Somebody asks to be let in, or a member that is no admin wants to bring them."""
        method = "non_admin_add" if added_by else "invite_link"
        db.execute(
            "INSERT INTO mock_join_request VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, grp, id)"
            " DO UPDATE SET added_by = excluded.added_by, at = excluded.at, method = excluded.method",
            (self.account, group, who, added_by or who, self._world.now_ms() // 1000, method),
        )

    def turn_down(self, db: Database, group: str, who: str) -> bool:
        gone = db.execute(
            "DELETE FROM mock_join_request WHERE account = ? AND grp = ? AND id = ?", (self.account, group, who)
        )
        return gone.rowcount > 0


def _group(row: tuple[Any, ...]) -> Group:
    found = Group(*row)
    found.info_admins_only, found.messages_admins_only, found.members_can_add = map(bool, row[11:14])
    found.members_can_share, found.approval = bool(row[14]), bool(row[15])
    return found
