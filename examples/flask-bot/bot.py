"""A WhatsApp bot in Flask: it greets, counts letters, says what is in a picture, runs a poll and counts its votes.

It is one WSGI application. Events come to ``/webhook``, signed; answers leave through waxbill's API.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
import urllib.request
from typing import Any

from flask import Flask, Response, abort, request


class Waxbill:
    """The few calls of the API that the bot makes."""

    def __init__(self, url: str, key: str = "") -> None:
        self._url, self._key = url.rstrip("/"), key

    def post(self, path: str, **body: Any) -> None:
        sent = urllib.request.Request(self._url + path, json.dumps(body).encode(), method="POST")  # noqa: S310
        sent.add_header("Content-Type", "application/json")
        if self._key:
            sent.add_header("X-Api-Key", self._key)
        urllib.request.urlopen(sent, timeout=10).close()  # noqa: S310

    def fetch(self, url: str, most_bytes: int) -> bytes:
        """The bytes of a file that a message carries."""
        asked = urllib.request.Request(url, headers={"X-Api-Key": self._key} if self._key else {})  # noqa: S310
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            return bytes(answer.read(most_bytes))


def create_app(waxbill_url: str, hmac_key: str, api_key: str = "") -> Flask:
    """The bot, for a server at ``waxbill_url`` that signs its webhooks with ``hmac_key``."""
    app = Flask(__name__)
    bot = Bot(Waxbill(waxbill_url, api_key))

    @app.post("/webhook")
    def webhook() -> Response:
        body = request.get_data()
        expected = hmac.new(hmac_key.encode(), body, hashlib.sha512).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("X-Webhook-Hmac", "")):
            abort(401)
        event = json.loads(body)
        bot.handle(event["id"], event["event"], event["session"], event["payload"])
        return Response(status=204)

    return app


class Bot:
    """What the bot answers to what."""

    _MOST_BYTES = 5 * 1024 * 1024
    _MOST_REMEMBERED = 1000

    def __init__(self, waxbill: Waxbill) -> None:
        self._waxbill = waxbill
        self._lock = threading.Lock()
        #: Messages and events that were handled.
        self._handled: dict[str, None] = {}
        #: Who wants what, by poll.
        self._votes: dict[str, dict[str, list[str]]] = {}

    def handle(self, event_id: str, event: str, session: str, payload: dict[str, Any]) -> None:
        """Acts on one event. A message that was handled before is passed over, since WhatsApp and webhooks may tell
        of one twice; one that could not be answered comes again."""
        known_by = payload["id"] if event == "message" else event_id
        with self._lock:
            if known_by in self._handled:
                return
        if event == "message":
            self._message(session, payload)
        elif event == "poll.vote":
            self._vote(session, payload)
        with self._lock:
            self._handled[known_by] = None
            while len(self._handled) > self._MOST_REMEMBERED:
                del self._handled[next(iter(self._handled))]

    def _message(self, session: str, message: dict[str, Any]) -> None:
        chat, text = message["from"], (message.get("body") or "").strip()
        if message.get("hasMedia"):
            self._file(session, message)
        elif text.lower() in ("hi", "hello"):
            self._say(session, chat, "Hello! Send me a picture, or write: lunch", reply_to=message["id"])
        elif text.lower() == "lunch":
            poll = {"name": "What shall we eat?", "options": ["Pizza", "Salad"], "multipleAnswers": False}
            self._waxbill.post("/api/sendPoll", session=session, chatId=chat, poll=poll)
        elif text:
            self._say(session, chat, f"You wrote {len(text)} letters.")

    def _file(self, session: str, message: dict[str, Any]) -> None:
        media = message.get("media") or {}
        if not media.get("url"):
            self._say(session, message["from"], "I could not download that. Please send it again.")
            return
        data = self._waxbill.fetch(media["url"], self._MOST_BYTES)
        self._say(session, message["from"], f"Thank you for {len(data)} bytes of {media['mimetype']}.")

    def _vote(self, session: str, payload: dict[str, Any]) -> None:
        poll, vote = payload["poll"]["id"], payload["vote"]
        with self._lock:
            votes = self._votes.setdefault(poll, {})
            votes[vote["from"]] = vote["selectedOptions"]
            while len(self._votes) > self._MOST_REMEMBERED:
                del self._votes[next(iter(self._votes))]
            chosen = [option for options in votes.values() for option in options]
        tally = ", ".join(f"{option}: {chosen.count(option)}" for option in sorted(set(chosen))) or "nobody"
        self._say(session, vote["from"], f"So far {tally}.")

    def _say(self, session: str, chat: str, text: str, **more: Any) -> None:
        self._waxbill.post("/api/sendText", session=session, chatId=chat, text=text, **more)


def main() -> None:
    from waitress import serve

    app = create_app(
        os.environ.get("WAXBILL_URL", "http://127.0.0.1:3000"),
        os.environ["BOT_HMAC_KEY"],
        os.environ.get("WAHA_API_KEY", ""),
    )
    serve(app, host="127.0.0.1", port=int(os.environ.get("BOT_PORT", "5000")), threads=4)


if __name__ == "__main__":
    main()
