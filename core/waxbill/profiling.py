"""A sampling profile of this process, in the format that browsers' developer tools open (.cpuprofile)."""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType
from typing import Any


def cpu_profile(seconds: float, samples_per_second: int) -> dict[str, Any]:
    """Looks at every thread's stack again and again for a while. Times in microseconds."""
    nodes: list[dict[str, Any]] = [_node(1, "(root)", "", 0)]
    known: dict[tuple[int, str, str, int], int] = {}
    samples: list[int] = []
    deltas: list[int] = []
    begin = before = time.perf_counter()
    pause = threading.Event()
    while (now := time.perf_counter()) - begin < seconds:
        for ident, frame in sys._current_frames().items():
            if ident != threading.get_ident():
                samples.append(_place(frame, nodes, known))
                deltas.append(int((now - before) * 1e6))
                before = now
        pause.wait(1 / samples_per_second)
    return {
        "nodes": nodes,
        "startTime": int(begin * 1e6),
        "endTime": int(time.perf_counter() * 1e6),
        "samples": samples,
        "timeDeltas": deltas,
    }


def _node(number: int, function: str, file: str, line: int) -> dict[str, Any]:
    call = {"functionName": function, "scriptId": "0", "url": file, "lineNumber": line, "columnNumber": 0}
    return {"id": number, "callFrame": call, "hitCount": 0, "children": []}


def _place(frame: FrameType | None, nodes: list[dict[str, Any]], known: dict[tuple[int, str, str, int], int]) -> int:
    """The node of a stack in the tree, which is made where it is not there yet."""
    stack = []
    while frame is not None:
        stack.append(frame.f_code)
        frame = frame.f_back
    at = 1
    for code in reversed(stack):
        key = (at, code.co_qualname, code.co_filename, code.co_firstlineno)
        if key not in known:
            known[key] = len(nodes) + 1
            nodes.append(_node(len(nodes) + 1, *key[1:]))
            nodes[at - 1]["children"].append(known[key])
        at = known[key]
    nodes[at - 1]["hitCount"] += 1
    return at
