"""Read the audit log back: every file of it, the oldest line first."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from visiongate.audit.log import AuditFile

__all__ = ["Query", "Reading", "files_of"]


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for; None and "" ask for nothing in particular.

    ``user`` is whom an event is about, or who did it. ``event`` is a name, or what comes before
    its dot. ``since`` (included) and ``until`` (excluded) are times as the lines have them.
    """

    user: str = ""
    event: str = ""
    outcome: str = ""
    since: str = ""
    until: str = ""

    def takes(self, found: dict[str, Any]) -> bool:
        """Tell whether an event is one of those."""
        if self.user:
            name = unicodedata.normalize("NFC", self.user)
            if name not in (found.get("user"), found.get("actor")):
                return False
        if self.event and not f"{found['event']}.".startswith(f"{self.event}."):
            return False
        if self.outcome and found.get("outcome") != self.outcome:
            return False
        return bool(self.since <= found["time"] and (not self.until or found["time"] < self.until))


class Reading:
    """One way through all files of the log at ``path``.

    ``damaged`` counts lines met so far that are no events: cut off by a crash or a full disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path).resolve()
        self.damaged = 0

    def events(self, query: Query) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Yield each line that the query takes, as it stands there and as it reads.

        Raises:
            OSError: a file cannot be read.
        """
        with _opened(self._path) as files:
            for file in files:
                for line in file:
                    found = _event(line)
                    if found is None:
                        self.damaged += 1
                    elif query.takes(found):
                        yield line, found


def files_of(path: Path) -> list[Path]:
    """Return the files of the log at ``path`` that are there, the oldest first."""
    pattern = re.compile(re.escape(path.name) + r"\.([1-9]\d{0,5})")
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    numbered = [(int(match[1]), file) for file in beside if (match := pattern.fullmatch(file.name))]
    files = [file for _, file in sorted(numbered, reverse=True)]
    return [*files, path] if path.exists() else files


@contextmanager
def _opened(path: Path) -> Iterator[list[BinaryIO]]:
    """Open all files at one moment, so that a rotation while reading neither hides nor repeats."""
    with ExitStack() as stack:
        with _held(path):
            files = [stack.enter_context(file.open("rb")) for file in files_of(path)]
        yield list(files)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with ExitStack() as stack:
        # A copy is written to by nobody, and has no lock; who may not take the lock can only
        # hope for no rotation in this moment.
        if path.with_name(path.name + ".lock").exists():
            with suppress(PermissionError):
                stack.enter_context(AuditFile(path, max_bytes=1, keep_files=1).locked())
        yield


def _event(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if not isinstance(found.get("time"), str) or not isinstance(found.get("event"), str):
        return None
    return found
