"""TinyDB on a file that several processes may change at once, and that a crash cannot damage.

``transaction`` is the one way to change such a file. It holds the lock across the read, the
change and the write, because TinyDB caches document ids: a lock around the write alone would
lose what others wrote in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from tinydb import TinyDB
from tinydb.middlewares import CachingMiddleware
from tinydb.storages import Storage

from db import json_documents
from visiongate.errors import StoreUnavailable
from visiongate.files import backup_of, explain, locked, read_stamped, write_private

__all__ = ["AtomicJSONStorage", "Tables", "each_document", "parse_tables", "transaction"]

Tables: TypeAlias = dict[str, dict[str, Any]]
"""TinyDB's own layout: table name -> document id (a decimal string) -> document."""


class AtomicJSONStorage(Storage):
    """TinyDB's JSON format in a file that is replaced whole, with mode 0600.

    Each write keeps the content before it as ``.bak``. ``read`` is consistent without a lock;
    a write that depends on a read belongs into ``transaction``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Tables | None:
        """Return the tables; None without a file. Raises: OSError, StoreUnavailable."""
        return parse_tables(read_stamped(self._path)[0], self._path)

    def write(self, data: Tables) -> None:
        """Have ``data`` on disk when this returns. Raises: OSError; then nothing was changed."""
        content = json.dumps(data, separators=(",", ":")).encode("ascii")
        write_private(self._path, content, backup=True)


@contextmanager
def transaction(path: Path) -> Iterator[TinyDB]:
    """Open the database at ``path`` for one change: alone, read afresh, all or nothing.

    However many operations the ``with`` block does, the file is read once and written once, at
    the block's end; if the block raises, nothing is written.

    Raises:
        StoreUnavailable: the file or its folder cannot be used; says why and what to do.
    """
    try:
        with locked(path):
            cached = CachingMiddleware(AtomicJSONStorage)  # type: ignore[no-untyped-call]
            database = TinyDB(path, storage=cached)
            yield database
            database.close()
    except OSError as error:
        raise StoreUnavailable(explain(error, path)) from error


def parse_tables(content: bytes | None, path: Path) -> Tables | None:
    """Read TinyDB's format strictly.

    Never falls back to the backup by itself: that would quietly bring back a removed user or an
    old password, so a person decides.

    Raises:
        StoreUnavailable: the content is damaged; names the backup.
    """
    if content is None or (not content and not backup_of(path).exists()):
        return None
    try:
        tables = json.loads(content)
    except ValueError as error:
        raise _damaged(path, f"it is not JSON ({error})" if content else "it is empty") from None
    if not isinstance(tables, dict) or not all(_is_table(table) for table in tables.values()):
        raise _damaged(path, "it is JSON, but not TinyDB's tables of documents")
    return tables


def each_document(content: bytes | None, path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield what ``parse_tables`` returns, as table, id and document, one after another.

    Raises:
        StoreUnavailable: as ``parse_tables``, but perhaps after some documents.
    """
    if not content:
        parse_tables(content, path)
        return
    try:
        yield from json_documents.each_document(content)
    except ValueError as error:
        parse_tables(content, path)  # which has better words
        raise _damaged(path, f"it is not TinyDB's tables of documents ({error})") from None


def _is_table(table: object) -> bool:
    return isinstance(table, dict) and all(
        key.isdecimal() and isinstance(document, dict) for key, document in table.items()
    )


def _damaged(path: Path, why: str) -> StoreUnavailable:
    backup = backup_of(path)
    if backup.exists():
        way_back = f"The state before its last change is in {backup}: check it, and copy it back."
    else:
        way_back = "Restore it from a backup, or move it away to start with an empty one."
    return StoreUnavailable(f"{path} is damaged: {why}. {way_back}")
