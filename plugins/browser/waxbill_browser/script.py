"""The script that runs in WhatsApp's page: WA-JS behind a gate, and our adapter over it, put together from ``page/``.

It is evaluated by DevTools at the start of every document, so it survives reloads and no Content-Security-Policy
applies to it. Nothing of a request ever becomes part of it: operations are called with arguments.
"""

from __future__ import annotations

import json
from pathlib import Path

_PAGE = Path(__file__).parent / "page"
_PARTS = ("gate", "core", "byname", "session", "sending", "media", "chats", "contacts", "groups", "events", "start")

ORIGIN = "https://web.whatsapp.com"


def script(wajs: str, *, binding: str, handle: str, device_name: str | None) -> str:
    """The whole script. ``binding`` is the function by which the page tells, ``handle`` the member of its window by
    which it is called; both have names that nobody else knows."""
    # WA-JS reports each start to Google Analytics and sends links to third parties for their previews, unless told
    # otherwise before it runs. It would call the linked device after its own project.
    config = {
        "disableGoogleAnalytics": True,
        "linkPreviewApiServers": [],
        "deviceName": device_name or False,
        "sendStatusToDevice": False,
    }
    names = {"binding": binding, "handle": handle, "origin": ORIGIN}
    parts = "\n".join((_PAGE / f"{name}.js").read_text() for name in _PARTS)
    return (
        "(() => {\n'use strict';\n"
        f"const NAMES = {json.dumps(names)};\n"
        "const HANDLE = NAMES.handle;\n"
        "const binding = window[NAMES.binding];\n"
        "if (window !== window.top || location.origin !== NAMES.origin || !binding) return;\n"
        "delete window[NAMES.binding];\n"
        f"window.WPPConfig = {json.dumps(config)};\n"
        f"const startWaJs = () => (0, function () {{\n{wajs}\n}}).call(window);\n"
        f"{parts}\n"
        "})();\n"
    )
