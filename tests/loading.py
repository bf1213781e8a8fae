"""Load as a busy bot makes it: many connections that stay open, many chats, and media."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import threading
import time
from dataclasses import dataclass, field

from waxbill.testing import ServerProcess

_JSON = {"Content-Type": "application/json"}
#: A file of 3 MB as base64.
_FILE = base64.b64encode(os.urandom(3 * 1024 * 1024)).decode()


@dataclass
class Load:
    sent: int = 0
    media: int = 0
    #: Turned away with 503, as the server does where memory is tight.
    refused: int = 0
    #: Answers that nobody wants to see.
    unexpected: list[str] = field(default_factory=list)


class _Client:
    """One connection that stays open."""

    def __init__(self, server: ServerProcess, result: Load, lock: threading.Lock) -> None:
        self._port = server.port
        self._result, self._lock = result, lock
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)

    def send(self, path: str, body: dict[str, object], *, media: bool = False) -> None:
        try:
            self._connection.request("POST", path, json.dumps(body), _JSON)
            answer = self._connection.getresponse()
            text, status = answer.read().decode(errors="replace"), answer.status
        except (OSError, http.client.HTTPException) as error:
            text, status = repr(error), 0
            self._connection.close()
        with self._lock:
            if status == 201:
                self._result.sent += 1
                self._result.media += media
            elif status == 503 or (media and status == 0):
                # A file that is not wanted is refused at its head; a client that goes on sending for long may see
                # no more of that than a closed connection.
                self._result.refused += 1
            else:
                self._result.unexpected.append(f"{status} {text[:200]}")

    def close(self) -> None:
        self._connection.close()


def load(server: ServerProcess, *, connections: int, chats: int, seconds: float) -> Load:
    """Sends a text to each of ``chats`` chats over ``connections`` connections, then texts and media for a while."""
    result, lock = Load(), threading.Lock()
    numbers = itertools.count()
    ready = threading.Barrier(connections)
    end = 0.0

    def work(index: int) -> None:
        nonlocal end
        client = _Client(server, result, lock)
        ready.wait()
        while (number := next(numbers)) < chats:
            client.send(
                "/api/sendText", {"session": "s", "chatId": f"4930{number:07d}@c.us", "text": f"hello {number}"}
            )
        if ready.wait() == 0:
            end = time.monotonic() + seconds
        ready.wait()
        while time.monotonic() < end:
            chat = f"4930{next(numbers) % chats:07d}@c.us"
            if index % 4 == 0:
                file = {"data": _FILE, "mimetype": "application/pdf", "filename": "a.pdf"}
                client.send("/api/sendFile", {"session": "s", "chatId": chat, "file": file}, media=True)
            else:
                client.send("/api/sendText", {"session": "s", "chatId": chat, "text": "again"})
        client.close()

    workers = [threading.Thread(target=work, args=(index,)) for index in range(connections)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return result
