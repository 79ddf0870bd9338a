"""Deleting what is too old or too much, and the thread that does so."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from visiongate.contracts import PictureStore
from visiongate.errors import StoreUnavailable, VisiongateError
from visiongate.retention import layout
from visiongate.retention.memory import Looked, Memory

__all__ = ["Sweeper", "Swept", "sweep"]

logger = logging.getLogger(__name__)

_WRITING_SECONDS = 3600.0  # nothing takes so long to write: what is older was left by a crash
_CLOCK_SLACK_SECONDS = 60.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Swept:
    """How many pictures a sweep deleted, and what it could not delete."""

    gone: int
    failures: tuple[StoreUnavailable, ...]


def sweep(
    root: Path, memory: Memory, *, max_age_seconds: float, max_bytes: int, now: float
) -> Swept:
    """Delete what crashes left, what is too old, and the oldest beyond the budget; count pictures.

    Any number of processes may sweep at once: each picture is deleted, and counted, by one.
    What cannot be deleted is among the failures, and the rest is deleted all the same. The disk
    is asked about pictures that ``memory`` lacks; what it knows of others that went is dropped.

    Raises:
        StoreUnavailable: nothing could be looked at.
    """
    failures: list[StoreUnavailable] = []
    gone = 0
    try:
        _sweep_leftovers(root, now, failures)
        found = _look(root, memory, now)
        emptied = found.empty
        if found.bytes > max_bytes or now - found.oldest >= max_age_seconds:
            for name in _too_much(memory, found, now - max_age_seconds, max_bytes):
                looked = found.others.get(name) or memory.looked(name)
                if looked is None:  # deleted meanwhile
                    continue
                folder = name if name in found.others else layout.where(root, name)
                _, key, picture_id = folder.rsplit("/", 2)
                emptied.add(key)
                memory.drop([picture_id])
                with _noting(failures):
                    gone += layout.remove(root, folder, looked.files)
        for key in emptied:
            with contextlib.suppress(OSError):  # not empty, or another process was quicker
                os.rmdir(f"{root}/{key}")
    except OSError as error:
        raise layout.unavailable("swept", error) from error
    return Swept(gone, tuple(failures))


class Sweeper:
    """A background thread that sweeps a store at once, then every ``interval`` seconds.

    Earlier where ``is_due``, which is asked every second, unless the last sweep has failed.
    """

    def __init__(
        self, store: PictureStore, interval: float, is_due: Callable[[], bool] = lambda: False
    ) -> None:
        self._store = store
        self._interval = interval
        self._is_due = is_due
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
            failed = True
            try:
                gone = self._store.sweep()
                if gone:
                    logger.info("swept %d kept pictures", gone)
                failed = False
            except VisiongateError as error:
                logger.warning("kept pictures were not all swept: %s", error.detail)
            except Exception:
                # Whatever it was, the next round may go well; without one the disk fills up.
                logger.exception("sweeping kept pictures failed")
            if not self._waits(stopping, (lambda: False) if failed else self._is_due):
                return

    def _waits(self, stopping: threading.Event, is_due: Callable[[], bool]) -> bool:
        """Wait until a sweep is due; return False if there is to be none."""
        until = time.monotonic() + self._interval
        while (left := until - time.monotonic()) > 0:
            if stopping.wait(min(left, _LOOK_SECONDS)):
                return False
            if is_due():
                break
        return not stopping.is_set()


@contextlib.contextmanager
def _noting(failures: list[StoreUnavailable]) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        failures.append(error)


@dataclass
class _Found:
    """What a look at all pictures came upon."""

    bytes: int = 0
    oldest: float = math.inf
    empty: set[str] = field(default_factory=set)
    """Owners' folders without pictures."""
    others: dict[str, Looked] = field(default_factory=dict)
    """By their folders, pictures that are not in the memory: it is full, or they are astray."""


def _look(root: Path, memory: Memory, now: float) -> _Found:
    found = _Found()
    # Those in memory now: a picture that is kept from here on may be missed by the listing.
    unseen = memory.ids()
    for key in layout.owners(root):
        found.empty.add(key)
        for picture_id in layout.ids(root, key):
            found.empty.discard(key)
            astray = layout.key_of(picture_id) != key
            looked = None if astray else memory.looked(picture_id)
            if looked is None or looked.born > now + _CLOCK_SLACK_SECONDS:
                folder = f"{root}/{key}/{picture_id}"
                try:
                    looked = _look_at(folder, now)
                except FileNotFoundError:  # another process was quicker
                    continue
                if astray or not memory.put(picture_id, looked=looked):
                    found.others[folder] = looked
            if not astray:
                unseen.discard(picture_id)
            found.bytes += looked.bytes
            found.oldest = min(found.oldest, looked.born)
    memory.drop(unseen)  # whichever process deleted them
    return found


def _too_much(memory: Memory, found: _Found, oldest: float, most: int) -> list[str]:
    """Return what was not born after ``oldest``, and the oldest of what is beyond ``most`` bytes.

    Pictures in the memory are named by their ids, with those that were kept meanwhile; others by
    their folders. Nothing is made for each of them that would live as long as their deletion takes,
    which is a minute where requests come all the while.
    """

    def look(name: str) -> Looked | None:
        return found.others.get(name) or memory.looked(name)

    def born(name: str) -> float:
        looked = look(name)
        return looked.born if looked is not None else -math.inf

    names = sorted([*found.others, *memory.ids()], key=born)
    # From the newest back, each looked at once: one that is deleted meanwhile then frees its bytes
    # here as well, and no other goes for them.
    kept = 0
    for number in range(len(names), 0, -1):
        looked = look(names[number - 1])
        if looked is None:
            continue
        kept += looked.bytes
        if looked.born <= oldest or kept > most:
            return names[:number]
    return []


def _sweep_leftovers(root: Path, now: float, failures: list[StoreUnavailable]) -> None:
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return
    for name in names:
        path = f"{root}/{name}"
        with _noting(failures), contextlib.suppress(FileNotFoundError):
            if name.startswith(layout.DELETED) or (
                name.startswith(layout.INCOMING) and now - _born(path, now) > _WRITING_SECONDS
            ):
                layout.erase(path)


def _look_at(path: str, now: float) -> Looked:
    born = _born(path, now)
    with os.scandir(path) as entries:
        sizes = {entry.name: entry.stat().st_size for entry in entries}
    return Looked(born, sum(sizes.values()), tuple(sorted(sizes)))


def _born(path: str, now: float) -> float:
    born = os.stat(path).st_mtime
    if born > now + _CLOCK_SLACK_SECONDS:
        # The clock was ahead when this was kept, and has been put back. The true age is lost;
        # counted from now, it is at least not kept forever.
        os.utime(path, (now, now))
        return now
    return born
