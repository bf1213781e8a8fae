"""Machines with networks of their own, made of the kernel's network namespaces: what is cut is really cut.

Each has one cable to a switch, where this process is, too, and a second one by which the test asks it whatever happens
to the first. A cut cable swallows packets; neither end is told. Addresses are of the range for testing networks (RFC
2544).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import msgspec

from waxbill.testing import ServerProcess

_MOST = 200


class NoNetworks(Exception):
    """This machine does not let networks be made; the text says why."""


class Machine(msgspec.Struct, frozen=True):
    """One end of a cable: ``address`` is what the others on the switch call it, ``asked_at`` what the test does."""

    namespace: str
    cable: str
    address: str
    asked_at: str


class Networks:
    """A switch with machines, from ``with`` to the end of the block; raises NoNetworks."""

    def __enter__(self) -> Networks:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise NoNetworks("Network namespaces take root and iproute2")
        self._machines: dict[str, Machine] = {}
        for number in range(_MOST):
            made = _ip("link", "add", f"wbx{number}", "type", "bridge")
            if made.returncode == 0:
                break
            if "File exists" not in made.stderr:
                raise NoNetworks(f"No switch can be made here: {made.stderr.strip()}")
        self._number, self._switch = number, f"wbx{number}"
        #: The address of this process on the switch.
        self.address = f"198.18.{number}.1"
        try:
            _done("addr", "add", f"{self.address}/24", "dev", self._switch)
            _done("link", "set", self._switch, "up")
        except NoNetworks:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for place, machine in enumerate(self._machines.values()):
            # Left to the namespace they would go some time after it, and keep their names from the next of this number.
            _ip("link", "del", machine.cable)
            _ip("link", "del", f"{self._switch}m{place}")
            _ip("netns", "del", machine.namespace)
        _ip("link", "del", self._switch)

    def machine(self, name: str) -> Machine:
        """The machine of a name, made when it is asked for first."""
        if name in self._machines:
            return self._machines[name]
        place = len(self._machines)
        machine = Machine(
            namespace=f"{self._switch}-{name}",
            cable=f"{self._switch}c{place}",
            address=f"198.18.{self._number}.{10 + place}",
            asked_at=f"198.19.{self._number}.{4 * place + 2}",
        )
        self._machines[name] = machine
        _done("netns", "add", machine.namespace)
        _inside(machine, "link", "set", "lo", "up")
        beside, here = f"{self._switch}m{place}", f"198.19.{self._number}.{4 * place + 1}/30"
        for outer, inner, address in (
            (machine.cable, "eth0", f"{machine.address}/24"),
            (beside, "test0", f"{machine.asked_at}/30"),
        ):
            _done("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", machine.namespace)
            _inside(machine, "addr", "add", address, "dev", inner)
            _inside(machine, "link", "set", inner, "up")
        _done("link", "set", machine.cable, "master", self._switch)
        _done("addr", "add", here, "dev", beside)
        for cable in (machine.cable, beside):
            _done("link", "set", cable, "up")
        return machine

    def server(self, name: str, folder: Path, **environment: str) -> ServerProcess:
        """A server that is to run on a machine."""
        machine = self.machine(name)
        program = folder / "waxbill-there"
        program.write_text(f'#!/bin/sh\nexec ip netns exec {machine.namespace} {sys.executable} -m waxbill "$@"\n')
        program.chmod(0o700)
        found = ServerProcess(
            folder,
            key="key",
            program=program,
            WAXBILL_HOST="0.0.0.0",
            PORT="3000",
            WAXBILL_WORKER_URL=f"http://{machine.address}:3000",
            **environment,
        )
        found.host = machine.asked_at
        return found

    def cut(self, name: str) -> None:
        _done("link", "set", self._machines[name].cable, "down")

    def mend(self, name: str) -> None:
        _done("link", "set", self._machines[name].cable, "up")


def _ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)


def _done(*arguments: str) -> None:
    ran = _ip(*arguments)
    if ran.returncode:
        raise NoNetworks(f"ip {' '.join(arguments)}: {ran.stderr.strip()}")


def _inside(machine: Machine, *arguments: str) -> None:
    _done("-n", machine.namespace, *arguments)
