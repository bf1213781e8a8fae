"""How wire types are declared: the two base classes that every request and answer type derives from."""

from __future__ import annotations

from typing import Any, ClassVar, dataclass_transform

import msgspec


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class _KeywordOnly(msgspec.StructMeta):
    """Makes every wire type keyword-only: msgspec does not hand that option down to subclasses."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> _KeywordOnly:
        options.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **options)


class Request(msgspec.Struct, metaclass=_KeywordOnly):
    """What a client sends. Unknown members pass, as in WAHA; an explicit null means that the member is absent.

    Clients dump their models with every unset member as null, so a member with a default must accept null
    (``bool | None = True``), and reads as its default afterwards.
    """

    _defaults: ClassVar[tuple[tuple[str, Any], ...] | None] = None

    def __post_init__(self) -> None:
        cls = type(self)
        defaults = cls.__dict__.get("_defaults")
        if defaults is None:
            pairs = zip(cls.__struct_fields__[::-1], cls.__struct_defaults__[::-1], strict=False)
            defaults = tuple((name, value) for name, value in pairs if isinstance(value, (bool, int, float, str)))
            cls._defaults = defaults
        for name, value in defaults:
            if getattr(self, name) is None:
                setattr(self, name, value)


class Answer(msgspec.Struct, metaclass=_KeywordOnly):
    """What the server sends. Members that are ``UNSET`` are left out; None is sent as null."""
