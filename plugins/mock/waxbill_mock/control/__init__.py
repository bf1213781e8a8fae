"""The control operations of the simulator, one file per area: what the phone and the other people do."""

from .groups import area as groups
from .messages import area as messages
from .people import area as people

AREAS = [messages, people, groups]
