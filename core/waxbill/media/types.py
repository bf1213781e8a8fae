"""What a file is: its type by its first bytes, and the ending of its name."""

from __future__ import annotations

from pathlib import Path

# WAHA's endings where the standard table has another or none.
_ENDINGS = {
    "audio/ogg": "oga",
    "image/jpeg": "jpeg",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "application/pdf": "pdf",
    "text/plain": "txt",
}
#: What a browser shows without running anything in it; all else is served as a download.
HARMLESS = ("image/jpeg", "image/png", "image/gif", "image/webp", "audio/", "video/")


def sniff(path: Path, claimed: str | None) -> str:
    """The content type of a file by its first bytes; what was claimed counts only where they say nothing.

    An Ogg file that holds Opus is ``audio/ogg; codecs=opus``, as WhatsApp writes it.
    """
    import filetype  # 0.5 MB: only where media is handled

    with path.open("rb") as file:
        head = file.read(8192)
    found = filetype.guess_mime(head)
    if found in ("audio/ogg", "video/ogg", "application/ogg"):
        return "audio/ogg; codecs=opus" if b"OpusHead" in head[:512] else "audio/ogg"
    if found:
        return str(found)
    claimed = (claimed or "").strip()
    if claimed and "/" in claimed and claimed.isprintable() and claimed.isascii() and len(claimed) < 128:
        return claimed
    return "text/plain" if head and b"\0" not in head and _is_text(head) else "application/octet-stream"


def _is_text(head: bytes) -> bool:
    try:
        head[:-4].decode()
    except UnicodeDecodeError:
        return False
    return True


def ending(mimetype: str) -> str:
    """The ending of a file's name for a content type, without the dot; ``bin`` for one that has none."""
    bare = mimetype.partition(";")[0].strip().lower()
    if bare in _ENDINGS:
        return _ENDINGS[bare]
    import mimetypes

    return (mimetypes.guess_extension(bare) or ".bin")[1:]


def file_name(text: str | None, mimetype: str) -> str:
    """A name to show for a document: the last part of what was given, without control characters, or one of ours."""
    last = (text or "").replace("\\", "/").rpartition("/")[2]
    clean = "".join(character for character in last if character.isprintable()).strip(". ")[:200]
    return clean or f"file.{ending(mimetype)}"
