"""Statuses (stories): what people can see for a day."""

from __future__ import annotations

from typing import Any

from waxbill.media.files import Taken
from waxbill.model import ids
from waxbill.model.errors import NotFound, Unprocessable
from waxbill.model.statuses import (
    DeleteStatusRequest,
    ImageStatus,
    StatusRequest,
    TextStatus,
    VideoStatus,
    VoiceStatus,
)

from ..account.content import Content
from .base import STATUS, STATUS_MS
from .editing import Editing
from .media import MediaSends


class StatusOperations(Editing, MediaSends):
    """The account's own statuses."""

    def send_text_status(self, request: TextStatus) -> Any:
        style = {"backgroundColor": request.backgroundColor, "font": request.font}
        return self._send_status(request, "text", request.text, Content(style=style))

    def send_image_status(self, request: ImageStatus) -> Any:
        return self._send_media_status(request, "image", self._take(request.file), request.caption)

    def send_voice_status(self, request: VoiceStatus) -> Any:
        taken = self._take(request.file, convert="voice" if request.convert else None)
        return self._send_media_status(request, "voice", taken, None, {"backgroundColor": request.backgroundColor})

    def send_video_status(self, request: VideoStatus) -> Any:
        taken = self._take(request.file, convert="video" if request.convert else None)
        return self._send_media_status(request, "video", taken, request.caption)

    def _send_media_status(
        self,
        request: StatusRequest,
        kind: str,
        taken: Taken,
        caption: str | None,
        style: dict[str, Any] | None = None,
    ) -> Any:
        content = Content(media=self._media(taken), style=style)
        return self._send_status(request, kind, caption or None, content)

    def _send_status(self, request: StatusRequest, kind: str, body: str | None, content: Content) -> Any:
        if request.contacts and not self._dialect.status_takes_contacts:
            raise Unprocessable(
                f"The engine {self._dialect.engine} sends a status to everybody only: leave contacts out."
            )
        old = self._now_ms() - STATUS_MS
        with self.host.store.write() as db:
            db.execute(
                "DELETE FROM mock_message WHERE account = ? AND chat = ? AND at_ms < ?", (self.me.id, STATUS, old)
            )
        return self._send(STATUS, kind, body, content=content, key=request.id, as_status=True)

    def delete_status(self, request: DeleteStatusRequest) -> Any:
        found = self._find(ids.message_key(request.id or "", "id"))
        if found is None or found.chat != STATUS or not found.from_me:
            raise NotFound(f"Status '{(request.id or '')[:120]}' not found.")
        self._revoke(found, "api")
        return self._dialect.deleted_answer(self.me, found, self.world.message_key(), self._now_ms())
