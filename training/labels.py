"""The names that the heads answer with, in the order of their outputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["AGES", "FOLD", "GENDERS", "GROUPS", "RACES", "UTK_AGES", "fold_matrix"]

GENDERS = ("male", "female")
#: UTKFace's five, in UTKFace's order.
GROUPS = ("White", "Black", "Asian", "Indian", "Others")
#: FairFace's seven, which the network is trained on: the finer question, the better features.
RACES = (
    "White",
    "Black",
    "East Asian",
    "Southeast Asian",
    "Indian",
    "Latino_Hispanic",
    "Middle Eastern",
)
#: FairFace's age classes; the age head is an auxiliary task and is not shipped.
AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
#: The lowest age of each class, in years: how UTKFace's ages become classes.
UTK_AGES = (0, 3, 10, 20, 30, 40, 50, 60, 70)
#: The group of each race, by index.
FOLD = (0, 1, 2, 2, 3, 4, 4)


def fold_matrix() -> NDArray[np.float32]:
    """Return the 7x5 matrix that sums the probabilities of races into those of groups."""
    matrix = np.zeros((len(RACES), len(GROUPS)), np.float32)
    matrix[np.arange(len(RACES)), FOLD] = 1.0
    return matrix
