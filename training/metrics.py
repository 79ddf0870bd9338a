"""Score predictions: pure arithmetic on arrays, each formula with its source."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data import Faces
from training.labels import GENDERS, GROUPS, fold_matrix

__all__ = [
    "balanced",
    "by_class",
    "calibration_error",
    "confusion",
    "groups_of",
    "softmax",
    "summary",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def softmax(logits: NDArray[Any], temperature: float = 1.0) -> Floats:
    """Return probabilities, (N, classes)."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result


def groups_of(race_logits: NDArray[Any], temperature: float = 1.0) -> Floats:
    """Return the probabilities of the five groups, (N, 5), from the logits of the seven races."""
    folded: Floats = softmax(race_logits, temperature) @ fold_matrix().astype(np.float64)
    return folded


def confusion(truth: Indices, answer: Indices, classes: int) -> Indices:
    """Return how often each class (row) was answered by each class (column)."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (truth, answer), 1)
    return counts


def balanced(counts: Indices) -> float:
    """Return the mean recall of the classes that occur."""
    support = counts.sum(axis=1)
    seen = support > 0
    return float((np.diag(counts)[seen] / support[seen]).mean())


def by_class(counts: Indices, names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return precision, recall, F1 and support of each class."""
    table = {}
    for index, name in enumerate(names):
        hit, support = int(counts[index, index]), int(counts[index].sum())
        answered = int(counts[:, index].sum())
        precision, recall = hit / max(1, answered), hit / max(1, support)
        f1 = 2 * hit / max(1, answered + support)
        table[name] = {"precision": precision, "recall": recall, "f1": f1, "support": support}
    return table


def calibration_error(probabilities: NDArray[Any], truth: Indices, bins: int = 15) -> float:
    """Return the expected calibration error with equal-width bins.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for index in range(bins):
        inside = place == index
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(error)


def summary(
    logits: dict[str, NDArray[np.float32]], faces: Faces, side: Indices
) -> dict[str, float]:
    """Return the few numbers that a run is steered by; unknown labels do not count."""
    scores: dict[str, float] = {}
    truth = np.asarray(faces.gender[side])
    known = truth >= 0
    answer = logits["gender"].argmax(axis=1)
    counts = confusion(truth[known], answer[known], len(GENDERS))
    scores["gender"] = float(np.diag(counts).sum() / max(1, counts.sum()))
    truth = np.asarray(faces.group[side])
    known = truth >= 0
    answer = groups_of(logits["race"]).argmax(axis=1)
    counts = confusion(truth[known], answer[known], len(GROUPS))
    scores["group"] = float(np.diag(counts).sum() / max(1, counts.sum()))
    scores["group_balanced"] = balanced(counts) if counts.sum() else 0.0
    return scores
