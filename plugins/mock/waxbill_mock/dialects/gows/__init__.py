"""GOWS (whatsmeow): sends answer with ``id`` and the engine's message, nothing more."""

from __future__ import annotations

from .messages import Messages


class Gows(Messages):
    """Every area of the engine's shapes together."""

    engine = "GOWS"
    reads_all_chats = True
    accepts_bare_key = True
    tells_read_ids = True
    ack_events = (2, 3)


DIALECT = Gows()
