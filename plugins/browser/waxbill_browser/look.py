"""What a session shows of itself to WhatsApp: proxy, user agent, language, time zone and the device's name.

A session's own configuration comes first, then the server's settings. All of it is in force before the page's first
script runs, in every document and every browser of the session.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from waxbill import SessionHost
from waxbill.store import Database

from .settings import BrowserSettings

_CHROMIUM = re.compile(r"\bChrom(?:e|ium)/(\d+)")


class Look(msgspec.Struct, frozen=True):
    """What is shown. ``proxy`` is host:port, ``login`` its user and password; an empty time zone is the server's."""

    user_agent: str = ""
    locale: str = "en-US"
    time_zone: str = ""
    device_name: str | None = None
    proxy: str = ""
    login: tuple[str, str] | None = None

    def user_agent_override(self) -> dict[str, Any]:
        """The arguments of ``Emulation.setUserAgentOverride``: header, ``navigator``, and the client hints that fit.

        A user agent that is not Chromium's has no client hints, as the browsers that it names have none.
        """
        found = {"userAgent": self.user_agent, "acceptLanguage": self.locale}
        version = _CHROMIUM.search(self.user_agent)
        if version is None:
            return found
        brands = [{"brand": "Chromium", "version": version[1]}, {"brand": "Not)A;Brand", "version": "24"}]
        hints = {
            "brands": brands,
            "platform": _system(self.user_agent),
            "platformVersion": "",
            "architecture": "arm" if "aarch64" in self.user_agent else "x86",
            "model": "",
            "mobile": "Mobile" in self.user_agent,
        }
        return {**found, "userAgentMetadata": hints}


def _system(user_agent: str) -> str:
    """The system that a user agent names, as client hints call it."""
    known = {"Windows": "Windows", "Macintosh": "macOS", "Android": "Android"}
    return next((system for word, system in known.items() if word in user_agent), "Linux")


def look_of(host: SessionHost, settings: BrowserSettings, *, user_agent: str) -> Look:
    """How a session looks at this start; ``user_agent`` is what sessions have that name none."""
    own, client, proxy = host.config.browser, host.config.client, host.config.proxy
    if proxy is not None:
        server, user, password = proxy.server, proxy.username or "", proxy.password or ""
    else:
        server = settings.proxy_server or proxy_from_list(host, settings)
        user, password = settings.proxy_username, settings.proxy_password
    return Look(
        user_agent=(own and own.userAgent) or user_agent,
        locale=(own and own.locale) or settings.locale,
        time_zone=(own and own.timeZone) or settings.time_zone,
        device_name=client.deviceName if client else None,
        proxy=server,
        login=(user, password) if server and user else None,
    )


def proxy_from_list(host: SessionHost, settings: BrowserSettings) -> str:
    """A session's proxy out of WHATSAPP_PROXY_SERVER_LIST; empty without one.

    ``proxy-3`` has the third where ``proxy-`` is WHATSAPP_PROXY_SERVER_INDEX_PREFIX. Other sessions take turns: each
    gets the one that fewest have, and keeps it while it is in the list, since an account should not change address.
    """
    servers = list(settings.proxy_list)
    if not servers:
        return ""
    prefix = settings.proxy_index_prefix
    numbered = re.search(re.escape(prefix) + r"(\d{1,9})", host.name) if prefix else None
    if numbered is not None:
        return servers[(int(numbered[1]) - 1) % len(servers)]
    with host.store.write() as db:
        given = {str(name): str(server) for name, server in db.execute("SELECT session, server FROM browser_proxy")}
        if given.get(host.name) in servers:
            return given[host.name]
        taken = [server for name, server in given.items() if name != host.name]
        chosen = min(servers, key=taken.count)
        db.execute(
            "INSERT INTO browser_proxy VALUES (?, ?) ON CONFLICT (session) DO UPDATE SET server = excluded.server",
            (host.name, chosen),
        )
    return chosen


def forget_proxy(db: Database, session: str) -> None:
    """A session that is deleted has no proxy any more."""
    db.execute("DELETE FROM browser_proxy WHERE session = ?", (session,))
