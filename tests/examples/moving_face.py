"""Frames in which a real photograph moves and grows, so that its face's place is known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = WIDTH, HEIGHT = 640, 480
RATE, FRAMES = 8, 20
_FACE = np.array([182, 122, 349, 330], float)
"""Where the face is in the photograph."""


@cache
def photograph() -> NDArray[np.uint8]:
    """Grace Hopper, 512 x 600, from matplotlib's sample data."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def place(number: int) -> tuple[float, int, int]:
    """Return the photograph's scale and its corner in a frame."""
    return 0.5 + 0.012 * number, 12 * number, 3 * number


def frame(number: int) -> NDArray[np.uint8]:
    """Return one frame, BGR."""
    scale, x, y = place(number)
    small = cv2.resize(photograph(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    part = small[: HEIGHT - y, : WIDTH - x]
    picture[y : y + part.shape[0], x : x + part.shape[1]] = part
    return picture


def face(number: int) -> list[float]:
    """Return the face's box in a frame."""
    scale, x, y = place(number)
    return [float(value) for value in _FACE * scale + (x, y, x, y)]


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the IoU of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)
