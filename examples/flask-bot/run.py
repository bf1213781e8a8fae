"""Starts the bot and a waxbill server with the simulator beside it; Ctrl-C ends both.

``python run.py``, then open http://127.0.0.1:3000/dashboard and write to the bot. The settings of the server are taken
from the environment, as always; with ENABLE_REAL_WHATSAPP=true the same bot speaks to the real WhatsApp.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading

from bot import create_app
from waitress.server import create_server


def main() -> int:
    key = os.environ.get("BOT_HMAC_KEY") or secrets.token_hex(16)
    port = os.environ.get("PORT", "3000")
    app = create_app(f"http://127.0.0.1:{port}", key, os.environ.get("WAHA_API_KEY", ""))
    bot = create_server(app, host="127.0.0.1", port=int(os.environ.get("BOT_PORT", "5000")), threads=4)
    environment = {
        "FORCE_MOCK_MODE": str("ENABLE_REAL_WHATSAPP" not in os.environ).lower(),
        **os.environ,
        "WHATSAPP_START_SESSION": "default",
        "WHATSAPP_HOOK_URL": f"http://127.0.0.1:{bot.effective_port}/webhook",
        "WHATSAPP_HOOK_EVENTS": "message,poll.vote",
        "WHATSAPP_HOOK_HMAC_KEY": key,
    }
    server = subprocess.Popen([sys.executable, "-m", "waxbill", "serve"], env=environment)
    threading.Thread(target=bot.run, name="bot", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.terminate())
    print(f"The bot listens on port {bot.effective_port}, waxbill on port {port}.", flush=True)
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
