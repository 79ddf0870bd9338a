"""What an object network proposes, before rivals are weeded out, and what every network offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visiongate.contracts import ModelStore
from visiongate.types import Device, Enough, Image, ModelUse

__all__ = ["Candidates", "Network", "Wish"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a network: the least score, and which classes (a mask, one for each)."""

    threshold: float
    classes: NDArray[np.bool_]

    def rows(self, scores: NDArray[np.float32], classes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the indices of the candidates that are good enough and of a class asked for."""
        return np.flatnonzero((scores >= self.threshold) & self.classes[classes])


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes ``(N, 4)`` in pixels of the picture, scores ``(N,)`` in [0, 1] and classes ``(N,)``.

    Raises:
        ValueError: the shapes do not fit each other.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]

    def __post_init__(self) -> None:
        count = len(self.scores)
        if (self.boxes.shape, self.scores.shape, self.classes.shape) != (
            (count, 4),
            (count,),
            (count,),
        ):
            raise ValueError(
                "need boxes (N, 4), scores (N,) and classes (N,), got "
                f"{self.boxes.shape}, {self.scores.shape}, {self.classes.shape}"
            )


class Network(Protocol):
    """One object network: what it knows, and how it is asked. ``find`` is thread-safe."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Its classes, in the order of their numbers."""
        ...

    @property
    def default_confidence(self) -> float:
        """The least confidence at which its answers can be relied on."""
        ...

    @property
    def nms_iou(self) -> float:
        """The overlap above which its authors count two boxes as one thing."""
        ...

    @property
    def enough(self) -> Enough | None:
        """How small a picture may be made before it sees less; None: as it is."""
        ...

    def load(self, models: ModelStore, device: Device) -> ModelUse:
        """Get ready to find. Raises: ModelUnavailable."""
        ...

    def find(self, image: Image, wish: Wish) -> Candidates:
        """Return what it sees in one picture, rivals included, thresholds and classes applied."""
        ...
