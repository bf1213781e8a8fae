"""The OpenAPI document, made from the declarations of the operations. Imported by ``waxbill openapi`` alone: building
the document costs several MB, so a server has it made by a process of its own and serves the bytes."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterable
from typing import Any

import msgspec

from .. import __version__
from ..events import WAHA_VERSION
from ..model.server import WAHAEnvironment
from ..model.sessions import MeInfo
from .operation import Area, Operation, Reply

_REF = "#/components/schemas/{name}"
_ERRORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "400": ("The request does not fit its type; message says which member", ("ErrorBody", "PresenceFault")),
    "401": ("The key is missing or wrong", ("ErrorBody",)),
    "403": ("The key is not for this", ("ErrorBody",)),
    "404": ("There is no such session or thing", ("ErrorBody", "MissingFile")),
    "422": ("The session's status or the request's content does not allow it", ("ErrorBody", "WrongStatus")),
    "426": ("This is no WebSocket handshake", ("ErrorBody",)),
    "429": ("Too many requests with this key, or messages of this session; Retry-After says when", ("ErrorBody",)),
    "500": ("WhatsApp itself refused; exception has its word for it", ("EngineFault",)),
    "501": ("The engine does not have it", ("ErrorBody",)),
    "503": (
        "Memory or the store does not allow it now; nothing was changed. Retry-After says when",
        ("ErrorBody",),
    ),
    "507": ("There is no room for the file", ("ErrorBody",)),
}
# Where what an operation made is used next: the field of the path, and the member of its answer that has it.
_MADE = {"create_session": ("session", "name"), "create_key": ("id", "id"), "create_app": ("id", "id")}
_MADE |= {"create_label": ("labelId", "id"), "create_group": ("id", "id"), "create_channel": ("id", "id")}


class ErrorBody(msgspec.Struct):
    """An error: what was wrong and what to do."""

    message: str | list[str]
    statusCode: int
    error: str | None = None


class PresenceFault(msgspec.Struct):
    """A presence that does not fit its chat."""

    detail: str


class WrongStatus(msgspec.Struct):
    """The session is in a status that the call can't be made in."""

    error: str
    session: str
    status: str
    expected: list[str]


class MissingFile(msgspec.Struct):
    """A file that is not there (any more)."""

    error: dict[str, Any]


class EngineException(msgspec.Struct):
    """What WhatsApp said: its word, and a text."""

    name: str
    message: str


class FailedRequest(msgspec.Struct):
    """The request that failed."""

    path: str
    method: str
    query: dict[str, Any]


class EngineFault(msgspec.Struct):
    """A refusal of WhatsApp's, as WAHA answers it."""

    statusCode: int
    timestamp: str
    exception: EngineException
    request: FailedRequest
    version: WAHAEnvironment


_FAULTS: list[Any] = [ErrorBody, PresenceFault, WrongStatus, MissingFile, EngineFault]


def document(areas: list[Area], payloads: dict[str, Any], url: str) -> dict[str, Any]:
    """The document of all operations and webhooks. ``payloads`` are the payload types by event name."""
    operations = [operation for area in areas for operation in area.operations if not operation.hidden]
    schemas, components = _schemas(operations, payloads)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
        if operation.name in _MADE:
            described["responses"][str(operation.status)]["links"] = _links(operation, operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "waxbill: the WAHA-compatible WhatsApp HTTP API",
            "version": WAHA_VERSION,
            "description": f"Served by waxbill {__version__}; the contract is that of WAHA {WAHA_VERSION}.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "webhooks": {event: _webhook(event, schemas[id(kind)]) for event, kind in payloads.items()},
        "components": {
            "schemas": components,
            "responses": {
                f"Error{status}": {
                    "description": text,
                    "content": {"application/json": {"schema": _any_of(names)}},
                }
                for status, (text, names) in _ERRORS.items()
            },
            "securitySchemes": {"api_key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}},
        },
        "security": [{"api_key": []}],
    }


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The members of a Struct, the same objects at every call."""
    return msgspec.structs.fields(kind)


def _members(kind: Any) -> list[Any]:
    """The parts of a union; a type alone is its only part."""
    return (
        list(typing.get_args(kind))
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
        else [kind]
    )


def _described(kind: Any) -> list[Any]:
    """The parts of an answer that have a schema: not files, not nothing, not what is the engine's own."""
    return [part for part in _members(kind) if part not in (None, type(None), Reply, Any)]


def _schemas(operations: Iterable[Operation], payloads: dict[str, Any]) -> tuple[dict[int, Any], dict[str, Any]]:
    """The schema of every type, by its identity, and the components that they refer to."""
    kinds: list[Any] = [*_FAULTS, MeInfo, WAHAEnvironment, *payloads.values()]
    for operation in operations:
        kinds += [operation.body] if operation.body is not None else []
        kinds += _described(operation.returns)
        if operation.query is not None:
            kinds += [field.type for field in _fields(operation.query)]
    found, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    return {id(kind): schema for kind, schema in zip(kinds, found, strict=True)}, components


def _operation(operation: Operation, schemas: dict[int, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [operation.tag],
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
            for part in operation.path.split("/")
            if part.startswith("{")
        ]
        + _query(operation, schemas),
        "responses": {
            str(operation.status): {"description": "Done", **_content(operation, schemas)},
            **{
                status: {"$ref": f"#/components/responses/Error{status}"}
                for status in _ERRORS
                if _can_fail(operation, status)
            },
        },
    }
    if operation.deprecated:
        described["deprecated"] = True
    if operation.scope == "open":
        described["security"] = []
    if operation.body is not None:
        content = {"application/json": {"schema": schemas[id(operation.body)]}}
        needed = any(field.required for field in _fields(operation.body))
        described["requestBody"] = {"required": needed, "content": content}
    return described


def _any_of(names: tuple[str, ...]) -> dict[str, Any]:
    refs = [{"$ref": _REF.format(name=name)} for name in names]
    return refs[0] if len(refs) == 1 else {"anyOf": refs}


def _links(made: Operation, operations: list[Operation]) -> dict[str, Any]:
    """Where the id that an operation answers can be used."""
    field, member = _MADE[made.name]
    start = f"{made.path}/{{{field}}}" if field != "session" else "{session}"
    return {
        other.name: {
            "operationId": other.name,
            "parameters": {
                field: f"$response.body#/{member}",
                **({"session": "$request.path.session"} if "{session}" in made.path else {}),
            },
        }
        for other in operations
        if start in other.path
    }


def _can_fail(operation: Operation, status: str) -> bool:
    if status in ("401", "403", "429", "503"):
        return operation.scope != "open"
    if status == "426":
        return operation.in_loop
    if status == "404" and ("{" in operation.path or "/debug/" in operation.path or _names_sessions(operation)):
        return True
    if status == "422" and operation.body is not None:
        return True
    if status == "400":
        return operation.body is not None or operation.query is not None or "{" in operation.path
    return bool(operation.session_in) and (status != "501" or bool(operation.capability))


def _names_sessions(operation: Operation) -> bool:
    return operation.body is not None and any(field.name == "sessions" for field in _fields(operation.body))


def _query(operation: Operation, schemas: dict[int, Any]) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    parameters = []
    for field in _fields(operation.query):
        schema = _without_null(schemas[id(field.type)])
        if field.default not in (msgspec.NODEFAULT, None):
            schema = {**schema, "default": field.default}
        parameters.append({"name": field.encode_name, "in": "query", "required": field.required, "schema": schema})
    return parameters


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: what may be absent is simply left out."""
    parts = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    return parts[0] if len(parts) == 1 else {**schema, "anyOf": parts} if parts else schema


def _content(operation: Operation, schemas: dict[int, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    described = [schemas[id(part)] for part in _described(operation.returns)]
    if described:
        schema = described[0] if len(described) == 1 else {"oneOf": described}
        content["application/json"] = {"schema": schema}
    elif Any in _members(operation.returns):
        content["application/json"] = {"schema": {}}
    if Reply in _members(operation.returns):
        content["*/*"] = {"schema": {}}  # a picture, a sound, a text: what it is says its own Content-Type
    return {"content": content} if content else {}


def _webhook(event: str, payload: Any) -> dict[str, Any]:
    """The envelope of an event around its payload."""
    schema = {
        "type": "object",
        "required": ["id", "timestamp", "event", "session", "payload", "engine", "environment"],
        "properties": {
            "id": {"type": "string", "examples": ["evt_01k1a2b3c4d5e6f7g8h9jkmnpq"]},
            "timestamp": {"type": "integer", "description": "Unix time in ms"},
            "event": {"type": "string", "const": event},
            "session": {"type": "string"},
            "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
            "me": {"anyOf": [{"$ref": _REF.format(name="MeInfo")}, {"type": "null"}]},
            "payload": payload,
            "engine": {"type": "string", "enum": ["WEBJS", "WPP", "NOWEB", "GOWS"]},
            "environment": {"$ref": _REF.format(name="WAHAEnvironment")},
        },
    }
    return {
        "post": {
            "summary": event,
            "requestBody": {"content": {"application/json": {"schema": schema}}},
            "responses": {"200": {"description": "Any 2xx says that it has arrived"}},
        }
    }
