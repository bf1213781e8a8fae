"""How wire types are declared: the base classes of requests and answers, and the small types that all areas share."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, dataclass_transform

import msgspec

_MOST = 2**53 - 1  # the largest whole number that every JSON reader has

if TYPE_CHECKING:
    #: A whole number.
    Whole = int
    #: A whole number, 0 or more.
    Count = int
else:
    # Clients whose numbers are all floats send 10.0 for 10; Request makes an int of it.
    Whole = int | float
    Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)] | Annotated[float, msgspec.Meta(ge=0, le=_MOST)]


class _KeywordOnly(msgspec.StructMeta):
    """Makes every wire type keyword-only: msgspec does not hand that option down to subclasses."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> _KeywordOnly:
        options.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **options)


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class Request(msgspec.Struct, metaclass=_KeywordOnly):
    """What a client sends. Unknown members pass, as in WAHA; an explicit null means that the member is absent.

    Clients dump their models with every unset member as null, so a member with a default must accept null
    (``bool | None = True``), and reads as its default afterwards. What ``__post_init__`` refuses with a ValueError
    becomes a 400: its text begins with ``must`` (the place of the request is put before it) or with a member's name.
    """

    _defaults: ClassVar[tuple[tuple[str, Any], ...]]
    _wholes: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        cls = type(self)
        if "_defaults" not in cls.__dict__:
            _read_rules(cls)
        for name, value in cls._defaults:
            if getattr(self, name) is None:
                setattr(self, name, value)
        for name in cls._wholes:
            number = getattr(self, name)
            if type(number) is float:
                if not number.is_integer():
                    raise ValueError(f"{name} must be a whole number, not {number}")
                setattr(self, name, int(number))


def _read_rules(cls: type[Request]) -> None:
    """Notes the members that have a default other than null, and those that are whole numbers; once per type."""
    pairs = zip(cls.__struct_fields__[::-1], cls.__struct_defaults__[::-1], strict=False)
    wholes = []
    for field in msgspec.structs.fields(cls):
        parts = typing.get_args(field.type)
        if {int, float} <= {typing.get_args(part)[0] if typing.get_args(part) else part for part in parts}:
            wholes.append(field.name)
    cls._wholes = tuple(wholes)
    cls._defaults = tuple((name, value) for name, value in pairs if isinstance(value, (bool, int, float, str)))


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class Answer(msgspec.Struct, metaclass=_KeywordOnly):
    """What the server sends. Members that are ``UNSET`` are left out; None is sent as null."""


class Result(Answer):
    success: bool = True


class CountResponse(Answer):
    count: int
