"""``waxbill doctor --browser``: a browser looks at WhatsApp's real page and says the first thing that does not fit.

With ``--phone`` it shows a QR code, waits for it to be scanned, and tries with that account what sessions live on: it
writes to the account's own chat, so nobody else gets a message. At the end the device is unlinked and its profile gone.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from waxbill import Check
from waxbill.qr import ascii_art
from waxbill.settings import Settings

from .devtools import Refused
from .examination import FAILURES, NOT_OURS, Browsing, Unwell
from .page import Problem

#: How long a phone may take to scan.
SCAN_SECONDS = 180.0


class Examination(Browsing):
    """All steps, those with an account of somebody who scans included. A step says what it found, or is unwell."""

    def steps(self, *, phone: bool) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "browser", self.find_binaries
        yield "WA-JS", self.find_wajs
        yield "browser starts", self.start
        yield "page opens", self.open
        yield "page's modules", self.modules
        yield "modules by name", self.by_name
        yield "WA-JS starts", self.wajs_starts
        yield "WA-JS finds", self.wajs_finds
        yield "QR code", self.code
        if phone:
            yield "pairing", self.pair
            yield "profile", self.profile
            yield "chats", self.chats
            yield "numbers", self.numbers
            yield "sending", self.send
            yield "acknowledgement", self.acknowledged
            yield "reading back", self.read
            yield "editing", self.edit
            yield "reacting", self.react
            yield "sending a file", self.send_file
            yield "taking back", self.revoke
            yield "loading anew", self.reload
        yield "memory", self.memory
        if phone:
            yield "unlinking", self.unlink

    # -- with an account

    def pair(self) -> str:
        limit, shown = time.monotonic() + SCAN_SECONDS, ""
        self._show("Scan this with a phone: WhatsApp, Linked devices, Link a device.")
        while not (self._at_work() and self._state.get("me")):
            code = self._state.get("code") or ""
            if self._state.get("socket") == "UNPAIRED_IDLE":  # WhatsApp shows no more codes by itself
                self.page.run("refreshQR", 10)
            if code and code != shown:
                self._show(ascii_art(code))
                shown = code
            if time.monotonic() > limit:
                raise Unwell("nobody scanned the QR code", "Run it again, with the phone at hand.")
            self._listen(1.0)
        self._me = str(self._state["me"]["id"])
        return f"{self._me}, in step with the phone"

    def profile(self) -> str:
        found = self.page.run("profile", 30)
        if found.get("id") != self._me:
            raise Unwell(f"the profile is of {found.get('id')}")
        return str(found.get("name") or "no name")

    def chats(self) -> str:
        found = self.page.run("overview", 60, ids=None, offset=0, limit=10)
        return f"{len(found)} of the newest can be read"

    def numbers(self) -> str:
        found = self.page.run("exists", 30, phone=self._me.partition("@")[0])
        if not found:
            raise Unwell("the own number is said not to exist")
        return f"the own number exists, hidden id {found['lid'] or 'unknown'}"

    def send(self) -> str:
        began = time.monotonic()
        sent = self.page.run("sendText", 60, chat=self._me, text="waxbill doctor: a test, to be taken back at once")
        self._sent, self._sent_key = str(sent["id"]["_serialized"]), str(sent["id"]["id"])
        return f"a message to oneself in {(time.monotonic() - began) * 1000:.0f} ms"

    def acknowledged(self) -> str:
        self._until(
            lambda: any(
                event == "ack" and any(one["id"] == self._sent_key for one in data["ids"])
                for event, data in self._events
            ),
            30,
            "no acknowledgement of it was told",
        )
        self._until(lambda: self._told_message(self._sent_key), 30, "the message was not told as an event")
        return "told as an event, and the message, too"

    def read(self) -> str:
        found = self.page.run("messages", 30, chat=self._me, count=5)
        if self._sent_key not in [one["id"]["id"] for one in found]:  # the own chat may go by another id
            raise Unwell("the message is not in its chat's history")
        return f"{len(found)} messages, it is among them"

    def edit(self) -> str:
        self.page.run("edit", 30, chat=self._me, messageId=self._sent, text="waxbill doctor: changed", mentions=[])
        found = self.page.run("message", 30, chat=self._me, messageId=self._sent)
        if found["body"] != "waxbill doctor: changed":
            raise Unwell(f"the message reads {found['body']!r} after it was changed")
        return "the message was changed"

    def react(self) -> str:
        self.page.run("react", 30, messageId=self._sent, reaction="👍")
        self._until(
            lambda: any(
                event == "reaction" and data["message"]["id"] == self._sent_key for event, data in self._events
            ),
            30,
            "no reaction was told",
        )
        return "told as an event"

    def send_file(self) -> str:
        path = Path(self._folder.name) / "doctor.txt"
        path.write_text("waxbill doctor")
        handle = self.page.hand_in(path)
        sent = self.page.run(
            "sendFile",
            120,
            chat=self._me,
            file={"handle": handle, "name": "doctor.txt", "type": "text/plain"},
            **{"as": {"type": "document"}},
        )
        message = self._file_sent = str(sent["id"]["_serialized"])
        with (Path(self._folder.name) / "back").open("wb+") as back:
            self.page.read_out(message, back, 1 << 20, 120)
            back.seek(0)
            same = back.read() == b"waxbill doctor"
        if not same:
            raise Unwell("the file came back changed")
        return "a document went out and was downloaded again"

    def revoke(self) -> str:
        """Takes back what was sent. In the chat with oneself WhatsApp may not offer that, which is no misfit."""
        for sent in ("_file_sent", "_sent"):
            if message := getattr(self, sent):
                setattr(self, sent, "")
                try:
                    self.page.run("revoke", 30, chat=self._me, messageId=message)
                except Problem as problem:
                    if problem.code != "not-allowed":
                        raise
                    return (
                        "WhatsApp lets nothing be taken back in one's own chat: delete the two messages there by hand"
                    )
        return "the message and the file were taken back"

    def reload(self) -> str:
        began = time.monotonic()
        self._state = {}
        self.page.reload()
        self._until(
            self._at_work,
            self.settings.ready_seconds,
            "the page did not come back to work",
        )
        return f"back at work, without a code, in {time.monotonic() - began:.1f} s"

    def unlink(self) -> str:
        with contextlib.suppress(Refused):  # the page may be loaded anew before it can answer
            self.page.run("logout", 60)
        self._until(
            lambda: any(event == "logout" for event, _ in self._events) or self._state.get("authenticated") is False,
            30,
            "the page did not say so",
            "Remove the device “waxbill doctor” in the phone's list of linked devices.",
        )
        self._me = ""
        return "the device is unlinked; look at the phone's list of linked devices"

    def leave(self) -> list[Check]:
        """A device that was paired is not left behind, nor is what it sent, whatever went wrong after it."""
        if not self._me:
            return []
        with contextlib.suppress(*FAILURES):
            self.revoke()
        try:
            return [Check("browser: unlinking", None, self.unlink())]
        except (Unwell, *FAILURES) as error:
            remedy = "Remove the device “waxbill doctor” in the phone's list of linked devices."
            return [Check("browser: unlinking", False, str(error), remedy)]


def examine(settings: Settings, *, phone: bool) -> list[Check]:
    """All that is well, and the first thing that is not; what would come after it is said not to be reached."""
    examination = Examination(settings, lambda text: print(text, file=sys.stderr, flush=True))
    checks: list[Check] = []
    steps = list(examination.steps(phone=phone))
    try:
        for name, step in steps:
            try:
                checks.append(Check(f"browser: {name}", True, step()))
            except Unwell as unwell:
                checks.append(Check(f"browser: {name}", False, str(unwell), unwell.remedy))
                break
            except FAILURES as error:
                checks.append(Check(f"browser: {name}", False, f"{type(error).__name__}: {error}", NOT_OURS))
                break
        left = [name for name, _ in steps[len(checks) :]]
        if left:
            checks.append(Check("browser: not reached", None, ", ".join(left)))
            checks += examination.leave()
        elif not phone:
            checks.append(Check("browser: not tried", None, "what needs an account: run it with --phone, and a phone"))
    finally:
        examination.close()
    return checks
