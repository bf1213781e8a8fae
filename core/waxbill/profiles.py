"""Profiles: settings that fit a memory limit together. Each is a default only; whatever is set by itself wins."""

from __future__ import annotations

from collections.abc import Sequence

NAME = "WAXBILL_PROFILE"
OFF, AUTO, PUBLIC = "off", "auto", "public"

#: What each profile sets, by the limit in MB that it is made for.
_LIMITS = {"512mb": 512, "256mb": 256, "128mb": 128}
PROFILES: dict[str, dict[str, str]] = {
    "512mb": {
        "MAX_HEAP_MB": "256",
        "MAX_RECONNECT_ATTEMPTS": "2",
        "KEEP_ALIVE": "true",
        "WAHA_PRINT_QR": "false",
        "WAXBILL_MAX_BODY_MB": "10",
        "WAXBILL_MAX_MEDIA_MB": "64",
        "WAXBILL_THREADS": "4",
        "WAXBILL_HOOK_WORKERS": "4",
        "WAXBILL_MAX_CONNECTIONS": "500",
        "WAXBILL_MAX_STREAMS": "500",
        "WAXBILL_BUFFER_KB": "64",
        "WAXBILL_STORE_FALLBACK": "true",
    },
    "256mb": {
        "MAX_HEAP_MB": "128",
        "MAX_RECONNECT_ATTEMPTS": "2",
        "KEEP_ALIVE": "true",
        "WAHA_PRINT_QR": "false",
        "WAXBILL_MAX_BODY_MB": "10",
        "WAXBILL_MAX_MEDIA_MB": "32",
        "WAXBILL_THREADS": "2",
        "WAXBILL_HOOK_WORKERS": "2",
        "WAXBILL_MAX_CONNECTIONS": "300",
        "WAXBILL_MAX_STREAMS": "300",
        "WAXBILL_BUFFER_KB": "32",
        "WAXBILL_STORE_FALLBACK": "true",
    },
}
PROFILES["128mb"] = {
    **PROFILES["256mb"],
    "MAX_HEAP_MB": "80",
    "WAXBILL_MAX_BODY_MB": "5",
    "WAXBILL_MAX_MEDIA_MB": "16",
    "WAXBILL_MAX_CONNECTIONS": "250",
    "WAXBILL_MAX_STREAMS": "250",
    "WAXBILL_BUFFER_KB": "16",
}
PROFILES["public"] = {
    "WAXBILL_ALLOW_PRIVATE_ADDRESSES": "false",
    "WAXBILL_RATE_LIMIT": "600",
    "WAXBILL_AUDIT_KEEP": "10000",
    "WAXBILL_SESSION_QUOTA_MB": "1024",
    "WHATSAPP_SWAGGER_ENABLED": "false",
    "WAHA_HTTP_STRICT_MODE": "true",
}
# A limit up to this much larger than the profile's own gets that profile in ``auto``.
_ROOM = 1.5


def chosen(names: Sequence[str], limit_mb: float | None) -> dict[str, dict[str, str]]:
    """The profiles of some names (none: ``auto``) by their own name, with what each sets. Raises ValueError with what
    is allowed.

    ``auto`` is the one made for the limit found, or none where there is plenty (or where that is not known). A profile
    that is named also sets the limit, where none is tighter.
    """
    names = [name.strip() for name in names]
    sizes = [name for name in names if name != PUBLIC]
    if len(sizes) > 1 or not {*sizes} <= {AUTO, OFF, *_LIMITS}:
        raise ValueError(f"one of {AUTO}, {', '.join(_LIMITS)}, {OFF}, and {PUBLIC} beside it with a comma")
    found = {PUBLIC: PROFILES[PUBLIC]} if PUBLIC in names else {}
    size = sizes[0] if sizes else AUTO
    if size == AUTO and limit_mb is not None:
        size = next((name for name, made_for in reversed(_LIMITS.items()) if limit_mb <= _ROOM * made_for), OFF)
        return found | ({size: PROFILES[size]} if size != OFF else {})
    if size in _LIMITS:
        room = limit_mb is not None and limit_mb > _LIMITS[size]
        found[size] = PROFILES[size] | ({"MEMORY_LIMIT_MB": str(_LIMITS[size])} if room else {})
    return found
