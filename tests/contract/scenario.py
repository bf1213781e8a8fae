"""A life of a session in which every operation is called and every event is caused."""

from __future__ import annotations

import base64
import io
import json
import wave
from typing import Any

from ..making import png

PNG = base64.b64encode(png()).decode()
FILE = {"data": PNG, "mimetype": "image/png", "filename": "a.png"}
ANA, BO, CY, NOBODY = "49301234567@c.us", "49301234568@c.us", "49301234569@c.us", "00012345678@c.us"
CONTROL = "/api/waxbill/mock/s"


def full_id(answer: Any, chat: str = ANA) -> str:
    """The id of a message that was sent, whatever the engine's shape; a made-up one where nothing was sent."""
    if isinstance(answer, dict) and "key" in answer:
        return f"true_{chat}_{answer['key']['id']}"
    found = answer.get("id") if isinstance(answer, dict) else None
    if isinstance(found, dict):
        return str(found["_serialized"])
    return str(found) if found else f"true_{chat}_3EB0AAAAAAAAAAAAAAAAAA"


def sound() -> str:
    """A tenth of a second of silence as WAV, in base64."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))
    return base64.b64encode(buffer.getvalue()).decode()


def pair(call: Any, engine: str) -> None:
    """Pairs the session in every way that the engine has."""
    call("GET", "/api/s/auth/qr")
    call("POST", "/api/s/auth/request-code", {"phoneNumber": "49301234567"})
    if engine == "GOWS":
        call("POST", f"{CONTROL}/passkey", {"confirm": True})
    challenge = call("GET", "/api/s/auth/passkey/challenge")
    signed = base64.urlsafe_b64encode(json.dumps({"challenge": challenge.get("challenge")}).encode()).decode()
    credential = challenge["allowCredentials"][0]["id"] if engine == "GOWS" else "none"
    response = {"clientDataJSON": signed, "authenticatorData": "", "signature": ""}
    body = {"id": credential, "rawId": credential, "type": "public-key", "response": response}
    call("POST", "/api/s/auth/passkey", body)
    call("GET", "/api/s/auth/passkey/confirmation")
    call("POST", "/api/s/auth/passkey/confirm")
    if engine != "GOWS":
        call("POST", f"{CONTROL}/scan")


class Scenario:
    """``call(method, path, body, **query)`` makes a request and answers its decoded body."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def run(self) -> None:
        self.sessions()
        self.sends()
        self.changes()
        self.chats()
        self.people()
        self.groups()
        self.channels()
        self.statuses()
        self.labels()
        self.own()
        self.server()
        self.deletes()

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return self.call("POST", path, body, **query)

    def put(self, path: str, body: Any = None) -> Any:
        return self.call("PUT", path, body)

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, None, **query)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path, None)

    def send(self, path: str, chat: str = ANA, **body: Any) -> str:
        return full_id(self.post(f"/api/{path}", {"session": "s", "chatId": chat, **body}), chat)

    def sessions(self) -> None:
        self.get("/api/sessions", all="true", expand="apps")
        self.post("/api/sessions", {"name": "other", "start": False})
        self.put("/api/sessions/other", {"config": {"metadata": {"a": "b"}}})
        for change in ("start", "restart", "stop", "logout"):
            self.post(f"/api/sessions/other/{change}")
        self.post("/api/sessions/start", {"name": "other"})
        self.post("/api/sessions/stop", {"name": "other"})
        self.post("/api/sessions/logout", {"name": "other"})
        self.get("/api/sessions/s")
        self.get("/api/sessions/s/me")
        self.delete("/api/sessions/other")
        self.get("/api/screenshot", session="s")
        self.get("/api/sessions/s/capping")
        self.get("/api/sessions/s/timelock")

    def sends(self) -> None:
        text = self.send("sendText", text="hi")
        self.send("sendText", text="an answer", reply_to=text)
        self.get("/api/sendText", phone=ANA, text="by GET", session="s")
        for path in ("sendImage", "sendFile", "sendVideo", "sendSticker"):
            self.send(path, file=FILE)
        self.send("sendVoice", file=FILE)
        self.send("reply", text="r", reply_to=text)
        self.send("sendLocation", latitude=52.5, longitude=13.4, title="Office")
        self.send("sendContactVcard", contacts=[{"fullName": "Bo", "phoneNumber": "+49 1", "whatsappId": "491"}])
        self.send("send/link-custom-preview", text="http://a.b", preview={"url": "http://a.b", "title": "T"})
        self.send("sendLinkPreview", url="http://a.b", title="t")
        self.send("sendButtons", header="h", body="b", footer="f", buttons=[{"text": "x"}])
        sections = [{"title": "s", "rows": [{"title": "r", "rowId": "1"}]}]
        self.send("sendList", message={"title": "t", "button": "b", "sections": sections})
        self.send("send/buttons/reply", replyTo=text, selectedDisplayText="x", selectedButtonID="1")
        self.send("forwardMessage", messageId=text)
        self.send("startTyping")
        self.send("stopTyping")
        poll = self.send("sendPoll", poll={"name": "q", "options": ["a", "b"]})
        self.send("sendPollVote", pollMessageId=poll, votes=["a"])
        self.post(f"{CONTROL}/messages/{poll}/votes", {"from": ANA, "votes": ["b"]})
        self.post(f"{CONTROL}/messages/{poll}/votes", {"from": ANA, "votes": ["b"], "readable": False})
        event = self.post("/api/s/events", {"chatId": ANA, "event": {"name": "E", "startTime": 1785000000}})
        if "id" in event:
            for readable in (True, False):
                answer = {"from": ANA, "response": "GOING", "readable": readable}
                self.post(f"{CONTROL}/messages/{event['id']}/responses", answer)
        self.get("/api/s/new-message-id")
        self.get("/api/checkNumberStatus", phone="49301234567", session="s")

    def changes(self) -> None:
        text = self.send("sendText", text="to be changed")
        self.put("/api/reaction", {"session": "s", "messageId": text, "reaction": "👍"})
        self.put("/api/star", {"session": "s", "chatId": ANA, "messageId": text, "star": True})
        place = f"/api/s/chats/{ANA}/messages/{text}"
        self.get(place)
        self.put(place, {"text": "changed"})
        self.post(f"{place}/pin", {"duration": 86400})
        self.post(f"{place}/unpin")
        self.delete(place)

    def chats(self) -> None:
        self.post(f"{CONTROL}/messages", {"from": ANA, "text": "hello", "pushName": "Ana"})
        self.post(f"{CONTROL}/messages", {"from": ANA, "text": "not yet readable", "waiting": True})
        self.post(f"{CONTROL}/messages", {"from": ANA, "file": FILE, "text": "look"})
        self.send("sendSeen")
        for path in ("chats", "chats/overview", f"chats/{ANA}/picture", f"chats/{ANA}/messages"):
            self.get(f"/api/s/{path}")
        self.get("/api/messages", session="s", chatId=ANA)
        self.post("/api/s/chats/overview", {"pagination": {"limit": 5}, "filter": {"ids": [ANA]}})
        for path in ("archive", "unarchive", "unread", "messages/read"):
            self.post(f"/api/s/chats/{ANA}/{path}")

    def people(self) -> None:
        self.post(f"{CONTROL}/contacts", {"id": ANA, "name": "Ana", "about": "hey", "picture": FILE})
        self.get("/api/contacts/all", session="s")
        for path in ("", "/about", "/profile-picture"):
            self.get(f"/api/contacts{path}", session="s", contactId=ANA)
        for phone in ("49301234567", "00012345678"):
            self.get("/api/contacts/check-exists", session="s", phone=phone)
        self.post("/api/contacts/block", {"session": "s", "contactId": BO})
        self.post("/api/contacts/unblock", {"session": "s", "contactId": BO})
        self.get(f"/api/s/contacts/{ANA}")
        self.put(f"/api/s/contacts/{ANA}", {"firstName": "Ana", "lastName": "B"})
        for path in ("", "/count", "/7776543210394", "/pn/49301234567"):
            self.get(f"/api/s/lids{path}")
        self.post("/api/s/presence", {"presence": "online"})
        self.post(f"/api/s/presence/{ANA}/subscribe")
        self.post(f"{CONTROL}/presence", {"chatId": ANA, "presence": "typing"})
        self.get(f"/api/s/presence/{ANA}")
        self.get("/api/s/presence")
        for end in ("accept", "reject"):
            ringing = self.post(f"{CONTROL}/calls", {"from": ANA})
            self.post(f"{CONTROL}/calls/{ringing['id']}/{end}")
        ringing = self.post(f"{CONTROL}/calls", {"from": ANA})
        self.post("/api/s/calls/reject", {"from": ANA, "id": ringing["id"]})

    def groups(self) -> None:
        made = self.post("/api/s/groups", {"name": "G", "participants": [{"id": ANA}, {"id": NOBODY}]})
        group = made.get("JID") or made.get("gid", {}).get("_serialized") or made["id"]
        self.send("sendText", group, text="hi @49301234567", mentions=[ANA])
        self.post(f"{CONTROL}/messages", {"from": group, "participant": ANA, "text": "hi all"})
        place = f"/api/s/groups/{group}"
        self.get("/api/s/groups")
        self.get("/api/s/groups/count")
        self.post("/api/s/groups/refresh")
        for path in (
            "",
            "/participants",
            "/participants/v2",
            "/picture",
            "/settings/security/info-admin-only",
            "/settings/security/messages-admin-only",
        ):
            self.get(place + path)
        code = self.get(f"{place}/invite-code")
        self.get("/api/s/groups/join-info", code=code)
        self.put(f"{place}/subject", {"subject": "New"})
        self.put(f"{place}/description", {"description": "D"})
        self.put(f"{place}/picture", {"file": FILE})
        self.delete(f"{place}/picture")
        self.put(f"{place}/settings/security/info-admin-only", {"adminsOnly": True})
        self.put(f"{place}/settings/security/messages-admin-only", {"adminsOnly": True})
        self.modes(place)
        self.join_requests(place)
        for path in ("participants/add", "admin/promote", "admin/demote", "participants/remove"):
            self.post(f"{place}/{path}", {"participants": [{"id": BO}]})
        self.post(f"{place}/invite-code/revoke")
        self.post(f"{place}/leave")
        self.delete(place)
        theirs = self.post(f"{CONTROL}/groups", {"creator": BO, "subject": "Theirs", "withMe": False})
        self.post("/api/s/groups/join", {"code": theirs["invite"]})

    def modes(self, place: str) -> None:
        """Settings that are not in the document."""
        for setting, member in (
            ("member-add-mode", "membersCanAddNewMember"),
            ("member-share-history-mode", "membersCanShareHistory"),
            ("membership-approval", "newMembersApprovalRequired"),
        ):
            self.put(f"{place}/settings/security/{setting}", {member: True})
            assert self.get(f"{place}/settings/security/{setting}") == {member: True}

    def join_requests(self, place: str) -> None:
        """Nor are these."""
        group = place.rpartition("/")[2]
        for answer in ("approve", "reject"):
            self.post(f"{CONTROL}/groups/{group}/join-requests", {"from": CY})
            assert [each["requesterId"] for each in self.get(f"{place}/participants/join-requests")] == [CY]
            self.post(f"{place}/participants/join-requests/{answer}", {"participants": [{"id": CY}]})
            assert self.get(f"{place}/participants/join-requests") == []
            self.post(f"{place}/participants/remove", {"participants": [{"id": CY}]})

    def channels(self) -> None:
        made = self.post("/api/s/channels", {"name": "Ours", "description": "d"})
        self.get("/api/s/channels")
        found = self.post("/api/s/channels/search/by-text", {"text": "courier", "limit": 2})
        self.post("/api/s/channels/search/by-view", {"limit": 1})
        for path in ("views", "countries", "categories"):
            self.get(f"/api/s/channels/search/{path}")
        channel = found["channels"][0]["id"]
        for path in ("follow", "mute", "unmute"):
            self.post(f"/api/s/channels/{channel}/{path}")
        self.post(f"{CONTROL}/messages", {"from": channel, "text": "news"})
        self.get(f"/api/s/channels/{channel}")
        self.get(f"/api/s/channels/{channel}/messages/preview")
        self.post(f"/api/s/channels/{channel}/unfollow")
        self.delete(f"/api/s/channels/{made.get('id', channel)}")

    def statuses(self) -> None:
        sent = self.post("/api/s/status/text", {"text": "st"})
        for path in ("image", "voice", "video"):
            self.post(f"/api/s/status/{path}", {"file": FILE})
        self.get("/api/s/status/new-message-id")
        self.post("/api/s/status/delete", {"id": full_id(sent, "status@broadcast").split("_")[2]})

    def labels(self) -> None:
        self.post("/api/s/labels", {"name": "L", "color": 3})
        self.put("/api/s/labels/1", {"name": "L2", "color": 4})
        self.put(f"/api/s/labels/chats/{ANA}", {"labels": [{"id": "1"}]})
        self.get("/api/s/labels")
        self.get(f"/api/s/labels/chats/{ANA}")
        self.get("/api/s/labels/1/chats")
        self.put(f"/api/s/labels/chats/{ANA}", {"labels": []})
        self.delete("/api/s/labels/1")

    def own(self) -> None:
        self.put("/api/s/profile/name", {"name": "Shop"})
        self.put("/api/s/profile/status", {"status": "open"})
        self.put("/api/s/profile/picture", {"file": FILE})
        self.get("/api/s/profile")
        self.delete("/api/s/profile/picture")
        self.post("/api/s/media/convert/voice", {"data": sound()})
        self.post("/api/s/media/convert/video", {"data": base64.b64encode(png(16)).decode()})

    def server(self) -> None:
        for path in ("/ping", "/health", "/api/version"):
            self.get(path)
        for path in ("version", "environment", "status", "debug/heapsnapshot"):
            self.get(f"/api/server/{path}")
        self.get("/api/server/debug/cpu", seconds=1)
        self.get("/api/server/debug/browser/trace/s", seconds=1)
        key = self.post("/api/keys", {"isAdmin": False, "session": "s"})
        self.put(f"/api/keys/{key['id']}", {"isAdmin": False, "session": "s", "isActive": False})
        self.get("/api/keys")
        self.post("/api/keys/media", {"session": "s"})
        self.post("/api/keys/control", {"session": "s"})
        self.delete(f"/api/keys/{key['id']}")
        rule = {"reject": True}
        app = self.post("/api/apps", {"id": "", "session": "s", "app": "calls", "config": {"dm": rule, "group": rule}})
        self.get("/api/apps", session="s")
        self.get(f"/api/apps/{app['id']}")
        self.put(f"/api/apps/{app['id']}", app)
        self.post(f"/api/apps/{app['id']}/purge")
        self.post("/api/apps/calls/s/purge")
        self.delete(f"/api/apps/{app['id']}")
        self.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"})

    def deletes(self) -> None:
        self.delete(f"/api/s/chats/{ANA}/messages")
        self.delete(f"/api/s/chats/{ANA}")
