"""Groups, channels and statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waxbill.media.files import Taken
from waxbill.model.channels import (
    Channel,
    ChannelCategory,
    ChannelCountry,
    ChannelListResult,
    ChannelMessage,
    ChannelPagination,
    ChannelView,
)
from waxbill.model.errors import EngineFailure, NotFound, NotImplementedByEngine, Unprocessable, ValidationFailed
from waxbill.model.groups import GroupJoinRequest, GroupJoinRequestResult, GroupParticipant
from waxbill.model.wire import Result

from ..shapes import chats as shapes
from .contacts import Contacts
from .directory import CATEGORIES, COUNTRIES, VIEWS

if TYPE_CHECKING:
    from waxbill.model.channels import ChannelSearchByText, ChannelsQuery, CreateChannelRequest, PreviewQuery
    from waxbill.model.groups import CreateGroupRequest, GroupsQuery, ParticipantsRequest
    from waxbill.model.profile import ProfilePictureRequest
    from waxbill.model.statuses import (
        DeleteStatusRequest,
        ImageStatus,
        StatusRequest,
        TextStatus,
        VideoStatus,
        VoiceStatus,
    )

_SUBJECT_LETTERS = 100
_INVITE_LINK = "https://chat.whatsapp.com/"


class Groups(Contacts):
    """The account's groups."""

    def create_group(self, request: CreateGroupRequest) -> Any:
        made = self.run("createGroup", name=_subject(request.name), people=[each.id for each in request.participants])
        user, _, server = made["gid"].partition("@")
        return {
            "gid": {"server": server, "user": user, "_serialized": made["gid"]},
            "participants": shapes.changed_members(made["participants"], []),
        }

    def get_groups(self, query: GroupsQuery) -> Any:
        with_members = "participants" not in (query.exclude or ())
        found = [shapes.group(raw) for raw in self.run("groups", withMembers=with_members)]
        by_subject = query.sortBy == "subject"
        found.sort(
            key=lambda group: (group["groupMetadata"].get("subject") or "").casefold() if by_subject else group["id"],
            reverse=query.sortOrder == "desc",
        )
        return found[query.offset or 0 :][: query.limit]

    def get_group(self, group: str) -> Any:
        return shapes.group(self.run("group", group=group))

    def count_groups(self) -> int:
        return len(self.run("groups", withMembers=False))

    def refresh_groups(self) -> Any:
        return self.run("refreshGroups")

    def get_join_info(self, code: str) -> Any:
        return self.run("inviteInfo", code=_code(code))

    def join_group(self, code: str) -> str:
        return str(self.run("join", code=_code(code))["id"])

    def leave_group(self, group: str) -> Any:
        self.run("leave", group=group)

    def delete_group(self, group: str) -> Any:
        return self.run("deleteGroup", group=group)

    def set_group_picture(self, group: str, request: ProfilePictureRequest) -> Result:
        self.set_picture("setGroupPicture", request, group=group)
        return Result()

    def delete_group_picture(self, group: str) -> Result:
        self.run("removeGroupPicture", group=group)
        return Result()

    def set_group_description(self, group: str, description: str) -> Any:
        return self.run("setDescription", group=group, description=description)

    def set_group_subject(self, group: str, subject: str) -> Any:
        return self.run("setSubject", group=group, subject=_subject(subject))

    # -- settings

    def _metadata(self, group: str) -> dict[str, Any]:
        found: dict[str, Any] = self.run("group", group=group)["groupMetadata"]
        return found

    def set_info_admins_only(self, group: str, admins_only: bool) -> Any:
        return self.run("setProperty", group=group, property="restrict", value=admins_only)

    def get_info_admins_only(self, group: str) -> bool:
        return bool(self._metadata(group).get("restrict"))

    def set_messages_admins_only(self, group: str, admins_only: bool) -> Any:
        return self.run("setProperty", group=group, property="announcement", value=admins_only)

    def get_messages_admins_only(self, group: str) -> bool:
        return bool(self._metadata(group).get("announce"))

    def set_member_add_mode(self, group: str, members_can_add: bool) -> Any:
        return self.run("setMemberAddMode", group=group, everybody=members_can_add)

    def get_member_add_mode(self, group: str) -> bool:
        return self._metadata(group).get("memberAddMode") in (True, "all_member_add")

    def get_member_share_history_mode(self, group: str) -> bool:
        return self._metadata(group).get("memberShareGroupHistoryMode") in (True, "all_member_share")

    def get_membership_approval(self, group: str) -> bool:
        return bool(self._metadata(group).get("membershipApprovalMode"))

    # -- invites and members

    def get_invite_code(self, group: str) -> str:
        return str(self.run("invite", group=group, revoke=False))

    def revoke_invite_code(self, group: str) -> str:
        return str(self.run("invite", group=group, revoke=True))

    def get_participants(self, group: str) -> Any:
        return shapes.members(self.run("members", group=group))

    def get_participants_v2(self, group: str) -> list[GroupParticipant]:
        return shapes.participants(self.run("members", group=group))

    def add_participants(self, group: str, request: ParticipantsRequest) -> Any:
        people = _people(request)
        return shapes.changed_members(self.run("changeMembers", group=group, people=people, change="add"), people)

    def remove_participants(self, group: str, request: ParticipantsRequest) -> Any:
        return self._change_members(group, request, "remove")

    def promote_participants(self, group: str, request: ParticipantsRequest) -> Any:
        return self._change_members(group, request, "promote")

    def demote_participants(self, group: str, request: ParticipantsRequest) -> Any:
        return self._change_members(group, request, "demote")

    def _change_members(self, group: str, request: ParticipantsRequest, change: str) -> Any:
        self.run("changeMembers", group=group, people=_people(request), change=change)
        return True

    def get_join_requests(self, group: str) -> list[GroupJoinRequest]:
        return [
            GroupJoinRequest(
                requesterId=raw["id"],
                requesterPn=raw["id"] if raw["id"].endswith("@c.us") else None,
                addedById=raw.get("addedBy") or "",
                parentGroupId=raw.get("parentGroupId") or "",
                requestMethod=raw.get("requestMethod") or "",
                timestamp=int(raw.get("t") or 0),
            )
            for raw in self.run("joinRequests", group=group)
        ]

    def approve_join_requests(self, group: str, request: ParticipantsRequest) -> list[GroupJoinRequestResult]:
        return self._answer_requests(group, request, approve=True)

    def reject_join_requests(self, group: str, request: ParticipantsRequest) -> list[GroupJoinRequestResult]:
        return self._answer_requests(group, request, approve=False)

    def _answer_requests(
        self, group: str, request: ParticipantsRequest, *, approve: bool
    ) -> list[GroupJoinRequestResult]:
        answers = self.run("answerRequests", group=group, people=_people(request), approve=approve)
        return [
            GroupJoinRequestResult(
                requesterId=each["wid"],
                success=not each.get("error"),
                error=int(each["error"]) if str(each.get("error") or "").isdigit() else None,
            )
            for each in answers
        ]

    # -- channels

    def get_channels(self, query: ChannelsQuery) -> list[Channel]:
        found = [shapes.channel(raw, listed=True) for raw in self.run("channels")]
        return [channel for channel in found if query.role is None or channel.role == query.role]

    def get_channel(self, channel: str) -> Channel:
        if "@" not in channel:
            raise NotImplementedByEngine("get_channel", "WPP", "A channel can't be read by its invite; search for it.")
        found = self.run("channel", channel=channel)
        if found is None:
            raise NotFound(f"Channel '{channel}' not found among those of the account.")
        return shapes.channel(found)

    def create_channel(self, request: CreateChannelRequest) -> Channel:
        if not request.name.strip():
            raise ValidationFailed("name must not be empty")
        arguments: dict[str, Any] = {"name": request.name, "description": request.description}
        if request.picture is None:
            made = self.run("createChannel", file=None, **arguments)
        else:
            with self.page() as page, self.handed_in(page, self.take(request.picture)) as file:
                made = page.run("createChannel", self.settings.call_seconds, file=file, **arguments)
        return Channel(
            id=made["idJid"],
            name=made.get("name") or request.name,
            description=made.get("description"),
            invite=shapes.invite_link(made.get("inviteLink") or made.get("inviteCode")),
            picture=None,
            preview=None,
            verified=False,
            role="OWNER",
            subscribersCount=int(made.get("subscribersCount") or 0),
        )

    def _known_channel(self, channel: str) -> None:
        if self.run("channel", channel=channel) is None:
            raise NotFound(f"Channel '{channel}' not found among those of the account.")

    def delete_channel(self, channel: str) -> Any:
        self._known_channel(channel)
        if not self.run("deleteChannel", channel=channel):
            raise EngineFailure(f"WhatsApp did not delete the channel {channel}.", "newsletter_not_deleted")

    def follow_channel(self, channel: str) -> Any:
        self.run("follow", channel=channel, follow=True)

    def unfollow_channel(self, channel: str) -> Any:
        self.run("follow", channel=channel, follow=False)

    def mute_channel(self, channel: str) -> Any:
        self._known_channel(channel)
        self.run("mute", channel=channel, mute=True)

    def unmute_channel(self, channel: str) -> Any:
        self._known_channel(channel)
        self.run("mute", channel=channel, mute=False)

    def preview_channel_messages(self, channel: str, query: PreviewQuery) -> list[ChannelMessage]:
        if "@" not in channel:
            raise NotImplementedByEngine("preview_channel_messages", "WPP", "A channel can't be read by its invite.")
        self._known_channel(channel)
        found = self.run("messages", chat=channel, count=query.limit or 10)
        return [
            ChannelMessage(message=self.shown(raw, media=bool(query.downloadMedia)), reactions={}, viewCount=0)  # type: ignore[arg-type]
            for raw in found
        ]

    def search_channels_by_text(self, request: ChannelSearchByText) -> ChannelListResult:
        if not request.text.strip():
            raise ValidationFailed("text must not be empty")
        found = self.run(
            "searchChannels",
            text=request.text,
            categories=request.categories,
            limit=request.limit,
            cursor=request.startCursor,
        )
        page = found["page"]
        return ChannelListResult(
            page=ChannelPagination(
                startCursor=request.startCursor or "",
                endCursor=page.get("endCursor") or "",
                hasNextPage=bool(page.get("hasNextPage")),
                hasPreviousPage=bool(request.startCursor),
            ),
            channels=[shapes.found_channel(raw) for raw in found["channels"]],
        )

    def get_channel_views(self) -> list[ChannelView]:
        return [ChannelView(value=value, name=name) for value, name in VIEWS]

    def get_channel_countries(self) -> list[ChannelCountry]:
        return [ChannelCountry(code=code, name=name) for code, name in COUNTRIES]

    def get_channel_categories(self) -> list[ChannelCategory]:
        return [ChannelCategory(value=value, name=name) for value, name in CATEGORIES]

    # -- statuses

    def send_text_status(self, request: TextStatus) -> Any:
        _for_everybody(request)
        return self.sent(
            self.run("sendTextStatus", text=request.text, color=request.backgroundColor, font=request.font or 0)
        )

    def send_image_status(self, request: ImageStatus) -> Any:
        _for_everybody(request)
        return self._send_status(self.take(request.file), {"type": "image"}, request.caption)

    def send_voice_status(self, request: VoiceStatus) -> Any:
        _for_everybody(request)
        taken = self.take(request.file, convert="voice" if request.convert else None)
        return self._send_status(taken, {"type": "audio", "isPtt": True})

    def send_video_status(self, request: VideoStatus) -> Any:
        _for_everybody(request)
        taken = self.take(request.file, convert="video" if request.convert else None)
        return self._send_status(taken, {"type": "video"}, request.caption)

    def _send_status(self, taken: Taken, how: dict[str, Any], caption: str | None = None) -> Any:
        try:
            with self.page() as page, self.handed_in(page, taken) as file:
                raw = page.run(
                    "sendFileStatus",
                    self.settings.call_seconds * 3,
                    file=file,
                    caption=caption or None,
                    **{"as": how},
                )
        finally:
            taken.path.unlink(missing_ok=True)
        return self.sent(raw)

    def delete_status(self, request: DeleteStatusRequest) -> Any:
        if not request.id:
            raise ValidationFailed("id is required: the status to take back")
        return self.run("deleteStatus", messageId=request.id)


def _for_everybody(request: StatusRequest) -> None:
    if request.contacts:
        raise Unprocessable("The engine WPP sends a status to everybody only: leave contacts out.")


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
    return list(dict.fromkeys(each.id for each in request.participants))
