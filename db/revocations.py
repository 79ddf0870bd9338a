"""Revoked tokens in an SQLite file; see ``visiongate.contracts.RevocationStore``.

Not in TinyDB, whose every change rewrites the file: each refresh of a token revokes one, so a
month of them is a large file, and one client that refreshes in a loop would slow all the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from db.sqlite_file import Connection, transaction

__all__ = ["SQLiteRevocationStore"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS revoked (id TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS revoked_until ON revoked (until);
"""
_REMEMBERED_SECONDS = 0.025
"""How long an id that was good counts as good without another look, which takes 0.1 ms when the
processor's caches are full of pictures. A revocation that long ago is known to every process."""
_CLOCK_STEP_SECONDS = time.get_clock_info("monotonic").resolution
"""What two readings of that clock may be apart without telling: 16 ms on Windows."""
_MOST_REMEMBERED = 1024
_SPARE_SECONDS = 7 * 86400
"""How long an entry outlives its token, lest one be good again when a clock was ahead."""
_IF_DAMAGED = (
    "since tokens that were ended would be good again, end them all: "
    "python -m visiongate.keys rotate --at-once"
)


class SQLiteRevocationStore:
    """Revoked ids in the table ``revoked`` of an SQLite file of mode 0600.

    Asking and revoking cost the same however many ids there are; entries whose tokens
    expired by themselves a week ago are deleted on the way. ``clock`` gives Unix seconds.

    An answer may be some milliseconds old: a revocation that is under way may not show in it. It
    shows in every answer, of every process, once ``revoke`` has returned, which waits for that
    (by ``wait``, in seconds).
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._path = Path(path).resolve()
        self._clock = clock
        self._wait = wait
        self._good_until: dict[tuple[str, ...], float] = {}
        # Apart, so that asking does not wait for a revocation's way to the disk.
        self._reader, self._writer = (
            Connection(self._path, _SCHEMA, if_damaged=_IF_DAMAGED) for _ in range(2)
        )

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
        with self._writer.use() as connection, transaction(connection):
            past = self._clock() - _SPARE_SECONDS
            connection.execute("DELETE FROM revoked WHERE until <= ?", (past,))
            for id_ in wanted:
                found = connection.execute("SELECT 1 FROM revoked WHERE id = ?", (id_,))
                all_good = all_good and found.fetchone() is None
                connection.execute(
                    "INSERT INTO revoked VALUES (?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET until = max(until, excluded.until)",
                    (id_, until),
                )
        self._good_until.clear()
        # Whoever asked just before, in any process, may count on what they were told until then.
        self._wait(_REMEMBERED_SECONDS + _CLOCK_STEP_SECONDS)
        return all_good

    def is_revoked(self, *ids: str) -> bool:
        """Tell whether any of these is revoked. Raises: StoreUnavailable."""
        # All processes of a machine have this clock in common, and it never steps. Read before
        # the file, so that what is remembered ends before a revocation that it misses returns.
        asked = time.monotonic()
        if self._good_until.get(ids, 0.0) > asked:
            return False
        marks = ", ".join("?" * len(ids))
        # Only question marks are put in.
        query = f"SELECT 1 FROM revoked WHERE id IN ({marks}) AND until > ?"  # noqa: S608 # nosec
        with self._reader.use() as connection:
            found = connection.execute(query, (*ids, self._clock())).fetchone()
        if found is not None:
            return True
        if len(self._good_until) >= _MOST_REMEMBERED:
            self._good_until.clear()
        self._good_until[ids] = asked + _REMEMBERED_SECONDS
        return False

    def close(self) -> None:
        """Give the file back; the next call opens it again."""
        self._reader.close()
        self._writer.close()
