"""Channels: own ones, followed ones, and searching WhatsApp's directory (an invented one here)."""

from __future__ import annotations

import collections
from typing import Any

from waxbill.model import channels as model
from waxbill.model.errors import EngineFailure, NotFound, Unprocessable, ValidationFailed

from ..account.channels import CATEGORIES, COUNTRIES, VIEWS, Channel, directory
from ..account.messages import Page
from ..account.reactions import reactions
from .chats import ChatOperations

_NAME_LETTERS = 100


class ChannelOperations(ChatOperations):
    """Channels of the account."""

    def get_channels(self, query: model.ChannelsQuery) -> list[model.Channel]:
        found = self.channels.all(self.host.store.read(), query.role)
        return [self._dialect.listed_channel(self._shown_channel(channel)) for channel in found]

    def _public(self, channel: Channel) -> dict[str, Any]:
        picture = self._picture_url(channel.id, channel.picture)
        return {
            "id": channel.id,
            "name": channel.name,
            "invite": f"https://whatsapp.com/channel/{channel.invite}",
            "preview": picture,
            "picture": picture,
            "description": channel.description,
            "verified": channel.verified,
            "subscribersCount": channel.subscribers,
        }

    def _shown_channel(self, channel: Channel) -> model.Channel:
        return model.Channel(**self._public(channel), role=channel.role)  # type: ignore[arg-type]

    def create_channel(self, request: model.CreateChannelRequest) -> model.Channel:
        if not request.name.strip() or len(request.name) > _NAME_LETTERS:
            raise ValidationFailed(f"name must have 1 to {_NAME_LETTERS} letters")
        picture = self._take_picture(request.picture) if request.picture else None
        with self.host.store.write() as db:
            made = self.channels.create(db, request.name, request.description or "", picture)
            self.chats.touch(db, made.id, made.name, self._now_ms())
        return self._shown_channel(made)

    def delete_channel(self, channel: str) -> Any:
        found = self._channel(channel)
        if found.role != "OWNER":
            raise EngineFailure(f"Only its owner can delete the channel {channel}.", "not-authorized")
        with self.host.store.write() as db:
            self.channels.delete(db, found.id)
            self.chats.delete(db, found.id)

    def get_channel(self, channel: str) -> model.Channel:
        if "@" not in channel and not self._dialect.finds_channels_by_invite:
            raise self._missing("get_channel")
        return self._shown_channel(self._channel(channel))

    def _channel(self, channel: str) -> Channel:
        found = self.channels.get(self.host.store.read(), channel)
        if found is None:
            raise NotFound(f"Channel '{channel}' not found.")
        return found

    def preview_channel_messages(self, channel: str, query: model.PreviewQuery) -> list[model.ChannelMessage]:
        found = self._channel(channel)
        db = self.host.store.read()
        page = Page(chat=found.id, limit=query.limit, newest_first=True)
        shown = []
        for message in self.messages.page(db, page, self._now_ms()):
            counts = collections.Counter(each.text for each in reactions(db, self.me.id, message.id))
            shown.append(
                {
                    "message": self._shown(message, media=bool(query.downloadMedia)),
                    "reactions": dict(counts.most_common()),
                    "viewCount": found.subscribers,
                }
            )
        return shown  # type: ignore[return-value]

    # -- following

    def follow_channel(self, channel: str) -> Any:
        found = self._channel(channel)
        if found.role == "GUEST":
            found.role, found.subscribers = "SUBSCRIBER", found.subscribers + 1
            with self.host.store.write() as db:
                self.channels.put(db, found)
                self.chats.touch(db, found.id, found.name, self._now_ms())

    def unfollow_channel(self, channel: str) -> Any:
        found = self._channel(channel)
        if found.role == "OWNER":
            raise Unprocessable("The owner can't unfollow the channel; delete it instead.")
        with self.host.store.write() as db:
            self.channels.delete(db, found.id)

    def mute_channel(self, channel: str) -> Any:
        self._mute(channel, True)

    def unmute_channel(self, channel: str) -> Any:
        self._mute(channel, False)

    def _mute(self, channel: str, muted: bool) -> None:
        found = self._channel(channel)
        if found.role == "GUEST":
            raise Unprocessable(f"This account does not follow {channel}; follow it first.")
        found.muted = muted
        with self.host.store.write() as db:
            self.channels.put(db, found)

    # -- the directory

    def search_channels_by_view(self, request: model.ChannelSearchByView) -> model.ChannelListResult:
        if request.view not in VIEWS:
            raise ValidationFailed(f"view must be one of {', '.join(VIEWS)}")
        countries = [country.upper() for country in request.countries or ["US"]]
        found = [channel for channel in directory() if channel.country in countries]
        if request.view == "NEW":
            found.reverse()
        elif request.view == "TRENDING":
            found.sort(key=lambda channel: channel.id[-11:-15:-1])
        return self._page(found, request)

    def search_channels_by_text(self, request: model.ChannelSearchByText) -> model.ChannelListResult:
        text = request.text.casefold()
        return self._page([channel for channel in directory() if text in channel.name.casefold()], request)

    def _page(self, found: list[Channel], request: model.ChannelSearch) -> model.ChannelListResult:
        if request.categories:
            found = [channel for channel in found if channel.category in request.categories]
        cursor = request.startCursor or "0"
        if not (cursor.isascii() and cursor.isdigit()):
            raise ValidationFailed("startCursor must be the endCursor of the page before")
        start = int(cursor)
        end = start + int(request.limit or 0)
        return model.ChannelListResult(
            page=model.ChannelPagination(
                startCursor=cursor,
                endCursor=str(min(end, len(found))),
                hasNextPage=end < len(found),
                hasPreviousPage=start > 0,
            ),
            channels=[model.ChannelPublicInfo(**self._public(channel)) for channel in found[start:end]],
        )

    def get_channel_views(self) -> list[model.ChannelView]:
        return [model.ChannelView(value=value, name=name) for value, name in VIEWS.items()]

    def get_channel_countries(self) -> list[model.ChannelCountry]:
        return [model.ChannelCountry(code=code, name=name) for code, name in COUNTRIES.items()]

    def get_channel_categories(self) -> list[model.ChannelCategory]:
        return [model.ChannelCategory(value=value, name=name) for value, name in CATEGORIES.items()]
