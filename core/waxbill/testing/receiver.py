"""A webhook receiver, on loopback unless told otherwise: it keeps what it gets and answers as told."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import msgspec


class Received(msgspec.Struct):
    """One request that came in: path, headers (names in lower case), the raw body, when (monotonic seconds)."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        return json.loads(self.body)

    def signed_with(self, key: str) -> bool:
        """Whether the HMAC in the headers is that of the body with this key."""
        expected = hmac.new(key.encode(), self.body, hashlib.sha512).hexdigest()
        return hmac.compare_digest(expected, self.headers.get("x-webhook-hmac", ""))


class Receiver:
    """Use it as a context manager. ``answer`` decides the status for each request; 200 by default.

    >>> with Receiver() as receiver:
    ...     bot = receiver.wait_for(lambda event: event["event"] == "message")
    """

    def __init__(
        self, answer: Callable[[Received], int] = lambda received: 200, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, body, time.monotonic())
                with receiver._changed:
                    receiver.received.append(received)
                    receiver._changed.notify_all()
                status = receiver.answer(received)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing: the test looks at what was received."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away in the middle is part of many tests."""

        self._server = Server((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{self._server.server_address[0]!s}:{self.port}/hook"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The envelopes received so far, in order."""
        with self._changed:
            return [received.json() for received in self.received]

    def wait_for(self, fits: Callable[[dict[str, Any]], bool], timeout_seconds: float = 10.0) -> dict[str, Any]:
        """The first envelope that fits, waiting for it; raises TimeoutError with what came instead."""
        end = time.monotonic() + timeout_seconds
        seen = 0
        with self._changed:
            while True:
                for received in self.received[seen:]:
                    event: dict[str, Any] = received.json()
                    if fits(event):
                        return event
                seen = len(self.received)
                if not self._changed.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    names = [received.json().get("event") for received in self.received]
                    raise TimeoutError(f"No event that fits within {timeout_seconds} s; there came {names}")

    def wait_for_count(self, count: int, timeout_seconds: float = 10.0) -> list[dict[str, Any]]:
        """All envelopes, once there are that many."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.received) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self.received)} events within {timeout_seconds} s, not {count}")
        return self.events

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
