"""Whether networks run one at a time, so that each may have the whole processor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Turns"]

_ENOUGH = 8
"""Runs one after another that tell a lone caller. At saturation with two cores, two or three in a
row happen by chance, while another request decodes its picture."""


class Turns:
    """Counts runs, of whatever network, that overlap none. Thread-safe."""

    def __init__(self, enough: int = _ENOUGH) -> None:
        self._enough = enough
        self._lock = threading.Lock()
        self._running = 0
        self._alone = 0

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Hold a turn; tell whether no other is held now, nor was during the last few.

        Of turns held at once, at most one is told so: the first.
        """
        with self._lock:
            self._running += 1
            self._alone = self._alone + 1 if self._running == 1 else 0
            alone = self._alone > self._enough
        try:
            yield alone
        finally:
            with self._lock:
                self._running -= 1
