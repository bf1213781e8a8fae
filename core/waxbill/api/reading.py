"""Reading a request: its body and its query into the types that its operation declares, and what is wrong with them."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import falcon
import msgspec

from ..admission import LARGE_BYTES
from ..memory import room
from ..model.errors import BadRequest, BodyTooLarge, ValidationFailed
from .operation import Operation

if TYPE_CHECKING:
    from ..app import Server

# A body of this size or more needs room to be read: its text, its values, and a copy of one on the way.
_LARGE_BYTES, _DECODED_TIMES = 64 * 1024, 3


def body_reader(server: Server, operation: Operation) -> Callable[[falcon.Request], Any] | None:
    """Reads and checks a JSON body; None when the operation takes none. An empty body is an empty object."""
    kind = operation.body
    if kind is None:
        return None
    decoder: msgspec.json.Decoder[Any] | None = None  # made at the first call: most operations are never called
    most = server.settings.core.max_body_mb * 1024 * 1024
    strict = operation.strict and server.settings.core.strict_mode

    def read(req: falcon.Request) -> Any:
        nonlocal decoder
        if decoder is None:
            decoder = msgspec.json.Decoder(kind)
        length = req.content_length or 0
        if length >= LARGE_BYTES:
            server.admission.admit(f"A body of {length / 1024 / 1024:.0f} MB")
        if operation.waits and (req.content_type or "").lower().startswith("multipart/form-data"):
            from .forms import read_form

            return read_form(req, kind, server.files)
        if length > most:
            raise BodyTooLarge(too_large(most))
        if length >= _LARGE_BYTES:
            with room(_DECODED_TIMES * length):
                return decoded(req.bounded_stream.read())
        return decoded(req.bounded_stream.read())

    def decoded(text: bytes) -> Any:
        assert decoder is not None
        try:
            body = decoder.decode((text.strip() and text) or b"{}")
            if strict and (unknown := _undeclared(msgspec.json.decode(text or b"{}"), body)):
                raise ValidationFailed(*(f"property {name} should not exist" for name in unknown))
            return body
        except msgspec.ValidationError as error:
            raise ValidationFailed(fault(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(f"The body is not valid JSON: {error}") from None

    return read


def _undeclared(value: Any, read: Any, place: str = "") -> list[str]:
    """The members of a decoded body that the Struct it was read into does not declare, with their places."""
    if isinstance(read, list):
        pairs = enumerate(zip(value, read, strict=True))
        return [name for i, (v, r) in pairs for name in _undeclared(v, r, f"{place}{i}.")]
    if not isinstance(read, msgspec.Struct):
        return []
    members = {field.encode_name: field.name for field in msgspec.structs.fields(read)}
    found = [f"{place}{name}" for name in value if name not in members]
    for name in value.keys() & members.keys():
        found += _undeclared(value[name], getattr(read, members[name]), f"{place}{name}.")
    return found


def too_large(most_bytes: int) -> str:
    return (
        f"The request body is larger than {most_bytes // 1024 // 1024} MB. "
        "Send media by url instead of base64, or raise WAXBILL_MAX_BODY_MB."
    )


def query_reader(operation: Operation) -> Callable[[falcon.Request], Any] | None:
    """Reads and checks the query; None when the operation takes none."""
    kind = operation.query
    if kind is None:
        return None
    names: tuple[set[str], ...] | None = None

    def read(req: falcon.Request) -> Any:
        nonlocal names
        if names is None:
            names = _names(kind)
        lists, booleans, singles, nulls = names
        values: dict[str, Any] = {}
        for name, value in req.params.items():
            if name in lists:
                values[name] = value if isinstance(value, list) else [value]
            elif name in singles and isinstance(value, list):  # two programs could take a different one of them
                raise ValidationFailed(f"{name} must be given once, not {len(value)} times")
            elif value == "null" and name in nulls:
                raise ValidationFailed(f"{name} must not be null; leave it out")
            elif isinstance(value, str):
                values[name] = value.lower() if name in booleans else value
        try:
            return msgspec.convert(values, kind, strict=False)
        except msgspec.ValidationError as error:
            raise ValidationFailed(fault(error)) from None

    return read


def _names(kind: type) -> tuple[set[str], ...]:
    """The names of a query's parameters that may be given more than once, of those that are true or false, of those
    that are given once, and of those for which null is no text."""
    fields = msgspec.structs.fields(kind)
    lists = {field.encode_name for field in fields if _is_list(field.type)}
    booleans = {field.encode_name for field in fields if bool in typing.get_args(field.type)}
    nulls = {field.encode_name for field in fields if field.type is not str and str not in typing.get_args(field.type)}
    return lists, booleans, {field.encode_name for field in fields} - lists, nulls - lists


def _is_list(kind: Any) -> bool:
    return any(typing.get_origin(part) is list for part in (kind, *typing.get_args(kind)))


def fault(error: msgspec.ValidationError) -> str:
    """What is wrong with a request, as ``config.webhooks.0.url must be a string (it is int)``."""
    text, _, where = str(error).partition(" - at `$")
    place = where.rstrip("`").replace("[...]", "").replace("[", ".").replace("]", "").strip(".") or "body"
    if text.startswith("Object missing required field `"):
        field = text.split("`")[1]
        return f"{field if place == 'body' else f'{place}.{field}'} is required"
    if text.startswith("Expected `") and ", got `" in text:
        expected, got = text.removeprefix("Expected `").rstrip("`").split("`, got `")
        return f"{place} must be {_named(expected)} (it is {_named(got)})"
    return f"{place}: {text}"


_NAMES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def _named(types_text: str) -> str:
    return (
        " or ".join(_NAMES.get(name.strip(), name.strip()) for name in types_text.split("|") if name.strip() != "null")
        or "null"
    )
