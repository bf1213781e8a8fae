"""Media: conversion to what WhatsApp plays."""

import base64
from typing import Literal

import falcon

from ..model.media import FileSource, VideoFileDTO, VoiceFileDTO
from ..model.pairing import Base64File
from .operation import Area, Call, Reply

area = Area("🖼️ Media", prefix="/api/{session}/media/convert")


@area.post("/voice", scope="any", waits=True)
def convert_voice(call: Call, body: VoiceFileDTO) -> Reply | Base64File | None:
    """Convert a sound to Opus in Ogg."""
    return _converted(call, body, "voice")


@area.post("/video", scope="any", waits=True)
def convert_video(call: Call, body: VideoFileDTO) -> Reply | Base64File | None:
    """Convert a film to H.264 in MP4."""
    return _converted(call, body, "video")


def _converted(call: Call, source: FileSource, kind: Literal["voice", "video"]) -> Base64File | None:
    """The converted bytes: base64 in JSON for exactly ``Accept: application/json``, else as they are."""
    files = call.session.files
    converted = files.converted(files.take(url=source.url, data=source.data), kind)
    file = converted.path.open("rb")
    converted.path.unlink()  # it is gone when it is closed
    if call.request.get_header("Accept") == "application/json":
        with file:
            return Base64File(mimetype=converted.mimetype, data=base64.b64encode(file.read()).decode())
    call.response.status = falcon.HTTP_201
    call.response.content_type = converted.mimetype
    call.response.set_stream(file, converted.size)
    return None
