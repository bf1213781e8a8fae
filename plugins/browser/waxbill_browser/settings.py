"""The browser driver's settings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from waxbill import Secret, Setting


class BrowserSettings(msgspec.Struct, frozen=True):
    binary: Annotated[
        str,
        Setting("WAXBILL_BROWSER_BINARY", meaning="Chromium to use; empty: chromium-headless-shell, else Chromium."),
    ] = ""
    chromedriver: Annotated[
        str, Setting("WAXBILL_CHROMEDRIVER", meaning="chromedriver to use; empty: the one that is found.")
    ] = ""
    keep_chromedriver: Annotated[
        bool,
        Setting(
            "WAXBILL_BROWSER_KEEP_CHROMEDRIVER",
            meaning="Keep chromedriver (18 MB) after it has started a browser; nothing here needs it then.",
        ),
    ] = False
    arguments: Annotated[
        str,
        Setting(
            "WAXBILL_BROWSER_ARGS",
            "WAHA_WEBJS_PUPPETER_ARGS",
            meaning="More arguments for Chromium, quoted as in a shell.",
        ),
    ] = ""
    sandbox: Annotated[
        Literal["auto", "on", "off"],
        Setting("WAXBILL_BROWSER_SANDBOX", meaning="Chromium's sandbox; auto: on where the platform allows it."),
    ] = "auto"
    proxy_server: Annotated[
        str, Setting("WHATSAPP_PROXY_SERVER", meaning="Proxy (host:port) of sessions that name none themselves.")
    ] = ""
    proxy_list: Annotated[
        tuple[str, ...],
        Setting(
            "WHATSAPP_PROXY_SERVER_LIST",
            meaning="Proxies (host:port,host:port) that sessions take turns at where that is empty; each keeps one.",
        ),
    ] = ()
    proxy_index_prefix: Annotated[
        str,
        Setting(
            "WHATSAPP_PROXY_SERVER_INDEX_PREFIX",
            meaning="Sessions whose name has this and then a number get that one of the list: proxy-3 the third.",
        ),
    ] = ""
    proxy_username: Annotated[str, Setting("WHATSAPP_PROXY_SERVER_USERNAME", meaning="User at these proxies.")] = ""
    proxy_password: Annotated[
        Secret, Setting("WHATSAPP_PROXY_SERVER_PASSWORD", meaning="Password at these proxies.")
    ] = Secret("")
    user_agent: Annotated[
        str,
        Setting(
            "WAXBILL_BROWSER_USER_AGENT",
            meaning="User agent of sessions; empty: Chromium's own, without the word headless.",
        ),
    ] = ""
    locale: Annotated[str, Setting("WAXBILL_BROWSER_LOCALE", meaning="Language of the page, such as en-US.")] = "en-US"
    time_zone: Annotated[
        str, Setting("WAXBILL_BROWSER_TIME_ZONE", meaning="Time zone of the page; empty: the server's.")
    ] = ""
    ready_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_BROWSER_READY_SECONDS",
            meaning="How long WhatsApp's page may take to load before it is loaded anew.",
            low=1,
            high=600,
        ),
    ] = 90.0
    sync_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_BROWSER_SYNC_SECONDS",
            meaning="How long a paired page may take until it is connected and in step with the phone.",
            low=1,
            high=3600,
        ),
    ] = 300.0
    call_seconds: Annotated[
        float,
        Setting("WAXBILL_BROWSER_CALL_SECONDS", meaning="How long an operation in the page may take.", low=1, high=600),
    ] = 60.0
    health_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_BROWSER_HEALTH_SECONDS",
            meaning="How often a page is asked whether it still works.",
            low=0.2,
            high=600,
        ),
    ] = 20.0
    qr_codes: Annotated[
        int,
        Setting(
            "WAXBILL_BROWSER_QR_CODES", meaning="QR codes that are shown before the session fails.", low=1, high=100
        ),
    ] = 6
    retry_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_BROWSER_RETRY_SECONDS",
            meaning="Pause before a lost browser is started again; it doubles with each attempt.",
            low=0.01,
            high=300,
        ),
    ] = 2.0
    idle_minutes: Annotated[
        float,
        Setting(
            "WAXBILL_BROWSER_IDLE_MINUTES",
            meaning="Close the browser of a session that no request used for so long; it wakes for the next request. "
            "0: never.",
            low=0,
        ),
    ] = 0.0
    wake_minutes: Annotated[
        float,
        Setting(
            "WAXBILL_BROWSER_WAKE_MINUTES",
            meaning="Wake a sleeping session so often to fetch its messages; 0: only for requests.",
            low=0,
        ),
    ] = 15.0
    most_waiting: Annotated[
        int,
        Setting(
            "WAXBILL_BROWSER_MOST_WAITING",
            meaning="Requests of one session that may wait for its page at once; more get 503.",
            low=1,
            high=10_000,
        ),
    ] = 32
    block_pictures: Annotated[
        Literal["auto", "always", "never"],
        Setting(
            "WAXBILL_BROWSER_BLOCK_PICTURES",
            meaning="Keep the page from loading profile pictures; auto: when memory is tight.",
        ),
    ] = "auto"
    nightly_reload_hour: Annotated[
        int,
        Setting(
            "WAXBILL_BROWSER_RELOAD_HOUR",
            meaning="Hour of the day (server's time) in which pages are loaded anew, to free memory; -1: never.",
            low=-1,
            high=23,
        ),
    ] = -1
    keep_profiles: Annotated[
        Literal["auto", "on", "off"],
        Setting(
            "WAXBILL_BROWSER_KEEP_PROFILES",
            meaning="Keep copies of profiles in the store, for whichever worker has the session next; auto: where "
            "workers share the store and take sessions over.",
        ),
    ] = "auto"
    profile_mb: Annotated[
        int,
        Setting(
            "WAXBILL_BROWSER_PROFILE_MB",
            meaning="Largest profile that is kept there: MB that it has on disk, without caches.",
            low=1,
            high=10_000,
        ),
    ] = 500
    profile_seconds: Annotated[
        float,
        Setting(
            "WAXBILL_BROWSER_PROFILE_SECONDS",
            meaning="How long a server that stops may take to finish such copies, all together, once its sessions are "
            "stopped.",
            low=0,
            high=600,
        ),
    ] = 20.0
