"""The control operations of the simulator, one file per area: what the phone and the other people do, what goes wrong,
what time it is, what the bot sent, and what is kept for later. Imported with the first request for one."""

from .groups import area as groups
from .messages import area as messages
from .outbox import area as outbox
from .outbox import of_session as messages_seen
from .people import area as people
from .reading import area as reading
from .recording import area as recording
from .rules import area as rules
from .state import area as state
from .state import of_session as session_state
from .time import area as time

AREAS = [messages, messages_seen, people, groups, reading, rules, time, outbox, state, session_state, recording]
