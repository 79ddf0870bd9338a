"""The arithmetic of reports: medians with their spread, ratios round by round, growth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

__all__ = ["exponent", "ratios", "rounded", "spread"]

_DIGITS = 4


def rounded(value: float) -> float:
    """Keep as many digits as a measurement can mean."""
    return float(f"{value:.{_DIGITS}g}")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median with the least and the most. Raises: ValueError, for no values."""
    if not values:
        raise ValueError("a median needs at least one value")
    return {
        "median": rounded(statistics.median(values)),
        "least": rounded(min(values)),
        "most": rounded(max(values)),
    }


def ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """Divide round by round: two measurements of one round saw the same mood of the machine.

    Raises:
        ValueError: one of the two was measured in fewer rounds.
    """
    if len(of) != len(to):
        raise ValueError(f"{len(of)} rounds of one and {len(to)} of the other")
    return [a / b for a, b in zip(of, to, strict=True)]


def exponent(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return k of the best y = c * x**k: 1 is linear growth, 0 is none.

    Least squares on logarithms.

    Raises:
        ValueError: fewer than two different positive ``xs``, or a value that is not positive.
    """
    points = [(math.log(x), math.log(y)) for x, y in zip(xs, ys, strict=True)]
    if len({x for x, _ in points}) < 2:
        raise ValueError("growth needs two different sizes at least")
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope
