"""How far the work is, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["bar"]


def bar(console: Console, total: int | None) -> Progress:
    """Return a progress bar for so many frames, or for nobody knows how many."""
    columns = (
        TextColumn("{task.completed} frames") if total is None else MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[rate]:.1f} fps, {task.fields[found]} found"),
        TimeElapsedColumn() if total is None else TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console)
    progress.add_task("", total=total, rate=0.0, found=0)
    return progress
