"""An SQLite file of mode 0600 that several processes and threads write to."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from visiongate.errors import StoreUnavailable
from visiongate.files import LOCK_SECONDS, explain, locked, make_private

__all__ = ["Connection", "transaction"]


class Connection:
    """One connection, opened when first used, for one thread at a time.

    Write-ahead logging lets readers pass writers. Without it no file would be mapped into memory (a
    ``-shm`` that is cut off ends the process), but beside two processes that write without a pause
    a look-up among 70,000 entries took 1.3 s at p99, where it takes 55 us.

    Args:
        schema: statements that make what is not there yet.
        if_damaged: what to do about a damaged file, after it was moved away.
        synchronous: ``FULL`` has a change on the medium when its transaction ends; ``NORMAL`` may
            lose the last ones in a power cut, and is some hundred times faster.
        seconds: how long to wait for other threads, and then for other processes.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        *,
        if_damaged: str,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        seconds: float = LOCK_SECONDS,
    ) -> None:
        self._path = path
        self._schema = schema
        self._if_damaged = if_damaged
        self._synchronous = synchronous
        self._seconds = seconds
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._pid = 0
        self._close_if_forgotten: Callable[[], object] = lambda: None

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """Raises: StoreUnavailable, for whatever keeps the ``with`` block from the file."""
        try:
            with self._turn():
                # SQLite forbids to carry a connection into a forked process.
                if self._open is None or self._pid != os.getpid():
                    self._open, self._pid = self._connect(), os.getpid()
                    self._close_if_forgotten = weakref.finalize(self, self._open.close)
                yield self._open
        except OSError as error:
            raise StoreUnavailable(explain(error, self._path)) from error
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(
                f"{self._path} cannot be used: {error}. See that its disk has room and is mounted "
                "writable, and that this account may write to its folder."
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreUnavailable(
                f"{self._path} is damaged: {error}. Stop the gateway, move the file away together "
                f"with its -wal and -shm files, and {self._if_damaged}"
            ) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=self._seconds):
            raise StoreUnavailable(
                f"{self._path} has been in use by others for {self._seconds:g} s. Try again."
            )
        try:
            yield
        finally:
            self._lock.release()

    def close(self) -> None:
        """Give the file back; the next use opens it again."""
        with self._lock:
            self._close_if_forgotten()
            self._open = None

    def _connect(self) -> sqlite3.Connection:
        make_private(self._path)  # SQLite gives its other files the mode and owner of this one
        connection = sqlite3.connect(
            self._path, timeout=self._seconds, isolation_level=None, check_same_thread=False
        )
        try:
            # SQLite does not wait its turn to switch a new file to WAL, so we do.
            with locked(self._path):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {self._synchronous}")
                connection.executescript(self._schema)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Be the only writer from the first statement to the last; all of them or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
