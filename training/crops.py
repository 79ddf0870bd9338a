"""Cut the faces of a data set as serving cuts them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.augment import plain_crop
from training.data import Faces

__all__ = ["plain_batches"]


def plain_batches(
    faces: Faces,
    indices: NDArray[np.int64],
    size: int,
    aligned: bool = True,
    whole: bool = False,
    batch: int = 128,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield (crops, indices) once: (B, size, size, 3) and (B,), cut as serving cuts them."""
    for start in range(0, len(indices), batch):
        chosen = indices[start : start + batch]
        crops = [plain_crop(*faces.face(int(index)), size, aligned, whole) for index in chosen]
        yield np.stack(crops), chosen
