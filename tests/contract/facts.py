"""The facts of WAHA's contract (2026.7.1): operations, types, events, and which engine has what.

Types are written short: ``string``, ``[T]`` a list, ``{T}`` an object of T by any name, ``a|b`` an enumeration, ``A or
B`` a choice, a name for a type of the table; ``?`` may be null, ``!`` is required. Members that are not required may
be null.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_FACTS = json.loads((Path(__file__).parent / "waha-2026.7.1.json").read_text())
OPERATIONS: dict[str, dict[str, Any]] = _FACTS["operations"]
TYPES: dict[str, Any] = _FACTS["types"]
EVENTS: dict[str, str] = _FACTS["events"]
ENGINES: dict[str, list[str]] = _FACTS["engines"]

#: Where WAHA itself does not send what its document says.
MENDED = {
    ("SessionInfo", "presence"): ("string?!", "a word, null when it is not known; the document has an object"),
    ("SessionInfo", "me"): ("MeInfo?", "null when nobody is logged in"),
    ("WAMessage", "ack"): ("-1|0|1|2|3|4?!", "null in channels"),
    ("WAMessageEditedBody", "ack"): ("-1|0|1|2|3|4?!", "null in channels"),
    ("ChatSummary", "lastMessage"): ("WAMessage?!", "null in a chat without messages"),
    ("Channel", "subscribersCount"): ("number?!", "null where the engine does not know"),
}
for (_type, _member), (_kind, _) in MENDED.items():
    TYPES[_type][_member] = _kind

_PLAIN: dict[str, Any] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "object": dict,
    "any": object,
}


def faults(value: Any, kind: str, place: str = "answer") -> list[str]:
    """What is wrong with a value that should be of a type; nothing when it fits."""
    if kind.endswith("?"):
        if value is None:
            return []
        kind = kind[:-1]
    if " or " in kind:
        tried = [faults(value, part, place) for part in kind.split(" or ")]
        return [] if [] in tried else [f"{place} is none of {kind}"]
    if kind.startswith("["):
        if not isinstance(value, list):
            return [f"{place} must be a list, not {value!r:.80}"]
        return [fault for i, each in enumerate(value) for fault in faults(each, kind[1:-1], f"{place}[{i}]")]
    if kind.startswith("{"):
        if not isinstance(value, dict):
            return [f"{place} must be an object, not {value!r:.80}"]
        return [fault for name, each in value.items() for fault in faults(each, kind[1:-1], f"{place}.{name}")]
    if kind in _PLAIN:
        wrong = not isinstance(value, _PLAIN[kind]) or (kind == "number" and isinstance(value, bool))
        return [f"{place} must be {kind}, not {value!r:.80}"] if wrong else []
    if kind in TYPES:
        return (
            _members(value, TYPES[kind], place) if isinstance(TYPES[kind], dict) else faults(value, TYPES[kind], place)
        )
    return [] if str(value) in kind.split("|") else [f"{place} must be one of {kind}, not {value!r:.80}"]


def _members(value: Any, members: dict[str, str], place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place} must be an object, not {value!r:.80}"]
    found = []
    for name, kind in members.items():
        required = kind.endswith("!")
        if name not in value:
            found += [f"{place}.{name} is missing"] if required else []
        elif value[name] is not None or required:
            found += faults(value[name], kind.removesuffix("!"), f"{place}.{name}")
    return found


def operation_of(method: str, path: str) -> str | None:
    """The operation that a request is for, such as ``GET /api/{session}/chats``; literal paths come first."""
    matches = []
    for operation in OPERATIONS:
        its_method, template = operation.split(" ")
        pattern = re.sub(r"{\w+}", "[^/]+", template)
        if its_method == method and re.fullmatch(pattern, path):
            matches.append(operation)
    return min(matches, key=lambda operation: operation.count("{"), default=None)
