"""The operations that the driver has, by the names of Account's methods.

Written out, so that a server with another driver does not import this one's code to know them; a test compares them
with the methods that are really there.
"""

from __future__ import annotations

#: What WA-JS has no call for answers 501, as WAHA does for an engine without it: docs/browser.md has the list, with
#: what was looked at.
OPERATIONS = frozenset(
    {
        "add_participants", "approve_join_requests", "archive_chat", "block_contact", "browser_trace", "check_exists",
        "clear_messages", "count_groups", "count_lids", "create_channel", "create_group", "create_label",
        "delete_channel", "delete_chat", "delete_group", "delete_group_picture", "delete_label",
        "delete_message", "delete_profile_picture", "delete_status", "demote_participants", "edit_message",
        "find_lid_by_pn", "find_pn_by_lid", "follow_channel", "forward_message", "get_about", "get_channel",
        "get_channel_categories", "get_channel_countries", "get_channel_views", "get_channels",
        "get_chat_labels", "get_chat_picture", "get_chats", "get_chats_overview", "get_contact",
        "get_contacts", "get_group", "get_groups", "get_info_admins_only", "get_invite_code", "get_join_info",
        "get_join_requests", "get_label_chats", "get_labels", "get_lids", "get_member_add_mode",
        "get_member_share_history_mode", "get_membership_approval", "get_message", "get_messages",
        "get_messages_admins_only", "get_participants", "get_participants_v2", "get_presence",
        "get_presences", "get_profile", "get_profile_picture", "join_group", "leave_group", "mute_channel",
        "new_message_id", "pin_message", "preview_channel_messages", "promote_participants", "qr_value",
        "read_messages", "refresh_groups", "reject_call", "reject_join_requests", "remove_participants",
        "request_code", "revoke_invite_code", "screenshot", "search_channels_by_text", "send_contact_vcard",
        "send_event", "send_file", "send_image", "send_image_status", "send_link_custom_preview", "send_list",
        "send_location",
        "send_poll", "send_poll_vote", "send_seen", "send_sticker", "send_text", "send_text_status", "send_video",
        "send_video_status", "send_voice", "send_voice_status", "set_chat_labels", "set_group_description",
        "set_group_picture", "set_group_subject", "set_info_admins_only", "set_member_add_mode",
        "set_messages_admins_only",
        "set_presence", "set_profile_name", "set_profile_picture", "set_profile_status", "set_reaction",
        "set_star", "start_typing", "stop_typing", "subscribe_presence", "unarchive_chat", "unblock_contact",
        "unfollow_channel", "unmute_channel", "unpin_message", "unread_chat", "update_contact",
        "update_label",
    }
)  # fmt: skip
