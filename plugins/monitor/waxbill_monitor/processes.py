"""Which part of the server holds how much: the server itself, and the processes of its driver by part and session."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from waxbill import Driver
from waxbill.memory import MIB, children, resident

_PROC = Path("/proc")
SERVER = "server"


def _part(pid: int, otherwise: str) -> str:
    """What a process calls itself with ``--type=``, as Chromium's do."""
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").split(b" ")
    except OSError:
        return otherwise
    return next((word[7:].decode(errors="replace") for word in words if word.startswith(b"--type=")), otherwise)


def of(driver: Driver) -> Iterator[tuple[int, str, str]]:
    """Every process of a driver, once: its id, its part and its session, by the nearest above that the driver named."""
    roots = {process.pid: process for process in driver.processes()}
    for pid, root in roots.items():
        for found in _below(pid, roots):
            yield found, root.part if found == pid else _part(found, root.part), root.session


def _below(pid: int, roots: Container[int]) -> Iterator[int]:
    """A process and all below it, down to the next root."""
    yield pid
    for child in children(pid):
        if child not in roots:
            yield from _below(child, roots)


def roughly(driver: Driver | None) -> tuple[dict[str, float], dict[str, float]]:
    """MB by part and by session, from the kernel's cheap counters: what each process holds alone, about."""
    mine, shared = resident(os.getpid())
    parts: dict[str, float] = {SERVER: (mine + shared) / MIB}
    sessions: dict[str, float] = {}
    for pid, part, session in of(driver) if driver else ():
        size = resident(pid)[0] / MIB
        parts[part] = parts.get(part, 0.0) + size
        if session:
            sessions[session] = sessions.get(session, 0.0) + size
    return parts, sessions


def exactly(driver: Driver | None) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """RSS, PSS and USS in MB, and the number of processes, by part and by session.

    The kernel walks every page for PSS (milliseconds for a browser's process), so this is for those who ask. Where a
    process may not be looked into (a sandbox), PSS and USS are missing.
    """
    import psutil  # 2 MB

    parts: dict[str, dict[str, float]] = {}
    sessions: dict[str, dict[str, float]] = {}
    for pid, part, session in [(os.getpid(), SERVER, ""), *(of(driver) if driver else ())]:
        try:
            figures = _figures(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue  # it ended between the list and the look
        _add(parts.setdefault(part, {}), figures)
        if session:
            _add(sessions.setdefault(session, {}), figures)
    return parts, sessions


def _figures(process: Any) -> dict[str, float]:
    import psutil

    try:
        full = process.memory_full_info()
    except psutil.AccessDenied:
        return {"rss_mb": process.memory_info().rss / MIB, "processes": 1}
    return {"rss_mb": full.rss / MIB, "pss_mb": full.pss / MIB, "uss_mb": full.uss / MIB, "processes": 1}


def _add(total: dict[str, float], figures: dict[str, float]) -> None:
    for name, value in figures.items():
        total[name] = round(total.get(name, 0) + value, 2)
