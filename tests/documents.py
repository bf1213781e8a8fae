"""Markdown pages as tests read them: their fenced blocks, and a shell that does what a reader would do."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_SERVE = re.compile(r"\bwaxbill serve$")
_COMMAND_SECONDS = 60.0
_END = "-- end of command --"


class Block(NamedTuple):
    language: str
    text: str
    line: int


class Command(NamedTuple):
    """A line that begins with ``$``, and what the page shows below it."""

    text: str
    shown: list[str]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, with the number of their first line."""
    text = page.read_text()
    return [
        Block(found["language"], _dedent(found["text"], found["indent"]), text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
    ]


def _dedent(text: str, indent: str) -> str:
    return "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def commands(block: Block) -> Iterator[Command]:
    """The commands of a ``console`` block. An open quotation or a backslash at the end of a line continues it."""
    lines = iter(block.text.splitlines())
    command: Command | None = None
    for line in lines:
        if line.startswith("$ "):
            if command:
                yield command
            text = line[2:]
            while text.endswith("\\") or not _is_whole(text):
                text += "\n" + next(lines)
            command = Command(text, [])
        elif line.strip():
            assert command, f"line {block.line}: output before any command: {line}"
            command.shown.append(line)
    if command:
        yield command


def _is_whole(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:  # no closing quotation
        return False
    return True


class Reader:
    """Somebody who types what a page says, in one shell. ``waxbill serve`` goes on beside it, until the next one.

    The port 3000 of the page is a free one here, and a server simulates: no test may reach WhatsApp.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        ours = ("WAHA_", "WHATSAPP_", "WAXBILL_", "MEMORY_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={**inherited, "PATH": path, "PORT": self.port, "FORCE_MOCK_MODE": "true", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._servers = 0

    def type(self, command: Command) -> str:
        """Runs a command and returns its output; fails when it fails or shows something else than the page."""
        text = command.text.replace(":3000", f":{self.port}")
        if _SERVE.search(text):
            return self._serve(text)
        code, output = self._run(text)
        output = output.replace(self.port, "3000")
        assert code == 0, f"$ {command.text}\n{output}{self._log()}"
        if command.shown:
            assert fits(command.shown, output), f"$ {command.text}\nshows:\n{output}\nnot:\n" + "\n".join(command.shown)
        return output

    def _run(self, text: str) -> tuple[int, str]:
        """Exit code and output of a command; one that never ends is ended, with all that it started."""
        assert self._shell.stdin
        assert self._shell.stdout
        limit = threading.Timer(_COMMAND_SECONDS, lambda: os.killpg(self._shell.pid, signal.SIGKILL))
        limit.start()
        lines: list[str] = []
        try:
            self._shell.stdin.write(f"{text}\nCODE=$?; echo; echo '{_END}' $CODE\n")
            self._shell.stdin.flush()
            for line in self._shell.stdout:
                if line.startswith(_END):
                    return int(line.split()[-1]), "".join(lines).removesuffix("\n")
                lines.append(line)
        finally:
            limit.cancel()
        raise AssertionError(f"$ {text}\nnever ended:\n{''.join(lines)}{self._log()}")

    def _serve(self, text: str) -> str:
        self._stop()
        self._servers += 1
        self._run(f"{{ {text}; }} >server-{self._servers}.log 2>&1 & SERVER=$!")
        end = time.monotonic() + 120
        while "Listening on" not in self._log():
            alive, _ = self._run("kill -0 $SERVER")
            assert alive == 0, f"$ {text}\nended:\n{self._log()}"
            assert time.monotonic() < end, f"$ {text}\ndoes not listen:\n{self._log()}"
            time.sleep(0.05)
        return ""

    def _log(self) -> str:
        path = self.folder / f"server-{self._servers}.log"
        return path.read_text() if path.exists() else ""

    def _stop(self) -> None:
        if self._servers:
            # The server is a child of the group that runs in the background, or that itself.
            self._run("kill $(ps -o pid= --ppid $SERVER) $SERVER 2>/dev/null; wait $SERVER 2>/dev/null; true")

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGTERM)  # the shell itself takes no notice
        for stream in (self._shell.stdin, self._shell.stdout):
            assert stream
            stream.close()
        try:
            self._shell.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()


def fits(shown: list[str], output: str) -> bool:
    """Whether an output is what a page shows. ``...`` stands for anything, alone on a line for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else ".*".join(map(re.escape, line.split("..."))) + r"[ \t]*\n"
        for line in shown
    )
    return bool(re.fullmatch(pattern + r"\n*", output.rstrip("\n") + "\n"))
