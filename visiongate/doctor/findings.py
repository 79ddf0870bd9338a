"""What an examination says: how it stands, what was found, and what to do."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["LEVELS", "Finding", "Level", "command", "fail", "in_words", "ok", "warn"]

Level: TypeAlias = Literal["ok", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "fail")
"""From the best to the worst; the place is the exit status."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination. ``do`` is a sentence or a command; only ``ok`` needs none."""

    check: str
    level: Level
    message: str
    do: str = ""

    def __post_init__(self) -> None:
        if self.level != "ok" and not self.do:
            raise ValueError(f"{self.check}: whoever reads of a problem wants to know what to do")


def ok(check: str, message: str) -> Finding:
    return Finding(check, "ok", message)


def warn(check: str, message: str, do: str) -> Finding:
    return Finding(check, "warn", message, do)


def fail(check: str, message: str, do: str) -> Finding:
    return Finding(check, "fail", message, do)


def command(*words: str | Path) -> str:
    """Return a command line that a shell reads as these words, whatever a path has in it."""
    return shlex.join(str(word) for word in words)


def in_words(names: Sequence[object]) -> str:
    """Join names with commas, the first few of many."""
    shown = ", ".join(str(name) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
