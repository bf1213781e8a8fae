"""waxbill: a WAHA-compatible WhatsApp HTTP API that fits in 512 MB. What plugin authors import is here."""

from .driver import Account, Driver, DriverProcess, DriverSpec, SessionHost, operations
from .hookspecs import Check, Choice, hookimpl
from .settings import Secret, Setting

__version__ = "0.1.0"

__all__ = [
    "Account",
    "Check",
    "Choice",
    "Driver",
    "DriverProcess",
    "DriverSpec",
    "Secret",
    "SessionHost",
    "Setting",
    "__version__",
    "hookimpl",
    "operations",
]
