"""WPP (wppconnect): sends answer with WAHA's own message, whose ``id`` is a string."""

from __future__ import annotations

from .messages import Messages


class Wpp(Messages):
    """Every area of the engine's shapes together."""

    engine = "WPP"


DIALECT = Wpp()
