"""Conversion to what WhatsApp plays: voice to Opus in Ogg, video to H.264 in MP4, by ffmpeg where it is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..model.errors import NotImplementedByEngine, Unprocessable

# As WhatsApp's own clients record: 48 kHz mono Opus at 32 kbit/s.
_VOICE = ("-vn", "-map_metadata", "-1", "-ac", "1", "-ar", "48000", "-c:a", "libopus", "-b:a", "32k", "-f", "ogg")
_VIDEO = (
    "-map_metadata", "-1", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-profile:v", "baseline",
    "-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2", "-c:a", "aac", "-movflags", "+faststart", "-f", "mp4",
)  # fmt: skip
_SECONDS = 120
_MOST_BYTES = 1024 * 1024 * 1024
# What phones and their users record. Playlists, lists of files and image sequences, which name other files, are none.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,wav,mp3,aac,flac,amr,avi,flv,asf,mpeg,mpegts,caf,aiff,gif,opus,w64,au,"
    "png_pipe,jpeg_pipe,webp_pipe"
)
# A picture of more pixels than 4K has would take gigabytes, whatever the size of the file.
_LIMITS = ("-max_alloc", str(256 * 1024 * 1024), "-max_pixels", str(4096 * 2304), "-format_whitelist", _FORMATS)


class NoConverter(NotImplementedByEngine):
    """ffmpeg is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "convert", "this server", "ffmpeg is needed for this and is not installed (Debian: apt-get install ffmpeg)."
        )


def voice(source: Path, target: Path) -> None:
    """Writes a sound as WhatsApp's voice format; raises NoConverter, or Unprocessable with ffmpeg's own words."""
    _run(source, target, _VOICE)


def video(source: Path, target: Path) -> None:
    """Writes a film as WhatsApp's video format; raises NoConverter, or Unprocessable with ffmpeg's own words."""
    _run(source, target, _VIDEO)


def _run(source: Path, target: Path, how: tuple[str, ...]) -> None:
    import subprocess  # 1 MB

    program = shutil.which("ffmpeg")
    if program is None:
        raise NoConverter
    # Only files are read: nothing inside the media can make ffmpeg fetch or open anything else.
    command = [
        program,
        "-nostdin",
        "-v",
        "error",
        "-y",
        "-protocol_whitelist",
        "file",
        *_LIMITS,
        "-i",
        f"file:{source}",
    ]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, *how, "-fs", str(_MOST_BYTES), f"file:{target}"],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
    except subprocess.TimeoutExpired:
        target.unlink(missing_ok=True)
        raise Unprocessable(f"The media could not be converted within {_SECONDS} seconds") from None
    if done.returncode:
        target.unlink(missing_ok=True)
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unprocessable(f"The media could not be converted: {words[-1][:300] if words else 'ffmpeg failed'}")
