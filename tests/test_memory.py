"""Reading the memory limit from control groups as kernels write them, and the choice of a driver by it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from waxbill import memory
from waxbill.driver import DriverSpec
from waxbill.drivers import waxbill_choose_driver
from waxbill.memory import Reading
from waxbill.settings import Settings

MIB = 1024 * 1024
MEMINFO = "MemTotal:        4194304 kB\nMemFree:          100000 kB\nMemAvailable:    3145728 kB\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class Machine:
    """Files as in /proc and /sys/fs/cgroup."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.root = folder / "proc", folder / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "meminfo").write_text(MEMINFO)
        self.process(os.getpid(), own_mb=20, shared_mb=10)

    def process(self, pid: int, *, own_mb: int, shared_mb: int, children: tuple[int, ...] = ()) -> None:
        """A process with its memory, and the processes that it has started."""
        pages = MIB // os.sysconf("SC_PAGE_SIZE")
        thread = self.proc / str(pid) / "task" / str(pid)
        thread.mkdir(parents=True, exist_ok=True)
        (thread / "children").write_text(" ".join(map(str, children)))
        (self.proc / str(pid) / "statm").write_text(f"9999 {(own_mb + shared_mb) * pages} {shared_mb * pages} 1 0 1 0")

    def read(self, cgroup: str, files: Mapping[str, object], limit_mb: int = 0) -> Reading:
        (self.proc / "self/cgroup").write_text(cgroup)
        for name, value in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n")
        return memory.read(limit_mb, proc=self.proc, root=self.root)


V2 = {"memory.current": 200 * MIB, "memory.stat": f"anon 1\ninactive_file {50 * MIB}", "memory.high": "max"}


def test_v2_in_a_container(machine: Machine) -> None:
    reading = machine.read("0::/\n", {**V2, "memory.max": 512 * MIB})
    assert (reading.limit_mb, reading.used_mb, reading.source) == (512, 150, "control group v2")
    assert reading.available_mb == 362


def test_v2_the_tightest_ancestor_counts_with_its_own_use(machine: Machine) -> None:
    files = {
        "a/memory.max": 256 * MIB,
        "a/memory.current": 100 * MIB,
        "a/b/memory.max": 512 * MIB,
        "a/b/memory.current": 90 * MIB,
        "a/b/c/memory.max": "max",
    }
    reading = machine.read("0::/a/b/c\n", files)
    assert (reading.limit_mb, reading.used_mb) == (256, 100)


def test_v2_high_is_a_limit_too(machine: Machine) -> None:
    assert machine.read("0::/\n", {**V2, "memory.max": 512 * MIB, "memory.high": 400 * MIB}).limit_mb == 400


def test_v1(machine: Machine) -> None:
    files = {
        "memory/docker/x/memory.limit_in_bytes": 512 * MIB,
        "memory/docker/x/memory.usage_in_bytes": 300 * MIB,
        "memory/docker/x/memory.stat": f"total_inactive_file {100 * MIB}",
        "memory/memory.limit_in_bytes": 9223372036854771712,
    }
    reading = machine.read("4:cpu:/\n3:memory:/docker/x\n", files)
    assert (reading.limit_mb, reading.used_mb, reading.source) == (512, 200, "control group v1")


def test_v1_whose_path_is_the_hosts(machine: Machine) -> None:
    files = {"memory/memory.limit_in_bytes": 512 * MIB, "memory/memory.usage_in_bytes": 100 * MIB}
    assert machine.read("3:memory:/docker/not-seen-here\n", files).limit_mb == 512


def test_hybrid_mounts(machine: Machine) -> None:
    files = {f"unified/{name}": value for name, value in {**V2, "memory.max": 300 * MIB}.items()}
    assert machine.read("0::/\n1:name=systemd:/\n", files).limit_mb == 300


def test_without_a_limit_the_machine_is_the_limit(machine: Machine) -> None:
    for cgroup, files in (("", {}), ("0::/\n", {**V2, "memory.max": "max"}), ("0::/\n", {"memory.max": 2**50})):
        reading = machine.read(cgroup, files)
        assert (reading.limit_mb, reading.used_mb, reading.source) == (4096, 1024, "the machine's memory")


def test_v1_knows_limits_of_groups_that_it_can_not_see(machine: Machine) -> None:
    files = {
        "memory/memory.limit_in_bytes": 9223372036854771712,
        "memory/memory.usage_in_bytes": 100 * MIB,
        "memory/memory.stat": f"hierarchical_memory_limit {256 * MIB}\ntotal_inactive_file 0",
    }
    assert machine.read("3:memory:/\n", files).limit_mb == 256


def test_how_often_the_limit_was_hit_and_the_kernel_killed(machine: Machine) -> None:
    events = {"memory.max": 512 * MIB, "memory.events": "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1"}
    v2 = machine.read("0::/\n", {**V2, **events})
    assert (v2.hits, v2.kills) == (7, 1)
    (machine.root / "memory.max").write_text("max")
    files = {
        "memory/memory.limit_in_bytes": 512 * MIB,
        "memory/memory.usage_in_bytes": 100 * MIB,
        "memory/memory.failcnt": 3,
        "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2",
    }
    v1 = machine.read("3:memory:/\n", files)
    assert (v1.hits, v1.kills) == (3, 2)


def test_pressure_is_the_groups_or_else_the_machines(machine: Machine) -> None:
    line = "some avg10={} avg60=0.10 avg300=0.00 total=1\nfull avg10=9.00 avg60=0 avg300=0 total=1"
    assert machine.read("", {}).pressure is None
    (machine.proc / "pressure").mkdir()
    (machine.proc / "pressure/memory").write_text(line.format("1.50"))
    assert machine.read("", {}).pressure == 1.5
    files = {**V2, "memory.max": 512 * MIB, "memory.pressure": line.format("12.25")}
    assert machine.read("0::/\n", files).pressure == 12.25


def test_a_limit_that_was_set_is_compared_with_what_this_server_holds(machine: Machine) -> None:
    machine.process(os.getpid(), own_mb=20, shared_mb=10, children=(90001, 90003))
    machine.process(90001, own_mb=50, shared_mb=60, children=(90002,))
    machine.process(90002, own_mb=70, shared_mb=55)  # 90003 has ended meanwhile
    reading = machine.read("0::/\n", {**V2, "memory.max": 512 * MIB}, limit_mb=256)
    # Each one's own, and the largest of what they share.
    assert (reading.limit_mb, reading.used_mb, reading.source) == (256, 200, "MEMORY_LIMIT_MB")
    assert machine.read("", {}, limit_mb=256).used_mb == 200


def test_a_limit_that_was_set_does_not_raise_the_groups(machine: Machine) -> None:
    reading = machine.read("0::/\n", {**V2, "memory.max": 512 * MIB}, limit_mb=1024)
    assert (reading.limit_mb, reading.used_mb, reading.source) == (512, 150, "control group v2")


# -- which driver serves


def spec(name: str, *, real: bool, need_mb: float = 10, runnable: bool = True) -> DriverSpec:
    return DriverSpec(
        name=name, title=name, need_mb=need_mb, real=real, runnable=runnable, obstacle="it is not ready",
        operations=frozenset({"send_text"}), factory=lambda *_: None,  # type: ignore[arg-type, return-value]
    )  # fmt: skip


MOCK, BROWSER = spec("mock", real=False), spec("browser", real=True, need_mb=240)


@pytest.mark.parametrize(
    ("environment", "specs", "driver", "words"),
    [
        ({}, [MOCK, BROWSER], "browser", "it can run here and fits into 512 MB"),
        ({"FORCE_MOCK_MODE": "true"}, [MOCK, BROWSER], "mock", "FORCE_MOCK_MODE is set"),
        ({"FORCE_MOCK_MODE": "true"}, [BROWSER], "", "no simulator is installed"),
        ({"WAXBILL_DRIVER": "browser"}, [MOCK, BROWSER], "browser", "WAXBILL_DRIVER names it"),
        ({"WAXBILL_DRIVER": "x"}, [MOCK], "", "the installed drivers are: mock"),
        ({}, [MOCK, spec("browser", real=True, need_mb=490)], "mock", "it needs 490 MB and a reserve of 32 MB"),
        ({}, [MOCK, spec("browser", real=True, runnable=False)], "mock", "it is not ready"),
        ({}, [MOCK], "mock", "no real driver is installed"),
        ({"ENABLE_REAL_WHATSAPP": "true"}, [MOCK], "", "no real driver can serve"),
        ({"ENABLE_REAL_WHATSAPP": "true", "MOCK_FALLBACK": "true"}, [MOCK], "mock", "simulated, because"),
        ({}, [], "", "pip install 'waxbill[mock]'"),
    ],
)
def test_the_choice_and_its_reason(
    environment: dict[str, str], specs: list[DriverSpec], driver: str, words: str
) -> None:
    reading = Reading(limit_mb=512, used_mb=100, source="test")
    choice = waxbill_choose_driver(specs=specs, reading=reading, settings=Settings(environment))
    assert choice.driver == driver
    assert words in choice.reason
