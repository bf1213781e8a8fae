"""Secrets are not shown: what is logged, answered as an error or listed goes through here. Everything may import it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

_HIDDEN = "***"
# The user and password of a URL, as far as the @ before its host.
_USERINFO = re.compile(r"(?<=://)[^/\s?#]*:[^/\s?#]*(?=@)")
_KEY = re.compile(
    r"(x-api-key['\"]?\s*[=:]\s*['\"]?|authorization['\"]?\s*[=:]\s*['\"]?(?:\w+ )?)[^\s&'\",;]+", re.IGNORECASE
)
# A shorter secret may be part of any word.
_SHORTEST = 4


def mask_text(text: str) -> str:
    """Hides passwords in URLs, and keys in queries and headers.

    >>> mask_text("POST https://bot:hunter2@example.com/?x-api-key=abc failed")
    'POST https://bot:***@example.com/?x-api-key=*** failed'
    """
    text = _USERINFO.sub(lambda found: f"{found[0].partition(':')[0]}:{_HIDDEN}", text)
    return _KEY.sub(rf"\1{_HIDDEN}", text)


class Mask:
    """Hides these secrets as well, wherever they stand."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        text = mask_text(text)
        return self._known.sub(_HIDDEN, text) if self._known else text


class MaskedLines(logging.Formatter):
    """Another formatter's lines, exceptions and all, without secrets."""

    def __init__(self, inner: logging.Formatter, mask: Mask) -> None:
        super().__init__()
        self._inner, self._mask = inner, mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(self._inner.format(record))
