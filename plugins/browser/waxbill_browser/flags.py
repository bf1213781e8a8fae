"""The arguments that Chromium is started with, each with its reason.

Measured on a small page with chromium-headless-shell and full Chromium; see docs/browser.md.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from .look import Look

#: Switches for both browsers: argument and reason.
LEAN = (
    ("--disable-extensions", "none is used"),
    ("--disable-breakpad", "no crash reports, and no process that would write them"),
    ("--disable-component-update", "nothing is fetched but WhatsApp"),
    ("--disable-default-apps", "none is used"),
    ("--disable-sync", "no account of Google's"),
    ("--disable-client-side-phishing-detection", "a model that is loaded for one page that is known"),
    ("--disable-background-timer-throttling", "the page is never in front, and must work all the same"),
    ("--disable-backgrounding-occluded-windows", "the same"),
    ("--disable-renderer-backgrounding", "the same"),
    ("--in-process-gpu", "one process less; nothing is drawn"),
    ("--disable-gpu", "nothing is drawn"),
    ("--disable-software-rasterizer", "15 MB less: no second way to draw what nobody sees"),
    ("--renderer-process-limit=1", "one page, one process for it"),
    ("--disable-site-isolation-trials", "the same: frames share the page's process"),
    ("--enable-low-end-device-mode", "Chromium's own thrift for devices with little memory"),
    ("--disable-dev-shm-usage", "containers have 64 MB there, and a full one crashes the page"),
    ("--disk-cache-size=1048576", "WhatsApp keeps what it needs in the profile, not in the cache"),
    ("--media-cache-size=1048576", "the same"),
    ("--mute-audio", "nobody hears it"),
    ("--no-first-run", "no welcome page"),
    ("--no-default-browser-check", "no question"),
    ("--window-size=800,600", "small pictures of the page"),
    ("--hide-scrollbars", "for screenshots"),
)  # fmt: skip

#: Parts that are switched off; Chromium takes one list of them.
FEATURES_OFF = (
    "site-per-process",
    "IsolateOrigins",
    "SpareRendererForSitePerProcess",  # 8 MB less: no process in reserve
    "Translate",
    "OptimizationHints",
    "MediaRouter",
    "DialMediaRouteProvider",
    "AudioServiceOutOfProcess",
    "InterestFeedContentSuggestions",
    "WebUIOmniboxPopup",  # with the next: 50 MB less in full Chromium, whose hidden address bar has a page of its own
    "WebUIOmniboxAimPopup",
)
#: The network runs in the browser's process: 15-20 MB less.
FEATURES_ON = ("NetworkServiceInProcess2",)


def arguments(profile: Path, look: Look, *, headless_shell: bool, sandbox: bool, more: str = "") -> list[str]:
    """All arguments for one session's browser. ``more`` is the operator's own, quoted as in a shell."""
    found = [flag for flag, _ in LEAN]
    if not headless_shell:
        found.append("--headless=new")  # full Chromium would want a screen
    if not sandbox:
        found.append("--no-sandbox")
    if headless_shell and not sandbox:
        found.append("--no-zygote")  # its one other process shares less with a zygote than that costs
    else:
        # One zygote instead of two, 15-20 MB less: the other serves processes outside of the sandbox, and there are
        # none. The first is needed for the sandbox; full Chromium's page and its storage service share with it what
        # each would have to prepare anew (25 MB).
        found.append("--no-unsandboxed-zygote")
    found += [f"--disable-features={','.join(FEATURES_OFF)}", f"--enable-features={','.join(FEATURES_ON)}"]
    found += [f"--user-data-dir={profile}", f"--lang={look.locale}", f"--accept-lang={look.locale}"]
    if look.user_agent:
        found.append(f"--user-agent={look.user_agent}")
    if look.proxy:
        found.append(f"--proxy-server={look.proxy}")
    return found + shlex.split(more)


def can_sandbox(chromium: Path | None = None) -> bool:
    """Whether the sandbox of this Chromium works here: not as root; where users may make namespaces, or by its helper.

    The helper (Debian's package chromium-sandbox) is a program of root's beside Chromium, with the setuid bit.
    """
    if os.geteuid() == 0:
        return False
    return _may_make_namespaces() or (chromium is not None and _has_helper(chromium))


def _has_helper(chromium: Path) -> bool:
    try:
        state = (chromium.resolve().parent / "chrome-sandbox").stat()
        fresh = "NoNewPrivs:\t0" in Path("/proc/self/status").read_text()  # else the bit counts for nothing
    except OSError:
        return False
    return fresh and state.st_uid == 0 and bool(state.st_mode & stat.S_ISUID)


def _may_make_namespaces() -> bool:
    import subprocess

    try:
        tried = subprocess.run(
            ["unshare", "--user", "--map-root-user", "true"],  # noqa: S607 - util-linux, wherever it lies
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def user_agent(version: str) -> str:
    """Chromium's user agent without the word headless, which WhatsApp takes for no browser.

    ``version`` is what the browser prints, such as ``Chromium 156.0.8078.79 built on Debian``. Only the first number
    is told, as Chromium itself does since version 101.
    """
    number = next((word for word in version.split() if word[:1].isdigit()), "0")
    machine = {"aarch64": "Linux aarch64"}.get(os.uname().machine, "Linux x86_64")
    return (
        f"Mozilla/5.0 (X11; {machine}) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{number.partition('.')[0]}.0.0.0 Safari/537.36"
    )
