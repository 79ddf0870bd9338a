"""What a server and its children have used, from Linux's ``/proc``: memory, processor time."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cpu_seconds", "peak_megabytes", "private_megabytes", "resident_megabytes"]


def resident_megabytes(pid: int) -> float:
    """Return the memory of a process and its children, shared pages counted once (PSS)."""
    return sum(_kilobytes(process, "smaps_rollup", "Pss") for process in _family(pid)) / 1024


def private_megabytes(pid: int) -> float:
    """Return what each child has for itself alone (USS), on average: what one less would free."""
    fields = ("Private_Clean", "Private_Dirty", "Private_Hugetlb")
    children = _family(pid)[1:]
    return sum(_kilobytes(one, "smaps_rollup", *fields) for one in children) / len(children) / 1024


def peak_megabytes(pid: int) -> float:
    """Return the most that any of a process and its children ever had, all pages counted (RSS)."""
    return max(_kilobytes(process, "status", "VmHWM") for process in _family(pid)) / 1024


def _kilobytes(pid: int, file: str, *fields: str) -> int:
    """Add up fields of a process; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    pairs = (line.partition(":")[::2] for line in lines)
    return sum(int(value.split()[0]) for name, value in pairs if name in fields)


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
