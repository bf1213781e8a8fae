"""Channels of one account: own ones, followed ones, and an invented directory to search in."""

from __future__ import annotations

from typing import Any

import msgspec

from waxbill.store import Database

from ..world import World

_COLUMNS = "id, name, description, invite, role, verified, subscribers, muted, picture, country, category"

VIEWS = {"RECOMMENDED": "Explore", "TRENDING": "Trending", "POPULAR": "Most followed", "NEW": "New"}
COUNTRIES = {
    "AR": "Argentina", "AU": "Australia", "BR": "Brazil", "CA": "Canada", "CO": "Colombia", "DE": "Germany",
    "EG": "Egypt", "ES": "Spain", "FR": "France", "GB": "United Kingdom", "ID": "Indonesia", "IN": "India",
    "IT": "Italy", "MX": "Mexico", "NG": "Nigeria", "TR": "Türkiye", "US": "United States", "ZA": "South Africa",
}  # fmt: skip
CATEGORIES = {
    "BUSINESS": "Business", "ENTERTAINMENT": "Entertainment", "LIFESTYLE": "Lifestyle", "NEWS": "News & Information",
    "ORGANIZATIONS": "Organizations", "PEOPLE": "People", "SPORTS": "Sports",
}  # fmt: skip
_NAMES = {
    "BUSINESS": ("Harbour Market", "Ledger Daily"), "ENTERTAINMENT": ("Moonlight Films", "Paper Puppets"),
    "LIFESTYLE": ("Slow Kitchen", "Window Garden"), "NEWS": ("Morning Courier", "Weather Desk"),
    "ORGANIZATIONS": ("River Keepers", "Open Library"), "PEOPLE": ("Ada Quill", "Bo Marlow"),
    "SPORTS": ("Hill Runners", "Corner Kick"),
}  # fmt: skip


class Channel(msgspec.Struct):
    """A channel; ``role`` is OWNER, ADMIN, SUBSCRIBER or GUEST (knows it from the directory only)."""

    id: str
    name: str
    description: str
    invite: str
    role: str
    verified: bool = False
    subscribers: int = 1
    muted: bool = False
    picture: str | None = None
    country: str | None = None
    category: str | None = None


def directory() -> list[Channel]:
    """The invented channels that can be found, those with the most followers first: two per category and country."""
    found = []
    for i, (country, land) in enumerate(COUNTRIES.items()):
        for j, (category, names) in enumerate(_NAMES.items()):
            for k, name in enumerate(names):
                number = 10_000 + i * 100 + j * 10 + k
                found.append(
                    Channel(
                        id=f"12036399999{number:07d}@newsletter",
                        name=f"{name} {land}",
                        description=f"{CATEGORIES[category]} from {land}",
                        invite=f"0029VaSim{number:07d}{country}",
                        role="GUEST",
                        verified=k == 0,
                        subscribers=1_000_000 // (1 + (number * 7919) % 997),
                        country=country,
                        category=category,
                    )
                )
    return sorted(found, key=lambda channel: (-channel.subscribers, channel.id))


class Channels:
    """The channels that one account owns or follows."""

    def __init__(self, account: int, world: World) -> None:
        self.account = account
        self._world = world

    def all(self, db: Database, role: str | None = None) -> list[Channel]:
        condition = " AND role = ?" if role else ""
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM mock_channel WHERE account = ? AND role != 'GUEST'{condition} ORDER BY id",  # noqa: S608
            (self.account, role) if role else (self.account,),
        )
        return [_channel(row) for row in rows]

    def get(self, db: Database, name: str) -> Channel | None:
        """A channel by id or invite code: one of the account's, else one of the directory."""
        column = "id" if "@" in name else "invite"
        row = db.execute(
            f"SELECT {_COLUMNS} FROM mock_channel WHERE account = ? AND {column} = ?",  # noqa: S608
            (self.account, name),
        ).fetchone()
        if row is not None:
            return _channel(row)
        return next((channel for channel in directory() if name in (channel.id, channel.invite)), None)

    def create(self, db: Database, name: str, description: str, picture: str | None) -> Channel:
        random = int.from_bytes(self._world.random(6), "big") % 10**12
        made = Channel(
            id=f"120363{random:012d}@newsletter",
            name=name,
            description=description,
            invite=f"0029Va{random:012d}Mine",
            role="OWNER",
            picture=picture,
        )
        self.put(db, made)
        return made

    def put(self, db: Database, channel: Channel) -> None:
        """Keeps a channel as it is now."""
        values: tuple[Any, ...] = msgspec.structs.astuple(channel)
        changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", "))
        db.execute(
            f"INSERT INTO mock_channel (account, {_COLUMNS}) VALUES (?{', ?' * len(values)})"  # noqa: S608
            f" ON CONFLICT (account, id) DO UPDATE SET {changes}",
            (self.account, *values),
        )

    def delete(self, db: Database, channel: str) -> None:
        db.execute("DELETE FROM mock_channel WHERE account = ? AND id = ?", (self.account, channel))


def _channel(row: tuple[Any, ...]) -> Channel:
    found = Channel(*row)
    found.verified, found.muted = bool(row[5]), bool(row[7])
    return found
