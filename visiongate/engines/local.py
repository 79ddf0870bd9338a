"""Run detectors in this process: a few requests at once for each core, the rest in line.

Handing the work to the thread that already holds the request costs nothing; what matters is
that not many more of them compute at once than the processor has cores, because then every
request becomes slow and decoded pictures pile up in memory. Networks themselves run one a core.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from visiongate.contracts import Detector
from visiongate.errors import DeadlineExceeded, Overloaded, Unavailable
from visiongate.types import Detection, Image, PredictOptions

__all__ = ["LocalEngine"]

_SMOOTHING = 0.1
"""Weight of the newest request in the running mean of service times (for ``Retry-After``)."""


class _Place:
    """A request's place in line; ``granted`` changes only under the engine's lock.

    One bare lock: waking somebody by ``threading.Event`` takes three, and as many turns.
    """

    def __init__(self) -> None:
        self.granted = False
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def wait(self, seconds: float) -> None:
        """Sleep until ``wake``, but no longer than that."""
        self._asleep.acquire(timeout=seconds)

    def wake(self) -> None:
        """End that sleep; once. Best without the engine's lock, which the woken may want."""
        self._asleep.release()


class LocalEngine:
    """Bounded concurrency with a bounded line, first come first served.

    Args:
        concurrency: requests that compute at once (at least 1).
        max_waiting: requests that may wait for a place; 0 refuses instead of waiting.
    """

    def __init__(self, concurrency: int, max_waiting: int) -> None:
        if concurrency < 1 or max_waiting < 0:
            raise ValueError(
                f"need concurrency >= 1 and max_waiting >= 0, got {concurrency}, {max_waiting}"
            )
        self.concurrency = concurrency
        self.max_waiting = max_waiting
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._line: deque[_Place] = deque()
        self._running = 0
        self._closed = False
        self._mean_seconds = 0.05
        self._waiting_outside: Callable[[], int] = lambda: 0

    @property
    def running(self) -> int:
        """How many requests compute now."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many requests wait for a place now, here or before the threads that ask for it."""
        return len(self._line) + self._waiting_outside()

    def count_too(self, waiting: Callable[[], int]) -> None:
        """Count those, too, who wait outside for a thread of theirs to ask for a place."""
        self._waiting_outside = waiting

    @contextmanager
    def admit(self, deadline: float) -> Iterator[None]:
        """Wait for a place and hold it; see ``contracts.InferenceEngine.admit``."""
        self._enter(deadline)
        begun = time.monotonic()
        try:
            yield
        finally:
            self._leave(time.monotonic() - begun)

    def infer(
        self,
        detector: Detector,
        images: Sequence[Image],
        options: PredictOptions,
        deadline: float,
    ) -> list[tuple[Detection, ...]]:
        """Run the detector in the calling thread, unless the deadline has passed."""
        if time.monotonic() >= deadline:
            raise DeadlineExceeded(
                f"The deadline passed before detector {detector.info.name!r} could begin. "
                "Send fewer requests at once, or allow more time with X-Deadline-Ms.",
                retry_after=self.retry_after(),
            )
        return detector.predict(images, options)

    def retry_after(self) -> float:
        """Estimate the seconds until the line is empty, at least one."""
        return max(1.0, self._mean_seconds * self.waiting / self.concurrency)

    def close(self) -> None:
        """Refuse newcomers and those in line; return when nothing runs any more."""
        with self._lock:
            self._closed = True
            for place in self._line:
                place.wake()
            self._line.clear()
            while self._running:
                self._idle.wait()

    def _enter(self, deadline: float) -> None:
        with self._lock:
            self._refuse_if_closed()
            if self._running < self.concurrency and not self._line:
                self._check(deadline)
                self._running += 1
                return
            if len(self._line) >= self.max_waiting:
                raise Overloaded(
                    f"{len(self._line)} requests are waiting already, the most allowed. "
                    "Try again shortly, or send fewer at once.",
                    retry_after=self.retry_after(),
                )
            place = _Place()
            self._line.append(place)
        place.wait(max(0.0, deadline - time.monotonic()))
        if place.granted and not self._closed and time.monotonic() < deadline:
            return
        with self._lock:
            # Between the time-out and this lock the place may still have been granted.
            granted = place.granted
            if not granted and place in self._line:
                self._line.remove(place)
        if granted:
            self._pass_on()
        self._refuse_if_closed()
        raise self._too_late()

    def _leave(self, seconds: float) -> None:
        with self._lock:
            self._mean_seconds += _SMOOTHING * (seconds - self._mean_seconds)
        self._pass_on()

    def _pass_on(self) -> None:
        """Give the place to the first in line, or free it."""
        with self._lock:
            if not self._line:
                self._running -= 1
                if not self._running:
                    self._idle.notify_all()
                return
            place = self._line.popleft()
            place.granted = True
        place.wake()

    def _check(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise self._too_late()

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            "The deadline passed while the request waited for a place. "
            "Try again shortly, or allow more time with X-Deadline-Ms.",
            retry_after=self.retry_after(),
        )

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Unavailable("The gateway is shutting down. Try again in a moment.", retry_after=1)
