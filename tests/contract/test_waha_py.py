"""WAHA's Python client that others wrote (waha-py): its whole surface, and its models on what is answered."""

from __future__ import annotations

import contextlib
import inspect
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from waxbill.testing import ServerProcess

from ..conftest import missing
from ..simulating import ENGINES
from . import facts
from .scenario import CONTROL, Scenario, pair
from .test_walk import OWN_SHAPES

waha = pytest.importorskip("waha", reason="waha-py is not installed")

#: What the client has and no WAHA documents.
NOT_WAHA = re.compile(r"^(\w+_)?phone_numbers$")
#: Called at the end, by itself.
LAST = {"POST /api/server/stop"}


class Surface:
    """Every method of the client, by the operation that it calls."""

    def __init__(self, client: Any) -> None:
        self.methods: dict[str, Callable[..., Any]] = {}
        asked: list[str] = []

        def note(method: str, path: str, **_: Any) -> Any:
            asked.append(f"{method} {path}")
            raise LookupError

        request, client._http.request = client._http.request, note
        for area, api in vars(client).items():
            if area.startswith("_") or NOT_WAHA.match(area):
                continue
            for name, method in inspect.getmembers(api, inspect.ismethod):
                if name.startswith(("_", "a_")):
                    continue
                parameters = inspect.signature(method).parameters.values()
                fields = {p.name: "{" + p.name + "}" for p in parameters if p.default is p.empty and p.name != "kwargs"}
                with pytest.raises(LookupError):
                    method(**fields)
                self.methods[asked[-1]] = method
        client._http.request = request

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        """The operation of a request, as the client writes it, and the fields of its path."""
        found = []
        for operation in self.methods:
            its_method, template = operation.split(" ")
            match = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template), path)
            if its_method == method and match:
                found.append((operation, match.groupdict()))
        return min(found, key=lambda each: len(each[1]))


class ThroughTheClient:
    """Makes requests with the client's methods, and keeps what its models say of the answers."""

    def __init__(self, server: ServerProcess, client: Any, engine: str) -> None:
        self.server = server
        self.surface = Surface(client)
        self.engine = engine
        self.called: set[str] = set()
        self.faults: dict[str, str] = {}

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        if path.startswith(CONTROL):
            answer = self.server.request(method, path, body, query=query)
            return answer.json() if answer.body.startswith((b"{", b"[")) else answer.text
        operation, fields = self.surface.find(method, path)
        self.called.add(operation)
        call = self.surface.methods[operation]
        more = {"params": query} if query else {}
        if body is not None and "payload" in inspect.signature(call).parameters:
            more["payload"] = body
        elif body is not None:
            more["json"] = body
        import httpx

        try:
            answer = call(**fields, **more)
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in (422, 501):
                raise AssertionError(f"{operation}: {error.response.text}") from error
            return error.response.json()
        self._check(method, path, answer)
        return answer

    def _check(self, method: str, path: str, answer: Any) -> None:
        known = facts.operation_of(method, path)
        if known is None or known in {**OWN_SHAPES[""], **OWN_SHAPES[self.engine]}:
            return
        from pydantic import TypeAdapter, ValidationError
        from waha.generated import models

        kinds = [kind for kind in facts.OPERATIONS[known].get("answer", ()) if ": " not in kind and kind != "object"]
        match = re.fullmatch(r"(\[?)(\w+)(\]?)", kinds[0]) if kinds else None
        model = getattr(models, match[2], None) if match else None
        if model is None or answer in (None, ""):
            return
        kind = list[model] if match and match[1] else model  # type: ignore[valid-type]
        try:
            TypeAdapter(kind).validate_python(answer)
        except ValidationError as error:
            members = {member for _, member in facts.MENDED}
            wrong = [each for each in error.errors() if each["loc"][-1] not in members]
            if wrong:
                self.faults[known] = str(wrong)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_whole_client_works_and_its_models_fit(serve: Callable[..., ServerProcess], engine: str) -> None:
    if not shutil.which("ffmpeg"):
        missing("ffmpeg is not installed")
    server = serve(
        key="secret",
        WHATSAPP_DEFAULT_ENGINE=engine,
        WAXBILL_MOCK_SCAN_SECONDS="-1",
        WAHA_DEBUG_MODE="true",
        WHATSAPP_START_SESSION="s",
    )
    server.wait_for_status("s", "SCAN_QR_CODE")
    with contextlib.closing(waha.WahaClient(base_url=server.url, api_key="secret")) as client:
        through = ThroughTheClient(server, client, engine)
        pair(through, engine)
        server.wait_for_status("s", "WORKING")
        Scenario(through).run()
        stopping = client.server.stop({})
    assert stopping == {"stopping": True}
    assert through.surface.methods.keys() - through.called - LAST == set(), "methods that were not called"
    assert not through.faults, "\n".join(f"{name}: {fault}" for name, fault in through.faults.items())
