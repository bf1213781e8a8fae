"""The import budget: what an idle server may not have loaded, because each costs memory that it does not need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from waxbill.testing import Receiver, ServerProcess

#: What each costs, in MB of resident memory.
FORBIDDEN = {
    "asyncio": 5.5,
    "ssl": 2.5,
    "http.cookiejar": 1.0,
    "_hashlib": 3.5,
    "hmac": 3.5,
    "http.client": 2.0,
    "email.parser": 1.5,
    "importlib.metadata": 2.0,
    "qrcode": 3.7,
    "dotenv": 0.6,
    "ctypes": 1.0,
    "zipfile": 1.0,
    "PIL": 8.0,
    "jinja2": 8.0,
    "wsproto": 4.0,
    "multiprocessing": 2.0,
    "urllib3": 16.0,
    "selenium": 2.8,
    "waxbill.api.openapi": 1.0,
    "waxbill.testing": 1.0,
    "waxbill.workers": 0.2,
    "waxbill.forwarding": 0.1,
    "waxbill.moving": 0.1,
    "psycopg": 10.0,
    "psycopg_pool": 1.0,
    "waxbill.model.payloads": 0.1,
    "waxbill_mock.control": 0.7,
    "waxbill_mock.rules": 0.1,
    "ruamel.yaml": 3.0,
    "waxbill_s3.client": 6.0,
    "waxbill_s3.storage": 6.0,
}

SPY = """
import json, os, sys
from waxbill import hookimpl

@hookimpl
def waxbill_health():
    return {"spy": {"status": "up", "modules": sorted(sys.modules)}}
"""


def modules(server: ServerProcess) -> set[str]:
    return set(server.get("/health").json()["details"]["spy"]["modules"])


def spy(folder: Path) -> str:
    """What ``PYTHONPATH`` has to be for a server with a plugin that shows what is loaded."""
    info = folder / "site/spy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waxbill]\nspy = spy\n")
    (folder / "site/spy.py").write_text(SPY)
    return str(folder / "site")


def spied(serve: Callable[..., ServerProcess], folder: Path) -> ServerProcess:
    return serve(PYTHONPATH=spy(folder), WAHA_API_KEY="plain", key="plain")


def test_an_idle_server_has_nothing_loaded_that_it_does_not_need(
    serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = spied(serve, tmp_path)
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    server.post("/api/sendText", {"session": "s", "chatId": "49301234567", "text": "x"})
    loaded = modules(server)
    # Requests ran in a thread (the session's, the spy's own), which brings this along and nothing else.
    assert sorted(loaded & FORBIDDEN.keys()) == ["ctypes"]
    assert {"falcon", "waitress", "sqlite3", "msgspec"} <= loaded


def test_the_first_signed_delivery_loads_what_it_needs(
    serve: Callable[..., ServerProcess],
    tmp_path: Path,
    receiver: Receiver,
) -> None:
    server = spied(serve, tmp_path)
    webhook = {"url": receiver.url, "events": ["session.status"], "hmac": {"key": "k"}}
    server.post("/api/sessions", {"name": "s", "config": {"webhooks": [webhook]}})
    receiver.wait_for_count(3)
    loaded = modules(server)
    assert {"hmac", "waxbill.delivery.connection"} <= loaded
    assert not {"asyncio", "http.client", "email.parser", "ssl"} & loaded


@pytest.mark.parametrize("module", ["waxbill", "waxbill.hookspecs", "waxbill.driver", "waxbill.settings"])
def test_what_a_plugin_author_imports_brings_no_server(module: str) -> None:
    code = f"import sys, {module}; print(sorted(sys.modules.keys() & {{'falcon', 'waitress', 'asyncio'}}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
