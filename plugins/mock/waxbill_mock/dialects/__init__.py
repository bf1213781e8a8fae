"""The engines' shapes: the same account as WEBJS, WPP, NOWEB and GOWS show it. Loaded one at a time."""

from __future__ import annotations

from importlib import import_module

from .dialect import Dialect


def dialect(engine: str) -> Dialect:
    """The dialect of an engine, by its name on the wire."""
    found = import_module(f".{engine.lower()}", __name__).DIALECT
    assert isinstance(found, Dialect)
    return found
