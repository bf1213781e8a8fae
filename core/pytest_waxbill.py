"""Fixtures for pytest: a simulated WhatsApp for tests of bots. Imports nothing until a test uses one.

``whatsapp`` is empty for each test; behind it is one server for the whole run, in this process or, with
``--waxbill-process`` (or ``waxbill_process = true`` in the settings of pytest), in one of its own.
"""

from __future__ import annotations

import typing

import pytest

if typing.TYPE_CHECKING:
    from collections.abc import Iterator

    from waxbill.testing import Client, WhatsApp


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("waxbill")
    group.addoption("--waxbill-process", action="store_true", help="run the waxbill server in a process of its own")
    parser.addini("waxbill_process", "run the waxbill server in a process of its own", "bool", default=False)


@pytest.fixture(scope="session")
def waxbill_settings() -> dict[str, str]:
    """Settings of the server, to be overridden: ``return {"WHATSAPP_DEFAULT_ENGINE": "NOWEB"}``."""
    return {}


@pytest.fixture(scope="session")
def waxbill_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, waxbill_settings: dict[str, str]
) -> Iterator[Client]:
    """A server with the simulator, on a free port, for the whole run."""
    from waxbill.testing import ServerProcess, ServerThread

    apart = request.config.getoption("--waxbill-process") or request.config.getini("waxbill_process")
    settings = {"FORCE_MOCK_MODE": "true", "WAXBILL_MOCK_SCAN_SECONDS": "0", **waxbill_settings}
    folder, key = tmp_path_factory.mktemp("waxbill"), settings.pop("WAHA_API_KEY", "")
    server: ServerProcess | ServerThread
    if apart:
        server = ServerProcess(folder, key=key, program=None, **settings)
    else:
        server = ServerThread(folder, key=key, **settings)
    with server:
        yield server


@pytest.fixture
def whatsapp(waxbill_server: Client) -> Iterator[WhatsApp]:
    """WhatsApp around a session named ``default``: paired, empty, without webhooks."""
    from waxbill.testing import WhatsApp

    with WhatsApp(waxbill_server) as found:
        yield found
