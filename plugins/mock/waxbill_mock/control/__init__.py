"""The control operations of the simulator, one file per area: what the phone and the other people do."""

from .messages import area as messages

AREAS = [messages]
