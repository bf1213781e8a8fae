"""A whole server in a thread of this process: it starts in a tenth of a second, and a debugger can look into it."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

from ..api.application import create_app
from ..app import Server
from ..builtin import load_plugins
from ..server import Loop
from ..settings import Settings
from .client import Client


class ServerThread(Client):
    """A server for tests, on a free port of 127.0.0.1. Use it as a context manager.

    ``environment`` are settings, all of them: nothing is taken from this process. The store lies in ``folder``.

    >>> with ServerThread(tmp_path, FORCE_MOCK_MODE="true") as server:
    ...     server.get("/ping").json()
    {'message': 'pong'}
    """

    def __init__(self, folder: Path, *, key: str = "", **environment: str) -> None:
        self.folder = folder
        self.key = key
        self.environment = {
            "PORT": "0",
            "WAHA_LOCAL_STORE_BASE_DIR": str(folder / "store"),
            **({"WAHA_API_KEY": key} if key else {}),
            **environment,
        }

    def start(self) -> ServerThread:
        """Starts the server; returns when it listens."""
        settings = Settings(self.environment)
        self.server = Server(settings, load_plugins(settings))
        self._loop = Loop(self.server, create_app(self.server), "127.0.0.1")
        self.port = self._loop.addresses[0][1]
        if not settings.core.base_url:
            self.server.files.base_url = self.url
        self._thread = threading.Thread(target=self._run, name="waxbill", daemon=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        self.server.start()
        self._loop.run()
        self.server.close()

    def stop(self) -> None:
        """Stops the server; what was accepted is in the store."""
        self._loop.stop()
        self._thread.join()

    def __enter__(self) -> ServerThread:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
