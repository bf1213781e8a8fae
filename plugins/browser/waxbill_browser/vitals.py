"""What a session lives on: the memory that its browser holds, and the room on its profile's disk."""

from __future__ import annotations

import logging
import os
import time

from waxbill import SessionHost, memory

from . import processes
from .browser import Browser
from .fit import misfit
from .link import Ended

log = logging.getLogger("waxbill.browser")

_FULL_DISK_MB = 16
_WEIGH_SECONDS = 60.0


class Vitals:
    """Of one session; used in its life's thread. ``memory_mb`` is read by any."""

    def __init__(self, host: SessionHost) -> None:
        self._host = host
        #: What its browser held of memory when it was last measured.
        self.memory_mb = 0.0
        self._weigh_at = 0.0
        #: Why it does not fit into this machine's memory, in words; empty when it does.
        self.misfit = ""

    def weigh(self, browser: Browser) -> None:
        """Measures what the session costs, once a minute, and warns while there is time when it does not fit."""
        now = time.monotonic()
        if now < self._weigh_at:
            return
        self._weigh_at = now + _WEIGH_SECONDS
        self.memory_mb = processes.pss_mb(browser.pids())
        before, self.misfit = self.misfit, misfit(self.memory_mb, memory.read(self._host.settings.core.memory_limit_mb))
        if self.misfit and not before:
            log.warning("Session '%s': %s.", self._host.name, self.misfit)

    def check_disk(self) -> None:
        """Raises Ended when the profile's disk is full: WhatsApp's page loses what it can't write."""
        state = os.statvfs(self._host.folder)
        free = state.f_bavail * state.f_frsize / 1024 / 1024
        if free < _FULL_DISK_MB:
            raise Ended(
                f"The disk of {self._host.folder} is full ({free:.0f} MB free); the browser can't keep its profile. "
                "Free some space, then restart the session."
            )
