"""What glibc keeps of the memory that pictures leave: enough for the next ones, and no more.

With another C library nothing here does anything.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable

__all__ = ["start_trimming", "tune"]

# Of glibc's malloc.h, with what they are set to.
_M_ARENA_MAX, _ARENAS = -8, 2
_M_TRIM_THRESHOLD, _MOST_KEPT = -1, 8_000_000
# What is larger goes back at once: kept among smaller things, it leaves gaps.
_M_MMAP_THRESHOLD, _MOST_REUSED = -3, 4_000_000
_EVERY_SECONDS = 1.0


def tune() -> None:
    """Have it keep what pictures need, in few heaps.

    Left alone, it gives every thread a heap of its own, each of which keeps what was freed; and
    it hands the memory of each picture back to the kernel, which clears it again for the next.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
        mallopt(_M_MMAP_THRESHOLD, _MOST_REUSED)


def start_trimming(interval: float = _EVERY_SECONDS) -> Callable[[], None]:
    """Give what is free in all heaps back to the kernel every ``interval`` seconds from now on.

    Small things that live on, among the pictures that come and go, leave gaps which no heap gives
    back by itself. At saturation they hold an eighth of all memory, and grow.

    Returns:
        What ends it.
    """
    stopping = threading.Event()
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return stopping.set

    def run() -> None:
        while not stopping.wait(interval):
            malloc_trim(ctypes.c_size_t(0))

    threading.Thread(target=run, name="trim", daemon=True).start()
    return stopping.set
