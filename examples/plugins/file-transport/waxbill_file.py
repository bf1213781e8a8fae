"""A delivery transport for waxbill: webhooks with a ``file:`` URL get their events appended to a file, one a line.

The server has already put the event on disk, and tries again when this fails: the transport only says how it went.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import msgspec

from waxbill import Setting, hookimpl
from waxbill.delivery.outbox import Delivery, Outcome, WebhookRequest
from waxbill.settings import Settings


class FileSettings(msgspec.Struct, frozen=True):
    folder: Annotated[
        Path, Setting("FILE_TRANSPORT_FOLDER", meaning="Folder for the files of file: webhooks; nothing outside of it.")
    ] = Path("events")


class FileTransport:
    """Keeps its settings, which a hook for deliveries does not get."""

    def __init__(self) -> None:
        self.folder = Path("events")

    @hookimpl
    def waxbill_settings(self) -> type[msgspec.Struct]:
        return FileSettings

    @hookimpl
    def waxbill_driver(self, settings: Settings) -> None:
        """Brings no driver: this is the first call with all settings."""
        self.folder = settings.part(FileSettings).folder.resolve()

    @hookimpl
    def waxbill_deliver(self, delivery: Delivery, request: WebhookRequest) -> Outcome | None:
        url = urlsplit(request.url)
        if url.scheme != "file":
            return None  # another transport's
        name = unquote(url.path).lstrip("/")
        path = (self.folder / name).resolve()
        if url.netloc != "localhost" or not name or not path.is_relative_to(self.folder):
            return Outcome(
                ok=False, error="the URL must be file://localhost/NAME, with a file in FILE_TRANSPORT_FOLDER"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(request.body + b"\n")
                file.flush()
                os.fsync(file.fileno())  # once it is said to be delivered, the server lets go of it
        except OSError as error:
            return Outcome(ok=False, error=f"{path}: {error.strerror}")
        return Outcome(ok=True, status=200)


plugin = FileTransport()
