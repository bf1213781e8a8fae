"""Signature Version 4 of AWS, as S3 wants it: for requests, and for links that need nothing else.

The rules are those of "Authenticating Requests (AWS Signature Version 4)" in Amazon's S3 API reference.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

import msgspec

_ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(msgspec.Struct, frozen=True):
    """Who signs, and for which region."""

    id: str
    secret: str
    region: str

    def __repr__(self) -> str:  # never the secret, wherever it is printed
        return f"Keys(region={self.region!r})"


def path_of(key: str) -> str:
    """A key as it stands in the path of a request."""
    return quote(key, safe="/-_.~")


def query_of(query: Mapping[str, str]) -> str:
    """A query as it is signed and sent."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))


def signed_headers(
    keys: Keys, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], moment: datetime
) -> dict[str, str]:
    """Headers of a request, with its signature. ``headers`` has Host and X-Amz-Content-Sha256; ``path`` is encoded."""
    headers = {**headers, "X-Amz-Date": f"{moment:%Y%m%dT%H%M%SZ}"}
    signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    signed = {name: signed[name] for name in sorted(signed) if name == "host" or name.startswith("x-amz-")}
    names = ";".join(signed)
    signature = _signature(keys, method, path, query_of(query), signed, signed["x-amz-content-sha256"], moment)
    credential = f"{keys.id}/{_scope(keys, moment)}"
    headers["Authorization"] = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return headers


def signed_link(keys: Keys, origin: str, path: str, seconds: int, moment: datetime) -> str:
    """A URL with which anybody can fetch the object for so long; ``origin`` is the scheme and the host."""
    query = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.id}/{_scope(keys, moment)}",
        "X-Amz-Date": f"{moment:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    host = {"host": origin.partition("://")[2]}
    signature = _signature(keys, "GET", path, query_of(query), host, "UNSIGNED-PAYLOAD", moment)
    return f"{origin}{path}?{query_of(query)}&X-Amz-Signature={signature}"


def _scope(keys: Keys, moment: datetime) -> str:
    return f"{moment:%Y%m%d}/{keys.region}/s3/aws4_request"


def _signature(
    keys: Keys, method: str, path: str, query: str, headers: Mapping[str, str], payload: str, moment: datetime
) -> str:
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join((method, path, query, lines, ";".join(headers), payload))
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{moment:%Y%m%dT%H%M%SZ}\n{_scope(keys, moment)}\n{digest}"
    key = f"AWS4{keys.secret}".encode()
    for part in (f"{moment:%Y%m%d}", keys.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
