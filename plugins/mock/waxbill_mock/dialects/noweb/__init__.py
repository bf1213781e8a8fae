"""NOWEB (Baileys): sends answer with the protocol's message, without an ``id`` of their own."""

from __future__ import annotations

from .messages import Messages


class Noweb(Messages):
    """Every area of the engine's shapes together."""

    engine = "NOWEB"
    reads_all_chats = True
    accepts_bare_key = True
    tells_read_ids = True


DIALECT = Noweb()
