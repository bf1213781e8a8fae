"""Statuses (stories): what everybody, or the given contacts, can see for a day."""

from __future__ import annotations

from . import ids
from .media import File, VideoFile, VoiceFile
from .wire import Request, Whole


class StatusRequest(Request):
    """``id`` is the key to use; ``contacts`` who is to see it, canonical once read, None for everybody."""

    id: str | None = None
    contacts: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.contacts = self.contacts and [ids.person_id(text, "contacts") for text in self.contacts]


class TextStatus(StatusRequest):
    """``backgroundColor`` as ``#rrggbb``; ``font`` is WhatsApp's number of it."""

    text: str
    backgroundColor: str | None = "#38b42f"
    font: Whole | None = 0
    linkPreview: bool | None = True
    linkPreviewHighQuality: bool | None = False


class ImageStatus(StatusRequest):
    file: File
    caption: str | None = None


class VoiceStatus(StatusRequest):
    file: VoiceFile
    backgroundColor: str | None = "#38b42f"
    convert: bool | None = False


class VideoStatus(StatusRequest):
    file: VideoFile
    caption: str | None = None
    convert: bool | None = False


class DeleteStatusRequest(StatusRequest):
    """``id`` is the status to take back, as a key or as a whole message id."""
