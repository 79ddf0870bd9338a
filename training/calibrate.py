"""Make confidences mean what they say: one temperature a head, found on the validation side.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.metrics import groups_of, softmax

__all__ = ["temperature"]

_GOLDEN = (5**0.5 - 1) / 2


def temperature(
    logits: NDArray[np.float32], truth: NDArray[np.int64], folded: bool = False
) -> float:
    """Return the temperature with the least negative log likelihood, between 0.2 and 5.

    With `folded`, the logits are those of the seven races and the truth is one of five groups.
    """
    known = truth >= 0
    rows = np.arange(int(known.sum()))

    def cost(logarithm: float) -> float:
        probabilities = (groups_of if folded else softmax)(logits[known], float(np.exp(logarithm)))
        return float(-np.log(probabilities[rows, truth[known]].clip(1e-9)).mean())

    return float(np.exp(_least(cost, float(np.log(0.2)), float(np.log(5.0)))))


def _least(cost: Callable[[float], float], low: float, high: float, steps: int = 40) -> float:
    """Return where a function with one valley is lowest, by golden-section search."""
    for _ in range(steps):
        one, two = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if cost(one) < cost(two):
            high = two
        else:
            low = one
    return (low + high) / 2
