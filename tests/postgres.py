"""A real PostgreSQL for tests: in a folder and on a port of its own, run by a user that is not root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any


def installed() -> Path | None:
    """The folder of its programs, the newest version's; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    return Path(program).resolve().parent if program else None


def _stop(pid: int) -> None:
    """Returns when the process runs no more; one that has ended meanwhile does not either."""
    try:
        os.kill(pid, signal.SIGSTOP)
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZ":
            time.sleep(0.001)
    except (ProcessLookupError, FileNotFoundError):
        return


class Postgres:
    """A server, from ``with`` to the end of the block; it can be stopped, killed and started again."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", *, fsync: bool = False) -> None:
        """``fsync`` is for a power cut, which no test makes."""
        self.address, self._fsync = address, fsync
        programs = installed()
        assert programs is not None
        self._programs = programs
        # Not below the folder that is given: those above it may be closed to the other user.
        self.folder = Path(f"/tmp/waxbill-postgres-{os.getpid()}-{folder.name}")
        self._databases = count()
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            ours = pwd.getpwnam("postgres")
            self._user = {"user": ours.pw_uid, "group": ours.pw_gid, "extra_groups": []}

    def __enter__(self) -> Postgres:
        self.folder.mkdir(mode=0o700)
        if self._user:
            os.chown(self.folder, self._user["user"], self._user["group"])
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "waxbill", "-A", "trust", "-E", "UTF8", "-N")
        with open(self.folder / "data/pg_hba.conf", "a") as allowed:
            allowed.write(f"host all all {self.address}/24 trust\n")
        with socket.create_server((self.address, 0)) as free:
            self.port = int(free.getsockname()[1])
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments], check=True, capture_output=True, cwd=self.folder, **self._user
        )

    def start(self) -> None:
        settings = {
            "listen_addresses": self.address,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if self._fsync else "off",
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    *("-D", str(self.folder / "data")),
                    *[part for name, value in settings.items() for part in ("-c", f"{name}={value}")],
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._user,
            )
        end = time.monotonic() + 60
        while True:
            try:
                self.ask("SELECT 1")
            except Exception:
                assert time.monotonic() < end, (self.folder / "log").read_text()
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)  # until it listens
            else:
                return

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """As an operator does it in a hurry: open connections are cut, what is committed stays."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(60)

    @contextlib.contextmanager
    def frozen(self, *pids: int) -> Iterator[None]:
        """Stops all its processes, or some, as a machine that hangs does: connections stay open, nothing answers."""
        frozen = list(pids)
        try:
            if not pids:  # the one that makes the others comes first: what it makes meanwhile would go on
                frozen.append(self.pid)
                _stop(self.pid)
                frozen += self._children()
            for pid in frozen:
                _stop(pid)
            yield
        finally:
            for pid in frozen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _children(self) -> list[int]:
        parent = self._process.pid
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://waxbill@{self.address}:{self.port}/{database}"

    def ask(self, said: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs a statement as another client and answers its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(said.encode())
            return cursor.fetchall() if cursor.description else []

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"waxbill{next(self._databases)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)
