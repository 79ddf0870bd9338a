"""Revoked tokens in a TinyDB file; see ``visiongate.contracts.RevocationStore``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tinydb.table import Document

from db.atomic_storage import parse_tables, transaction
from visiongate.errors import StoreUnavailable
from visiongate.files import FileView, explain

__all__ = ["TinyDBRevocationStore"]

_TABLE = "revoked"


class TinyDBRevocationStore:
    """Revoked ids in the table ``revoked`` of a TinyDB file.

    Asking costs one ``stat`` and one step in a dict. Revoking rewrites the file, without the
    entries whose tokens have expired by themselves, so it holds no more than what was revoked
    within one token's life. ``clock`` gives Unix seconds.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = Path(path).resolve()
        self._clock = clock
        self._view = FileView(self._path, self._derive)

    def revoke(self, ids: Iterable[str], until: float) -> bool:
        """Revoke ``ids``; an id that was revoked for longer stays so.

        Returns False as well when ``until`` has passed: what has expired is good no more, and is
        not remembered, so a second caller could not be told apart.

        Raises:
            StoreUnavailable: nothing was revoked.
        """
        wanted = set(ids)
        now = self._clock()
        if until <= now:
            return False
        with transaction(self._path) as database:
            now = self._clock()
            known = self._untils()
            kept = {id_: end for id_, end in known.items() if end > now}
            all_good = kept.keys().isdisjoint(wanted)
            changed = kept | {id_: max(until, kept.get(id_, until)) for id_ in wanted}
            if changed != known:
                table = database.table(_TABLE)
                table.truncate()
                table.insert_multiple(
                    Document({"id": id_, "until": end}, doc_id)
                    for doc_id, (id_, end) in enumerate(changed.items(), 1)
                )
        return all_good

    def is_revoked(self, *ids: str) -> bool:
        """Tell whether any of these is revoked. Raises: StoreUnavailable."""
        untils = self._untils()
        now = self._clock()
        return any(untils.get(id_, now) > now for id_ in ids)

    def _untils(self) -> dict[str, float]:
        try:
            return self._view.get()
        except OSError as error:
            raise StoreUnavailable(explain(error, self._path)) from error

    def _derive(self, content: bytes | None) -> dict[str, float]:
        tables = parse_tables(content, self._path) or {}
        untils: dict[str, float] = {}
        for key, document in tables.get(_TABLE, {}).items():
            id_, until = document.get("id"), document.get("until")
            if not isinstance(id_, str) or not isinstance(until, (int, float)):
                raise StoreUnavailable(
                    f"{self._path} is damaged: document {key} of table {_TABLE!r} is no "
                    'revocation ("id" and "until"). Mend or delete that document.'
                )
            untils[id_] = float(until)
        return untils
