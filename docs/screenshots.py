"""Makes the pictures of docs/dashboard.md: a server, people who write to it, and a real Chromium that looks at them.

    python docs/screenshots.py

Needs what the tests of the dashboard need: Chromium, its driver, and a font with emoji (fonts-noto-color-emoji).
"""

from __future__ import annotations

import base64
import math
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests know how to drive the page

from tests.dashboard.page import Page  # noqa: E402

from waxbill.testing import Receiver, ServerProcess  # noqa: E402

IMAGES = ROOT / "docs" / "images"
ANA, BEN, CHLOE, CAFE = (f"{number}@c.us" for number in (4930123450001, 4930123450002, 33612345003, 4930123450009))


def evening(width: int = 480, height: int = 312) -> bytes:
    """A PNG of a sun that sets behind hills, in few colours."""
    rows = b""
    for y in range(height):
        band = y * 12 // height
        sky = bytes((250 - 9 * band, 200 - 7 * band, 150 + 5 * band))
        line = bytearray(b"\0")
        for x in range(width):
            if y > height * 0.72 + 16 * math.sin(x / 46):
                line += bytes((38, 92, 88))
            elif (x - width * 0.7) ** 2 + (y - height * 0.42) ** 2 < 46**2:
                line += bytes((255, 238, 186))
            else:
                line += sky
        rows += line
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


class Shop:
    """A session of a lamp shop, and what happens in it."""

    def __init__(self, server: ServerProcess, webhook: str) -> None:
        self._server = server
        events = ["message", "message.reaction", "poll.vote"]
        retries = {"policy": "constant", "delaySeconds": 0.2, "attempts": 1}
        config = {"webhooks": [{"url": webhook, "events": events, "retries": retries}]}
        self._post("/api/sessions", {"name": "shop", "config": config})
        server.wait_for_status("shop", "SCAN_QR_CODE")
        self.control("/scan", {})
        server.wait_for_status("shop", "WORKING")
        for person, name in ((ANA, "Ana Kowalski"), (BEN, "Ben Adeyemi"), (CHLOE, "Chloé Martin"), (CAFE, "Café Nord")):
            self.control("/contacts", {"id": person, "name": name})

    def _post(self, path: str, body: Any) -> Any:
        answer = self._server.post(path, body)
        assert answer.status in (200, 201), answer.text
        return answer.json() if answer.body else None

    def control(self, path: str, body: Any) -> Any:
        return self._post(f"/api/waxbill/mock/shop{path}", body)

    def hears(self, who: str, text: str, **more: Any) -> str:
        return str(self.control("/messages", {"from": who, "text": text, **more})["id"])

    def says(self, chat: str, text: str, **more: Any) -> str:
        sent = self._post("/api/sendText", {"session": "shop", "chatId": chat, "text": text, **more})
        return str(sent["id"]["_serialized"])

    def chat(self) -> None:
        """Ana wants a lamp."""
        self.hears(CAFE, "Your order #1182 is ready ☕")
        self.hears(CHLOE, "Merci beaucoup ! 🙏")
        asked = self.hears(ANA, "Hi! Is the *blue* lamp still there? I saw it on https://example.org/lamps")
        self.says(ANA, "Hello Ana 👋 Yes, one is left. Shall I keep it for you?", reply_to=asked)
        photo = {"mimetype": "image/png", "filename": "room.png", "data": base64.b64encode(evening()).decode()}
        self.hears(ANA, "This is where it would stand", file=photo)
        liked = self.says(ANA, "Lovely light! It will look great there.")
        self.control(f"/messages/{liked}/reactions", {"from": ANA, "reaction": "❤️"})
        place = {"latitude": 52.5163, "longitude": 13.3777, "title": "Lamps & Light, Unter den Linden"}
        self._post("/api/sendLocation", {"session": "shop", "chatId": ANA, **place})
        self.hears(ANA, "Perfect, I come by at five. Can you send me the invoice?")
        bill = {"mimetype": "application/pdf", "filename": "invoice-1182.pdf", "data": "JVBERi0xLjQ="}
        self._post("/api/sendFile", {"session": "shop", "chatId": ANA, "file": bill})

    def group(self) -> str:
        """A poll about football."""
        group = {"creator": BEN, "subject": "Football on Tuesday", "participants": [ANA, CHLOE]}
        chat = str(self.control("/groups", group)["id"])
        self.hears(chat, "Who is in for *Tuesday*?", participant=BEN)
        self.says(chat, "I made a poll, please vote until noon.")
        options = ["Tuesday 18:00", "Tuesday 20:00", "Not this week"]
        poll = {"name": "When do we play?", "options": options, "multipleAnswers": True}
        sent = self._post("/api/sendPoll", {"session": "shop", "chatId": chat, "poll": poll})["id"]["_serialized"]
        for who, votes in ((BEN, options[:2]), (ANA, options[1:2])):
            self.control(f"/messages/{sent}/votes", {"from": who, "votes": votes})
        late = self.hears(chat, "Je suis là mardi !", participant=CHLOE)
        for who, face in ((BEN, "👍"), (ANA, "🎉")):
            self.control(f"/messages/{late}/reactions", {"from": who, "reaction": face})
        return chat


def take(page: Page, name: str) -> None:
    """Keeps what the page shows now as docs/images/NAME.png, once its pictures and fonts are there."""
    ready = "return document.fonts.status === 'loaded' && [...document.images].every((i) => i.complete)"
    page.wait(lambda: page.script(ready))
    page.script("document.activeElement.blur()")
    path = IMAGES / f"{name}.png"
    page.driver.save_screenshot(str(path))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    settings = {"FORCE_MOCK_MODE": "true", "WAXBILL_MOCK_SCAN_SECONDS": "-1", "WAXBILL_MOCK_READ_SECONDS": "0.6"}
    failing = [3, 8]

    def answer(received: Any) -> int:
        failing[:] = [count - 1 for count in failing]
        return 500 if 0 in failing or -1 in failing else 200

    with (
        tempfile.TemporaryDirectory() as folder,
        Receiver(answer) as receiver,
        ServerProcess(Path(folder), **settings) as server,
    ):
        shop = Shop(server, receiver.url)
        group = shop.group()
        shop.chat()
        page = Page(server, 1180, 740)
        try:
            page.chat(ANA, "shop")
            page.wait(lambda: page.all(".bubble.out .ack-3"))
            take(page, "dashboard-chat")
            page.open("deliveries")
            page.sees("Given up", "tbody")
            take(page, "dashboard-deliveries")
            server.post("/api/sessions", {"name": "support"})
            page.open("sessions")
            page.wait(lambda: page.script("return document.querySelector('img.qr')?.naturalWidth"))
            take(page, "dashboard-sessions")
        finally:
            page.driver.quit()
        page = Page(server, 1180, 740, dark=True)
        try:
            page.chat(group, "shop")
            page.sees("Je suis là", ".bubble")
            take(page, "dashboard-dark")
            page.resize(390, 760)
            page.chat(ANA, "shop")
            page.sees("invoice-1182.pdf", ".bubble")
            take(page, "dashboard-phone")
        finally:
            page.driver.quit()


if __name__ == "__main__":
    main()
