"""A stand-in for https://web.whatsapp.com: a page of our own that has the modules of WhatsApp Web, and its server.

It plays WhatsApp, not waxbill: nothing here knows who drives the page. A test starts it, gives its ``arguments`` to
Chromium, and plays the other side, the phone and its contacts, through ``phone``::

    with StandIn() as whatsapp:
        driver = start_a_browser(*whatsapp.arguments)
        driver.get("https://web.whatsapp.com/")
        whatsapp.phone.scan()
        whatsapp.phone.receive("49301234567", "hello")

What it shows and what it can't is in docs/browser-proof.md.
"""

from __future__ import annotations

from .phone import Phone
from .server import StandIn

__all__ = ["Phone", "StandIn"]
