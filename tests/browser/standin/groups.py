"""Groups, with the rules that WhatsApp's servers keep. Participants are LIDs, as in today's groups."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from .world import Device, Record, Refused, World, lid_of, new_id

if TYPE_CHECKING:
    from .account import Account

#: Properties as devices set them, and the members of a group that they change.
PROPERTIES = {
    "announcement": ("announce", bool),
    "restrict": ("restrict", bool),
    "ephemeral": ("ephemeralDuration", int),
    "membership_approval_mode": ("membershipApprovalMode", bool),
    "member_add_mode": ("memberAddMode", lambda value: "all_member_add" if value else "admin_add"),
    "member_share_group_history_mode": ("memberShareGroupHistoryMode", bool),
}
HIDDEN = ("inviteCode", "requests")


class Groups:
    """The part of an account that has to do with groups."""

    world: World
    me: str
    lid: str
    groups: dict[str, Record]

    def own_group(self, key: str) -> Record:
        if key not in self.groups:
            raise Refused(404, f"there is no group {key}")
        return self.groups[key]

    def shown_group(self, group: Record) -> Record:
        return {
            **{name: value for name, value in group.items() if name not in HIDDEN},
            "size": len(group["participants"]),
        }

    def participant(self, group: Record, who: str) -> Record | None:
        return next((one for one in group["participants"] if one["id"] == self.as_lid(who)), None)

    def is_admin(self, group: Record, who: str) -> bool:
        found = self.participant(group, who)
        return bool(found and found["isAdmin"])

    def as_lid(self: Any, who: str) -> str:
        return who if who.endswith("@lid") else lid_of(self.phone_of(who).partition("@")[0])

    def new_group(self: Any, subject: str, owner: str, participants: list[str]) -> Record:
        key = f"1203630{secrets.randbelow(10**11):011d}@g.us"
        members = [{"id": self.as_lid(owner), "isAdmin": True, "isSuperAdmin": True}]
        members += [{"id": self.as_lid(one), "isAdmin": False, "isSuperAdmin": False} for one in participants]
        group: Record = {
            "id": key,
            "subject": subject,
            "subjectTime": self.world.time(),
            "creation": self.world.time(),
            "owner": self.as_lid(owner),
            "desc": "",
            "announce": False,
            "restrict": False,
            "memberAddMode": "admin_add",
            "membershipApprovalMode": False,
            "memberShareGroupHistoryMode": False,
            "isLidAddressingMode": True,
            "ephemeralDuration": 0,
            "participants": members,
            "pastParticipants": [],
            "inviteCode": secrets.token_urlsafe(16),
            "requests": [],
        }
        self.groups[key] = group
        self.chat(key)
        return group

    def group_action(self: Any, group: Record, author: str, action: str, participants: list[str], **more: Any) -> None:
        """Tells the devices what happened in a group, as an action and as the note in its chat."""
        t = self.world.time()
        author = self.as_lid(author)
        name = self.contacts.get(self.phone_of(author), {}).get("pushname", "")
        told = {"actionType": action, "participants": participants, **more}
        shown = self.shown_group(group)
        self.tell(type="group-action", group=shown, author=author, pushname=name, action=told, t=t)
        self.take(
            {
                "id": f"false_{group['id']}_{new_id()}_{author}",
                "type": "gp2",
                "subtype": action,
                "from": group["id"],
                "to": self.me,
                "author": author,
                "t": t,
                "ack": 1,
                "body": more.get("value") if isinstance(more.get("value"), str) else None,
                "recipients": participants,
            }
        )

    def change_members(
        self: Any, group: Record, author: str, action: str, participants: list[str], **more: Any
    ) -> None:
        """Adds, removes, promotes or demotes without asking whether one may."""
        for who in participants:
            found = self.participant(group, who)
            if action == "add" and found is None:
                group["participants"].append({"id": self.as_lid(who), "isAdmin": False, "isSuperAdmin": False})
            elif action == "remove" and found is not None:
                group["participants"].remove(found)
                group["pastParticipants"].append({"id": found["id"], "leaveTs": self.world.time()})
            elif found is not None:
                found["isAdmin"] = action == "promote"
        self.group_action(group, author, action, [self.as_lid(who) for who in participants], **more)

    # -- what devices ask

    def ask_group(self: Any, device: Device, parts: Record) -> Record:
        return self.shown_group(self.own_group(parts["id"]))

    def ask_groups(self: Any, device: Device, parts: Record) -> list[Record]:
        return [self.shown_group(group) for group in self.groups.values()]

    def ask_create_group(self: Any, device: Device, parts: Record) -> Record:
        known = [one for one in parts["participants"] if self.world.exists(self.phone_of(one))]
        for one in known:
            self.contact(one)
        group = self.new_group(parts["title"], self.me, known)
        group["ephemeralDuration"] = parts.get("ephemeralDuration") or 0
        self.group_action(group, self.me, "create", [one["id"] for one in group["participants"]], value=parts["title"])
        done = [{"id": one, "error": None if one in known else 404} for one in parts["participants"]]
        return {"id": group["id"], "participants": done}

    def ask_group_participants(self: Any, device: Device, parts: Record) -> Record:
        group, action = self.own_group(parts["id"]), parts["action"]
        if not self.is_admin(group, self.lid) and not (action == "add" and group["memberAddMode"] == "all_member_add"):
            raise Refused(403, "only admins do that")
        done, changed = [], []
        for who in parts["participants"]:
            member = self.participant(group, who)
            code = 200
            if action == "add":
                code = 409 if member else 200 if self.world.exists(self.phone_of(who)) else 404
            elif member is None:
                code = 404
            if code == 200:
                changed.append(who)
                self.contact(who)
            done.append({"id": who, "code": code})
        if changed:
            self.change_members(group, self.me, action, changed)
        return {"status": 207, "participants": done}

    def ask_group_info(self: Any, device: Device, parts: Record) -> None:
        group = self.own_group(parts["id"])
        mine = self.participant(group, self.lid)
        if mine is None or ((group["restrict"] or set(parts["changes"]) & set(PROPERTIES)) and not mine["isAdmin"]):
            raise Refused(403, "only admins change that")
        self.change_group(group, self.me, parts["changes"])

    def change_group(self: Any, group: Record, author: str, changes: Record) -> None:
        for name, value in changes.items():
            member, convert = PROPERTIES.get(name, (name, lambda same: same))
            group[member] = convert(value)
            if name == "descId":
                continue
            if name in ("subject", "desc"):
                group[f"{name}Time"] = self.world.time()
            action = {"desc": "description", "announcement": "announce"}.get(name, name)
            self.group_action(group, author, action, [], value=value)

    def ask_invite_code(self: Any, device: Device, parts: Record) -> Record:
        group = self.own_group(parts["id"])
        if not self.is_admin(group, self.lid):
            raise Refused(403, "only admins see the invite")
        if parts.get("reset"):
            group["inviteCode"] = secrets.token_urlsafe(16)
        return {"code": group["inviteCode"]}

    def invited(self: Any, code: str) -> tuple[Account, Record]:
        for account in self.world.accounts:
            for group in account.groups.values():
                if group["inviteCode"] == code:
                    return account, group
        raise Refused(406, "there is no such invite")

    def ask_invite_info(self: Any, device: Device, parts: Record) -> Record:
        return self.shown_group(self.invited(parts["code"])[1])

    def ask_join_group(self: Any, device: Device, parts: Record) -> Record:
        """Joins, or asks to, where admins approve."""
        _, group = self.invited(parts["code"])
        if group["membershipApprovalMode"]:
            group["requests"].append(self.lid)
            return {"id": group["id"]}
        self.groups[group["id"]] = group
        self.change_members(group, self.me, "add", [self.me], isInvite=True, reason="invite")
        return {"id": group["id"]}

    def ask_leave_group(self: Any, device: Device, parts: Record) -> None:
        group = self.own_group(parts["id"])
        self.change_members(group, self.me, "remove", [self.me])

    def ask_join_requests(self: Any, device: Device, parts: Record) -> list[Record]:
        group = self.own_group(parts["id"])
        t = self.world.time()
        return [{"id": who, "addedBy": who, "requestMethod": "InviteLink", "t": t} for who in group["requests"]]

    def ask_decide_requests(self: Any, device: Device, parts: Record) -> list[Record]:
        group = self.own_group(parts["id"])
        if not self.is_admin(group, self.lid):
            raise Refused(403, "only admins decide")
        done = []
        for who in parts["participants"]:
            lid = self.as_lid(who)
            if lid not in group["requests"]:
                done.append({"id": who, "error": 404})
                continue
            group["requests"].remove(lid)
            if parts["approve"]:
                self.change_members(group, self.me, "add", [lid])
            done.append({"id": who})
        return done
