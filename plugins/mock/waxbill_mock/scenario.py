"""Scenarios: a file that says who there is, what goes wrong and what happens, played against a running simulator.

``read`` checks the whole file before anything happens; its errors name line and field. ``play`` makes one control call
for each step. The steps are the control operations themselves, so whatever the API can do, a scenario can.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from waxbill.api.reading import fault
from waxbill.model.errors import WahaError
from waxbill.model.wire import Request

from .control import AREAS
from .control.outbox import OutboxQuery
from .control.time import Advance, Seed, TimeChange
from .rules import seconds

#: Makes a request (method, path, JSON body) and answers its decoded body; raises for an error.
Ask = Callable[[str, str, Any], Any]

MOCK = "/api/waxbill/mock"
#: Where a step names people, groups and messages.
_CHATS = ("from", "participant", "chatId", "creator", "participants", "mentions", "id")
_MESSAGES = ("messageId", "reply_to", "id")
_MOST_WAIT_SECONDS = 600.0


class ScenarioError(Exception):
    """The file can't be played; the text begins with its name and line."""


class Step(msgspec.Struct):
    """One thing that happens: what, with which values, at which line, and the label of what it makes."""

    name: str
    values: dict[str, Any]
    line: int
    label: str | None = None


class Scenario(msgspec.Struct):
    """A file that was read: its steps in order, the session that they are for, and the people by name."""

    path: Path
    session: str
    steps: list[Step]
    people: dict[str, str]


class Pause(Request):
    """``for`` is a real time, not a simulated one."""

    seconds: float | str


class _Kind(msgspec.Struct):
    """A kind of step: the request that it is."""

    method: str
    path: str
    body: Any

    @property
    def fields(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{") and part != "{session}"]


def kinds() -> dict[str, _Kind]:
    """Every kind of step: the recorded control operations, and those on time."""
    found = {
        operation.handler.step: _Kind(operation.method, operation.path, operation.body)
        for area in AREAS
        for operation in area.operations
        if hasattr(operation.handler, "step")
    }
    return {
        **found,
        "clock": _Kind("PUT", f"{MOCK}/clock", TimeChange),
        "seed": _Kind("PUT", f"{MOCK}/seed", Seed),
        "advance": _Kind("POST", f"{MOCK}/clock/advance", Advance),
        "wait": _Kind("", "", Pause),
        "expect": _Kind("GET", f"{MOCK}/outbox", OutboxQuery),
    }


#: Steps whose value may be written alone: ``advance: 5s``.
_SHORT = {"advance": "by", "wait": "seconds", "seed": "seed", "edit": "text", "delete": "messageId"}
#: Top-level members, with the kind of step that each of them (or each entry of them) is.
_PREPARED = {
    "clock": "clock",
    "seed": "seed",
    "contacts": "contact",
    "groups": "group",
    "faults": "faults",
    "acks": "acks",
    "replies": "reply",
}


def read(path: Path) -> Scenario:
    """Reads and checks a file; raises ScenarioError for the first mistake."""
    return _Reader(path).read()


def open_yaml(kind: str) -> Any:
    """ruamel.yaml's reader and writer of a kind (``rt``, ``safe``); raises ScenarioError where it was left out."""
    try:
        from ruamel.yaml import YAML
    except ImportError:
        raise ScenarioError(
            "There is no YAML here (container images leave it out): run this where pip has installed waxbill[mock]."
        ) from None
    return YAML(typ=kind)


class _Reader:
    """Reads one file. Values remember their lines, as ruamel.yaml notes them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kinds = kinds()
        self._people: dict[str, str] = {}
        self._labels: set[str] = set()

    def read(self) -> Scenario:
        tree = self._parsed()
        unknown = [name for name in tree if name not in (*_PREPARED, "session", "steps")]
        if unknown:
            known = ", ".join(("session", *_PREPARED, "steps"))
            raise self._error(_line(tree, unknown[0]), f"{unknown[0]}: no such member; there are {known}")
        session = tree.get("session", "default")
        if not isinstance(session, str):
            raise self._error(_line(tree, "session"), "session: must be a string")
        steps = [step for name in _PREPARED if name in tree for step in self._prepared(tree, name)]
        listed = tree.get("steps", [])
        if not isinstance(listed, list):
            raise self._error(_line(tree, "steps"), "steps: must be a list")
        for index, entry in enumerate(listed):
            steps.append(self._step(entry, _line(listed, index)))
        return Scenario(self._path, session, steps, self._people)

    def _parsed(self) -> Any:
        reader = open_yaml("rt")
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        try:
            tree = reader.load(self._path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioError(f"{self._path} can't be read: {getattr(error, 'strerror', None) or error}") from None
        except MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise self._error(line, f"this is no YAML: {error.problem}") from None
        except YAMLError as error:
            raise self._error(1, f"this is no YAML: {error}") from None
        if not isinstance(tree, dict):
            raise self._error(1, "a scenario has members such as contacts and steps")
        return tree

    def _error(self, line: int, text: str) -> ScenarioError:
        return ScenarioError(f"{self._path.name}:{line}: {text}")

    def _prepared(self, tree: Any, name: str) -> Iterator[Step]:
        """The steps that a top-level member is."""
        value, kind = tree[name], _PREPARED[name]
        if not name.endswith("s") or name in ("faults", "acks"):
            yield self._checked(kind, value, _line(tree, name), None, name)
            return
        if not isinstance(value, list):
            raise self._error(_line(tree, name), f"{name}: must be a list")
        for index, entry in enumerate(value):
            line = _line(value, index)
            label = None
            if kind == "group" and isinstance(entry, dict):
                label = self._label(entry.pop("as", None), line)
            yield self._checked(kind, entry, line, label, f"{name}.{index}")
            if kind == "contact" and entry.get("name"):
                self._people[str(entry["name"])] = str(entry["id"])

    def _step(self, entry: Any, line: int) -> Step:
        if not isinstance(entry, dict):
            raise self._error(line, f"a step is a member such as message, not {entry!r}")
        names = [name for name in entry if name != "as"]
        if len(names) != 1:
            raise self._error(line, f"a step has one name (and perhaps as), not {', '.join(map(str, names)) or 'none'}")
        if names[0] not in self._kinds:
            raise self._error(line, f"{names[0]}: no such step; there are {', '.join(sorted(self._kinds))}")
        label = self._label(entry.get("as"), line)
        return self._checked(names[0], entry[names[0]], line, label, names[0])

    def _label(self, label: Any, line: int) -> str | None:
        if label is None:
            return None
        if not isinstance(label, str) or not label.isidentifier() or label in self._labels:
            raise self._error(line, f"as: must be a new name of letters and digits, not {label!r}")
        self._labels.add(label)
        return label

    def _checked(self, name: str, value: Any, line: int, label: str | None, place: str) -> Step:
        """A step whose values fit the control operation's type; raises with the line of the value that does not."""
        kind = self._kinds[name]
        if name in _SHORT and not isinstance(value, dict):
            value = {_SHORT[name]: value}
        value = {} if value is None else value
        if not isinstance(value, dict):
            raise self._error(line, f"{place}: must have members")
        for member in value:  # numbers are written without quotes
            if member in _CHATS and type(value[member]) is not bool and isinstance(value[member], int):
                value[member] = str(value[member])
        body = {member: given for member, given in value.items() if member not in kind.fields}
        known = {} if kind.body is None else {f.encode_name for f in msgspec.structs.fields(kind.body)}
        for member in value:
            if member not in known and member not in kind.fields:
                raise self._error(
                    _line(value, member, line),
                    f"{place}.{member}: no such member; there are {', '.join(sorted({*known, *kind.fields}))}",
                )
        for field in kind.fields:
            if field not in value:
                raise self._error(line, f"{place}.{field} is required")
        self._check_files(value, line, place)
        self._check_type(kind, body, value, line, place)
        self._check_names(name, value, line, place)
        return Step(name, _plain(value), line, label)

    def _check_type(self, kind: _Kind, body: dict[str, Any], value: Any, line: int, place: str) -> None:
        if kind.body is None:
            return
        plain = _plain(body)
        for member in ("file", "picture"):
            if isinstance(plain.get(member), dict) and "path" in plain[member]:
                plain[member] = {"data": "AA=="}
        try:
            read = msgspec.convert(plain, kind.body, strict=kind.body is not OutboxQuery)
            for member in ("after", "by", "seconds", "wait"):
                if kind.body is not OutboxQuery or member == "wait":
                    given = getattr(read, member, None)
                    if given is not None:
                        seconds(given, member, 10 * 366 * 86400.0)
        except msgspec.ValidationError as error:
            text = fault(error)
            raise self._error(_line_of(value, text.partition(" ")[0], line), f"{place}.{text}") from None
        except WahaError as error:
            text = error.message[0] if isinstance(error.message, list) else error.message
            raise self._error(_line_of(value, text.partition(" ")[0], line), f"{place}.{text}") from None

    def _check_files(self, value: Any, line: int, place: str) -> None:
        for member in ("file", "picture"):
            given = value.get(member)
            if isinstance(given, dict) and "path" in given:
                path = self._path.parent / str(given["path"])
                if not path.is_file():
                    raise self._error(_line(given, "path", line), f"{place}.{member}.path: there is no file {path}")

    def _check_names(self, name: str, value: Any, line: int, place: str) -> None:
        """People and groups that a step names are known by then, and so are messages."""
        for member in value:
            for text in value[member] if isinstance(value[member], list) else [value[member]]:
                if not isinstance(text, str):
                    continue
                if text.startswith("$") and member in (*_CHATS, *_MESSAGES):
                    if text[1:] not in self._labels:
                        raise self._error(_line(value, member, line), f"{place}.{member}: nothing is called {text}")
                elif member in _CHATS and member != "id" and not (_is_id(text) or text in self._people):
                    known = ", ".join(self._people) or "nobody"
                    raise self._error(
                        _line(value, member, line),
                        f"{place}.{member}: nobody is called {text!r} (known: {known}); or give a number or chat id",
                    )


def _is_id(text: str) -> bool:
    return "@" in text or text.lstrip("+").isdigit() or text == "all"


def _line(tree: Any, key: Any, default: int = 1) -> int:
    """The line (from 1) of a member or an entry."""
    try:
        return int(tree.lc.data[key][0]) + 1
    except (AttributeError, KeyError, TypeError, IndexError):
        return default


def _line_of(tree: Any, place: str, default: int) -> int:
    """The line of what a fault's place (``poll.options.0``) names, as far as it is there."""
    line = default
    for part in place.strip(":").split("."):
        key: Any = int(part) if part.isdigit() and isinstance(tree, list) else part
        line = _line(tree, key, line)
        try:
            tree = tree[key]
        except (KeyError, IndexError, TypeError):
            break
    return line


def _plain(value: Any) -> Any:
    """A value without what the YAML reader notes about it."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


# -- play


def play(scenario: Scenario | Path | str, ask: Ask, *, session: str | None = None) -> dict[str, str]:
    """Plays a scenario on a session; answers the ids of what its labels name. Raises ScenarioError where a step is
    refused, or what is expected does not come."""
    if not isinstance(scenario, Scenario):
        scenario = read(Path(scenario))
    known, made = kinds(), dict(scenario.people)
    ids: dict[str, str] = {}
    for step in scenario.steps:
        values = _resolved(step.values, made, ids, scenario.path)
        try:
            answer = _do(known[step.name], step.name, values, session or scenario.session, ask)
        except Exception as error:
            raise ScenarioError(f"{scenario.path.name}:{step.line}: {step.name}: {error}") from error
        if step.label is not None:
            found = answer[0] if isinstance(answer, list) else answer
            ids[step.label] = str(found["id"])
    return ids


def _do(kind: _Kind, name: str, values: dict[str, Any], session: str, ask: Ask) -> Any:
    if name == "wait":
        time.sleep(seconds(values["seconds"], "wait", _MOST_WAIT_SECONDS))
        return None
    path = kind.path.replace("{session}", session)
    for field in kind.fields:
        path = path.replace(f"{{{field}}}", quote(str(values.pop(field)), safe="@"))
    if kind.method == "GET":
        from urllib.parse import urlencode

        path += "?" + urlencode({"session": session, "wait": "10s", **values})
        return ask("GET", path, None)
    return ask(kind.method, path, values if kind.body is not None else None)


def _resolved(values: dict[str, Any], people: dict[str, str], ids: dict[str, str], path: Path) -> dict[str, Any]:
    """The values of a step with ids for names and labels, and with the bytes of files."""

    def one(member: str, value: Any) -> Any:
        if isinstance(value, list):
            return [one(member, each) for each in value]
        if isinstance(value, dict) and member in ("file", "picture") and "path" in value:
            data = (path.parent / value["path"]).read_bytes()
            named = {"filename": Path(value["path"]).name, **{n: v for n, v in value.items() if n != "path"}}
            return {"data": base64.b64encode(data).decode(), **named}
        if isinstance(value, dict):
            return {name: one(name, each) for name, each in value.items()}
        if isinstance(value, str) and member in (*_CHATS, *_MESSAGES):
            if value.startswith("$"):
                return ids[value[1:]]
            return people.get(value, value)
        return value

    return {name: one(name, value) for name, value in values.items()}
