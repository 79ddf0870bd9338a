"""Login attempts in an SQLite file; see ``visiongate.contracts.AttemptStore`` for the promises."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from db.sqlite_file import Connection, transaction

__all__ = ["SQLiteAttemptStore"]

_WAIT_SECONDS = 1.0
"""Longer than counting ever takes. Nobody is to wait long for his password to be looked at."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    key BLOB PRIMARY KEY, counted INTEGER NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attempts_until ON attempts (until);
"""
_COUNT = """
INSERT INTO attempts VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE
SET counted = counted + excluded.counted, until = min(until, excluded.until)
"""


class SQLiteAttemptStore:
    """One row a window in the table ``attempts`` of an SQLite file of mode 0600.

    Keys are kept as hashes, and rows until their window is over. A power cut may lose the last
    moments' counts. ``clock`` gives Unix seconds.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = Connection(
            Path(path).resolve(),
            _SCHEMA,
            if_damaged="start it again: attempts are counted anew.",
            synchronous="NORMAL",
            seconds=_WAIT_SECONDS,
        )

    def count(self, key: str, seconds: float, attempts: int = 1) -> int:
        """Raises: StoreUnavailable; then nothing was counted."""
        now = self._clock()
        with self._file.use() as connection, transaction(connection):
            connection.execute("DELETE FROM attempts WHERE until <= ?", (now,))
            connection.execute(_COUNT, (_hashed(key), attempts, now + seconds))
            query = "SELECT counted FROM attempts WHERE key = ?"
            found = connection.execute(query, (_hashed(key),)).fetchone()
        return int(found[0])

    def window(self, key: str) -> tuple[int, float]:
        """Raises: StoreUnavailable."""
        query = "SELECT counted, until FROM attempts WHERE key = ? AND until > ?"
        now = self._clock()
        with self._file.use() as connection:
            found = connection.execute(query, (_hashed(key), now)).fetchone()
        return (int(found[0]), float(found[1])) if found else (0, now)

    def forget(self, key: str | None = None) -> None:
        """Raises: StoreUnavailable."""
        with self._file.use() as connection, transaction(connection):
            if key is None:
                connection.execute("DELETE FROM attempts")
            else:
                connection.execute("DELETE FROM attempts WHERE key = ?", (_hashed(key),))

    def close(self) -> None:
        """Give the file back; the next call opens it again."""
        self._file.close()


def _hashed(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
