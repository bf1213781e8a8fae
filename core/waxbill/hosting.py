"""From settings to a running server: the entry point of the process, and the only importer of ``_lean``.

Everything that imports Falcon is imported here with the modules that a WSGI server never uses held back.
"""

from __future__ import annotations

import gc
import logging

from . import memory
from ._lean import UNUSED_BY_WSGI, held_back
from .settings import Settings

with held_back(*UNUSED_BY_WSGI):
    import falcon  # noqa: F401

from .api.application import create_app
from .app import Server
from .builtin import load_plugins
from .model.errors import WahaError
from .server import serve as _serve
from .settings import SettingError
from .store import StoreError

log = logging.getLogger("waxbill")


def serve(settings: Settings) -> int:
    """Builds a server and serves until it is told to stop. Returns the exit code; failures are said in a sentence."""
    if settings.core.max_heap_mb:
        memory.cap(settings.core.max_heap_mb)
    try:
        plugins = load_plugins(settings)
        if not plugins.implements("waxbill_driver"):
            log.critical("No driver is installed. Run: pip install 'waxbill[mock]' (a simulator) or 'waxbill[browser]'")
            return 1
        server = Server(settings, plugins)
        application = create_app(server)
    except (SettingError, StoreError, WahaError) as error:
        log.critical("%s", error)
        return 1
    gc.freeze()  # what is here now stays
    gc.enable()
    try:
        _serve(server, application)
    except OSError as error:
        server.close()
        log.critical(
            "Can't listen on port %d: %s. Stop what uses it, or set PORT.",
            settings.core.port,
            error.strerror or error,
        )
        return 1
    return server.exit_code
