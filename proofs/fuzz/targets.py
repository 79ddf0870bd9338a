"""What can be fuzzed, and with what it begins."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

__all__ = ["FOUND", "TARGETS", "Finding", "Target", "has_atheris", "known"]

FOUND = Path(__file__).with_name("found")
"""A folder for each target, with the inputs that once broke it."""


class Finding(AssertionError):
    """What must not be, whatever the bytes."""


@dataclass(frozen=True, slots=True)
class Target:
    """A module with ``seeds() -> list[bytes]`` and ``check(data: bytes)``, which raises at a fault.

    ``instrumented`` are the packages whose branches are counted; ``longest`` is in bytes.
    """

    module: str
    instrumented: tuple[str, ...]
    longest: int

    def load(self) -> ModuleType:
        """Import it; what it looks at is imported with it, so instrument first."""
        return importlib.import_module(self.module)


TARGETS = {
    "imaging": Target("proofs.fuzz.imaging", ("visiongate.imaging", "PIL"), 8192),
    "requests": Target(
        "proofs.fuzz.requests", ("visiongate.web", "gunicorn.http", "werkzeug"), 8192
    ),
}


def known(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the inputs that a target begins with, and those that were once found, with names."""
    for number, data in enumerate(TARGETS[name].load().seeds()):
        yield f"seed {number}", data
    for file in sorted((FOUND / name).iterdir()):
        if not file.name.startswith("."):
            yield file.name, file.read_bytes()


def has_atheris() -> bool:
    """Tell whether Atheris is installed; it has wheels for Linux on x86-64 and Python 3.11 on."""
    return importlib.util.find_spec("atheris") is not None
