"""Media: conversion to what WhatsApp plays."""

import base64
from collections.abc import Callable
from pathlib import Path

from ..media import convert
from ..model.media import FileSource, VideoFileDTO, VoiceFileDTO
from ..model.pairing import Base64File
from .operation import Area, Call, Reply

area = Area("🖼️ Media", prefix="/api/{session}/media/convert")


@area.post("/voice", scope="any", waits=True)
def convert_voice(call: Call, body: VoiceFileDTO) -> Reply | Base64File:
    """Convert a sound to Opus in Ogg."""
    return _converted(call, body, "audio/ogg; codecs=opus", convert.voice)


@area.post("/video", scope="any", waits=True)
def convert_video(call: Call, body: VideoFileDTO) -> Reply | Base64File:
    """Convert a film to H.264 in MP4."""
    return _converted(call, body, "video/mp4", convert.video)


def _converted(
    call: Call, source: FileSource, content_type: str, run: Callable[[Path, Path], None]
) -> Reply | Base64File:
    """The converted bytes: base64 in JSON for exactly ``Accept: application/json``, else as they are."""
    files = call.session.files
    taken = files.take(url=source.url, data=source.data)
    target = taken.path.with_suffix(".out")
    try:
        run(taken.path, target)
        data = target.read_bytes()
    finally:
        taken.path.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    if call.request.get_header("Accept") == "application/json":
        return Base64File(mimetype=content_type, data=base64.b64encode(data).decode())
    return Reply(data, content_type, status=201)
