"""Feed faces to the training loop: for one seed the same faces, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from training.augment import Strength, random_crop

if TYPE_CHECKING:
    from training.data import Faces

__all__ = ["Batches", "EpochSampler", "training_batches"]

Batches = Iterator[tuple[Tensor, Tensor]]


class EpochSampler:
    """Yield batches of (epoch, index) for ever: every face once an epoch, by (seed, epoch).

    `start` is the number of batches to skip: a resumed run goes on where it stopped.
    """

    def __init__(self, indices: NDArray[np.int64], batch: int, seed: int, start: int = 0) -> None:
        self.indices, self.batch, self.seed, self.start = indices, batch, seed, start

    @property
    def per_epoch(self) -> int:
        """Return the number of batches in an epoch; what is left over is dropped."""
        return max(1, len(self.indices) // self.batch)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, skip = divmod(self.start, self.per_epoch)
        while True:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.indices)
            for step in range(skip, self.per_epoch):
                chosen = order[step * self.batch : (step + 1) * self.batch]
                yield [(epoch, int(index)) for index in chosen]
            epoch, skip = epoch + 1, 0


class _Varied:
    """Crops by (epoch, index), varied at random by (seed, epoch, index); each with its index."""

    def __init__(self, faces: Faces, size: int, seed: int, strength: Strength) -> None:
        self.faces, self.size, self.seed, self.strength = faces, size, seed, strength

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        epoch, index = key
        rng = np.random.default_rng((self.seed, epoch, index))
        image, face = self.faces.face(index)
        return torch.from_numpy(random_crop(image, face, self.size, rng, self.strength)), index


def _one_thread(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def training_batches(
    faces: Faces, sampler: EpochSampler, size: int, strength: Strength, workers: int = 1
) -> Batches:
    """Yield (crops BxSxSx3 uint8, indices B) for ever."""
    loader: Any = DataLoader(
        cast(Any, _Varied(faces, size, sampler.seed, strength)),
        batch_sampler=cast(Any, sampler),
        num_workers=workers,
        worker_init_fn=_one_thread,
        prefetch_factor=6 if workers else None,
    )
    return iter(loader)
