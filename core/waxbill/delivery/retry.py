"""How long to wait before an attempt is made again, by WAHA's policies."""

from __future__ import annotations

import os

from ..model.sessions import RetriesConfiguration

# WAHA's documentation shows constant, 2 s, 15 attempts in every sample, and operators' logs agree.
DEFAULT_POLICY = "constant"
DEFAULT_DELAY_SECONDS = 2.0
DEFAULT_ATTEMPTS = 15
#: Longest pause, whatever the policy says: an exponential one would otherwise reach months.
LONGEST_SECONDS = 3600.0
#: Part of an exponential delay that is random, so that many lanes do not come back at once.
_JITTER = 0.2


def delay_seconds(retries: RetriesConfiguration | None, failed: int) -> float | None:
    """Seconds to wait after the ``failed``-th failure (from 1), or None when no attempt is left.

    ``attempts`` counts the attempts after the first one. constant d, d, d; linear d, 2d, 3d; exponential d, 2d, 4d
    with up to 20 % more.
    """
    retries = retries or RetriesConfiguration()
    attempts = DEFAULT_ATTEMPTS if retries.attempts is None else retries.attempts
    if failed > attempts:
        return None
    first = DEFAULT_DELAY_SECONDS if retries.delaySeconds is None else retries.delaySeconds
    match retries.policy or DEFAULT_POLICY:
        case "linear":
            delay = first * failed
        case "exponential":
            delay = first * 2.0 ** min(failed - 1, 30) * (1 + _JITTER * os.urandom(1)[0] / 255)
        case _:
            delay = first
    return min(delay, LONGEST_SECONDS)
