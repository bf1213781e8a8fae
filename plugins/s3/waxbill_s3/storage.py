"""A bucket as the place where published media lives, as WAHA lays it out: ``{session}/{message}.{ending}``."""

from __future__ import annotations

import contextlib
import html
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, cast

from waxbill.media.storage import Link, MediaStorage, Published, StorageError, Stored, may_be_named
from waxbill.media.types import HARMLESS
from waxbill.model.media import S3MediaData
from waxbill.settings import SettingError

from .client import Client, S3Error
from .signing import Keys, signed_link

log = logging.getLogger("waxbill.s3")

_DEFAULT_REGION = "us-east-1"
_KEY = re.compile(r"<Key>([^<]*)</Key>")
# What can't be looked at may still be written: a key that may not list, or that may nothing but put and get.
_MAYBE = ("AccessDenied", "AllAccessDisabled")


class S3Storage(MediaStorage):
    """Objects in a bucket. They stay: who owns the bucket says how long (a lifecycle rule), as with WAHA."""

    def __init__(self, client: Client, keys: Keys, *, proxy: bool, link_seconds: int, forgets: bool) -> None:
        self._client = client
        self._keys = keys
        self._proxy = proxy
        self._link_seconds = link_seconds
        self._forgets = forgets
        #: What went wrong last; empty while all goes well.
        self.trouble = ""

    @property
    def bucket(self) -> str:
        return self._client.place.bucket

    def check(self) -> None:
        """Looks whether the bucket is there, and makes it where it is not. Raises StorageError."""
        try:
            listed = self._client.ask("GET", query={"list-type": "2", "max-keys": "1"}).text
        except S3Error as error:
            if error.code == "NoSuchBucket":
                self._make_bucket()
            elif error.code in _MAYBE:
                log.info("The key may not list the bucket '%s', which is not needed", self.bucket)
            else:
                raise
        else:
            if "<ListBucketResult" not in listed:
                raise StorageError(f"{self._client.place.origin} (WAHA_S3_ENDPOINT) does not answer as S3 does.")

    def open_checked(self) -> S3Storage:
        """Itself, after a look at the bucket. A server that is away is only logged: it may come back, and messages
        matter more. Raises SettingError for what time does not mend."""
        try:
            self.check()
        except StorageError as error:
            if not error.again:
                self.close()
                raise SettingError(f"WAHA_MEDIA_STORAGE is S3, but {error}") from error
            self.trouble = str(error)
            log.error("%s Media can't be published until it can.", error)
        return self

    def _make_bucket(self) -> None:
        region = self._keys.region
        body = b"" if region == _DEFAULT_REGION else (
            b'<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>'
            + region.encode()
            + b"</LocationConstraint></CreateBucketConfiguration>"
        )  # fmt: skip
        try:
            self._client.ask("PUT", body=body)
            log.info("The bucket '%s' was made", self.bucket)
        except S3Error as error:
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):  # another worker was first
                raise

    # -- the contract

    def put(self, file: Published, source: Path) -> None:
        key = f"{file.session}/{file.name}"
        headers = {
            "Content-Type": _printable(file.mimetype) or "application/octet-stream",
            "Content-Disposition": "inline" if file.mimetype.startswith(HARMLESS) else "attachment",
            "X-Amz-Meta-Waha-Session": file.session,
            "X-Amz-Meta-Waha-Message-Id": _printable(file.message),
            "X-Amz-Meta-Waha-Chat-Id": _printable(file.chat),
            "X-Amz-Meta-Waha-Media-File-Name": _printable(file.filename),
        }
        headers = {name: value for name, value in headers.items() if value}
        with self._watched():
            try:
                self._client.ask("PUT", key, headers=headers, body=source)
            except S3Error as error:
                if error.code != "NoSuchBucket":
                    raise
                self._make_bucket()  # the server was away at the start, or somebody has removed it
                self._client.ask("PUT", key, headers=headers, body=source)

    def find(self, session: str, name: str) -> Stored | None:
        key = f"{session}/{name}"
        with self._watched():
            try:
                headers = self._client.ask("HEAD", key).headers
            except S3Error as error:
                if error.status == 404:
                    return None
                if error.status != 403:
                    raise
                self._check_denied(key)
                return None
        modified = parsedate_to_datetime(headers.get("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"))
        tag = re.sub(r"[^A-Za-z0-9_-]", "", headers.get("ETag", "")) or "0"
        return Stored(int(headers.get("Content-Length", "0")), int(modified.timestamp()), tag)

    def _check_denied(self, key: str) -> None:
        """The answer to HEAD has no words. Without the right to list, what is not there is denied: that is None."""
        try:
            self._client.fetch(key, 0, 1).close()
        except S3Error as error:
            if error.code not in (*_MAYBE, "NoSuchKey"):
                raise

    def open(self, session: str, name: str, first: int, length: int) -> BinaryIO:
        with self._watched():
            return cast(BinaryIO, self._client.fetch(f"{session}/{name}", first, length))

    def remove(self, session: str, name: str) -> None:
        with self._watched():
            self._client.ask("DELETE", f"{session}/{name}")

    def forget(self, session: str) -> None:
        if not self._forgets:
            return
        after = f"{session}/"
        with self._watched():
            while True:
                query = {"list-type": "2", "prefix": f"{session}/", "start-after": after}
                keys = [html.unescape(key) for key in _KEY.findall(self._client.ask("GET", query=query).text)]
                for key in keys:
                    if may_be_named(*key.partition("/")[::2]):  # what others put there is theirs
                        self._client.ask("DELETE", key)
                if not keys:
                    return
                after = keys[-1]

    def link(self, session: str, name: str, base_url: str) -> Link:
        key = f"{session}/{name}"
        place = S3MediaData(Bucket=self.bucket, Key=key)
        if self._proxy:
            return Link(f"{base_url}/api/s3/{self.bucket}/{key}", place)
        where = self._client.place
        return Link(
            signed_link(self._keys, where.origin, where.path(key), self._link_seconds, datetime.now(UTC)), place
        )

    def close(self) -> None:
        self._client.close()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Notes how it went, for /health. A file that is not there is no trouble."""
        try:
            yield
        except StorageError as error:
            if not (isinstance(error, S3Error) and error.status == 404):
                self.trouble = str(error)
            raise
        self.trouble = ""


def _printable(text: str | None) -> str:
    """What a header of S3's can hold: WAHA keeps the printable characters of ASCII."""
    return " ".join("".join(character for character in text or "" if " " <= character <= "~").split())[:1000]
