"""The server that answers for https://web.whatsapp.com: the page's files, its questions, and what happens, over TLS."""

from __future__ import annotations

import json
import secrets
import select
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from .account import Account
from .certificate import server_context
from .phone import Phone
from .world import Device, Options, Record, Refused, World

HOST = "web.whatsapp.com"
PAGE = Path(__file__).parent / "page"
#: The page's modules: those that are there at once, and those that may be kept waiting.
EARLY = ("loader", "base", "ids", "wire")
MAIN = (
    "connection",
    "models",
    "stores",
    "messages",
    "sync",
    "media",
    "people",
    "groups",
    "channels",
    "labels",
    "quiet",
)
POLICY = "default-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; media-src blob:"
#: How long a question may be.
LONGEST = 256 * 1024 * 1024
#: How often a line of events looks whether the page is still there.
GLANCE_SECONDS = 0.1


class StandIn:
    """WhatsApp's server, on a free port of loopback; a context manager.

    ``phone`` is the account that the first device pairs with; ``add_phone`` makes more. ``arguments`` are what Chromium
    needs to reach the stand-in under WhatsApp's address, and nothing else at all.
    """

    def __init__(self, number: str = "4915112345678", name: str = "Owner", **options: Any) -> None:
        self.options = Options(**options)
        self.world = World(self.options)
        self.phone = Phone(Account(self.world, number, name))
        self.closing = threading.Event()
        context, self.key_hash = server_context(HOST)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.stand_in = self
        self._server.context = context
        self._thread = threading.Thread(target=self._server.serve_forever, name="stand-in", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def arguments(self) -> list[str]:
        """Chromium's: WhatsApp's address is this server, its key is trusted, no other host exists."""
        rules = f"MAP {HOST}:443 127.0.0.1:{self.port},MAP * ~NOTFOUND,EXCLUDE 127.0.0.1"
        return [f"--host-resolver-rules={rules}", f"--ignore-certificate-errors-spki-list={self.key_hash}"]

    def add_phone(self, number: str, name: str) -> Phone:
        with self.world.changed:
            return Phone(Account(self.world, number, name))

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.closing.set()
        with self.world.changed:
            self.world.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # -- what a device asks before it has an account

    def ask(self, device: Device, question: str, parts: Record) -> Any:
        """The answer to a question; raises Refused. Runs under the world's lock."""
        method = getattr(self, f"_ask_{question}", None)
        if method is not None:
            return method(device, parts)
        if device.account is None:
            raise Refused(401, "this device is not paired")
        device.account.asked.append((question, parts))
        return getattr(device.account, f"ask_{question}")(device, parts)

    def _ask_hello(self, device: Device, parts: Record) -> Record:
        device.hellos += 1
        account = device.account
        if account is None:
            return {"seen": len(device.happened), "account": None}
        later = [key for key in account.unseen if key in account.messages] if self.options.offline_is_new else []
        account.unseen.clear()
        return {
            "seen": len(device.happened),
            "account": account.whole(device, later),
            "offline": [{"chat": key.split("_")[1], "message": account.messages[key]} for key in later],
        }

    def _ask_restart_refs(self, device: Device, parts: Record) -> None:
        device.refs_left = self.options.qr_codes

    def _ask_ref(self, device: Device, parts: Record) -> Record:
        if device.refs_left <= 0:
            device.ref, device.refs_left = "", self.options.qr_codes
            return {"ref": None}
        device.refs_left -= 1
        device.ref = "2@" + secrets.token_urlsafe(48)
        return {"ref": device.ref, "seconds": self.options.qr_seconds}

    def _ask_link_code(self, device: Device, parts: Record) -> str:
        device.link_code = "".join(secrets.choice("ABCDEFGHJKLMNPQRSTVWXYZ123456789") for _ in range(8))
        return device.link_code

    def _ask_logout(self, device: Device, parts: Record) -> None:
        if device.account:
            device.account.unpair(device, None)

    def _ask_take_over(self, device: Device, parts: Record) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stand_in: StandIn
    context: Any

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: a slow handshake keeps nobody waiting."""
        try:
            secured = self.context.wrap_socket(request, server_side=True)
        except OSError:
            return  # browsers open connections that they then don't use
        with secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        import sys

        if not isinstance(sys.exception(), OSError):  # a browser that was killed is no error here
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    @property
    def stand_in(self) -> StandIn:
        return self.server.stand_in

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/":
            self._send(200, "text/html", (PAGE / "index.html").read_bytes())
        elif url.path.startswith("/js/"):
            self._script(url.path[4:])
        elif url.path == "/-/happens":
            self._happens(query["device"], int(self.headers.get("Last-Event-ID", query["after"])))
        elif url.path.startswith("/-/media/"):
            self._media(urllib.parse.unquote(url.path[9:]))
        elif url.path.startswith("/-/picture/"):
            self._picture(url.path[11:])
        else:
            self._send(404, "text/plain", b"there is no such file")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        if length > LONGEST:
            self._send(413, "text/plain", b"too long")
            return
        body = self.rfile.read(length)
        if self.path == "/-/media":
            with self.stand_in.world.changed:
                filehash = self.stand_in.world.keep(body)
            self._json({"filehash": filehash, "directPath": f"/v/{filehash}", "size": len(body)})
            return
        question = self.path.removeprefix("/-/ask/").replace("-", "_")
        world = self.stand_in.world
        with world.changed:
            device = world.device(self.headers["X-Device"])
            try:
                answer = {"answer": self.stand_in.ask(device, question, json.loads(body))}
            except Refused as refused:
                answer = {"error": {"code": refused.code, "message": str(refused)}}
            # Made into text under the lock: what is answered are the records themselves.
            text = json.dumps(answer)
            world.changed.notify_all()
        self._send(200, "application/json", text.encode())

    def _script(self, name: str) -> None:
        options = self.stand_in.options
        if name == "config.js":
            shown = {
                "version": options.version,
                "lids": options.lids,
                "plainKeys": options.plain_keys,
                "syncSeconds": options.sync_seconds,
                "offlineSeconds": options.offline_seconds,
                "hidden": options.hidden,
                "renamed": options.renamed,
                "late": options.late,
            }
            # What the page's first script sees of the browser that runs it.
            first = "{ agent: navigator.userAgent, ...Intl.DateTimeFormat().resolvedOptions() }"
            text = f"window.standinConfig = {json.dumps(shown)};\nwindow.standinFirst = {first};"
        elif name == "main.js" and (options.slow_seconds or options.never_ready):
            if self.stand_in.closing.wait(3600 if options.never_ready else options.slow_seconds):
                return
            text = _joined(MAIN)
        elif name in ("early.js", "main.js"):
            text = _joined(EARLY if name == "early.js" else MAIN)
        elif name == "app.js":
            text = (PAGE / "app.js").read_text()
        elif name == "worker.js":
            text = "// a service worker that does nothing\n"
        else:
            self._send(404, "text/plain", b"there is no such script")
            return
        self._send(200, "text/javascript; charset=utf-8", text.encode())

    def _happens(self, name: str, after: int) -> None:
        """Server-sent events of one device, each with its number, until one of both goes away."""
        world = self.stand_in.world
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        with world.changed:
            device = world.device(name)
            device.listening += 1
            world.changed.notify_all()
        try:
            while not self.stand_in.closing.is_set():
                with world.changed:
                    if len(device.happened) <= after:
                        world.changed.wait(GLANCE_SECONDS)
                    ready = json.dumps(device.happened[after:])
                if select.select([self.connection], [], [], 0)[0]:
                    return  # a page says nothing here but good-bye
                for happened in json.loads(ready):
                    after += 1
                    self.wfile.write(f"id: {after}\ndata: {json.dumps(happened)}\n\n".encode())
        except OSError:
            return  # the page is gone
        finally:
            with world.changed:
                device.listening -= 1
                world.changed.notify_all()

    def _media(self, filehash: str) -> None:
        content = self.stand_in.world.files.get(filehash)
        if content is None:
            self._send(404, "text/plain", b"gone")
        else:
            self._send(200, "application/octet-stream", content)

    def _picture(self, key: str) -> None:
        import base64

        for account in self.stand_in.world.accounts:
            picture = account.pictures.get(urllib.parse.unquote(key))
            if picture:
                content = base64.b64decode(picture["content"].rpartition(",")[2])
                self._send(200, "image/jpeg", content)
                return
        self._send(404, "text/plain", b"no picture")

    def _json(self, answer: Record) -> None:
        self._send(200, "application/json", json.dumps(answer).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if kind == "text/html" and self.stand_in.options.strict_csp:
            self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


def _joined(names: tuple[str, ...]) -> str:
    # Each file is a scope of its own, as it is where each has a <script> of its own.
    return "\n".join(f"{{\n{(PAGE / f'{name}.js').read_text()}\n}}" for name in names)
