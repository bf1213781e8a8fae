"""What happened in a session, as the steps of a scenario: what others did as it was done, what the bot sent as what is
to be expected."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from waxbill.model import ids
from waxbill.model.errors import Unprocessable

from .account.messages import Message, Page
from .driver import MockAccount

#: What all files of a recording may have together.
MOST_FILE_BYTES = 32 * 1024 * 1024
MOST_MESSAGES = 20_000


def recorded_scenario(account: MockAccount) -> dict[str, Any]:
    """A scenario, ready to be written; files are in it as base64."""
    return _Recording(account).scenario()


class _Recording:
    def __init__(self, account: MockAccount) -> None:
        self._account = account
        self._bytes = 0
        #: Names of the messages that the bot sent, by key; a replay has other keys for them.
        self._sent: dict[str, str] = {}
        self._used: set[str] = set()

    def scenario(self) -> dict[str, Any]:
        happened = sorted([*self._noted(), *self._unnoted()], key=lambda each: each[0])
        steps: list[dict[str, Any]] = []
        start = now = happened[0][1] if happened else self._account.world.now_ms()
        for _, at_ms, step in happened:
            if "expect" not in step and at_ms > now:
                steps.append({"advance": f"{at_ms - now}ms"})
                now = at_ms
            steps.append(self._with_labels(step))
        for step in steps:
            if step.get("as") not in self._used:
                step.pop("as", None)
        return {"session": self._account.host.name, "clock": {"now": start, "frozen": True}, "steps": steps}

    def _noted(self) -> list[tuple[tuple[int, int], int, dict[str, Any]]]:
        """The control calls, after the messages that were there."""
        rows = self._account.host.store.read().execute(
            "SELECT upto, n, at_ms, name, value FROM mock_step WHERE account = ? ORDER BY n", (self._account.me.id,)
        )
        return [
            ((upto, n), at_ms, {name: self._with_files(msgspec.json.decode(value))})
            for upto, n, at_ms, name, value in rows
            if name != "replied"
        ]

    def _unnoted(self) -> list[tuple[tuple[int, int], int, dict[str, Any]]]:
        """What the bot sent, and what other accounts of the server wrote."""
        account, db = self._account, self._account.host.store.read()
        notes = db.execute(
            "SELECT value FROM mock_step WHERE account = ? AND name IN ('message', 'phone_message', 'replied')",
            (account.me.id,),
        )
        noted = {msgspec.json.decode(value)["id"] for (value,) in notes}
        page = Page(chat=None, limit=MOST_MESSAGES + 1, newest_first=False)
        messages = account.messages.page(db, page, account.world.now_ms())
        if len(messages) > MOST_MESSAGES:
            raise Unprocessable(f"A recording has at most {MOST_MESSAGES} messages; this session has more.")
        found = []
        for message in messages:
            if message.key in noted:
                continue
            step = self._expected(message) if message.from_me else {"message": self._written(message)}
            found.append(((message.id, 0), message.at_ms, step))
        return found

    def _expected(self, message: Message) -> dict[str, Any]:
        label = self._sent[message.key] = f"sent{len(self._sent) + 1}"
        text = {} if message.body is None or message.revoked or message.edited_ms else {"text": message.body}
        return {"expect": {"chatId": message.chat, "type": message.kind, **text}, "as": label}

    def _written(self, message: Message) -> dict[str, Any]:
        values: dict[str, Any] = {"from": message.chat, "id": message.key}
        values |= {} if message.push_name is None else {"pushName": message.push_name}
        values |= {} if message.quoted is None else {"reply_to": message.quoted}
        media = message.content.media if message.content else None
        if media is not None:
            values["file"] = {"stored": media.path, "mimetype": media.mimetype, "filename": media.filename}
        elif message.kind != "text":
            values["text"] = f"({message.kind})"
        return self._with_files({**values, **({} if message.body is None else {"text": message.body})})

    def _with_files(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values with the bytes of the files that the account keeps."""
        for member in ("file", "picture"):
            file = values.get(member)
            if isinstance(file, dict) and "stored" in file:
                stored = file.pop("stored")
                path = self._account.host.folder / "media" / str(stored)
                size = path.stat().st_size if stored and path.exists() else 0
                self._bytes += size
                if self._bytes > MOST_FILE_BYTES:
                    raise Unprocessable(f"The files of a recording have at most {MOST_FILE_BYTES >> 20} MB together.")
                data = base64.b64encode(path.read_bytes()).decode() if size else ""
                given = {name: value for name, value in file.items() if value is not None}
                values[member] = {"data": data, **given}
        return values

    def _with_labels(self, step: dict[str, Any]) -> dict[str, Any]:
        """Names instead of the keys of messages that the bot sent."""
        for name, values in step.items():
            for member in ("messageId", "reply_to") if name != "as" else ():
                text = values.get(member)
                label = self._sent.get(ids.message_key(text)) if isinstance(text, str) else None
                if label is not None:
                    values[member] = f"${label}"
                    self._used.add(label)
        return step
