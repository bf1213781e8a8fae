"""The control operations of the simulator, one file per area: what the phone and the other people do."""

from .groups import area as groups
from .messages import area as messages
from .people import area as people
from .reading import area as reading

AREAS = [messages, people, groups, reading]
