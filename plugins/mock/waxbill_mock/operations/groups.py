"""Groups: made, joined, left, changed, and who is in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waxbill.model.errors import EngineFailure, Unprocessable, ValidationFailed
from waxbill.model.groups import (
    CreateGroupRequest,
    GroupJoinRequest,
    GroupJoinRequestResult,
    GroupParticipant,
    GroupsQuery,
    ParticipantsRequest,
)
from waxbill.model.profile import ProfilePictureRequest
from waxbill.model.wire import Result
from waxbill.store import Database

from ..account import groups as rules
from ..account.groups import ADMINS, OK, Group, Member
from ..account.identity import person
from .base import refusals
from .chats import ChatOperations

_SUBJECT_LETTERS = 100
_DESCRIPTION_LETTERS = 2048
_INVITE_LINK = "https://chat.whatsapp.com/"


class GroupOperations(ChatOperations):
    """The account's groups. Rules are checked and events told in the transaction that changes the group."""

    # -- reading

    def get_groups(self, query: GroupsQuery) -> Any:
        found = self.groups.all(
            self.host.store.read(),
            by_subject=query.sortBy == "subject",
            descending=query.sortOrder == "desc",
            limit=query.limit,
            offset=query.offset or 0,
        )
        without = "participants" in (query.exclude or ())
        return self._dialect.group_list([(each.id, self._dialect.group(self.me, each, without)) for each in found])

    def count_groups(self) -> int:
        return self.groups.count(self.host.store.read())

    def refresh_groups(self) -> Any:
        return Result()

    def get_group(self, group: str) -> Any:
        return self._dialect.group(self.me, self._group(group), False)

    def _group(self, group: str) -> Group:
        with refusals():
            return self.groups.get(self.host.store.read(), group)

    def get_participants(self, group: str) -> Any:
        return self._dialect.members(self.me, self._group(group).members)

    def get_participants_v2(self, group: str) -> list[GroupParticipant]:
        return [self._dialect.participant(member) for member in self._group(group).members]

    # -- making, joining, leaving

    def create_group(self, request: CreateGroupRequest) -> Any:
        subject = _subject(request.name)
        members = [person(each.id) for each in request.participants]
        with self._change() as db:
            absent = [each for each in members if not self.contacts.exists(each.partition("@")[0])]
            made = self.groups.create(db, subject, [each for each in members if each not in absent])
            self.chats.touch(db, made.id, subject, self._now_ms())
            self._tell_join(made)
        return self._dialect.created_group(self.me, made, absent)

    def get_join_info(self, code: str) -> Any:
        with refusals():
            found = self.groups.by_invite(self.host.store.read(), _code(code))
        return self._dialect.group(self.me, found, False)

    def join_group(self, code: str) -> str:
        with self._change() as db:
            found = self.groups.by_invite(db, _code(code))
            if self.groups.role(db, found.id) is None:
                if found.approval:
                    self.groups.ask(db, found.id, self.me.own)
                else:
                    self._let_in(db, found.id)
        return found.id

    def _let_in(self, db: Database, group: str) -> None:
        """This account becomes a member."""
        self.groups.add(db, group, [self.me.own])
        found = self.groups.get(db, group)
        self.chats.touch(db, group, found.subject, self._now_ms())
        self._tell_join(found)
        if self._dialect.repeats_own_joins:
            self._tell_members(group, "join", [Member(self.me.own, "participant")])

    def leave_group(self, group: str) -> Any:
        with self._change() as db:
            self.groups.check_member(db, group)
            self._put_out(db, group)

    def _put_out(self, db: Database, group: str) -> None:
        """This account is no member any more: it left or was removed."""
        self.groups.remove(db, group, [self.me.own])
        self._tell_group("group.v2.leave", group, {"group": {"id": group}, "_data": {"id": group}})
        self._tell("group.leave", self._notice(group, "leave", [self.me.own]), group)
        if self._dialect.repeats_own_joins:
            self._tell_members(group, "leave", [Member(self.me.own, "left")])

    def delete_group(self, group: str) -> Any:
        with self._change() as db:
            self.groups.get(db, group)
            if self.groups.role(db, group) is not None:
                self._put_out(db, group)
            self.groups.delete(db, group)
            self.chats.delete(db, group)
        return True

    # -- name, description, picture

    def set_group_subject(self, group: str, subject: str) -> Any:
        subject = _subject(subject)

        def change(db: Database, found: Group) -> None:
            now = self._now_ms() // 1000
            self.groups.set(db, group, subject=subject, subject_at=now, subject_by=self.me.own)
            self.chats.touch(db, group, subject, self._now_ms())

        return self._change_info(group, change)

    def set_group_description(self, group: str, description: str) -> Any:
        if len(description) > _DESCRIPTION_LETTERS:
            raise ValidationFailed(f"description must have at most {_DESCRIPTION_LETTERS} letters")

        def change(db: Database, found: Group) -> None:
            self.groups.set(
                db,
                group,
                description=description,
                description_at=self._now_ms() // 1000,
                description_by=self.me.own,
                description_id=self.world.random(10).hex().upper(),
            )

        return self._change_info(group, change)

    def set_group_picture(self, group: str, request: ProfilePictureRequest) -> Result:
        picture = self._take_picture(request.file)
        self._change_info(group, lambda db, found: self.groups.set(db, group, picture=picture))
        return Result()

    def delete_group_picture(self, group: str) -> Result:
        self._change_info(group, lambda db, found: self.groups.set(db, group, picture=None))
        return Result()

    def _change_info(self, group: str, change: Callable[[Database, Group], None]) -> Any:
        """Changes what a group shows of itself, if this account may."""
        return self._changed_by(group, self.groups.check_info, change)

    def _changed_by(
        self,
        group: str,
        check: Callable[[Database, str], Any],
        change: Callable[[Database, Group], None],
    ) -> Any:
        try:
            with self._change() as db:
                check(db, group)
                before = self.groups.get(db, group)
                change(db, before)
                self._tell_update(before, self.groups.get(db, group))
        except EngineFailure as refusal:
            return self._dialect.group_refused(refusal)
        return self._dialect.group_changed()

    # -- settings

    def _change_setting(self, group: str, **values: Any) -> Any:
        return self._changed_by(group, self.groups.check_admin, lambda db, found: self.groups.set(db, group, **values))

    def set_info_admins_only(self, group: str, admins_only: bool) -> Any:
        return self._change_setting(group, info_admins_only=admins_only)

    def get_info_admins_only(self, group: str) -> bool:
        return self._group(group).info_admins_only

    def set_messages_admins_only(self, group: str, admins_only: bool) -> Any:
        return self._change_setting(group, messages_admins_only=admins_only)

    def get_messages_admins_only(self, group: str) -> bool:
        return self._group(group).messages_admins_only

    def set_member_add_mode(self, group: str, members_can_add: bool) -> Any:
        return self._change_setting(group, members_can_add=members_can_add)

    def get_member_add_mode(self, group: str) -> bool:
        return self._group(group).members_can_add

    def set_member_share_history_mode(self, group: str, members_can_share: bool) -> Any:
        return self._change_setting(group, members_can_share=members_can_share)

    def get_member_share_history_mode(self, group: str) -> bool:
        return self._group(group).members_can_share

    def set_membership_approval(self, group: str, required: bool) -> Any:
        return self._change_setting(group, approval=required)

    def get_membership_approval(self, group: str) -> bool:
        return self._group(group).approval

    # -- invites

    def get_invite_code(self, group: str) -> str:
        with self._change() as db:
            self.groups.check_admin(db, group)
            return self.groups.get(db, group).invite

    def revoke_invite_code(self, group: str) -> str:
        code = self.groups.new_invite()
        with self._change() as db:
            self.groups.check_admin(db, group)
            self.groups.set(db, group, invite=code)
        return code

    # -- members

    def add_participants(self, group: str, request: ParticipantsRequest) -> Any:
        people = _people(request)
        try:
            with self._change() as db:
                role, found = self.groups.check_member(db, group), self.groups.get(db, group)
                if role not in ADMINS and not found.members_can_add:
                    raise rules.Refused("not-authorized", f"Only admins may add members to {group}.")
                if role not in ADMINS and found.approval:
                    for who in people:
                        self.groups.ask(db, group, who, added_by=self.me.own)
                    return self._dialect.members_changed(self.me, dict.fromkeys(people, OK), "add")
                result = self.groups.add(db, group, people)
                self._tell_changed(group, "join", result, "participant")
        except EngineFailure as refusal:
            return self._dialect.members_refused(refusal)
        return self._dialect.members_changed(self.me, result, "add")

    def remove_participants(self, group: str, request: ParticipantsRequest) -> Any:
        return self._change_members(group, request, "leave", "left", self.groups.remove)

    def promote_participants(self, group: str, request: ParticipantsRequest) -> Any:
        return self._change_members(
            group, request, "promote", "admin", lambda db, g, people: self.groups.set_role(db, g, people, "admin")
        )

    def demote_participants(self, group: str, request: ParticipantsRequest) -> Any:
        return self._change_members(
            group,
            request,
            "demote",
            "participant",
            lambda db, g, people: self.groups.set_role(db, g, people, "participant"),
        )

    def _change_members(
        self,
        group: str,
        request: ParticipantsRequest,
        kind: str,
        role: str,
        change: Callable[[Database, str, list[str]], dict[str, int]],
    ) -> Any:
        people = _people(request)
        try:
            with self._change() as db:
                self.groups.check_admin(db, group)
                result = change(db, group, people)
                self._tell_changed(group, kind, result, role)
        except EngineFailure as refusal:
            return self._dialect.members_refused(refusal)
        return self._dialect.members_changed(self.me, result, kind)

    def get_join_requests(self, group: str) -> list[GroupJoinRequest]:
        with self._change() as db:
            self.groups.check_admin(db, group)
            found = self.groups.join_requests(db, group)
        return [
            GroupJoinRequest(
                requesterId=each.id,
                requesterPn=each.id,
                addedById=each.added_by,
                parentGroupId="",
                requestMethod=each.method,
                timestamp=each.at,
            )
            for each in found
        ]

    def approve_join_requests(self, group: str, request: ParticipantsRequest) -> list[GroupJoinRequestResult]:
        def approve(db: Database, who: str) -> bool:
            asked = any(each.id == who for each in self.groups.join_requests(db, group))
            if asked:
                self._tell_changed(group, "join", self.groups.add(db, group, [who]), "participant")
            return asked

        return self._answer_requests(group, request, approve)

    def reject_join_requests(self, group: str, request: ParticipantsRequest) -> list[GroupJoinRequestResult]:
        return self._answer_requests(group, request, lambda db, who: self.groups.turn_down(db, group, who))

    def _answer_requests(
        self, group: str, request: ParticipantsRequest, answer: Callable[[Database, str], bool]
    ) -> list[GroupJoinRequestResult]:
        results = []
        with self._change() as db:
            self.groups.check_admin(db, group)
            for who in _people(request):
                done = answer(db, who)
                results.append(GroupJoinRequestResult(requesterId=who, success=done, error=None if done else 404))
        return results

    # -- events

    def _tell_group(self, event: str, group: str, payload: dict[str, Any]) -> None:
        now = self._now_ms()
        self.host.emit(event, {"timestamp": now // self._dialect.group_time_unit_ms, **payload}, chat=group)

    def _tell_join(self, group: Group) -> None:
        """This account is in a group that it was not in."""
        if self.host.wants("group.v2.join"):
            info = self._dialect.group_info(group)
            info["membersCanSendMessages"] = self._dialect.joined_can_send(group)
            data = self._dialect.group(self.me, group, False)
            self._tell_group("group.v2.join", group.id, {"group": info, "_data": data})
        self._tell("group.join", self._notice(group.id, "add", [self.me.own]), group.id)

    def _tell_update(self, before: Group, after: Group) -> None:
        if self.host.wants("group.v2.update"):
            old, new = self._dialect.group_info(before), self._dialect.group_info(after)
            changed = self._dialect.group_update(new, {name for name in new if new[name] != old[name]})
            if changed is not None:
                self._tell_group(
                    "group.v2.update", after.id, {"group": changed, "_data": self._dialect.group(self.me, after, True)}
                )

    def _tell_changed(self, group: str, kind: str, result: dict[str, int], role: str) -> None:
        changed = [Member(who, role) for who, code in result.items() if code == OK]
        if changed:
            self._tell_members(group, kind, changed)

    def _tell_members(self, group: str, kind: str, members: list[Member]) -> None:
        if self.host.wants("group.v2.participants"):
            shown = [self._dialect.participant(member, event=kind) for member in members]
            data = self._notice(group, kind, [member.id for member in members])
            payload = {"type": kind, "group": {"id": group}, "participants": shown, "_data": data}
            self._tell_group("group.v2.participants", group, payload)

    def _notice(self, group: str, kind: str, people: list[str]) -> dict[str, Any]:
        """What the engine itself says of a change of members."""
        return {"id": group, "action": kind, "author": self.me.own, "participants": people}

    # -- what others do to groups

    def others_create_group(
        self, creator: str, subject: str, members: list[str], *, with_me: bool = True, group: str | None = None
    ) -> Group:
        """Somebody makes a group, with this account in it or with an invite link that it can join by."""
        people = [person(each) for each in members] + ([self.me.own] if with_me else [])
        with self._change() as db:
            if group is not None and self.groups.known(db, group):
                raise Unprocessable(f"There is a group '{group}' already.")
            made = self.groups.create(db, _subject(subject), people, owner=person(creator), group=group)
            if with_me:
                self.chats.touch(db, made.id, made.subject, self._now_ms())
                self._tell_join(made)
        return made

    def others_change_members(self, group: str, kind: str, people: list[str]) -> dict[str, int]:
        """Others join, leave, are promoted or demoted; this account too, when it is among them."""
        people = [person(each) for each in people]
        with self._change() as db:
            self.groups.get(db, group)
            others = [each for each in people if each != self.me.own]
            if kind == "join":
                result = self.groups.add(db, group, others)
            elif kind == "leave":
                result = self.groups.remove(db, group, others)
            else:
                role = "admin" if kind == "promote" else "participant"
                result = self.groups.set_role(db, group, people, role)
            roles = {"join": "participant", "leave": "left", "promote": "admin", "demote": "participant"}
            self._tell_changed(group, kind, result, roles[kind])
            if self.me.own in people and kind == "join" and self.groups.role(db, group) is None:
                self._let_in(db, group)
                result[self.me.own] = OK
            elif self.me.own in people and kind == "leave" and self.groups.role(db, group) is not None:
                self._put_out(db, group)
                result[self.me.own] = OK
        return result

    def others_change_group(self, group: str, **values: Any) -> Group:
        """Somebody else changes name, description or settings."""
        with self._change() as db:
            before = self.groups.get(db, group)
            self.groups.set(db, group, **values)
            after = self.groups.get(db, group)
            if "subject" in values:
                self.chats.touch(db, group, after.subject, self._now_ms())
            self._tell_update(before, after)
        return after

    def others_ask_to_join(self, group: str, who: str) -> None:
        """Somebody asks to be let in, or is in at once where no approval is needed."""
        with self._change() as db:
            if self.groups.get(db, group).approval:
                self.groups.ask(db, group, person(who))
            else:
                self._tell_changed(group, "join", self.groups.add(db, group, [person(who)]), "participant")


def _subject(text: str) -> str:
    if not text.strip() or len(text) > _SUBJECT_LETTERS:
        raise ValidationFailed(f"A group's name must have 1 to {_SUBJECT_LETTERS} letters")
    return text


def _code(text: str) -> str:
    code = text.removeprefix(_INVITE_LINK).removeprefix("invite/")
    return code.partition("?")[0].strip("/")


def _people(request: ParticipantsRequest) -> list[str]:
    if not request.participants:
        raise ValidationFailed("participants must have at least one member")
    return list(dict.fromkeys(person(each.id) for each in request.participants))
