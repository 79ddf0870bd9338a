"""Deleting what is too old or too much, and the thread that does so."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from visiongate.contracts import PictureStore
from visiongate.errors import StoreUnavailable, VisiongateError
from visiongate.retention import layout

__all__ = ["Sweeper", "Swept", "sweep"]

logger = logging.getLogger(__name__)

_WRITING_SECONDS = 3600.0  # nothing takes so long to write: what is older was left by a crash
_CLOCK_SLACK_SECONDS = 60.0


@dataclass(frozen=True)
class Swept:
    """What a sweep came upon: how many pictures it deleted, the ids of those that stay."""

    gone: int
    left: frozenset[str]
    failures: tuple[StoreUnavailable, ...]


def sweep(root: Path, *, max_age_seconds: float, max_bytes: int, now: float) -> Swept:
    """Delete what crashes left, what is too old, and the oldest beyond the budget; count pictures.

    Any number of processes may sweep at once: each picture is deleted, and counted, by one.
    What cannot be deleted is among the failures, and the rest is deleted all the same.

    Raises:
        StoreUnavailable: nothing could be looked at.
    """
    failures: list[StoreUnavailable] = []
    gone = 0
    left = set()
    try:
        _sweep_leftovers(root, now, failures)
        aged = _by_age(root, now)
        total = sum(size for _, size, _ in aged)
        for born, size, path in aged:
            if now - born < max_age_seconds and total <= max_bytes:
                left.add(path.name)
                continue
            total -= size
            with _noting(failures):
                gone += layout.remove(root, path)
        for folder in layout.owners(root):
            with contextlib.suppress(OSError):  # not empty, or another process was quicker
                folder.rmdir()
    except OSError as error:
        raise layout.unavailable("swept", error) from error
    return Swept(gone, frozenset(left), tuple(failures))


class Sweeper:
    """A background thread that sweeps a store at once, then every ``interval`` seconds."""

    def __init__(self, store: PictureStore, interval: float) -> None:
        self._store = store
        self._interval = interval
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start sweeping; nothing happens if it runs already."""
        if self._thread is None or not self._thread.is_alive():
            self._stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopping,), name="sweep", daemon=True
            )
            self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Ask the thread to end, and wait for it at most ``timeout`` seconds."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None

    def _run(self, stopping: threading.Event) -> None:
        while True:
            try:
                gone = self._store.sweep()
                if gone:
                    logger.info("swept %d kept pictures", gone)
            except VisiongateError as error:
                logger.warning("kept pictures were not all swept: %s", error.detail)
            except Exception:
                # Whatever it was, the next round may go well; without one the disk fills up.
                logger.exception("sweeping kept pictures failed")
            if stopping.wait(self._interval):
                return


@contextlib.contextmanager
def _noting(failures: list[StoreUnavailable]) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        failures.append(error)


def _by_age(root: Path, now: float) -> list[tuple[float, int, Path]]:
    """Return (time of birth, bytes, folder) of each picture, the oldest first."""
    aged = []
    for path in layout.pictures(root):
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            aged.append((_born(path, now), _bytes_in(path), path))
    return sorted(aged, key=lambda item: item[0])


def _sweep_leftovers(root: Path, now: float, failures: list[StoreUnavailable]) -> None:
    for path in root.glob(f"{layout.DELETED}*"):
        with _noting(failures):
            layout.erase(path)
    for path in root.glob(f"{layout.INCOMING}*"):
        with _noting(failures), contextlib.suppress(FileNotFoundError):
            if now - _born(path, now) > _WRITING_SECONDS:
                layout.erase(path)


def _born(path: Path, now: float) -> float:
    born = path.stat().st_mtime
    if born > now + _CLOCK_SLACK_SECONDS:
        # The clock was ahead when this was kept, and has been put back. The true age is lost;
        # counted from now, it is at least not kept forever.
        os.utime(path, (now, now))
        return now
    return born


def _bytes_in(path: Path) -> int:
    with os.scandir(path) as entries:
        return sum(entry.stat().st_size for entry in entries)
