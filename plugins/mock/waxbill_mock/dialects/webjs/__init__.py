"""WEBJS (whatsapp-web.js): sends answer with the library's message, whose ``id`` is an object."""

from __future__ import annotations

from .messages import Messages


class Webjs(Messages):
    """Every area of the engine's shapes together."""

    engine = "WEBJS"


DIALECT = Webjs()
