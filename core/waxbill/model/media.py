"""Media: files that clients hand in, and what messages say about the media that they carry."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from .wire import Answer, Request


class FileSource(Request):
    """Where bytes come from: exactly one of ``url`` and ``data`` (base64 without a ``data:`` prefix)."""

    url: str | None = None
    data: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.url, self.data = self.url or None, self.data or None
        if (self.url is None) == (self.data is None):
            raise ValueError("must have exactly one of url and data")


class File(FileSource):
    """A file by URL or as base64. ``filename`` is shown for documents only; without ``mimetype`` it is sniffed."""

    mimetype: str | None = None
    filename: str | None = None


class VoiceFile(File):
    mimetype: str | None = "audio/ogg; codecs=opus"


class VideoFile(File):
    mimetype: str | None = "video/mp4"


class VoiceFileDTO(FileSource):
    """A sound to convert to Opus in Ogg."""


class VideoFileDTO(FileSource):
    """A film to convert to MP4."""


class S3MediaData(Answer):
    Bucket: str
    Key: str


class WAMedia(Answer):
    """``url`` is None when the media was not downloaded; ``error`` says why it could not be."""

    url: str | None = None
    mimetype: str | None = None
    filename: str | None = None
    s3: S3MediaData | UnsetType = UNSET
    error: dict[str, Any] | None = None
