"""The Model Context Protocol, as far as a server of tools needs it: JSON-RPC over POST, one answer per request.

The tools are WAHA's: each is an operation of the API, called inside this process with the caller's own key, so that
a key's scopes hold for tools as they do for requests. Source: modelcontextprotocol.io, revision 2025-06-18.

Imported by the first request to /mcp.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from . import __version__

VERSIONS = ("2025-06-18", "2025-03-26", "2024-11-05")

#: WAHA's tools, and the operation that each of them calls, by area.
_TOOLS = """
sessions-list=list_sessions sessions-get=get_session sessions-create=create_session sessions-update=update_session
sessions-delete=delete_session sessions-start=start_session sessions-stop=stop_session sessions-logout=logout_session
sessions-restart=restart_session sessions-capping=get_capping
auth-qr=get_qr auth-request-code=request_code screenshot=screenshot
server-version=get_version server-status=get_status server-environment=get_environment server-stop=stop_server
ping=ping
send-text=send_text send-image=send_image send-file=send_file send-voice=send_voice send-video=send_video
send-sticker=send_sticker send-link-custom-preview=send_link_custom_preview send-buttons=send_buttons
send-list=send_list send-seen=send_seen send-poll=send_poll send-poll-vote=send_poll_vote send-location=send_location
send-contact-vcard=send_contact_vcard send-buttons-reply=send_buttons_reply forward-message=forward_message
start-typing=start_typing stop-typing=stop_typing set-reaction=set_reaction set-star=set_star
send-event-message=send_event new-message-id=get_new_message_id
chats-list=get_chats chats-overview=get_chats_overview chats-overview-post=post_chats_overview chats-delete=delete_chat
chats-get-picture=get_chat_picture chats-get-messages=get_chat_messages chats-read-messages=read_chat_messages
chats-get-message=get_chat_message chats-pin-message=pin_message chats-unpin-message=unpin_message
chats-clear-messages=clear_messages chats-delete-message=delete_message chats-edit-message=edit_message
chats-archive=archive_chat chats-unarchive=unarchive_chat chats-unread=unread_chat
contacts-get-all=get_contacts contacts-get=get_contact contacts-check-exists=check_exists
contacts-get-about=get_about contacts-get-picture=get_profile_picture contacts-block=block_contact
contacts-unblock=unblock_contact contacts-upsert=update_contact
lids-get-all=get_lids lids-count=count_lids lids-find-pn-by-lid=find_pn_by_lid lids-find-lid-by-pn=find_lid_by_pn
groups-list=get_groups groups-count=count_groups groups-refresh=refresh_groups groups-join-info=get_join_info
groups-join=join_group groups-create=create_group groups-get=get_group groups-delete=delete_group
groups-leave=leave_group groups-get-picture=get_group_picture groups-set-picture=set_group_picture
groups-delete-picture=delete_group_picture groups-set-description=set_group_description
groups-set-subject=set_group_subject groups-get-info-admin-only=get_info_admins_only
groups-set-info-admin-only=set_info_admins_only groups-get-messages-admin-only=get_messages_admins_only
groups-set-messages-admin-only=set_messages_admins_only groups-get-invite-code=get_invite_code
groups-revoke-invite-code=revoke_invite_code groups-get-participants=get_participants_v2
groups-add-participants=add_participants groups-remove-participants=remove_participants
groups-promote-to-admin=promote_participants groups-demote-to-member=demote_participants
groups-get-membership-approval=get_membership_approval groups-set-membership-approval=set_membership_approval
groups-join-requests=get_join_requests groups-approve-join-requests=approve_join_requests
groups-reject-join-requests=reject_join_requests
channels-list=get_channels channels-create=create_channel channels-delete=delete_channel channels-get=get_channel
channels-messages-preview=preview_channel_messages channels-follow=follow_channel channels-unfollow=unfollow_channel
channels-mute=mute_channel channels-unmute=unmute_channel channels-search-by-view=search_channels_by_view
channels-search-by-text=search_channels_by_text channels-search-views=get_channel_views
channels-search-countries=get_channel_countries channels-search-categories=get_channel_categories
status-send-text=send_text_status status-send-image=send_image_status status-send-voice=send_voice_status
status-send-video=send_video_status status-delete=delete_status status-new-message-id=get_new_status_id
labels-get-all=get_labels labels-create=create_label labels-update=update_label labels-delete=delete_label
labels-get-chat-labels=get_chat_labels labels-set-chat-labels=set_chat_labels
labels-get-chats-by-label=get_label_chats
presence-set=set_presence presence-get-all=get_presences presence-get=get_presence
presence-subscribe=subscribe_presence
profile-get=get_profile profile-set-name=set_profile_name profile-set-status=set_profile_status
profile-set-picture=set_profile_picture profile-delete-picture=delete_profile_picture
calls-reject=reject_call apps-purge=purge_app
"""
OPERATIONS = dict(pair.split("=") for pair in _TOOLS.split())

_STRING = {"type": "string"}
_API_CALL = {
    "name": "api-call",
    "description": "Call any operation of the API. api-openapi has them all.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "method": {"type": "string", "enum": ["GET", "POST", "PUT", "DELETE"]},
            "path": {"type": "string", "description": "Such as /api/sessions"},
            "query": {"type": "object"},
            "body": {"type": "object"},
        },
        "required": ["method", "path"],
    },
}
_API_OPENAPI = {
    "name": "api-openapi",
    "description": "Get the paths of the OpenAPI document; with path, everything about that one.",
    "inputSchema": {"type": "object", "properties": {"path": _STRING}},
}
_DEEPEST = 6


class _Fault(Exception):
    """A JSON-RPC error: its code and its text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Endpoint:
    """The tools of one server. ``document`` makes the OpenAPI document, ``application`` is the WSGI application."""

    def __init__(self, application: Callable[..., Any], document: Callable[[], bytes]) -> None:
        self._application = application
        self._document = document

    def answer(self, text: bytes, key: str) -> bytes | None:
        """Answers a message, or a list of them, of a client with an API key; None when nothing is to be said."""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            return _encoded(_error(None, -32700, f"The body is not JSON: {error}"))
        if isinstance(message, list):
            answers = [found for each in message if (found := self._one(each, key)) is not None]
            return _encoded(answers) if answers else None
        found = self._one(message, key)
        return None if found is None else _encoded(found)

    def _one(self, message: Any, key: str) -> dict[str, Any] | None:
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return _error(None, -32600, "A message is an object with jsonrpc, method and, where it asks, id.")
        if "id" not in message:
            return None  # a notification
        parameters = message.get("params") or {}
        try:
            if not isinstance(parameters, dict):
                raise _Fault(-32602, "params must be an object")
            return {"jsonrpc": "2.0", "id": message["id"], "result": self._result(message["method"], parameters, key)}
        except _Fault as fault:
            return _error(message["id"], fault.code, str(fault))

    def _result(self, method: str, parameters: dict[str, Any], key: str) -> dict[str, Any]:
        if method == "initialize":
            asked = parameters.get("protocolVersion")
            return {
                "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "whatsapp-server-mcp", "version": __version__},
            }
        if method == "ping":
            return {}
        if method == "tools/list":
            return {"tools": [*(tool for tool, *_ in self._tools().values()), _API_CALL, _API_OPENAPI]}
        if method == "tools/call":
            arguments = parameters.get("arguments") or {}
            if not isinstance(arguments, dict):
                raise _Fault(-32602, "arguments must be an object")
            return self._call(str(parameters.get("name")), arguments, key)
        raise _Fault(-32601, f"There is no method '{method[:80]}'.")

    # -- tools

    def _openapi(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(gzip.decompress(self._document()))
        return found

    def _tools(self) -> dict[str, tuple[dict[str, Any], str, str, dict[str, Any]]]:
        """Every tool with its method, its path and the operation in the document. Made anew: it is rarely asked."""
        document = self._openapi()
        operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }
        tools = {}
        for name, operation_id in OPERATIONS.items():
            method, path, operation = operations[operation_id]
            tool = {
                "name": name,
                "description": f"{operation['summary']}. {method} {path}",
                "inputSchema": _input(operation, document["components"]["schemas"]),
            }
            tools[name] = (tool, method, path, operation)
        return tools

    def _call(self, name: str, arguments: dict[str, Any], key: str) -> dict[str, Any]:
        if name == "api-openapi":
            return _text(self._describe(arguments.get("path")))
        if name == "api-call":
            method, path, query, body = (arguments.get(part) for part in ("method", "path", "query", "body"))
            if method not in ("GET", "POST", "PUT", "DELETE") or not str(path).startswith("/"):
                raise _Fault(-32602, "api-call needs method (GET, POST, PUT, DELETE) and path (such as /api/sessions)")
            return self._request(method, quote(str(path), safe="/@"), query or {}, body, key)
        if name not in OPERATIONS:
            raise _Fault(-32602, f"There is no tool '{name[:80]}'; tools/list has them all.")
        _, method, path, operation = self._tools()[name]
        rest = dict(arguments)
        keep_data = bool(rest.pop("_data", False))
        missing = [part for part in re.findall(r"{(\w+)}", path) if not rest.get(part)]
        if missing:
            raise _Fault(-32602, f"{name} needs {', '.join(missing)}")
        path = re.sub(r"{(\w+)}", lambda found: quote(str(rest.pop(found[1])), safe="@"), path)
        names = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        query = {part: rest.pop(part) for part in names & rest.keys()}
        result = self._request(method, path, query, rest if "requestBody" in operation else None, key)
        if name == "chats-get-messages" and not keep_data:
            _strip_data(result)
        return result

    def _describe(self, path: Any) -> str:
        document = self._openapi()
        if path is None:
            return json.dumps({each: sorted(methods) for each, methods in document["paths"].items()})
        if path not in document["paths"]:
            raise _Fault(-32602, f"There is no path '{str(path)[:80]}' in the document.")
        return json.dumps(document["paths"][path])

    def _request(self, method: str, path: str, query: dict[str, Any], body: Any, key: str) -> dict[str, Any]:
        """One request to the application; a picture becomes an image, everything else a text with the status."""
        data = b"" if body is None else json.dumps(body).encode()
        shown = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": _latin(path),
            "QUERY_STRING": urlencode(shown, doseq=True),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(data)),
            "HTTP_X_API_KEY": key,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(data),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        head: list[Any] = []
        answer = b"".join(self._application(environ, lambda status, headers: head.extend((status, headers))))
        status = int(head[0].split()[0])
        content_type = {name.lower(): value for name, value in head[1]}.get("content-type", "")
        if status < 400 and content_type.startswith("image/"):
            image = {"type": "image", "data": base64.b64encode(answer).decode(), "mimeType": content_type}
            return {"content": [image], "isError": False}
        result = _text(json.dumps({"status": status, "response": answer.decode(errors="replace")}))
        return {**result, "isError": status >= 400}


def _latin(path: str) -> str:
    """A quoted path as WSGI hands it on: unquoted bytes, as Latin-1 text."""
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(path).decode("latin-1")


def _strip_data(result: dict[str, Any]) -> None:
    """Takes the engine's own data out of messages: it is most of their size and of no use to a model."""
    item = result["content"][0]
    answer = json.loads(item["text"])
    if answer["status"] == 200:
        messages = json.loads(answer["response"])
        for message in messages:
            message.pop("_data", None)
        item["text"] = json.dumps({"status": 200, "response": json.dumps(messages)})


def _input(operation: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a tool: an operation's parameters and the members of its body, together."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in operation["parameters"]:
        properties[parameter["name"]] = _resolved(parameter["schema"], components)
        if parameter["required"]:
            required.append(parameter["name"])
    if "requestBody" in operation:
        body = _resolved(operation["requestBody"]["content"]["application/json"]["schema"], components)
        properties |= body.get("properties", {})
        required += body.get("required", [])
    return {"type": "object", "properties": properties, "required": list(dict.fromkeys(required))}


def _resolved(schema: Any, components: dict[str, Any], depth: int = 0) -> Any:
    """A schema with what it refers to put in place."""
    if isinstance(schema, list):
        return [_resolved(each, components, depth) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        if depth > _DEEPEST:
            return {}
        return _resolved(components[schema["$ref"].rpartition("/")[2]], components, depth + 1)
    return {name: _resolved(value, components, depth) for name, value in schema.items()}


def _text(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": False}


def _error(message_id: Any, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": text}}


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
