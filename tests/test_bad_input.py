"""Whatever clients send, nothing answers 500 and nothing half done stays behind."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from waxbill.api.operation import Operation
from waxbill_mock.rules import Faults

from .conftest import ON_POSTGRES
from .contract.scenario import ANA, BO, PNG, Scenario
from .simulating import ENGINES, Simulator

#: What WhatsApp itself refuses is answered with 500 by WAHA, under these names.
REFUSALS = {"forbidden", "not-authorized", "not-acceptable", "item-not-found", "not-allowed"}
#: These end the server or wait for a long time.
LEFT_OUT = {"stop_server", "profile_cpu", "delete_session", "logout_session", "logout_named", "stop_named", "outbox"}
#: These would leave nothing to make requests about.
LEFT_OUT |= {"reset", "reset_session", "restore"}
#: This answers over the socket itself, which there is none of here: see the tests of the wire.
LEFT_OUT |= {"open_websocket"}

TEXTS = st.one_of(
    st.sampled_from(
        [
            "", "s", "default", "49301234567@c.us", "49301234567", "7776543210394@lid", "120363000000000001@g.us",
            "120363000000000009@newsletter", "status@broadcast", "all", "me", "0@c.us", "true_49301234567@c.us_3A11",
            "3EB0AA11BB22CC33DD44EE", "👍", "a" * 5000, "\x00", "😀", "../../etc/passwd", "%00", "'; --",
            "http://127.0.0.1:9/x", "file:///etc/passwd", "data:image/png;base64,AAAA", PNG, "﷽", "\u202e",
        ]
    ),
    st.text(max_size=30),
)  # fmt: skip
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 86400, 2**31, 2**63, -(2**63), 10**20, 0.5, 1e308]),
    st.integers(min_value=-10, max_value=1000),
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def one_of(things: list[Any]) -> st.SearchStrategy[Any]:
    """One of what is there now; what is drawn for it does not depend on how much that is."""
    return st.integers(0, 63).map(lambda index: things[index % len(things)])


class Values:
    """Values for types. ``known`` are good ones by the name of a member; ``clean`` makes nothing else where it can."""

    def __init__(self, known: dict[str, list[Any]], *, clean: bool) -> None:
        self._known = known
        self._clean = clean

    def of(self, kind: inspect.Type, name: str = "") -> st.SearchStrategy[Any]:
        fitting = self._fitting(kind, name)
        if name in self._known:
            good = one_of(self._known[name])
            return good if self._clean else st.one_of(good, fitting, JUNK)
        return fitting if self._clean else st.one_of(fitting, fitting, JUNK)

    def _fitting(self, kind: inspect.Type, name: str) -> st.SearchStrategy[Any]:
        if isinstance(kind, inspect.UnionType):
            parts = [each for each in kind.types if not isinstance(each, inspect.NoneType)] or list(kind.types)
            return st.one_of([self._fitting(each, name) for each in (parts if self._clean else kind.types)])
        if isinstance(kind, inspect.StructType):
            fields = {field.encode_name: self.of(field.type, field.encode_name) for field in kind.fields}
            if self._clean and {"url", "data"} <= fields.keys():
                del fields["url"]  # exactly one of them
            required = {field.encode_name for field in kind.fields if field.required} | ({"data"} & fields.keys())
            return st.fixed_dictionaries(
                {name: value for name, value in fields.items() if name in required},
                optional={name: value for name, value in fields.items() if name not in required},
            )
        if isinstance(kind, inspect.ListType):
            return st.lists(self.of(kind.item_type, name.removesuffix("s")), min_size=int(self._clean), max_size=3)
        if isinstance(kind, inspect.DictType):
            return st.dictionaries(st.text(max_size=5), self.of(kind.value_type), max_size=3)
        if isinstance(kind, inspect.LiteralType):
            return st.sampled_from(sorted(kind.values, key=str))
        if isinstance(kind, inspect.BoolType):
            return st.booleans()
        if isinstance(kind, (inspect.IntType, inspect.FloatType)):
            return st.integers(min_value=0, max_value=20) if self._clean else NUMBERS
        if isinstance(kind, inspect.NoneType):
            return st.none()
        if isinstance(kind, inspect.StrType):
            return st.text(min_size=1, max_size=20) if self._clean else TEXTS
        return JUNK


def known_of(simulator: Simulator) -> dict[str, list[Any]]:
    """What there is in a simulator that was lived in, by the names that the API has for it."""
    db = simulator.server.store.read()

    def all_of(sql: str) -> list[str]:
        return [row[0] for row in db.execute(sql)]

    groups, channels = all_of("SELECT id FROM mock_group"), all_of("SELECT id FROM mock_channel")
    messages = all_of(
        "SELECT (CASE from_me WHEN 1 THEN 'true_' ELSE 'false_' END) || chat || '_' || key FROM mock_message"
    )
    people = [ANA, BO, "49301234569", "7776543210394@lid"]
    chats = [*people, *groups, *channels, "status@broadcast"]
    return {
        "session": ["s"],
        "chatId": chats,
        "contactId": people,
        "from": people,
        "creator": people,
        "participant": people,
        "mention": [*people, "all"],
        "contact": people,
        "phone": people[:3],
        "phoneNumber": people[:3],
        "messageId": messages,
        "pollMessageId": messages,
        "reply_to": messages,
        "replyTo": messages,
        "id": [*groups, *channels, *messages, *people, "1"],
        "groupId": groups or [ANA],
        "channelId": channels or [ANA],
        "labelId": ["1"],
        "lid": ["7776543210394"],
        "data": [PNG],
        "url": ["http://127.0.0.1:9/x"],
        "code": all_of("SELECT invite FROM mock_group") or ["x"],
        "duration": [86400],
        "votes": [["a"], []],
        "option": ["a", "b", "c"],
        "latitude": [1.5],
        "longitude": [1.5],
        "startTime": [1785000000],
        "endTime": [1785000001],
        "color": [1],
        "colorHex": ["#dfaef0"],
        "reaction": ["👍", ""],
        "limit": [1, 10],
        "offset": [0, 1],
        "startCursor": ["", "0"],
        "seconds": [1],
    }


@pytest.fixture(scope="module", params=(*ENGINES, ON_POSTGRES))
def lived_in(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator with chats, groups, channels and labels in it."""
    engine, _, other_store = request.param.partition(" on ")
    environment = {"WAHA_DEBUG_MODE": "true"}
    if other_store:
        environment["WAXBILL_STORE"] = request.getfixturevalue("postgres").database()
    simulator = Simulator(tmp_path_factory.mktemp("input"), engine, environment)
    scenario = Scenario(simulator.call)
    for area in ("sends", "chats", "people", "groups", "channels", "labels"):
        getattr(scenario, area)()
    yield simulator
    if not other_store:
        (broken,) = simulator.server.store.read().execute("PRAGMA integrity_check").fetchone()
        assert broken == "ok"
        assert simulator.server.store.read().execute("PRAGMA foreign_key_check").fetchall() == []
    simulator.server.close()


def _path(operation: Operation, known: dict[str, list[Any]], data: st.DataObject, *, clean: bool) -> str:
    """The path with ids of the right kind, or with anything in their places."""
    area = next((each for each in ("group", "channel", "label") if f"/{each}s/" in operation.path), "")
    parts = []
    for part in operation.path.split("/"):
        if part.startswith("{"):
            name = part[1:-1]
            good = one_of(known.get(f"{area}Id" if name == "id" else name, known["id"]))
            text = data.draw(good if clean or name == "session" else TEXTS.filter(bool))
            parts.append(quote(str(text).encode("utf-8", "replace"), safe="@"))
        else:
            parts.append(part)
    return "/".join(parts)


def _answers_well(simulator: Simulator, operation: Operation, data: st.DataObject) -> None:
    clean = data.draw(st.booleans())
    known = known_of(simulator)
    made = Values(known, clean=clean)
    path = _path(operation, known, data, clean=clean)
    body, query = b"", {}
    if operation.body is not None:
        body = json.dumps(data.draw(made.of(inspect.type_info(operation.body)))).encode()
    if operation.query is not None:
        given_query = data.draw(made.of(inspect.type_info(operation.query)))
        if isinstance(given_query, dict):
            query = {name: _as_text(value) for name, value in given_query.items() if value is not None}
    answer = simulator.simulate_request(
        operation.method, path, body=body, params=query, headers={"Content-Type": "application/json"}
    )
    simulator.server.clock.run_due()
    _tidy(simulator)
    if answer.status_code == 500:
        assert answer.json["exception"]["name"] in REFUSALS, f"{operation.method} {path} {body!r}: {answer.text[:2000]}"
    assert answer.status_code < 600
    if answer.status_code == 400 and isinstance(answer.json.get("message"), list):
        assert all(isinstance(fault, str) and fault for fault in answer.json["message"])
    incoming = simulator.server.settings.core.store_dir / "incoming"
    assert not incoming.exists() or list(incoming.iterdir()) == [], f"{operation.name} left a file behind"


def _tidy(simulator: Simulator) -> None:
    """Ends what the request may have caused: a session that stopped, faults, a time that stands still."""
    sessions = simulator.server.sessions
    driver: Any = sessions.driver
    session = sessions.get("s")
    driver.change_rules("s", session.account, lambda rules: setattr(rules, "faults", Faults()))
    driver.world.real_time()
    if session.status != "WORKING":
        sessions.restart("s")
        simulator.run_until(lambda: session.status == "WORKING")


def _as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_text(each) for each in value] or ""
    return json.dumps(value) if not isinstance(value, str) else value


def _operations(simulator: Simulator) -> list[Operation]:
    return [
        operation
        for area in simulator.server.all_areas()
        for operation in area.operations
        if operation.name not in LEFT_OUT and not operation.hidden
    ]


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_request_makes_the_server_fail(lived_in: Simulator, data: st.DataObject) -> None:
    _answers_well(lived_in, data.draw(st.sampled_from(_operations(lived_in))), data)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe",
        b'{"session": "s", "chatId": "49301234567", "text": "\\ud800"}',
        b"null",
        b"[]",
        b'"text"',
        b"NaN",
        b'{"session": "s", "session": "t"}',
    ],
)
def test_absurd_json_is_a_bad_request(lived_in: Simulator, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = lived_in.simulate_post("/api/sendText", body=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json["statusCode"] == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/s/groups/49301234567@c.us", 400),
        ("/api/s/groups/49301234567@c.us/leave", 404),
        ("/api/s/channels/120363000000000001@g.us", 400),
        ("/api/s/chats/nobody/messages", 400),
        ("/api/s/chats/49301234567@c.us/messages?limit=-1", 400),
        ("/api/s/chats/49301234567@c.us/messages?limit=99999999999999999999999", 400),
        ("/api/s/chats/49301234567@c.us/messages?sortOrder=up", 400),
        ("/api/s/chats/49301234567@c.us/messages?limit=1e400", 400),
    ],
)
def test_ids_of_the_wrong_kind_and_limits_out_of_range(lived_in: Simulator, path: str, status: int) -> None:
    assert lived_in.simulate_get(path).status_code == status


def test_every_declared_type_can_be_generated(lived_in: Simulator) -> None:
    """The property test above is worth what its strategies reach."""
    kinds = {type(part) for operation in _operations(lived_in) for part in _parts(operation)}
    assert inspect.StructType in kinds
    assert typing.cast("set[Any]", kinds) <= {
        inspect.StructType, inspect.ListType, inspect.DictType, inspect.UnionType, inspect.LiteralType,
        inspect.StrType, inspect.IntType, inspect.FloatType, inspect.BoolType, inspect.NoneType, inspect.AnyType,
    }  # fmt: skip


def _parts(operation: Operation) -> Iterator[inspect.Type]:
    waiting = [inspect.type_info(kind) for kind in (operation.body, operation.query) if kind is not None]
    seen: set[Any] = set()
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, inspect.StructType):
            if kind.cls in seen:
                continue
            seen.add(kind.cls)
            waiting += [field.type for field in kind.fields]
        yield kind
        for name in ("types", "item_type", "value_type"):
            inner = getattr(kind, name, None)
            waiting += list(inner) if isinstance(inner, tuple) else [inner] if inner is not None else []
