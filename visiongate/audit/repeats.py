"""Refusals that repeat: the first is written at once, the others of that minute are counted.

Else whoever can send requests could fill the audit log with refusals until its rotation has
thrown away what it was kept for.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["WINDOW_SECONDS", "Repeats"]

K = TypeVar("K", bound=Hashable)

WINDOW_SECONDS = 60.0
_MOST_KEYS = 256


@dataclass(slots=True)
class _Window:
    ends: float
    more: int = 0


class Repeats(Generic[K]):
    """Counts what repeats within a minute; at most 256 different kinds of things at once.

    ``others`` stands for all that come while there are so many. Thread-safe.
    """

    def __init__(self, others: K) -> None:
        self._others = others
        self._windows: dict[K, _Window] = {}
        self._next = 0.0
        self._lock = threading.Lock()

    def is_first(self, key: K, now: float) -> bool:
        """Tell whether this is to be written; else it has been counted."""
        with self._lock:
            window = self._windows.get(key)
            if window is None and len(self._windows) >= _MOST_KEYS:
                key = self._others
                window = self._windows.setdefault(key, _Window(now + WINDOW_SECONDS))
            if window is not None:
                window.more += 1
                return False
            self._windows[key] = _Window(now + WINDOW_SECONDS)
            return True

    def due(self, now: float) -> Iterator[tuple[K, int]]:
        """Yield what was counted in windows that have ended, and forget those windows.

        ``math.inf`` ends all of them.
        """
        with self._lock:
            # A clock that was set back must not hold the windows open.
            if self._next - WINDOW_SECONDS <= now < self._next:
                return
            ended = {
                key: window
                for key, window in self._windows.items()
                if not window.ends - WINDOW_SECONDS <= now < window.ends
            }
            for key in ended:
                del self._windows[key]
            self._next = min((w.ends for w in self._windows.values()), default=now)
        for key, window in ended.items():
            if window.more:
                yield key, window.more
