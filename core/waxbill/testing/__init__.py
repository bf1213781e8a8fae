"""For the authors of plugins and for tests of bots: a real server in a process, a webhook receiver, the contract suite.

Nothing of the server imports this.
"""

from .process import Answer, ServerProcess
from .receiver import Received, Receiver

__all__ = ["Answer", "Received", "Receiver", "ServerProcess"]
