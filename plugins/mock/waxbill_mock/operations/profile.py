"""Profile: the account's own name, about text and picture; and what WhatsApp limits."""

from __future__ import annotations

from typing import Any

from waxbill.model.errors import Unprocessable, ValidationFailed
from waxbill.model.media import File
from waxbill.model.profile import MyProfile, ProfilePictureRequest
from waxbill.model.sessions import MeInfo, MessageCappingData, ReachoutTimelockData
from waxbill.model.wire import Result

from .base import Base

_MONTH_MS = 30 * 24 * 60 * 60 * 1000
_NAME_LETTERS = 25
_ABOUT_LETTERS = 139


class ProfileOperations(Base):
    """The account itself."""

    def get_profile(self) -> MyProfile:
        picture = self._picture_url(self.me.own, self.me.picture) or ""
        return MyProfile(id=self.me.own, name=self.me.push_name, picture=picture)

    def set_profile_name(self, name: str) -> Result:
        if not name.strip() or len(name) > _NAME_LETTERS:
            raise ValidationFailed(f"name must have 1 to {_NAME_LETTERS} letters")
        self._set_me(push_name=name)
        self.host.set_me(self._me_info())
        return Result()

    def set_profile_status(self, status: str) -> Result:
        if len(status) > _ABOUT_LETTERS:
            raise ValidationFailed(f"status must have at most {_ABOUT_LETTERS} letters")
        self._set_me(about=status)
        return Result()

    def set_profile_picture(self, request: ProfilePictureRequest) -> Result:
        self._set_me(picture=self._take_picture(request.file))
        return Result()

    def delete_profile_picture(self) -> Result:
        self._set_me(picture=None)
        return Result()

    def _set_me(self, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self.host.store.write() as db:
            db.execute(
                f"UPDATE mock_account SET {columns} WHERE id = ?",  # noqa: S608
                (*values.values(), self.me.id),
            )
            for name, value in values.items():
                setattr(self.me, name, value)

    def _me_info(self) -> MeInfo:
        jid = f"{self.me.phone}:1@s.whatsapp.net"
        return MeInfo(id=self.me.own, pushName=self.me.push_name, lid=f"{self.me.lid}@lid", jid=jid)

    def _take_picture(self, file: File) -> str:
        """A picture of the account or of a group, kept; answers its file's name."""
        taken = self.host.files.take(url=file.url, data=file.data, mimetype=file.mimetype)
        if taken.mimetype not in ("image/jpeg", "image/png", "image/webp"):
            taken.path.unlink()
            raise Unprocessable(f"A picture must be a JPEG (or PNG or WebP), not {taken.mimetype}.")
        return self._keep(taken)

    # -- limits that WhatsApp puts on accounts

    def get_capping(self) -> MessageCappingData:
        """How many chats the account began this month; the simulator caps none."""
        now = self._now_ms()
        start = now - now % _MONTH_MS
        (used,) = (
            self.host.store.read()
            .execute(
                "SELECT count(*) FROM (SELECT chat, min(at_ms) AS first FROM mock_message WHERE account = ?"
                " AND from_me = 1 AND chat LIKE '%@c.us' GROUP BY chat) AS chats WHERE first >= ?",
                (self.me.id, start),
            )
            .fetchone()
        )
        return MessageCappingData(
            cappingStatus="NONE",
            totalQuota=-1,
            usedQuota=used,
            cycleStart=start // 1000,
            cycleEnd=(start + _MONTH_MS) // 1000,
            mvStatus="NOT_ELIGIBLE",
            oteStatus="NOT_ELIGIBLE",
        )

    def get_timelock(self) -> ReachoutTimelockData:
        return ReachoutTimelockData(enforcementType="NONE", isActive=False, timeEnforcementEnds=0)
