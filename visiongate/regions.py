"""Parts of a picture in which things are looked for, and how much of a box lies in them.

Regions are simple polygons in shares of the picture's width and height, so that they fit it at
any size: (0, 0) is its top left corner, (1, 1) its bottom right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiongate.types import Point

__all__ = ["ANY", "MOST_POINTS", "Region", "share_inside"]

ANY = "*"
"""In place of a label: every label that is not named."""
MOST_POINTS = 64

_SMALLEST = 1e-6
"""Of the picture's area, what a region encloses at least: a thousandth of each side."""
_ROUNDING = 1e-9
"""Of a box's area: less inside counts as nothing, less outside too."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the picture, and what is looked for in it.

    With ``covers``, a box must lie in it wholly; without, any part of the box will do. ``detect``
    maps each label that is looked for, or ``ANY``, to the least confidence there; None stands
    for what holds elsewhere. ``detect`` None looks for everything.

    Raises:
        ValueError: fewer than 3 points or more than ``MOST_POINTS``, one outside the picture, a
            polygon whose edges meet anywhere but at the points between them, or one that is tiny.
    """

    points: tuple[Point, ...]
    covers: bool = False
    detect: Mapping[str, float | None] | None = None

    def __post_init__(self) -> None:
        if not 3 <= len(self.points) <= MOST_POINTS:
            raise ValueError(f"it has {len(self.points)} points, not 3 to {MOST_POINTS}")
        for x, y in self.points:
            if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
                raise ValueError(f"point ({x:g}, {y:g}) lies outside the picture")
        met = _meeting_edges(np.array(self.points))
        if met is not None:
            raise ValueError(
                f"its edges must not cross or touch, but edge {met[0]} meets edge {met[1]} "
                "(edge 0 goes from point 0 to point 1)"
            )
        if abs(_signed_area(np.array(self.points))) < _SMALLEST:
            raise ValueError("it encloses less than a millionth of the picture")

    @classmethod
    def rectangle(
        cls,
        left: float,
        top: float,
        right: float,
        bottom: float,
        *,
        covers: bool = False,
        detect: Mapping[str, float | None] | None = None,
    ) -> Region:
        """Return the region between these sides. Raises: ValueError, as the class."""
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return cls(corners, covers, detect)

    def least(self, label: str, otherwise: float) -> float | None:
        """Return the confidence that ``label`` needs here; None: it is not looked for."""
        if self.detect is None:
            return otherwise
        name = label if label in self.detect else ANY
        if name not in self.detect:
            return None
        least = self.detect[name]
        return otherwise if least is None else least

    def takes(self, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell of each box ``(N, 4)``, in shares of the picture, whether it lies here."""
        share = share_inside(boxes, np.array(self.points))
        return np.asarray(share >= 1 - _ROUNDING if self.covers else share > _ROUNDING)


def share_inside(
    boxes: NDArray[np.floating[Any]], polygon: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return the share of each box's area that lies in a simple polygon, exact but for rounding.

    ``boxes`` are rows ``(x1, y1, x2, y2)`` with an area, ``polygon`` rows ``(x, y)``, in the same
    units. The area is summed edge by edge, as in Green's theorem: of each edge, what lies between
    it and the top of the box, right to left counting against left to right.
    """
    x1, y1, x2, y2 = (boxes[:, column, None] for column in range(4))
    start, end = polygon, np.roll(polygon, -1, axis=0)
    run, rise = (end - start).T
    west, east = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    left, right = np.clip(x1, west, east), np.clip(x2, west, east)
    at_left, at_right = (
        start[:, 1] - y1 + rise * np.divide(x - start[:, 0], run, out=x * 0, where=run != 0)
        for x in (left, right)
    )
    depth = _mean_within(np.minimum(at_left, at_right), np.maximum(at_left, at_right), y2 - y1)
    covered = np.abs((np.sign(run) * (right - left) * depth).sum(axis=1))
    return np.asarray(np.clip(covered / ((x2 - x1) * (y2 - y1))[:, 0], 0.0, 1.0))


def _mean_within(
    low: NDArray[np.float64], high: NDArray[np.float64], most: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean of a line from ``low`` to ``high`` where it is cut to 0 .. ``most``."""
    least_cut, most_cut = np.clip(low, 0, most), np.clip(high, 0, most)
    rise = high - low
    above = high - np.clip(most, low, high)
    whole = (most_cut - least_cut) * (least_cut + most_cut) / 2 + above * most
    return np.asarray(np.divide(whole, rise, out=least_cut, where=rise > 0))


def _signed_area(points: NDArray[np.float64]) -> float:
    following = np.roll(points, -1, axis=0)
    crossed = points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]
    return float(crossed.sum()) / 2


def _meeting_edges(points: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return the first two edges of a polygon that cross, touch or fold back; None if none do."""
    count = len(points)
    start, end = points, np.roll(points, -1, axis=0)
    side = np.sign(_turn(start[:, None], end[:, None], start[None])).astype(int)
    far_side = np.roll(side, -1, axis=1)
    # Each edge's ends lie on different sides of the other, or on it ...
    straddles = side * far_side <= 0
    low, high = np.minimum(start, end), np.maximum(start, end)
    # ... which edges in one line do everywhere: those must also overlap.
    overlap = ((low[:, None] <= high[None]) & (low[None] <= high[:, None])).all(axis=-1)
    meeting = straddles & straddles.T & overlap
    # Neighbours share a point; they must only not fold back on each other, or have no length.
    ahead = np.roll(end - start, -1, axis=0)
    folded = (_turn(start, end, np.roll(end, -1, axis=0)) == 0) & (
        ((end - start) * ahead).sum(axis=1) <= 0
    )
    index = np.arange(count)
    meeting[index, index] = False
    meeting[index, (index + 1) % count] = folded
    meeting[(index + 1) % count, index] = folded
    pairs = np.argwhere(np.triu(meeting))
    return (int(pairs[0][0]), int(pairs[0][1])) if len(pairs) else None


def _turn(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the cross product of a -> b and a -> c: its sign tells on which side c lies."""
    ab, ac = b - a, c - a
    return np.asarray(ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0])
