"""For the authors of plugins and for tests of bots: a real server in a process or a thread, a simulated WhatsApp with
people in it, a webhook receiver, the contract suite. The fixtures for pytest are in ``pytest_waxbill``.

Nothing of the server imports this.
"""

from .client import Answer, Client
from .process import ServerProcess
from .receiver import Received, Receiver
from .thread import ServerThread
from .whatsapp import Contact, Group, Message, WhatsApp

__all__ = [
    "Answer",
    "Client",
    "Contact",
    "Group",
    "Message",
    "Received",
    "Receiver",
    "ServerProcess",
    "ServerThread",
    "WhatsApp",
]
