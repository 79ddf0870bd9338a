"""Ctrl+C and SIGTERM that end a program between two frames, never in the middle of writing one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interrupts"]


class Interrupts:
    """Within ``with``, a signal raises KeyboardInterrupt only where that is ``allowed``.

    One that comes at another time is raised where the next allowed part begins. Use it in the
    main thread.
    """

    def __init__(self) -> None:
        self._came = 0
        self._allowed = False
        self._before: dict[int, Any] = {}

    @property
    def status(self) -> int:
        """The exit status that shells expect: 128 and the signal's number."""
        return 128 + self._came

    def __enter__(self) -> Interrupts:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let a signal end what is done here, since it may take long."""
        self._allowed = True
        try:
            if self._came:
                raise KeyboardInterrupt
            yield
        finally:
            self._allowed = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came = number
        if self._allowed:
            self._allowed = False
            raise KeyboardInterrupt
