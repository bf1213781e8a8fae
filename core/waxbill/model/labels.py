"""Labels of business accounts: named colours that chats can have."""

from __future__ import annotations

from .wire import Answer, Request, Whole

#: Colours of labels by their number, as in WAHA.
PALETTE = (
    "#ff9485", "#64c4ff", "#ffd429", "#dfaef0", "#99b6c1", "#55ccb3", "#ff9dff", "#d3a91d", "#6d7cce", "#d7e752",
    "#00d0e2", "#ffc5c7", "#93ceac", "#f74848", "#00a0f2", "#83e422", "#ffaf04", "#b5ebff", "#9ba6ff", "#9368cf",
)  # fmt: skip


def color_hex(color: int) -> str:
    """The colour of a number as ``#rrggbb``; black for a number that WhatsApp has not.

    >>> color_hex(3)
    '#dfaef0'
    """
    return PALETTE[color] if 0 <= color < len(PALETTE) else "#000000"


class LabelBody(Request):
    """``color`` is a number of the palette; ``colorHex`` one of its colours instead."""

    name: str
    color: Whole | None = None
    colorHex: str | None = None


class LabelID(Request):
    id: str


class SetLabelsRequest(Request):
    """All labels that the chat is to have; none takes them away."""

    labels: list[LabelID]


class Label(Answer):
    id: str
    name: str
    color: int
    colorHex: str
