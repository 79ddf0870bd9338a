"""The processes of a gateway, from Linux's ``/proc``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["children", "family"]


def children(pid: int) -> list[int]:
    """Return a process's children: of a gateway's first process, its workers."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def family(pid: int) -> list[int]:
    """Return a process and all that come from it."""
    return [pid, *(one for child in children(pid) for one in family(child))]
