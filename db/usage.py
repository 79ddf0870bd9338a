"""What users have used of their quotas, in an SQLite file; see ``visiongate.contracts.UsageStore``.

A charge is one small transaction in a write-ahead log that is not flushed to the medium each
time: a crash of the gateway loses nothing, a power cut the last moments' counts.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from db.sqlite_file import Connection, transaction
from visiongate.types import Usage

__all__ = ["SQLiteUsageStore"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS usage (
    username TEXT PRIMARY KEY, day INTEGER NOT NULL, requests INTEGER NOT NULL,
    pixels INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS usage_day ON usage (day);
"""
_WRITE = """
INSERT INTO usage VALUES (?, ?, ?, ?) ON CONFLICT (username) DO UPDATE
SET day = excluded.day, requests = excluded.requests, pixels = excluded.pixels
"""


class SQLiteUsageStore:
    """One row a user in the table ``usage`` of an SQLite file of mode 0600.

    Rows of days that are over are deleted on the way.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path).resolve()
        # Apart, so that asking does not wait while another process writes.
        self._reader, self._writer = (
            Connection(
                self._path,
                _SCHEMA,
                if_damaged="start it again: the day's counts begin anew.",
                synchronous="NORMAL",
            )
            for _ in range(2)
        )

    def used(self, username: str, day: int) -> Usage:
        """Raises: StoreUnavailable."""
        with self._reader.use() as connection:
            return _row(connection, username, day)

    def charge(
        self,
        username: str,
        day: int,
        pixels: int,
        *,
        most_requests: int | None,
        most_pixels: int | None,
    ) -> tuple[bool, Usage]:
        """Raises: StoreUnavailable; then nothing was charged."""
        with self._writer.use() as connection, transaction(connection):
            before = _row(connection, username, day)
            after = Usage(before.day, before.requests + 1, before.pixels + pixels)
            if most_requests is not None and after.requests > most_requests:
                return False, before
            if most_pixels is not None and after.pixels > most_pixels:
                return False, before
            connection.execute(_WRITE, (username, after.day, after.requests, after.pixels))
            if after.requests == 1:
                connection.execute("DELETE FROM usage WHERE day < ?", (day,))
            return True, after

    def give_back(self, username: str, day: int, pixels: int) -> None:
        """Raises: StoreUnavailable."""
        with self._writer.use() as connection, transaction(connection):
            before = _row(connection, username, day)
            less = max(0, before.requests - 1), max(0, before.pixels - pixels)
            connection.execute(_WRITE, (username, before.day, *less))

    def close(self) -> None:
        """Give the file back; the next call opens it again."""
        self._reader.close()
        self._writer.close()


def _row(connection: sqlite3.Connection, username: str, day: int) -> Usage:
    found = connection.execute(
        "SELECT day, requests, pixels FROM usage WHERE username = ?", (username,)
    ).fetchone()
    if found is None or found[0] < day:
        return Usage(day)
    if found[0] == day + 1:
        return Usage(*found)
    return Usage(day, found[1], found[2])
