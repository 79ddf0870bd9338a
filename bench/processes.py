"""What a server and its children have used, from Linux's ``/proc``: memory, processor time."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cpu_seconds", "resident_megabytes"]


def resident_megabytes(pid: int) -> float:
    """Return the memory of a process and its children, shared pages counted once (PSS)."""
    total = 0
    for process in _family(pid):
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:")
    return total / 1024


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its children, in user and kernel, so far.

    Unlike wall time, it hardly depends on what else the machine does meanwhile.
    """
    ticks = 0
    for process in _family(pid):
        try:
            line = Path(f"/proc/{process}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name, in brackets, may hold spaces. Then follow state (field 3) and so on; fields 14
        # to 17 are the time of the process and of children that have ended (man 5 proc).
        fields = line.rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found.extend(_family(int(child)))
    return found
