"""What changes while a run goes on, as functions of progress (0 at its start, 1 at its end)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

__all__ = ["Budget", "learning_rate", "picture_size"]


@dataclass
class Budget:
    """Measure progress by the clock or by epochs.

    By the clock (`hours`), a machine that is busy with other things makes a run shorter in epochs,
    but the learning rate still reaches its end: the last points of accuracy come from that.
    """

    hours: float | None = None
    epochs: float | None = None
    spent: float = 0.0  # seconds of earlier runs, when resuming
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if (self.hours is None) == (self.epochs is None):
            raise ValueError("say either how many hours or how many epochs to train")

    @property
    def seconds(self) -> float:
        """Return the seconds spent so far, earlier runs included."""
        return self.spent + time.monotonic() - self.started

    def progress(self, epoch: float) -> float:
        """Return how much of the run is done, 0 to 1, `epoch` being the epochs done."""
        if self.hours is not None:
            return min(1.0, self.seconds / (3600 * self.hours))
        assert self.epochs is not None
        return min(1.0, epoch / self.epochs)


def learning_rate(progress: float, highest: float, warmup: float = 0.02) -> float:
    """Return a linear rise, then half a cosine down to 1 % (Loshchilov and Hutter, 2017)."""
    if progress < warmup:
        return highest * max(0.02, progress / warmup)
    done = (progress - warmup) / (1 - warmup)
    return highest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def picture_size(progress: float, sizes: tuple[int, ...], changes: tuple[float, ...]) -> int:
    """Return the side to train at: `sizes[i]` until `changes[i]`, the last to the end.

    Small pictures teach most of it in a fraction of the time (Tan and Le, "EfficientNetV2",
    2021, section 4).
    """
    for size, until in zip(sizes, changes, strict=False):
        if progress < until:
            return size
    return sizes[-1]
