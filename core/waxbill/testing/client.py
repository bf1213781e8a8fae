"""Requests to a server under test."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec


class Answer(msgspec.Struct):
    """An HTTP answer: status, headers (names in lower case), body as bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A server on a port, usually of this machine; ``key`` goes along with every request."""

    host = "127.0.0.1"
    port = 0
    key = ""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """What the server has logged, where that is known."""
        return ""

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] = {},
        query: Mapping[str, Any] | None = None,
        timeout_seconds: float = 30.0,
    ) -> Answer:
        """One request. A ``body`` that is not bytes is sent as JSON; the server's key goes along."""
        sent = {"X-Api-Key": self.key, **headers} if self.key else dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if query:
            path += "?" + urlencode(query, doseq=True)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout_seconds)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.request("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.request("PUT", path, body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.request("DELETE", path, **options)

    def wait_for_status(self, session: str, *statuses: str, timeout_seconds: float = 10.0) -> str:
        """Waits until a session has one of the statuses and returns it; raises TimeoutError with the one it has."""
        end = time.monotonic() + timeout_seconds
        while True:
            answer = self.get(f"/api/sessions/{session}")
            status = answer.json().get("status", "") if answer.status == 200 else str(answer.status)
            if status in statuses:
                return str(status)
            if time.monotonic() > end:
                raise TimeoutError(f"Session '{session}' is {status}, not {' or '.join(statuses)}:\n{self.log}")
            time.sleep(0.01)  # the API has no call that waits for a status
