"""What a process remembers of kept pictures, so that it need not ask the disk again."""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

from visiongate.retention.layout import Meta

__all__ = ["Looked", "Memory"]

T = TypeVar("T", bound=Hashable)

# Born, bytes on the disk, files; created, bytes of the original and of the copy; owner and format.
_RECORD = struct.Struct("<dIBdIIH")
_NO_COPY = 0xFFFF_FFFF
_MOST = 200_000  # about 220 bytes each


class Looked(NamedTuple):
    """What a look at the disk tells of a picture; ``files`` are the names of its files."""

    born: float
    bytes: int
    files: tuple[str, ...]


class Memory:
    """Remembers ``most`` pictures at most: whatever comes when it is full is asked of the disk.

    Each is packed into one small object, which the garbage collector need not visit. Where two
    threads put what they know of one picture at once, that of one may be forgotten.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._records: dict[str, bytes] = {}
        self._files = _Shared[tuple[str, ...]]((), most=255)
        self._kinds = _Shared[tuple[str, str]](("", ""), most=65_535)

    def ids(self) -> set[str]:
        return set(self._records)

    def looked(self, picture_id: str) -> Looked | None:
        """Return what is on the disk; its files are left out if they are unusual ones."""
        record = self._records.get(picture_id)
        if record is None:
            return None
        born, size, files, *_ = _RECORD.unpack(record)
        return None if math.isnan(born) else Looked(born, size, self._files[files])

    def meta(self, picture_id: str) -> Meta | None:
        record = self._records.get(picture_id)
        if record is None:
            return None
        *_, created, original, copy, kind = _RECORD.unpack(record)
        if not kind:
            return None
        owner, format_ = self._kinds[kind]
        return Meta(owner, created, format_, original, None if copy == _NO_COPY else copy)

    def put(
        self, picture_id: str, *, looked: Looked | None = None, meta: Meta | None = None
    ) -> bool:
        """Remember what is given, beside what is known already; False if there is no room."""
        if picture_id not in self._records and len(self._records) >= self._most:
            return False
        looked = looked or self.looked(picture_id) or Looked(math.nan, 0, ())
        meta = meta or self.meta(picture_id)
        created, original, copy, kind = 0.0, 0, None, 0
        try:
            if meta is not None:
                created, original, copy = meta.created, meta.original_bytes, meta.annotated_bytes
                kind = self._kinds.number((meta.owner, meta.format))
            self._records[picture_id] = _RECORD.pack(
                looked.born,
                looked.bytes,
                self._files.number(looked.files),
                created,
                original,
                _NO_COPY if copy is None else copy,
                kind,
            )
        except (struct.error, TypeError):
            return False  # beyond 4 GB, or metadata that other hands have written

        return True

    def drop(self, picture_ids: Iterable[str]) -> None:
        for picture_id in picture_ids:
            self._records.pop(picture_id, None)


class _Shared(Generic[T]):
    """Numbers the few values that many pictures share; 0 stands for ``first``, and when full."""

    def __init__(self, first: T, *, most: int) -> None:
        self._values = [first]
        self._numbers = {first: 0}
        self._most = most
        self._adding = threading.Lock()

    def __getitem__(self, number: int) -> T:
        return self._values[number]

    def number(self, value: T) -> int:
        known = self._numbers.get(value)
        if known is not None:
            return known
        with self._adding:
            if value not in self._numbers and len(self._values) <= self._most:
                self._values.append(value)
                self._numbers[value] = len(self._values) - 1
            return self._numbers.get(value, 0)
