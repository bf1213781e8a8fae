"""What the allocators of this process say about themselves, and are told. Costs 0.3 MB (ctypes): not at start.

Python's small-object allocator reports through ``sys._debugmallocstats``, which writes to the error stream only; the
function behind it (``Objects/obmalloc.c``) takes any C stream, so it is given one in memory. Larger blocks come from
the C library, which reports in ``mallinfo2`` (glibc 2.33, mallinfo(3)); other libraries have nothing of the kind.
"""

from __future__ import annotations

import re
from typing import Any

from .memory import MIB

# malloc.h
_M_ARENA_MAX = -8
_IN_BLOCKS = re.compile(rb"# bytes in allocated blocks\s*=\s*([\d,]+)")


def used_mb() -> float | None:
    """MB in live Python objects and buffers; None where neither allocator can be asked."""
    small, large = _small_objects(), _large_blocks()
    return None if small is None and large is None else ((small or 0) + (large or 0)) / MIB


def trim() -> None:
    """Collects garbage, and gives the pages that the C library keeps free back to the kernel (malloc_trim(3))."""
    import ctypes
    import gc

    gc.collect()

    trim_it = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim_it is not None:
        trim_it(0)


def share_one() -> None:
    """Has the threads that start after this allocate from one heap (mallopt(3)).

    The C library gives each its own, which keeps the most that it ever needed; threads that take turns by the
    interpreter's lock gain nothing by that.
    """
    import ctypes

    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_M_ARENA_MAX, 1)


def _small_objects() -> int | None:
    """Bytes in blocks that Python's own allocator has given out; None when it is switched off (PYTHONMALLOC)."""
    import ctypes

    libc = ctypes.CDLL(None)
    report = getattr(ctypes.pythonapi, "_PyObject_DebugMallocStats", None)
    if report is None or not hasattr(libc, "open_memstream"):
        return None
    text, size = ctypes.c_void_p(), ctypes.c_size_t()
    libc.open_memstream.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.open_memstream(ctypes.byref(text), ctypes.byref(size)))
    try:
        report(stream)
    finally:
        libc.fclose(stream)
    found = _IN_BLOCKS.search(ctypes.string_at(text, size.value))
    libc.free(text)
    return int(found[1].replace(b",", b"")) if found else None


def _large_blocks() -> int | None:
    """Bytes in blocks that the C library has given out, on its heaps and in mappings of their own."""
    import ctypes

    names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")

    class MallInfo(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in names]

    ask: Any = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if ask is None:
        return None
    ask.restype = MallInfo
    info = ask()
    return int(info.uordblks + info.hblkhd)
