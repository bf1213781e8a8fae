"""Channels: following and publishing, and the search in WhatsApp's directory."""

from typing import Any

from ..model import ids
from ..model.channels import (
    Channel,
    ChannelCategory,
    ChannelCountry,
    ChannelListResult,
    ChannelMessage,
    ChannelSearchByText,
    ChannelSearchByView,
    ChannelsQuery,
    ChannelView,
    CreateChannelRequest,
    PreviewQuery,
)
from .operation import Area, Call

area = Area("📢 Channels", prefix="/api/{session}/channels")


@area.get("", capability="get_channels")
def get_channels(call: Call, query: ChannelsQuery) -> list[Channel]:
    """List the channels that the account follows or owns."""
    return call.account.get_channels(query)


@area.post("", capability="create_channel", waits=True)
def create_channel(call: Call, body: CreateChannelRequest) -> Channel:
    """Create a channel."""
    return call.account.create_channel(body)


@area.delete("/{id}", capability="delete_channel", scope="delete")
def delete_channel(call: Call, id: str) -> Any:
    """Delete a channel."""
    return call.account.delete_channel(ids.channel_id(id))


@area.get("/{id}", capability="get_channel")
def get_channel(call: Call, id: str) -> Channel:
    """Get a channel by its id or its invite code."""
    return call.account.get_channel(ids.channel_or_invite(id))


@area.get("/{id}/messages/preview", capability="preview_channel_messages", waits=True)
def preview_channel_messages(call: Call, id: str, query: PreviewQuery) -> list[ChannelMessage]:
    """Read the latest messages of a channel, also of one that is not followed."""
    return call.account.preview_channel_messages(ids.channel_or_invite(id), query)


@area.post("/{id}/follow", capability="follow_channel")
def follow_channel(call: Call, id: str) -> Any:
    """Follow a channel."""
    return call.account.follow_channel(ids.channel_id(id))


@area.post("/{id}/unfollow", capability="unfollow_channel")
def unfollow_channel(call: Call, id: str) -> Any:
    """Stop following a channel."""
    return call.account.unfollow_channel(ids.channel_id(id))


@area.post("/{id}/mute", capability="mute_channel")
def mute_channel(call: Call, id: str) -> Any:
    """Mute a channel."""
    return call.account.mute_channel(ids.channel_id(id))


@area.post("/{id}/unmute", capability="unmute_channel")
def unmute_channel(call: Call, id: str) -> Any:
    """Unmute a channel."""
    return call.account.unmute_channel(ids.channel_id(id))


@area.post("/search/by-view", capability="search_channels_by_view", scope="read", status=200)
def search_channels_by_view(call: Call, body: ChannelSearchByView) -> ChannelListResult:
    """Search the directory by one of its views."""
    return call.account.search_channels_by_view(body)


@area.post("/search/by-text", capability="search_channels_by_text", scope="read", status=200)
def search_channels_by_text(call: Call, body: ChannelSearchByText) -> ChannelListResult:
    """Search the directory by words."""
    return call.account.search_channels_by_text(body)


@area.get("/search/views", capability="get_channel_views")
def get_channel_views(call: Call) -> list[ChannelView]:
    """List the views of the directory."""
    return call.account.get_channel_views()


@area.get("/search/countries", capability="get_channel_countries")
def get_channel_countries(call: Call) -> list[ChannelCountry]:
    """List the countries of the directory."""
    return call.account.get_channel_countries()


@area.get("/search/categories", capability="get_channel_categories")
def get_channel_categories(call: Call) -> list[ChannelCategory]:
    """List the categories of the directory."""
    return call.account.get_channel_categories()
