"""What every driver must do: a suite for pytest that the author of a driver inherits. Needs pytest.

::

    from waxbill.testing.contract import DriverContract

    class TestEcho(DriverContract):
        operations = operations(EchoAccount)
        environment = {"WAXBILL_DRIVER": "echo"}

        def receive(self, server, session, text):
            ...  # make ``self.peer`` write this text to the session's account

Each test starts a server process with the driver, on a store of its own, and a webhook receiver.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ..driver import Account
from ..driver import operations as operations_of
from .client import Answer
from .process import ServerProcess
from .receiver import Receiver

_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="  # a pixel
_FILE = {"data": _PICTURE, "mimetype": "image/png", "filename": "pixel.png"}
_GROUP = "/api/{s}/groups/120363000000000001@g.us"
_CHANNEL = "/api/{s}/channels/120363000000000009@newsletter"
_CHAT = "/api/{s}/chats/{peer}"
_PASSKEY = {"clientDataJSON": "", "authenticatorData": "", "signature": ""}
_PEOPLE = {"participants": [{"id": "{peer}"}]}
_TO = {"session": "{s}", "chatId": "{peer}"}

#: A request for every operation, by the method of Account that it calls. ``{message}`` is a message that was sent.
REQUESTS: dict[str, tuple[str, str, Any]] = {
    "qr_value": ("GET", "/api/{s}/auth/qr", None),
    "request_code": ("POST", "/api/{s}/auth/request-code", {"phoneNumber": "49301234567"}),
    "passkey_challenge": ("GET", "/api/{s}/auth/passkey/challenge", None),
    "passkey_assertion": (
        "POST",
        "/api/{s}/auth/passkey",
        {"id": "a", "rawId": "a", "type": "public-key", "response": _PASSKEY},
    ),
    "passkey_confirmation": ("GET", "/api/{s}/auth/passkey/confirmation", None),
    "passkey_confirm": ("POST", "/api/{s}/auth/passkey/confirm", None),
    "screenshot": ("GET", "/api/screenshot?session={s}", None),
    "get_capping": ("GET", "/api/sessions/{s}/capping", None),
    "get_timelock": ("GET", "/api/sessions/{s}/timelock", None),
    "get_profile": ("GET", "/api/{s}/profile", None),
    "set_profile_name": ("PUT", "/api/{s}/profile/name", {"name": "Name"}),
    "set_profile_status": ("PUT", "/api/{s}/profile/status", {"status": "Status"}),
    "set_profile_picture": ("PUT", "/api/{s}/profile/picture", {"file": _FILE}),
    "delete_profile_picture": ("DELETE", "/api/{s}/profile/picture", None),
    "send_text": ("POST", "/api/sendText", {**_TO, "text": "text"}),
    "send_image": ("POST", "/api/sendImage", {**_TO, "file": _FILE}),
    "send_file": ("POST", "/api/sendFile", {**_TO, "file": _FILE}),
    "send_voice": ("POST", "/api/sendVoice", {**_TO, "file": _FILE}),
    "send_video": ("POST", "/api/sendVideo", {**_TO, "file": _FILE}),
    "send_sticker": ("POST", "/api/sendSticker", {**_TO, "file": _FILE}),
    "send_link_custom_preview": (
        "POST",
        "/api/send/link-custom-preview",
        {**_TO, "text": "https://example.com", "preview": {"url": "https://example.com", "title": "Title"}},
    ),
    "send_link_preview": ("POST", "/api/sendLinkPreview", {**_TO, "url": "https://example.com", "title": "Title"}),
    "send_buttons": (
        "POST",
        "/api/sendButtons",
        {**_TO, "header": "h", "body": "b", "footer": "f", "buttons": [{"type": "reply", "text": "t"}]},
    ),
    "send_buttons_reply": (
        "POST",
        "/api/send/buttons/reply",
        {**_TO, "replyTo": "{message}", "selectedDisplayText": "t", "selectedButtonID": "1"},
    ),
    "send_list": (
        "POST",
        "/api/sendList",
        {
            **_TO,
            "message": {
                "title": "t",
                "button": "b",
                "sections": [{"title": "s", "rows": [{"title": "r", "rowId": "1"}]}],
            },
        },
    ),
    "send_poll": ("POST", "/api/sendPoll", {**_TO, "poll": {"name": "q", "options": ["a", "b"]}}),
    "send_poll_vote": ("POST", "/api/sendPollVote", {**_TO, "pollMessageId": "{message}", "votes": ["a"]}),
    "send_location": ("POST", "/api/sendLocation", {**_TO, "latitude": 52.5, "longitude": 13.4, "title": "t"}),
    "send_contact_vcard": (
        "POST",
        "/api/sendContactVcard",
        {**_TO, "contacts": [{"fullName": "A B", "phoneNumber": "+49 30 1", "whatsappId": "49301234568"}]},
    ),
    "send_event": ("POST", "/api/{s}/events", {"chatId": "{peer}", "event": {"name": "e", "startTime": 1800000000}}),
    "forward_message": ("POST", "/api/forwardMessage", {**_TO, "messageId": "{message}"}),
    "send_seen": ("POST", "/api/sendSeen", _TO),
    "start_typing": ("POST", "/api/startTyping", _TO),
    "stop_typing": ("POST", "/api/stopTyping", _TO),
    "set_reaction": ("PUT", "/api/reaction", {"session": "{s}", "messageId": "{message}", "reaction": "👍"}),
    "set_star": ("PUT", "/api/star", {**_TO, "messageId": "{message}", "star": True}),
    "new_message_id": ("GET", "/api/{s}/new-message-id", None),
    "get_chats": ("GET", "/api/{s}/chats", None),
    "get_chats_overview": ("GET", "/api/{s}/chats/overview", None),
    "get_chat_picture": ("GET", f"{_CHAT}/picture", None),
    "get_messages": ("GET", f"{_CHAT}/messages", None),
    "get_message": ("GET", f"{_CHAT}/messages/{{message}}", None),
    "read_messages": ("POST", f"{_CHAT}/messages/read", None),
    "edit_message": ("PUT", f"{_CHAT}/messages/{{message}}", {"text": "edited"}),
    "pin_message": ("POST", f"{_CHAT}/messages/{{message}}/pin", {"duration": 86400}),
    "unpin_message": ("POST", f"{_CHAT}/messages/{{message}}/unpin", None),
    "archive_chat": ("POST", f"{_CHAT}/archive", None),
    "unarchive_chat": ("POST", f"{_CHAT}/unarchive", None),
    "unread_chat": ("POST", f"{_CHAT}/unread", None),
    "reject_call": ("POST", "/api/{s}/calls/reject", {"from": "{peer}", "id": "0"}),
    "get_contacts": ("GET", "/api/contacts/all?session={s}", None),
    "get_contact": ("GET", "/api/contacts?session={s}&contactId={peer}", None),
    "check_exists": ("GET", "/api/contacts/check-exists?session={s}&phone=49301234567", None),
    "get_about": ("GET", "/api/contacts/about?session={s}&contactId={peer}", None),
    "get_profile_picture": ("GET", "/api/contacts/profile-picture?session={s}&contactId={peer}", None),
    "block_contact": ("POST", "/api/contacts/block", {"session": "{s}", "contactId": "{peer}"}),
    "unblock_contact": ("POST", "/api/contacts/unblock", {"session": "{s}", "contactId": "{peer}"}),
    "update_contact": ("PUT", "/api/{s}/contacts/{peer}", {"firstName": "A", "lastName": "B"}),
    "get_lids": ("GET", "/api/{s}/lids", None),
    "count_lids": ("GET", "/api/{s}/lids/count", None),
    "find_pn_by_lid": ("GET", "/api/{s}/lids/123456@lid", None),
    "find_lid_by_pn": ("GET", "/api/{s}/lids/pn/49301234567", None),
    "get_labels": ("GET", "/api/{s}/labels", None),
    "create_label": ("POST", "/api/{s}/labels", {"name": "Label", "color": 1}),
    "update_label": ("PUT", "/api/{s}/labels/1", {"name": "Changed", "color": 1}),
    "get_chat_labels": ("GET", "/api/{s}/labels/chats/{peer}", None),
    "set_chat_labels": ("PUT", "/api/{s}/labels/chats/{peer}", {"labels": []}),
    "get_label_chats": ("GET", "/api/{s}/labels/1/chats", None),
    "delete_label": ("DELETE", "/api/{s}/labels/1", None),
    "set_presence": ("POST", "/api/{s}/presence", {"presence": "online"}),
    "get_presences": ("GET", "/api/{s}/presence", None),
    "get_presence": ("GET", "/api/{s}/presence/{peer}", None),
    "subscribe_presence": ("POST", "/api/{s}/presence/{peer}/subscribe", None),
    "create_group": ("POST", "/api/{s}/groups", {"name": "Group", **_PEOPLE}),
    "get_groups": ("GET", "/api/{s}/groups", None),
    "get_join_info": ("GET", "/api/{s}/groups/join-info?code=AbCdEfGhIjKlMnOpQrStUv", None),
    "join_group": ("POST", "/api/{s}/groups/join", {"code": "AbCdEfGhIjKlMnOpQrStUv"}),
    "count_groups": ("GET", "/api/{s}/groups/count", None),
    "refresh_groups": ("POST", "/api/{s}/groups/refresh", None),
    "get_group": ("GET", _GROUP, None),
    "leave_group": ("POST", f"{_GROUP}/leave", None),
    "delete_group": ("DELETE", _GROUP, None),
    "set_group_picture": ("PUT", f"{_GROUP}/picture", {"file": _FILE}),
    "delete_group_picture": ("DELETE", f"{_GROUP}/picture", None),
    "set_group_description": ("PUT", f"{_GROUP}/description", {"description": "d"}),
    "set_group_subject": ("PUT", f"{_GROUP}/subject", {"subject": "s"}),
    "set_info_admins_only": ("PUT", f"{_GROUP}/settings/security/info-admin-only", {"adminsOnly": True}),
    "get_info_admins_only": ("GET", f"{_GROUP}/settings/security/info-admin-only", None),
    "set_messages_admins_only": ("PUT", f"{_GROUP}/settings/security/messages-admin-only", {"adminsOnly": True}),
    "get_messages_admins_only": ("GET", f"{_GROUP}/settings/security/messages-admin-only", None),
    "set_member_add_mode": (
        "PUT",
        f"{_GROUP}/settings/security/member-add-mode",
        {"membersCanAddNewMember": True},
    ),
    "get_member_add_mode": ("GET", f"{_GROUP}/settings/security/member-add-mode", None),
    "set_member_share_history_mode": (
        "PUT",
        f"{_GROUP}/settings/security/member-share-history-mode",
        {"membersCanShareHistory": True},
    ),
    "get_member_share_history_mode": ("GET", f"{_GROUP}/settings/security/member-share-history-mode", None),
    "set_membership_approval": (
        "PUT",
        f"{_GROUP}/settings/security/membership-approval",
        {"newMembersApprovalRequired": True},
    ),
    "get_membership_approval": ("GET", f"{_GROUP}/settings/security/membership-approval", None),
    "get_invite_code": ("GET", f"{_GROUP}/invite-code", None),
    "revoke_invite_code": ("POST", f"{_GROUP}/invite-code/revoke", None),
    "get_participants": ("GET", f"{_GROUP}/participants", None),
    "get_participants_v2": ("GET", f"{_GROUP}/participants/v2", None),
    "add_participants": ("POST", f"{_GROUP}/participants/add", _PEOPLE),
    "remove_participants": ("POST", f"{_GROUP}/participants/remove", _PEOPLE),
    "promote_participants": ("POST", f"{_GROUP}/admin/promote", _PEOPLE),
    "demote_participants": ("POST", f"{_GROUP}/admin/demote", _PEOPLE),
    "get_join_requests": ("GET", f"{_GROUP}/participants/join-requests", None),
    "approve_join_requests": ("POST", f"{_GROUP}/participants/join-requests/approve", _PEOPLE),
    "reject_join_requests": ("POST", f"{_GROUP}/participants/join-requests/reject", _PEOPLE),
    "get_channels": ("GET", "/api/{s}/channels", None),
    "create_channel": ("POST", "/api/{s}/channels", {"name": "Channel"}),
    "delete_channel": ("DELETE", _CHANNEL, None),
    "get_channel": ("GET", _CHANNEL, None),
    "preview_channel_messages": ("GET", f"{_CHANNEL}/messages/preview", None),
    "follow_channel": ("POST", f"{_CHANNEL}/follow", None),
    "unfollow_channel": ("POST", f"{_CHANNEL}/unfollow", None),
    "mute_channel": ("POST", f"{_CHANNEL}/mute", None),
    "unmute_channel": ("POST", f"{_CHANNEL}/unmute", None),
    "search_channels_by_view": ("POST", "/api/{s}/channels/search/by-view", {}),
    "search_channels_by_text": ("POST", "/api/{s}/channels/search/by-text", {"text": "news"}),
    "get_channel_views": ("GET", "/api/{s}/channels/search/views", None),
    "get_channel_countries": ("GET", "/api/{s}/channels/search/countries", None),
    "get_channel_categories": ("GET", "/api/{s}/channels/search/categories", None),
    "send_text_status": ("POST", "/api/{s}/status/text", {"text": "status"}),
    "send_image_status": ("POST", "/api/{s}/status/image", {"file": _FILE}),
    "send_voice_status": ("POST", "/api/{s}/status/voice", {"file": _FILE}),
    "send_video_status": ("POST", "/api/{s}/status/video", {"file": _FILE}),
    "delete_status": ("POST", "/api/{s}/status/delete", {"id": "3EB0AA11BB22CC33DD44EE"}),
    "delete_message": ("DELETE", f"{_CHAT}/messages/{{message}}", None),
    "clear_messages": ("DELETE", f"{_CHAT}/messages", None),
    "delete_chat": ("DELETE", _CHAT, None),
}
#: Sends to one chat that are messages there afterwards.
SENDS = (
    "send_text", "send_image", "send_file", "send_voice", "send_video", "send_sticker", "send_link_custom_preview",
    "send_list", "send_poll", "send_location", "send_contact_vcard", "send_event", "forward_message",
)  # fmt: skip


def message_id(answer: Any, chat: str) -> str:
    """The full id in the answer to a send, by the rule for clients: ``id._serialized``, ``id``, or made of ``key``."""
    if "key" in answer:
        return f"true_{chat}_{answer['key']['id']}"
    found = answer["id"]
    return str(found["_serialized"] if isinstance(found, dict) else found)


def _asks_to_scan(event: dict[str, Any]) -> bool:
    return event["event"] == "session.status" and event["payload"]["status"] == "SCAN_QR_CODE"


class DriverContract:
    """Inherit it as ``class TestYours(DriverContract)`` and set what differs."""

    #: The methods of Account that the driver says it has: see ``waxbill.operations``.
    operations: ClassVar[frozenset[str]]
    #: Settings with which the server uses the driver.
    environment: ClassVar[dict[str, str]] = {}
    #: Somebody who can be written to.
    peer: ClassVar[str] = "49301234567@c.us"
    #: How long pairing and events may take.
    patience_seconds: ClassVar[float] = 20.0

    def pair(self, server: ServerProcess, session: str) -> None:
        """Pairs a session that asks for it. By default it is paired without doing anything."""

    def receive(self, server: ServerProcess, session: str, text: str) -> None:
        """Makes ``peer`` write a text to the account of a session."""
        pytest.skip("this suite has not said how somebody writes to the account: override receive()")

    # -- what the tests are made of

    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with Receiver() as found:
            yield found

    @pytest.fixture
    def server(self, tmp_path: Path, receiver: Receiver) -> Iterator[ServerProcess]:
        """A server with the driver and one session, ``contract``, that works."""
        with self.started(tmp_path, receiver) as server:
            self.begin(server, "contract")
            yield server

    def started(self, folder: Path, receiver: Receiver, **more: str) -> ServerProcess:
        hook = {"WHATSAPP_HOOK_URL": receiver.url, "WHATSAPP_HOOK_EVENTS": "*"}
        return ServerProcess(folder, key="", program=None, **{**hook, **self.environment, **more})

    def begin(self, server: ServerProcess, session: str) -> None:
        """Creates a session and waits until it works."""
        created = server.post("/api/sessions", {"name": session})
        assert created.status == 201, created.text
        self.pair(server, session)
        self.working(server, session)

    def working(self, server: ServerProcess, session: str = "contract") -> None:
        server.wait_for_status(session, "WORKING", timeout_seconds=self.patience_seconds)

    def call(
        self, server: ServerProcess, operation: str, message: str = "true_{peer}_3EB0AA11BB22CC33DD44EE"
    ) -> Answer:
        method, path, body = REQUESTS[operation]
        message = message.replace("{peer}", self.peer)

        def filled(value: Any) -> Any:
            if isinstance(value, str):
                return value.replace("{s}", "contract").replace("{message}", message).replace("{peer}", self.peer)
            if isinstance(value, dict):
                return {name: filled(each) for name, each in value.items()}
            return [filled(each) for each in value] if isinstance(value, list) else value

        return server.request(method, filled(path), filled(body), timeout_seconds=60)

    def send(self, server: ServerProcess, text: str) -> str:
        """Sends a text to the peer and answers its id."""
        request = {"session": "contract", "chatId": self.peer, "text": text}
        sent = server.post("/api/sendText", request)
        assert sent.status == 201, sent.text
        return message_id(sent.json(), self.peer)

    def needs(self, *operations: str) -> None:
        missing = [operation for operation in operations if operation not in self.operations]
        if missing:
            pytest.skip(f"the driver has no {', '.join(missing)}")

    def key(self, full_id: str) -> str:
        return full_id.split("_")[2]

    # -- life

    def test_a_session_goes_from_start_to_working_and_says_so(self, server: ServerProcess, receiver: Receiver) -> None:
        receiver.wait_for(lambda event: event["event"] == "session.status" and event["payload"]["status"] == "WORKING")
        statuses = [e["payload"]["status"] for e in receiver.events if e["event"] == "session.status"]
        assert statuses[0] == "STARTING"
        me = server.get("/api/sessions/contract/me").json()
        assert me["id"].endswith("@c.us")
        assert server.get("/api/sessions/contract").json()["me"] == me

    def test_stopping_and_starting_keeps_the_pairing(self, server: ServerProcess) -> None:
        assert server.post("/api/sessions/contract/stop").json()["status"] == "STOPPED"
        refused = self.call(server, "send_text")
        assert (refused.status, refused.json()["expected"]) == (422, ["WORKING"])
        server.post("/api/sessions/contract/start")
        self.working(server)

    def test_a_restart_of_the_server_keeps_the_pairing(self, server: ServerProcess) -> None:
        server.restart()
        self.working(server)

    def test_a_killed_server_comes_back_with_its_session(self, server: ServerProcess) -> None:
        server.kill()
        server.start()
        self.working(server)

    def test_logging_out_asks_for_pairing_again(self, server: ServerProcess, receiver: Receiver) -> None:
        self.needs("qr_value")
        asked = [event for event in receiver.events if _asks_to_scan(event)]
        assert server.post("/api/sessions/contract/logout").status == 201
        receiver.wait_for(lambda event: _asks_to_scan(event) and event not in asked, self.patience_seconds)
        self.pair(server, "contract")
        self.working(server)

    def test_a_deleted_session_leaves_nothing(self, server: ServerProcess) -> None:
        assert server.delete("/api/sessions/contract").status == 200
        assert server.get("/api/sessions/contract").status == 404
        self.begin(server, "contract")

    # -- sends and reads

    @pytest.mark.parametrize("operation", SENDS)
    def test_what_is_sent_is_in_its_chat_and_is_told(
        self, server: ServerProcess, receiver: Receiver, operation: str
    ) -> None:
        self.needs(operation, "get_messages", "send_text")
        first = self.send(server, "first") if operation == "forward_message" else ""
        sent = self.call(server, operation, first)
        assert sent.status == 201, sent.text
        found = server.get(f"/api/contract/chats/{self.peer}/messages").json()
        assert len(found) == (2 if first else 1)
        newest = found[0]
        assert newest["fromMe"] is True
        if operation != "forward_message":
            assert self.key(newest["id"]) == self.key(message_id(sent.json(), self.peer))

        def is_it(event: dict[str, Any]) -> bool:
            return event["event"] == "message.any" and self.key(event["payload"]["id"]) == self.key(newest["id"])

        told = receiver.wait_for(is_it, self.patience_seconds)
        assert told["payload"]["source"] == "api"
        assert sum(is_it(event) for event in receiver.events) == 1
        assert not [event for event in receiver.events if event["event"] == "message"]

    def test_a_sent_text_is_read_back_whole(self, server: ServerProcess) -> None:
        self.needs("get_messages", "get_message")
        text = 'Grüße 👋🏽\n"quoted" \\ <b>&amp;</b> \u202e ﷽'
        sent = self.send(server, text)
        read = server.get(f"/api/contract/chats/{self.peer}/messages/{sent}")
        assert read.status == 200, read.text
        assert read.json()["body"] == text

    def test_messages_come_newest_first_and_by_pages(self, server: ServerProcess) -> None:
        self.needs("get_messages")
        for number in range(3):
            self.send(server, str(number))

        def bodies(**query: Any) -> list[str]:
            found = server.get(f"/api/contract/chats/{self.peer}/messages", query=query).json()
            return [message["body"] for message in found]

        assert bodies() == ["2", "1", "0"]
        assert bodies(limit=1, offset=1) == ["1"]
        assert bodies(sortOrder="asc") == ["0", "1", "2"]

    def test_the_overview_has_the_chat_with_its_last_message(self, server: ServerProcess) -> None:
        self.needs("get_chats_overview")
        sent = self.send(server, "last")
        (chat,) = server.get("/api/contract/chats/overview").json()
        assert chat["id"] == self.peer
        assert self.key(chat["lastMessage"]["id"]) == self.key(sent)

    def test_a_message_that_is_not_there(self, server: ServerProcess) -> None:
        self.needs("get_message")
        self.send(server, "another")
        assert self.call(server, "get_message").status == 404

    # -- events

    def test_what_comes_in_is_told_once_as_both_events(self, server: ServerProcess, receiver: Receiver) -> None:
        self.receive(server, "contract", "hello there")

        def is_it(event: dict[str, Any]) -> bool:
            came = event["event"] in ("message", "message.any") and not event["payload"]["fromMe"]
            return came and event["payload"]["body"] == "hello there"

        receiver.wait_for(lambda event: is_it(event) and event["event"] == "message", self.patience_seconds)
        receiver.wait_for(lambda event: is_it(event) and event["event"] == "message.any", self.patience_seconds)
        told = [event for event in receiver.events if is_it(event)]
        assert sorted(event["event"] for event in told) == ["message", "message.any"]
        payload = told[0]["payload"]
        assert (payload["fromMe"], payload["from"], payload["source"]) == (False, self.peer, "app")
        if "get_messages" in self.operations:
            found = server.get(f"/api/contract/chats/{self.peer}/messages").json()
            assert [message["id"] for message in found] == [payload["id"]]

    def test_events_that_a_receiver_missed_come_after_a_kill(self, tmp_path: Path, receiver: Receiver) -> None:
        receiver.answer = lambda received: 503
        with self.started(tmp_path, receiver, WHATSAPP_HOOK_RETRIES_DELAY_SECONDS="1") as server:
            self.begin(server, "contract")
            self.receive(server, "contract", "do not lose me")
            receiver.wait_for(lambda event: event["payload"] is not None, self.patience_seconds)
            server.kill()
            receiver.received.clear()
            receiver.answer = lambda received: 200
            server.start()
            receiver.wait_for(
                lambda event: event["event"] == "message" and event["payload"]["body"] == "do not lose me",
                self.patience_seconds,
            )

    # -- errors

    def test_bad_requests_are_refused_in_a_sentence(self, server: ServerProcess) -> None:
        for body, status in (
            ({"session": "contract", "chatId": "nobody!", "text": "x"}, 400),
            ({"session": "contract", "chatId": self.peer}, 400),
            ({"session": "nobody", "chatId": self.peer, "text": "x"}, 404),
        ):
            refused = server.post("/api/sendText", body)
            assert refused.status == status, refused.text
            assert refused.json()["message"]

    # -- honesty

    @pytest.mark.parametrize("declared", [True, False])
    def test_the_driver_has_what_it_says_and_says_what_it_has(self, server: ServerProcess, *, declared: bool) -> None:
        """An operation that is declared never answers 501, one that is not always does."""
        message = self.send(server, "to be used") if "send_text" in self.operations else ""
        wrong = {}
        for operation in REQUESTS:
            if (operation in self.operations) is declared:
                answer = self.call(server, operation, message) if message else self.call(server, operation)
                if (answer.status == 501) is declared:
                    wrong[operation] = f"{answer.status}: {answer.text[:200]}"
                assert answer.status < 500 or answer.status in (500, 501, 503), f"{operation}: {answer.text}"
        assert not wrong

    def test_every_operation_of_the_interface_is_known_to_this_suite(self) -> None:
        class Everything(Account):
            pass

        names = {name for name in vars(Account) if not name.startswith("_")}
        assert self.operations <= names, "operations that no Account has"
        assert operations_of(Everything) == frozenset()

    # -- memory

    def test_relieving_memory_loses_nothing(self, tmp_path: Path, receiver: Receiver) -> None:
        """With the watch at its highest level, which asks for relief again and again, messages go on."""
        settings = {"MEMORY_THRESHOLD_MB": "1", "MEMORY_CHECK_SECONDS": "0.1", "WAHA_LOG_LEVEL": "debug"}
        with self.started(tmp_path, receiver) as server:
            self.begin(server, "contract")  # under pressure no new session is taken
        with self.started(tmp_path, receiver, **settings) as server:
            self.working(server)
            for number in range(5):
                self.send(server, f"under pressure {number}")
            if "get_messages" in self.operations:
                found = server.get(f"/api/contract/chats/{self.peer}/messages?limit=10").json()
                assert len(found) == 5
