"""What all areas of operations share: the account, its life, calls of the page, messages and their media."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waxbill import Account, SessionHost
from waxbill.media.files import Taken
from waxbill.model.errors import EngineFailure, NotFound, Unprocessable, WahaError
from waxbill.model.media import WAMedia
from waxbill.model.messages import MessagesQuery
from waxbill.model.sessions import MeInfo

from ..life import Life
from ..page import Page, Problem
from ..seen import Seen
from ..shapes import messages as shapes

if TYPE_CHECKING:
    from ..settings import BrowserSettings

_NOT_FOUND = (
    "msg_not_found",
    "call_not_found",
    "chat_not_found",
    "group_not_found",
    "label_not_exist",
    "canot_get_label_error",
)
_UNPROCESSABLE = ("too_large", "no_file", "message_not_contains_media", "no_poll", "no_option")


class Base(Account):
    """One account. Operations run in request threads, ``on_...`` in the life's."""

    life: Life

    def __init__(self, host: SessionHost, settings: BrowserSettings) -> None:
        super().__init__(host)
        self.settings = settings
        self.seen = Seen(host.name)
        #: The account's own ids: by its number, and its hidden one.
        self.me = ""
        self.lid = ""

    @property
    def mine(self) -> frozenset[str]:
        return frozenset(each for each in (self.me, self.lid, "me") if each)

    def _identify(self, me: dict[str, Any]) -> MeInfo:
        self.me, self.lid = me["id"], me.get("lid") or ""
        info = MeInfo(id=self.me, pushName=me.get("name") or "")
        if self.lid:
            info.lid = self.lid
        if me.get("device"):
            info.jid = str(me["device"]).replace("@c.us", "@s.whatsapp.net")
        return info

    # -- calls of the page

    @contextlib.contextmanager
    def page(self, *phases: str) -> Iterator[Page]:
        """The page for one operation; what it refuses is answered as WAHA answers it."""
        with problems(), self.life.page(*phases) as page:
            yield page

    def run(self, operation: str, **arguments: Any) -> Any:
        """Calls an operation of the page's adapter and gives its answer."""
        with self.page() as page:
            return page.run(operation, self.settings.call_seconds, **arguments)

    @contextlib.contextmanager
    def handed_in(self, page: Page, taken: Taken, name: str = "") -> Iterator[dict[str, Any]]:
        """A file in the page's hands while the block runs; the file itself is removed afterwards."""
        try:
            handle = page.hand_in(taken.path)
            yield {"handle": handle, "name": name or taken.filename or "file", "type": taken.mimetype}
        finally:
            taken.path.unlink(missing_ok=True)

    # -- messages

    def sent(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Notes a message that this server has sent, and shows it."""
        with self.host.store.write() as db:
            self.seen.sent(db, shapes.note_key(raw["id"]), int(raw.get("t") or time.time()))
        return shapes.message(raw, self.me, ours=True)

    def shown(self, raw: dict[str, Any], *, media: bool = False) -> dict[str, Any]:
        """A message as a read shows it; with ``media`` its file is fetched, if the settings want that."""
        ours = shapes.from_me(raw) and self.seen.ours(self.host.store.read(), shapes.note_key(raw["id"]))
        return shapes.message(raw, self.me, ours=ours, media=self.fetched(raw) if media else self.unfetched(raw))

    def unfetched(self, raw: dict[str, Any]) -> WAMedia | None:
        """What is known of a file that was not fetched."""
        if not raw.get("hasMedia"):
            return None
        return WAMedia(url=None, mimetype=raw.get("mimetype"), filename=_file_name(raw))

    def fetched(self, raw: dict[str, Any]) -> WAMedia | None:
        """The file of a message, read out of the page in pieces and published; or why that failed."""
        if not raw.get("hasMedia"):
            return None
        mimetype = str(raw.get("mimetype") or "application/octet-stream")
        message, files = raw["id"]["_serialized"], self.host.files
        if not files.wanted(mimetype):
            return self.unfetched(raw)
        known = files.published(self.host.name, message, mimetype, _file_name(raw))
        if known is not None:  # not read out again while it is there
            return known
        try:
            path = self._read_out(message)
        except (WahaError, OSError) as error:
            return WAMedia(url=None, mimetype=mimetype, filename=_file_name(raw), error={"details": str(error)[:1000]})
        try:
            return files.publish(self.host.name, message, path, mimetype, _file_name(raw), chat=shapes.chat_of(raw))
        finally:
            path.unlink(missing_ok=True)

    def _read_out(self, message: str) -> Path:
        path, file = self.host.files.scratch()
        try:
            with file, self.page() as page:
                page.read_out(message, file, self.host.files.most_bytes, self.settings.call_seconds)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """What an operation of the page raises inside the block, as what clients are told."""
    try:
        yield
    except Problem as problem:
        if problem.code in _NOT_FOUND:
            raise NotFound(f"{problem}.") from problem
        if problem.code in _UNPROCESSABLE:
            raise Unprocessable(f"{problem}.") from problem
        raise EngineFailure(str(problem), problem.code) from problem


def _file_name(raw: dict[str, Any]) -> str | None:
    """The name of a file that is shown: only documents have one."""
    return raw.get("filename") if raw.get("type") == "document" else None


def matches(raw: dict[str, Any], query: MessagesQuery, ack: int | None) -> bool:
    """Whether a message passes the filters of a query."""
    at = float(raw.get("t") or 0)
    return (
        (query.timestamp_gte is None or at >= query.timestamp_gte)
        and (query.timestamp_lte is None or at <= query.timestamp_lte)
        and (query.from_me is None or shapes.from_me(raw) == query.from_me)
        and (ack is None or raw.get("ack") == ack)
    )
