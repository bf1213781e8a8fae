"""Media: images, files, voice messages, videos and stickers that the account sends."""

from __future__ import annotations

from typing import Any, Literal

from waxbill.media.files import Taken
from waxbill.model.errors import Unprocessable
from waxbill.model.media import File
from waxbill.model.messages import (
    MessageFileRequest,
    MessageImageRequest,
    MessageStickerRequest,
    MessageVideoRequest,
    MessageVoiceRequest,
)

from ..account.content import Content
from .base import Base


class MediaSends(Base):
    """Sends with a file. They wait for the network and for ffmpeg, and never inside a transaction."""

    def send_image(self, request: MessageImageRequest) -> Any:
        taken = self._take(request.file)
        return self._send_file("image", taken, request.chatId, request.caption, request.reply_to, request.mentions)

    def send_file(self, request: MessageFileRequest) -> Any:
        taken = self._take(request.file, named=True)
        return self._send_file("document", taken, request.chatId, request.caption, request.reply_to, request.mentions)

    def send_voice(self, request: MessageVoiceRequest) -> Any:
        taken = self._take(request.file, convert="voice" if request.convert else None)
        return self._send_file("voice", taken, request.chatId, None, request.reply_to)

    def send_video(self, request: MessageVideoRequest) -> Any:
        taken = self._take(request.file, convert="video" if request.convert else None)
        return self._send_file(
            "video",
            taken,
            request.chatId,
            request.caption,
            request.reply_to,
            request.mentions,
            note=bool(request.asNote),
            animated=taken.mimetype == "image/gif",
        )

    def send_sticker(self, request: MessageStickerRequest) -> Any:
        taken = self._take(request.file)
        if not taken.mimetype.startswith("image/"):
            taken.path.unlink()
            raise Unprocessable(f"A sticker is made of a picture (WebP is best), not of {taken.mimetype}.")
        return self._send_file("sticker", taken, request.chatId, None, request.reply_to)

    def _take(self, file: File, *, convert: Literal["voice", "video"] | None = None, named: bool = False) -> Taken:
        """The file of a request, on disk and converted where that was asked for."""
        files = self.host.files
        filename = (file.filename or "file") if named else None
        taken = files.take(url=file.url, data=file.data, mimetype=file.mimetype, filename=filename)
        return taken if convert is None else files.converted(taken, convert)

    def _send_file(
        self,
        kind: str,
        taken: Taken,
        chat: str,
        caption: str | None,
        reply_to: str | None,
        mentions: list[str] | None = None,
        *,
        note: bool = False,
        animated: bool = False,
    ) -> Any:
        content = Content(media=self._media(taken, note=note, animated=animated))
        try:
            return self._send(chat, kind, caption or None, content=content, reply_to=reply_to, mentions=mentions)
        except BaseException:
            assert content.media is not None
            (self._media_folder / content.media.path).unlink()
            raise
