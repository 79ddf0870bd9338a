"""The newest frame of a camera or stream, however slow whoever asks for it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from streaming.frames import Capture, Frame, SourceError, rate_of

__all__ = ["Live"]

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
IDLE_SECONDS = 0.05


class Live:
    """A camera or stream, opened again whenever it breaks.

    A thread reads all the time, or the driver's buffer would give ever older frames; it keeps
    the newest one only. ``first`` is open already. ``frames`` raises SourceError once there has
    been no frame for ``patience`` seconds.
    """

    live = True
    total: int | None = None

    def __init__(
        self,
        first: Capture,
        reopen: Callable[[], Capture],
        name: str,
        *,
        every: int,
        patience: float,
        say: Callable[[str], None],
    ) -> None:
        self.name = name
        self.rate = rate_of(first)
        self._reopen = reopen
        self._every = every
        self._patience = patience
        self._say = say
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._lost = False
        self._wanted = 0
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(first,), daemon=True)

    def frames(self, idle: Callable[[], None]) -> Iterator[Frame]:
        self._reader.start()
        while True:
            with self._changed:
                self._changed.wait_for(self._ready, IDLE_SECONDS)
                frame = self._newest
            if frame is not None and frame.number >= self._wanted:
                yield self.newest(frame)
            elif self._lost:
                raise SourceError(f"{self.name} gave no frame for {self._patience:g} s.")
            else:
                idle()

    def newest(self, frame: Frame) -> Frame:
        with self._changed:
            newest = self._newest or frame
        self._wanted = newest.number + self._every
        return newest

    def close(self) -> None:
        self._closing.set()
        if self._reader.is_alive():
            self._reader.join(2.0)  # one that hangs in the driver ends with the process

    def _ready(self) -> bool:
        return self._lost or (self._newest is not None and self._newest.number >= self._wanted)

    def _read(self, capture: Capture) -> None:
        try:
            self._keep_reading(capture)
        finally:
            with self._changed:
                self._lost = True
                self._changed.notify_all()

    def _keep_reading(self, capture: Capture) -> None:
        """Read until closed, or until patience is at its end."""
        start = last = time.monotonic()
        number, pause, broken = 0, FIRST_PAUSE, False
        while not self._closing.is_set():
            whole, image = capture.read()
            now = time.monotonic()
            if whole:
                if broken:
                    self._say(f"{self.name} is back.")
                self._put(Frame(number, now - start, image, captured=time.time()))
                number, last, pause, broken = number + 1, now, FIRST_PAUSE, False
                continue
            capture.release()
            if now - last > self._patience:
                return
            if not broken:
                self._say(f"{self.name} broke off; opening it again.")
            broken = True
            self._closing.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            capture = self._reopen()
        capture.release()

    def _put(self, frame: Frame) -> None:
        with self._changed:
            self._newest = frame
            self._changed.notify_all()
