"""Uploads: a request as multipart/form-data, with files as parts. Imported by the first that comes.

A part with a file name is written to disk as it is read and becomes the request's ``file`` (or what the part is
called); other parts are texts, or JSON where their content type says so. A name with dots is a member of a member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import falcon
import msgspec
from falcon.media.multipart import BodyPart, MultipartFormHandler, MultipartParseError

from ..model.errors import BadRequest, BodyTooLarge, ValidationFailed
from .reading import fault

if TYPE_CHECKING:
    from ..media.files import Files

_CHUNK = 64 * 1024
_handler = MultipartFormHandler()
_handler.parse_options.max_body_part_buffer_size = 256 * 1024


def read_form(req: falcon.Request, kind: Any, files: Files) -> Any:
    """The body of an operation from a form; raises BadRequest, ValidationFailed or BodyTooLarge.

    Uploads that no handler takes are removed when the request has been answered: see ``Files.uploads``.
    """
    if not req.content_length:
        raise BadRequest("The form is empty: it has no body.")
    values: dict[str, Any] = {}
    try:
        for part in _handler.deserialize(req.bounded_stream, req.content_type, req.content_length):
            if not part.name:
                raise BadRequest("Every part of a form needs a name in its Content-Disposition.")
            _put(values, part.name, _value(part, files))
    except MultipartParseError as error:
        raise BadRequest(f"The form can't be read: {error.description or error}") from None
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"A part of the form can't be read: {error}") from None
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValidationFailed(fault(error)) from None
    except RecursionError:
        raise BadRequest("The members of the form are nested too deeply.") from None


def _value(part: BodyPart, files: Files) -> Any:
    if part.filename is not None:
        name, most = files.upload(), files.most_bytes
        size = 0
        with files.upload_path(name).open("wb") as target:
            while piece := part.stream.read(_CHUNK):
                size += len(piece)
                if size > most:
                    raise BodyTooLarge(f"The file is larger than {most // 1024 // 1024} MB (WAXBILL_MAX_MEDIA_MB)")
                target.write(piece)
        found = {"data": name, "filename": part.filename}
        kind = (part.content_type or "").strip()
        return {**found, "mimetype": kind} if kind and kind != "application/octet-stream" else found
    text = part.get_data().decode()
    if part.content_type.startswith("application/json"):
        return msgspec.json.decode(text)
    return text


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    """Puts a part where its name says; a name that comes again makes a list."""
    *path, last = name.split(".")
    for step in path:
        inner = values.setdefault(step, {})
        if not isinstance(inner, dict):
            raise BadRequest(f"The form has both '{step}' and '{name[:80]}'.")
        values = inner
    if last not in values:
        values[last] = value
    elif isinstance(values[last], list):
        values[last].append(value)
    else:
        values[last] = [values[last], value]
