"""WA-JS gets from npm into the plugin: only as it is pinned, only once, and whoever lacks it hears what to do."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import missing
from waxbill_browser import wajs

PLUGIN = Path(__file__).parents[2] / "plugins" / "browser"
FILES = {
    "dist/wppconnect-wa.js": b"/* WA-JS */",
    "dist/wppconnect-wa.js.LICENSE.txt": b"notices",
    "LICENSE": b"licence",
}


def packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in {**files, "package.json": b'{"name": "@wppconnect/wa-js", "version": "9.9.9"}'}.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


class Registry:
    """An npm registry of one package; ``requests`` has the paths that it was asked for."""

    def __init__(self) -> None:
        self.tarball = packed(FILES)
        self.requests: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.requests.append(self.path)
                body = registry.tarball if self.path.endswith(".tgz") else registry.document()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"

    @property
    def integrity(self) -> str:
        return "sha512-" + base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()

    def document(self) -> bytes:
        dist = {"tarball": f"{self.url}@wppconnect/wa-js/-/wa-js-9.9.9.tgz", "integrity": self.integrity}
        version = {"name": "@wppconnect/wa-js", "version": "9.9.9", "dist": dist}
        return json.dumps({"name": "@wppconnect/wa-js", "versions": {"9.9.9": version}}).encode()


@pytest.fixture
def registry() -> Iterator[Registry]:
    if shutil.which("npm") is None:
        missing("npm is not installed")
    found = Registry()
    yield found
    found.server.shutdown()
    found.server.server_close()


class Checkout:
    """A copy of the plugin's folder that gets its packages from a registry of ours."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self.folder = folder / "plugin"
        shutil.copytree(PLUGIN, self.folder, ignore=shutil.ignore_patterns("assets", "__pycache__"))
        for name in ("package.json", "package-lock.json"):
            (self.folder / name).write_text((PLUGIN / name).read_text().replace(f'"{wajs.version()}"', '"9.9.9"'))
        self.pin(registry.integrity)
        self.environment = {"npm_config_registry": registry.url, "npm_config_cache": str(folder / "cache")}

    def pin(self, integrity: str) -> None:
        lock = json.loads((self.folder / "package-lock.json").read_text())
        lock["packages"]["node_modules/@wppconnect/wa-js"]["integrity"] = integrity
        (self.folder / "package-lock.json").write_text(json.dumps(lock))

    def build(self, *what: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", *what, "-o", str(self.folder / "dist"), str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.environment, **environment},
        )

    def wheel(self) -> zipfile.ZipFile:
        (path,) = (self.folder / "dist").glob("*.whl")
        return zipfile.ZipFile(path)


@pytest.fixture
def checkout(tmp_path: Path, registry: Registry) -> Checkout:
    return Checkout(tmp_path, registry)


def test_a_wheel_has_the_bundle_and_its_licences(checkout: Checkout) -> None:
    built = checkout.build("--wheel")
    assert built.returncode == 0, built.stderr
    wheel = checkout.wheel()
    assert wheel.read("waxbill_browser/assets/wa-js.js") == FILES["dist/wppconnect-wa.js"]
    assert wheel.read("waxbill_browser/assets/wa-js.NOTICES.txt") == FILES["dist/wppconnect-wa.js.LICENSE.txt"]
    assert wheel.read("waxbill_browser/assets/wa-js.LICENSE.txt") == FILES["LICENSE"]
    assert json.loads(wheel.read("waxbill_browser/assets/wa-js.json"))["version"] == "9.9.9"


def test_a_changed_hash_stops_the_build(checkout: Checkout) -> None:
    checkout.pin("sha512-" + base64.b64encode(bytes(64)).decode())
    built = checkout.build("--wheel")
    assert built.returncode != 0
    assert "EINTEGRITY" in built.stdout + built.stderr
    assert not list((checkout.folder / "dist").glob("*"))


def test_a_changed_package_stops_the_build_even_where_an_older_one_is_in_place(
    checkout: Checkout, registry: Registry
) -> None:
    assert checkout.build("--wheel").returncode == 0
    pinned = packed({**FILES, "dist/wppconnect-wa.js": b"/* the next version */"})
    checkout.pin("sha512-" + base64.b64encode(hashlib.sha512(pinned).digest()).decode())
    registry.tarball = packed({**FILES, "dist/wppconnect-wa.js": b"/* something else */"})
    built = checkout.build("--wheel")
    assert built.returncode != 0
    assert "EINTEGRITY" in built.stdout + built.stderr


def test_what_is_there_already_is_not_fetched_again_and_what_was_changed_is(
    checkout: Checkout, registry: Registry
) -> None:
    assert checkout.build("--wheel").returncode == 0
    asked = len(registry.requests)
    assert asked
    assert checkout.build("--wheel").returncode == 0
    assert len(registry.requests) == asked

    bundle = checkout.folder / "waxbill_browser" / "assets" / "wa-js.js"
    bundle.write_bytes(b"/* changed by hand */")
    assert checkout.build("--wheel").returncode == 0
    assert bundle.read_bytes() == FILES["dist/wppconnect-wa.js"]


def test_a_source_distribution_brings_the_bundle_along(checkout: Checkout, registry: Registry) -> None:
    assert checkout.build("--sdist").returncode == 0
    asked = len(registry.requests)
    (path,) = (checkout.folder / "dist").glob("*.tar.gz")
    with tarfile.open(path) as tar:
        tar.extractall(checkout.folder / "unpacked", filter="data")
    (unpacked,) = (checkout.folder / "unpacked").iterdir()
    checkout.folder = unpacked
    assert checkout.build("--wheel").returncode == 0
    assert checkout.wheel().read("waxbill_browser/assets/wa-js.js") == FILES["dist/wppconnect-wa.js"]
    assert len(registry.requests) == asked


def test_a_build_without_npm_says_what_to_install(checkout: Checkout) -> None:
    built = checkout.build("--wheel", PATH=str(Path(sys.executable).parent))
    assert built.returncode != 0
    assert "apt-get install npm" in built.stdout + built.stderr


def test_the_lock_file_names_hashes_and_no_addresses() -> None:
    lock = (PLUGIN / "package-lock.json").read_text()
    assert "://" not in lock
    packages = [package for name, package in json.loads(lock)["packages"].items() if name]
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages)


def test_the_installed_bundle_is_the_pinned_one() -> None:
    try:
        bundle = wajs.bundle()
    except wajs.WaJsMissing as error:
        missing(str(error))
    stamp = json.loads((bundle.parent / "wa-js.json").read_text())
    pinned = json.loads((PLUGIN / "package-lock.json").read_text())["packages"]["node_modules/@wppconnect/wa-js"]
    assert stamp["integrity"] == pinned["integrity"]
    assert stamp["sha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert f"wa-js v{wajs.version()} " in bundle.read_text()[:200]


def test_an_installation_without_the_bundle_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wajs, "_ASSETS", tmp_path)
    with pytest.raises(wajs.WaJsMissing, match="pip install -e plugins/browser"):
        wajs.bundle()
    with pytest.raises(wajs.WaJsMissing):
        wajs.version()
