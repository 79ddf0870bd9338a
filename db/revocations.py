"""Revoked tokens in an SQLite file; see ``visiongate.contracts.RevocationStore``.

Not in TinyDB, whose every change rewrites the file: each refresh of a token revokes one, so a
month of them is a large file, and one client that refreshes in a loop would slow all the others.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from visiongate.errors import StoreUnavailable
from visiongate.files import LOCK_SECONDS, explain, locked, make_private

__all__ = ["SQLiteRevocationStore"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS revoked (id TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS revoked_until ON revoked (until);
"""


class SQLiteRevocationStore:
    """Revoked ids in the table ``revoked`` of an SQLite file of mode 0600.

    Asking and revoking cost the same however many ids there are; entries whose tokens have
    expired by themselves are deleted on the way. Write-ahead logging lets readers pass writers.
    ``clock`` gives Unix seconds.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = Path(path).resolve()
        self._clock = clock
        # Apart, so that asking does not wait for a revocation's way to the disk.
        self._reader = _Connection(self._path)
        self._writer = _Connection(self._path)

    def revoke(self, ids: Iterable[str], until: float) -> bool:
        """Revoke ``ids``; an id that was revoked for longer stays so.

        Returns False as well when ``until`` has passed: what has expired is good no more, and is
        not remembered, so a second caller could not be told apart.

        Raises:
            StoreUnavailable: nothing was revoked.
        """
        wanted = set(ids)
        if until <= self._clock():
            return False
        all_good = True
        with self._writer.use() as connection, _transaction(connection):
            connection.execute("DELETE FROM revoked WHERE until <= ?", (self._clock(),))
            for id_ in wanted:
                found = connection.execute("SELECT 1 FROM revoked WHERE id = ?", (id_,))
                all_good = all_good and found.fetchone() is None
                connection.execute(
                    "INSERT INTO revoked VALUES (?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET until = max(until, excluded.until)",
                    (id_, until),
                )
        return all_good

    def is_revoked(self, *ids: str) -> bool:
        """Tell whether any of these is revoked. Raises: StoreUnavailable."""
        query = "SELECT 1 FROM revoked WHERE id = ? AND until > ?"
        now = self._clock()
        with self._reader.use() as connection:
            return any(connection.execute(query, (id_, now)).fetchone() for id_ in ids)

    def close(self) -> None:
        """Give the file back; the next call opens it again."""
        self._reader.close()
        self._writer.close()


class _Connection:
    """One connection, opened when first used, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._pid = 0
        self._close_if_forgotten: Callable[[], object] = lambda: None

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                # SQLite forbids to carry a connection into a forked process.
                if self._open is None or self._pid != os.getpid():
                    self._open, self._pid = self._connect(), os.getpid()
                    self._close_if_forgotten = weakref.finalize(self, self._open.close)
                yield self._open
        except OSError as error:
            raise StoreUnavailable(explain(error, self._path)) from error
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(
                f"{self._path} cannot be used: {error}. See that its disk has room and that this "
                "account may write to its folder."
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreUnavailable(
                f"{self._path} is damaged: {error}. Stop the gateway, move the file away together "
                "with its -wal and -shm files, and, since tokens that were ended would be good "
                "again, end them all: python -m visiongate.keys rotate --at-once"
            ) from error

    def close(self) -> None:
        with self._lock:
            self._close_if_forgotten()
            self._open = None

    def _connect(self) -> sqlite3.Connection:
        make_private(self._path)  # SQLite gives its other files the mode and owner of this one
        connection = sqlite3.connect(
            self._path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            # SQLite does not wait its turn to switch a new file to WAL, so we do.
            with locked(self._path):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Be the only writer from the first statement to the last; all of them or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
