"""Labels of the account's chats."""

from __future__ import annotations

from typing import Any

from waxbill.model.errors import NotFound, Unprocessable, ValidationFailed
from waxbill.model.labels import PALETTE, Label, LabelBody, color_hex
from waxbill.store import Database

from ..account.identity import person
from .chats import ChatOperations

_MOST = 20


class LabelOperations(ChatOperations):
    """Named colours, and the chats that have them."""

    def get_labels(self) -> list[Label]:
        return self._labels("SELECT id, name, color FROM mock_label WHERE account = ? ORDER BY id", self.me.id)

    def _labels(self, sql: str, *parameters: Any) -> list[Label]:
        rows = self.host.store.read().execute(sql, parameters)
        return [Label(id=str(id_), name=name, color=color, colorHex=color_hex(color)) for id_, name, color in rows]

    def _label(self, label: str) -> Label:
        found = next((each for each in self.get_labels() if each.id == label), None)
        if found is None:
            raise NotFound(f"Label '{label[:40]}' not found.")
        return found

    def create_label(self, request: LabelBody) -> Label:
        labels = self.get_labels()
        if len(labels) >= _MOST:
            raise Unprocessable(f"There are {_MOST} labels already, which is all that WhatsApp allows; delete one.")
        number = max((int(label.id) for label in labels), default=0) + 1
        return self._put(str(number), request, labels)

    def update_label(self, label: str, request: LabelBody) -> Label:
        return self._put(self._label(label).id, request, self.get_labels())

    def _put(self, label: str, request: LabelBody, labels: list[Label]) -> Label:
        if not request.name.strip():
            raise ValidationFailed("name must not be empty")
        same = next((each for each in labels if each.name == request.name), None)
        if same is not None:  # the label itself too, as in WAHA
            raise Unprocessable(f"Label '{request.name[:80]}' already exists with the id {same.id}.")
        color = _color(request)
        made = Label(id=label, name=request.name, color=color, colorHex=color_hex(color))
        with self.host.store.write() as db:
            db.execute(
                "INSERT INTO mock_label VALUES (?, ?, ?, ?)"
                " ON CONFLICT (account, id) DO UPDATE SET name = excluded.name, color = excluded.color",
                (self.me.id, int(label), made.name, made.color),
            )
            self._tell("label.upsert", made)
        return made

    def delete_label(self, label: str) -> dict[str, bool]:
        found = self._label(label)
        with self.host.store.write() as db:
            db.execute("DELETE FROM mock_label WHERE account = ? AND id = ?", (self.me.id, int(found.id)))
            self._tell("label.deleted", found)
        return {"result": True}

    def get_chat_labels(self, chat: str) -> list[Label]:
        return self._labels(
            "SELECT l.id, l.name, l.color FROM mock_label l JOIN mock_label_chat c"
            " ON c.account = l.account AND c.label = l.id WHERE l.account = ? AND c.chat = ? ORDER BY l.id",
            self.me.id,
            person(chat),
        )

    def set_chat_labels(self, chat: str, labels: list[str]) -> None:
        chat = person(chat)
        wanted = {label: self._label(label) for label in labels}
        present = {label.id: label for label in self.get_chat_labels(chat)}
        with self.host.store.write() as db:
            for label in sorted(wanted.keys() - present.keys()):
                db.execute("INSERT INTO mock_label_chat VALUES (?, ?, ?)", (self.me.id, int(label), chat))
                self._tell("label.chat.added", _association(wanted[label], chat), chat)
            for label in sorted(present.keys() - wanted.keys()):
                self._unlabel(db, label, chat)
                self._tell("label.chat.deleted", _association(present[label], chat), chat)

    def _unlabel(self, db: Database, label: str, chat: str) -> None:
        db.execute(
            "DELETE FROM mock_label_chat WHERE account = ? AND label = ? AND chat = ?", (self.me.id, int(label), chat)
        )

    def get_label_chats(self, label: str) -> Any:
        found = self._label(label)
        db = self.host.store.read()
        rows = db.execute(
            "SELECT chat FROM mock_label_chat WHERE account = ? AND label = ? ORDER BY chat",
            (self.me.id, int(found.id)),
        ).fetchall()
        chats = self.chats.all(db, chats=[chat for (chat,) in rows])
        return [self._dialect.labelled_chat(self.me, chat, last) for chat, last in self._with_last(chats)]


def _color(request: LabelBody) -> int:
    if request.colorHex is not None:
        wanted = "#" + request.colorHex.lower().lstrip("#")
        if wanted not in PALETTE:
            raise ValidationFailed(f"colorHex must be one of WhatsApp's colours: {', '.join(PALETTE)}")
        return PALETTE.index(wanted)
    color = int(request.color or 0)
    if not 0 <= color < len(PALETTE):
        raise ValidationFailed(f"color must be from 0 to {len(PALETTE) - 1}")
    return color


def _association(label: Label, chat: str) -> dict[str, Any]:
    return {"labelId": label.id, "chatId": chat, "label": label}
