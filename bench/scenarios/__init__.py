"""What ``python -m bench`` measures: one module each, in the order in which they run.

A scenario has a ``TITLE``, says in ``ABOUT`` what is measured and how to read it, in ``AIM`` what
is to be reached, and measures in ``run(session)``. ``PLOTS`` are what is drawn of its results.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol

from bench.session import Session

__all__ = ["NAMES", "Plot", "Scenario", "get"]

NAMES = (
    "faces",
    "one_client",
    "detectors",
    "attributes",
    "mlapi",
    "size",
    "users",
    "overhead",
    "startup",
    "memory",
)


@dataclass(frozen=True)
class Plot:
    """A measure over a point, one line for each contender; bars where there is no point."""

    measure: str
    over: str | None = None
    log: bool = False


class Scenario(Protocol):
    """A module of this package."""

    TITLE: str
    ABOUT: str
    AIM: str
    PLOTS: tuple[Plot, ...]

    def run(self, session: Session) -> None: ...


def get(name: str) -> Scenario:
    """Import a scenario. Raises: KeyError, listing those that exist."""
    if name not in NAMES:
        raise KeyError(f"there is no scenario {name!r}; there are: {', '.join(NAMES)}")
    module: Scenario = importlib.import_module(f"{__name__}.{name}")
    return module
