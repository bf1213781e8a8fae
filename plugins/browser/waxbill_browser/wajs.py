"""WA-JS as the build hook put it beside this file: the bundle that runs in WhatsApp Web's page, and its version."""

from __future__ import annotations

import json
from pathlib import Path

_ASSETS = Path(__file__).parent / "assets"


class WaJsMissing(RuntimeError):
    """The distribution was installed without the bundle; the message says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "WA-JS is missing: this checkout was installed where npm was not."
            " Install npm (Debian, Ubuntu: apt-get install npm), then run: pip install -e plugins/browser"
        )


def bundle() -> Path:
    """The file to evaluate in the page, about 0.5 MB of JavaScript; raises WaJsMissing where there is none."""
    path = _ASSETS / "wa-js.js"
    if not path.is_file():
        raise WaJsMissing
    return path


def version() -> str:
    """The version of the bundle, such as ``4.6.0``; raises WaJsMissing where there is none."""
    try:
        return str(json.loads((_ASSETS / "wa-js.json").read_bytes())["version"])
    except FileNotFoundError:
        raise WaJsMissing from None
