"""Split a data set honestly: pictures that are nearly the same stay on one side."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["clusters", "split"]

_BITS = 10  # of 64 that may differ
_LIKENESS = 0.94  # correlation of the grey pictures at 32x32 pixels
_CHUNK = 512


def clusters(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each picture the index of the first picture that it nearly equals, or its own.

    Candidates are pictures whose difference hashes (8x8 signs of horizontal differences) differ
    in few bits; of these, the ones that correlate are taken together, and theirs too.
    """
    count = len(images)
    hashes = np.empty(count, np.uint64)
    small = np.empty((count, 32 * 32), np.float32)
    for index, image in enumerate(images):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        signs = np.diff(cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(int)) > 0
        hashes[index] = np.packbits(signs.ravel()).view(np.uint64)[0]
        small[index] = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).ravel()
    small -= small.mean(axis=1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True) + 1e-6
    root = np.arange(count)
    for start in range(0, count, _CHUNK):
        differing = np.bitwise_count(hashes[start : start + _CHUNK, None] ^ hashes[None, start:])
        for row, column in zip(*np.nonzero(differing <= _BITS), strict=True):
            one, other = start + int(row), start + int(column)
            if one < other and float(small[one] @ small[other]) > _LIKENESS:
                low, high = sorted((_first(root, one), _first(root, other)))
                root[high] = low
    return np.array([_first(root, index) for index in range(count)], np.int64)


def _first(root: NDArray[np.int64], index: int) -> int:
    while root[index] != index:
        index = int(root[index])
    return index


def split(first: NDArray[np.int64], validation: float, test: float, seed: int) -> NDArray[np.int64]:
    """Return 0 (train), 1 (val) or 2 (test) for each picture; a cluster stays together."""
    chance = np.random.default_rng(seed).random(len(first))[first]
    return np.where(chance < test, 2, np.where(chance < test + validation, 1, 0)).astype(np.int64)
