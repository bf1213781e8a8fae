"""The simulator in this process, without a port: requests through the WSGI application, timers run by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import falcon.testing

from waxbill import hookimpl
from waxbill.api.application import create_app
from waxbill.app import Server
from waxbill.builtin import load_plugins
from waxbill.events import encode
from waxbill.settings import Settings

ENGINES = ("WEBJS", "WPP", "NOWEB", "GOWS")


class Collector:
    """A plugin that keeps every event."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    @hookimpl
    def waxbill_event(self, event: dict[str, Any]) -> None:
        self.events.append(event)


class Simulator(falcon.testing.TestClient):
    """A server with one session named ``s`` that is WORKING. Answers have ``status_code``, ``json``, ``text``."""

    session = "s"

    def __init__(
        self,
        folder: Path,
        engine: str,
        environment: dict[str, str],
        pair: Callable[[Simulator], None] | None = None,
    ) -> None:
        self.walk: Any = None
        self.engine = engine
        self._collector = Collector()
        settings = Settings(
            {
                "WHATSAPP_DEFAULT_ENGINE": engine,
                "WAHA_LOCAL_STORE_BASE_DIR": str(folder / "store"),
                "WAXBILL_MOCK_SCAN_SECONDS": "0",
                "FORCE_MOCK_MODE": "true",
                **environment,
            }
        )
        self.server = Server(settings, load_plugins(settings, [("collector", self._collector)]))
        super().__init__(create_app(self.server))
        self.server.start()
        self.begin(self.session, pair)

    def begin(self, session: str, pair: Callable[[Simulator], None] | None = None, **config: Any) -> None:
        """Creates a session and pairs it, in the way given or as the settings have it."""
        created = self.simulate_post("/api/sessions", json={"name": session, "config": config})
        assert created.status_code == 201, created.text
        if pair is not None:
            self.run_until(lambda: self.server.sessions.get(session).status == "SCAN_QR_CODE")
            pair(self)
            return
        self.run_until(lambda: self.server.sessions.get(session).status == "WORKING")

    def run_until(self, reached: Callable[[], bool], timeout_seconds: float = 5.0) -> None:
        """Runs the timers that are due until something is so."""
        end = time.monotonic() + timeout_seconds
        while not reached():
            assert time.monotonic() < end, f"not reached; events so far: {[e['event'] for e in self._collector.events]}"
            if not self.server.clock.run_due():
                wait = self.server.clock.seconds_to_next()
                time.sleep(min(0.02, 0.02 if wait is None else wait))  # timers are the only thing to wait for

    def events(self, *names: str) -> list[dict[str, Any]]:
        """The events so far, of these names (all without names), oldest first."""
        return [event for event in self._collector.events if not names or event["event"] in names]

    def events_as_json(self) -> list[dict[str, Any]]:
        """All events so far, as receivers of webhooks read them."""
        return [json.loads(encode(event)) for event in self._collector.events]

    def event(self, name: str) -> dict[str, Any]:
        """The last event of a name; waits for it if there is none yet."""
        self.run_until(lambda: bool(self.events(name)))
        return self.events(name)[-1]

    def payload(self, name: str) -> Any:
        """The payload of the last event of a name, as JSON clients see it."""
        import msgspec

        return msgspec.to_builtins(self.event(name)["payload"])

    def forget_events(self) -> None:
        self._collector.events.clear()

    def call(self, method: str, path: str, body: Any = None, *, status: int | None = None, **query: Any) -> Any:
        """One request; ``{s}`` in the path is the session. Answers the JSON body (text where it is none, None for
        an empty one) and checks the status where one is given."""
        answer = self.simulate_request(method, path.replace("{s}", self.session), json=body, params=query or None)
        if status is not None:
            assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        if not answer.content:
            return None
        return answer.json if answer.headers["content-type"].startswith("application/json") else answer.text
