"""Whether an account fits into this machine's memory: said as long as something can be done about it."""

from __future__ import annotations

from waxbill.memory import Reading

# Of 512 MB: where the watch begins to free memory. Larger machines need no more room than this for one account's
# sync, a page that is loaded anew, a file on its way; smaller ones have less to give.
_SPARE, _OF_MB = (512.0 - 350.0) / 512.0, 512.0


def misfit(held_mb: float, reading: Reading) -> str:
    """Why a session that holds so many MB does not fit here, in words; empty when it does."""
    spare = _SPARE * min(reading.limit_mb, _OF_MB)
    if reading.available_mb >= spare:
        return ""
    return (
        f"it holds {held_mb:.0f} MB, and {reading.available_mb:.0f} of {reading.limit_mb:.0f} MB are left "
        f"({reading.source}); {spare:.0f} should be. This account may not fit on this machine: see 'Memory' in "
        "docs/browser.md"
    )
