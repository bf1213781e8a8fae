"""Builds the images without a Docker engine, starts servers from them, and says how large they are.

    python deploy/image.py                     both targets
    python deploy/image.py mock --json         one of them, the figures as JSON

Needs root, buildah and mmdebstrap (Debian packages). The base is a Debian made on the spot, in place of the ones that
the Dockerfile names: its RUN steps are the same on both. Everything lies in a temporary folder, removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import psutil

from waxbill.testing import ServerProcess

ROOT = Path(__file__).resolve().parent.parent
BASE = "localhost/waxbill-base"
SUITE = "bookworm"
_PACKAGES = "ca-certificates,python3,python3-pip,python3-venv,usr-is-merged"
#: As in the official slim images: without the package that merged /usr once, and the Perl that it brought.
_SLIM = 'chroot "$1" apt-get purge -q -y --auto-remove usrmerge perl "^libperl5" "^perl-modules-5"'
_ROOM_BYTES = 8_000_000_000
_CHAT = "49301234567@c.us"
_PAGE = "data:text/html,<script>document.write('<p>' + (1 + 2) + '</p>')</script>"
#: What an image must not have, as glob patterns from its root.
LEFT_OUT = (
    "usr/bin/gcc*",
    "usr/lib/python3*/ensurepip",
    "usr/lib/python3*/test",
    "usr/lib/python3/dist-packages/pip",
    "opt/waxbill/lib/python3*/site-packages/pip",
    "opt/waxbill/lib/python3*/site-packages/**/tests",
    "opt/waxbill/lib/python3*/site-packages/selenium/webdriver/common/*/selenium-manager*",
    "root/.cache",
    "tmp/*",
)


class Builder:
    """buildah, with a store of its own in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
        )
        self._environment = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "BUILDAH_FORMAT": "docker",  # the other format has no HEALTHCHECK
            "BUILDAH_ISOLATION": "chroot",
        }

    def run(self, *arguments: str | Path) -> str:
        """The output of a buildah command; raises RuntimeError with what it said when it fails."""
        ran = subprocess.run(
            ["buildah", *map(str, arguments)], env=self._environment, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise RuntimeError(f"buildah {arguments[0]} failed:\n{(ran.stdout + ran.stderr)[-4000:]}")
        return ran.stdout.strip()

    def make_base(self) -> Path:
        """The local base image; returns its files. What mmdebstrap mounts is seen by nobody else, and gone with it."""
        context = self.folder / "base"
        context.mkdir()
        subprocess.run(
            [
                *("unshare", "--mount", "mmdebstrap", "--quiet", "--variant=minbase", f"--include={_PACKAGES}"),
                *(f"--customize-hook={_SLIM}", SUITE, str(context / "base.tar")),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )
        (context / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
        self.run("bud", "--quiet", "--tag", BASE, context)
        (context / "base.tar").unlink()
        return self.files(BASE)

    def build(self, target: str) -> str:
        """Builds a target of the Dockerfile on the local base; returns the image's name."""
        name = f"localhost/waxbill-{target}"
        options = ["--build-arg", f"BASE={BASE}", "--build-arg", f"BROWSER_BASE={BASE}", "--pull-never"]
        certificates = "/etc/ssl/certs"  # those of this machine, for the package indexes; npm must be told
        (self.folder / "npmrc").write_text(f"cafile={certificates}/ca-certificates.crt\n")
        for volume in (f"{certificates}:{certificates}", f"{self.folder}/npmrc:{Path('~root').expanduser()}/.npmrc"):
            options += ["--volume", f"{volume}:ro"]
        self.run("bud", "--target", target, "--tag", name, *options, ROOT)
        return name

    def files(self, image: str) -> Path:
        """The files of an image, in a container made from it."""
        return Path(self.run("mount", self.run("from", "--pull-never", image)))

    def configuration(self, image: str) -> dict[str, Any]:
        """User, Env, Entrypoint, Cmd, Healthcheck, ... as a Docker engine reads them."""
        return dict(json.loads(self.run("inspect", "--type", "image", image))["Docker"]["config"])


def megabytes(*paths: Path) -> float:
    """The sizes of files and folders in all, in MB (10**6), as engines count an image: links once, without blocks."""
    given = [path for path in paths if path.exists()]
    ran = subprocess.run(["du", "-scb", *given], capture_output=True, text=True, check=True)
    return round(int(ran.stdout.split()[-2]) / 1e6, 1)


def program(folder: Path, root: Path, configuration: dict[str, Any], data: Path) -> Path:
    """A script that runs a command of the image as an engine would: its user, environment and folder, its files
    read-only but for ``data`` and an empty /tmp. PORT and WAHA_API_KEY are passed on from outside; a server simulates,
    also where there is a browser: nothing here may reach WhatsApp."""
    uid, gid = map(int, configuration["User"].split(":"))
    os.chown(data, uid, gid)
    variables = " ".join(shlex.quote(variable) for variable in configuration["Env"])
    entry = " ".join(configuration["Entrypoint"])
    inside = f"""
mount --bind {root} {root}
mount --bind {data} {root}/data
mount -t proc proc {root}/proc
mount -t tmpfs tmpfs {root}/tmp
mount --rbind /dev {root}/dev
mount -o remount,bind,ro {root}
cd {root}
exec chroot --userspec={uid}:{gid} {root} /usr/bin/env -i -C {configuration["WorkingDir"]} {variables} \\
    FORCE_MOCK_MODE=true PORT="$PORT" WAHA_API_KEY="${{WAHA_API_KEY:-}}" {entry} "$@"
"""
    script = folder / "run"
    script.write_text(f'#!/bin/sh\nexec unshare --mount sh -euc {shlex.quote(inside)} sh "$@"\n')
    script.chmod(0o755)
    return script


def talk(server: ServerProcess) -> None:
    """A session, a text sent, and the answer; raises AssertionError when something is not as it should be."""
    assert server.get("/ping").json() == {"message": "pong"}
    assert server.post("/api/sessions", {"name": "default"}).status == 201
    server.wait_for_status("default", "WORKING", timeout_seconds=30)
    sent = server.post("/api/sendText", {"session": "default", "chatId": _CHAT, "text": "hello"})
    assert sent.status == 201, sent.text
    said(server)


def said(server: ServerProcess) -> None:
    messages = server.get(f"/api/default/chats/{_CHAT}/messages")
    assert [message["body"] for message in messages.json()] == ["hello"], messages.text


def start(folder: Path, root: Path, configuration: dict[str, Any]) -> dict[str, Any]:
    """Serves from the image: a text is sent, the health check passes, a restart has the text, SIGTERM ends it."""
    data = folder / "data"
    data.mkdir()
    run = program(folder, root, configuration, data)
    with ServerProcess(folder, key="secret", program=run) as server:
        process = psutil.Process(server.pid)
        assert process.uids().real == int(configuration["User"].split(":")[0]) != 0
        talk(server)
        assert configuration["Healthcheck"]["Test"][:2] == ["CMD", "waxbill"]
        check = [run, *configuration["Healthcheck"]["Test"][2:]]
        subprocess.run(check, check=True, env={**server.environment, "PORT": str(server.port)})
        server.restart()
        server.wait_for_status("default", "WORKING", timeout_seconds=30)
        said(server)
        resident = psutil.Process(server.pid).memory_info().rss
        assert server.stop() == 0
    return {"server_rss_mb": round(resident / 1e6, 1), "kept": sorted(path.name for path in data.iterdir())}


def _run_in(folder: Path, root: Path, configuration: dict[str, Any], *arguments: str) -> str:
    """What a command of the image prints."""
    (folder / "data").mkdir(parents=True)
    run = program(folder, root, configuration, folder / "data")
    environment = {**os.environ, "PORT": "0", "WAHA_API_KEY": ""}
    return subprocess.run([run, *arguments], capture_output=True, text=True, check=True, env=environment).stdout


def browse(folder: Path, root: Path, configuration: dict[str, Any]) -> dict[str, str]:
    """The browser and its driver run as the image's user, and waxbill finds them; returns their versions, which must be
    of one release."""
    versions = {}
    for command in ("chromium-headless-shell", "chromedriver"):
        said = _run_in(folder / command, root, {**configuration, "Entrypoint": [command]}, "--version")
        versions[command] = next(word for word in said.split() if word[0].isdigit())
    assert len(set(versions.values())) == 1, versions
    shell = {**configuration, "Entrypoint": ["chromium-headless-shell"]}
    shown = _run_in(folder / "page", root, shell, "--no-sandbox", "--disable-gpu", "--dump-dom", _PAGE)
    assert "<p>3</p>" in shown, shown
    examined = _run_in(folder / "doctor", root, configuration, "doctor", "--json")
    (driver,) = [check for check in json.loads(examined) if check["name"] == "driver browser"]
    assert driver["well"], driver
    return versions


def inspect(root: Path) -> dict[str, Any]:
    """Sizes in MB; raises AssertionError when something is in the image that should not be, or is not compiled."""
    left = [str(path) for pattern in LEFT_OUT for path in root.glob(pattern)]
    assert left == [], f"left in the image: {left}"
    site = next(root.glob("opt/waxbill/lib/python3*/site-packages"))
    bare = [
        path
        for path in site.rglob("*.py")
        if path.stat().st_size and not list((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))
    ]
    assert bare == [], f"not compiled: {bare}"
    own = [path for path in site.iterdir() if path.name.startswith("waxbill")]
    others = [path for path in site.iterdir() if not path.name.startswith("waxbill")]
    return {
        "image_mb": megabytes(root),
        "waxbill_mb": megabytes(*own),
        "distributions": sorted(found.metadata["Name"].lower() for found in distributions(path=[str(site)])),
        "dependencies_mb": megabytes(*others),
        "python_library_mb": megabytes(*root.glob("usr/lib/python3*")),
        "chromium_mb": megabytes(root / "usr/lib/chromium", root / "usr/bin/chromedriver")
        if (root / "usr/lib/chromium").exists()
        else 0.0,
    }


def roomy() -> Path:
    """A folder for some GB: in memory where there is plenty of it, which takes a third of the time of a disk."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM_BYTES else Path("/var/tmp")


@contextmanager
def builder() -> Iterator[Builder]:
    with tempfile.TemporaryDirectory(prefix="waxbill-image-", dir=roomy()) as folder:
        made = Builder(Path(folder))
        try:
            yield made
        finally:
            made.run("rm", "--all")


def prove(made: Builder, target: str) -> dict[str, Any]:
    """Builds a target, starts it and measures it."""
    image = made.build(target)
    root, configuration = made.files(image), made.configuration(image)
    folder = made.folder / target
    folder.mkdir()
    found: dict[str, Any] = {"configuration": configuration, **inspect(root)}
    found.update(start(folder, root, configuration))
    if target == "browser":
        found["versions"] = browse(folder, root, configuration)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=["mock", "browser"], metavar="TARGET", help="mock, browser")
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # so that what was made is removed
    with builder() as made:
        report: dict[str, Any] = {"base_mb": megabytes(made.make_base())}
        report.update({target: prove(made, target) for target in parsed.targets})
    if parsed.json:
        print(json.dumps(report, indent=2))
        return 0
    print(f"base: Debian {SUITE} with Python, {report['base_mb']} MB")
    for target in parsed.targets:
        figures = {name: value for name, value in report[target].items() if name.endswith("_mb")}
        change = figures["image_mb"] - report["base_mb"]
        print(f"{target}: {change:+.1f} MB to the base; " + ", ".join(f"{n[:-3]} {v} MB" for n, v in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
