"""Search a picture of any size with a network that looks at no more than 640 x 640 pixels.

Every picture is looked at as a whole. In one over 1280 pixels, faces too small for that are
searched for in tiles, and each doubtful small find gets a second look, enlarged: a true face
becomes certain by it, and where there is nothing there is nothing to look at again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from visiongate import boxes as bx
from visiongate.types import Image

__all__ = ["LONGEST", "Found", "Look", "joined", "search"]

LONGEST = 640
"""Longest side, in pixels, of what a network is given."""

# Shorter pictures are enlarged to this: the network is unsure of faces under about 10 pixels.
_SHORTEST = 320
# Above this length, the whole picture at 640 loses faces of up to about 24 pixels.
_TILED_FROM = 1280
# Tiles overlap by this much, so a face up to this size lies whole in one of them; larger ones
# are large enough in the whole picture.
_OVERLAP = 96
# Scores between which a small find is looked at again, in a window of this size, at twice its size.
_DOUBTFUL = (0.2, 0.8)
_WINDOW = 160
# One window does for every doubtful find this far within it.
_MARGIN = 8
# What the window's edge cuts off, the second look finds nearer to the edge than this.
_EDGE = 2
# More windows than this would cost more than the tiles did.
_MAX_WINDOWS = 48
# Share of a small find inside a larger face from which on it is a part of that face.
_PART_OF = 0.6
# IoU over which two finds are one face; OpenCV's own choice for YuNet.
_SAME = 0.3
# A picture made to look like faces all over must not cost minutes of comparing them.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """N faces: ``boxes`` (N, 4), ``scores`` (N,), ``landmarks`` (N, L, 2), in pixels."""

    boxes: bx.Boxes
    scores: bx.Scores
    landmarks: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not len(self.boxes) == len(self.scores) == len(self.landmarks):
            raise ValueError(
                "boxes, scores and landmarks must be of one number, got "
                f"{len(self.boxes)}, {len(self.scores)}, {len(self.landmarks)}"
            )

    def take(self, which: NDArray[Any]) -> Found:
        return Found(self.boxes[which], self.scores[which], self.landmarks[which])

    def placed(self, x: float, y: float, scale_x: float, scale_y: float) -> Found:
        """Return the same in a picture where pixel (0, 0) is (x, y), and each is 1/scale large."""
        origin, scale = np.array([x, y]), np.array([scale_x, scale_y])
        return Found(
            self.boxes / np.tile(scale, 2) + np.tile(origin, 2),
            self.scores,
            self.landmarks / scale + origin,
        )

    def best(self) -> Found:
        """Return each face once, most confident first; only the best thousand are considered."""
        most = self.take(np.argsort(-self.scores, kind="stable")[:_MOST])
        return most.take(bx.nms(most.boxes, most.scores, _SAME))


Look: TypeAlias = Callable[[Image, float], Found]
"""Runs the network on a picture up to 640 x 640; returns what it finds at or above a score."""


def search(look: Look, image: Image, least: float, side: int) -> Found:
    """Return the faces of a picture, most confident first, with scores from ``least`` on.

    A picture larger than ``side`` is shrunk to that length before anything else.
    """
    height, width = image.shape[:2]
    copy = resized(image, min(1.0, side / max(height, width)))
    found = _in_whole(look, copy, least)
    if max(copy.shape[:2]) > _TILED_FROM:
        small = _in_tiles(look, copy, min(least, _DOUBTFUL[0]))
        small = joined([small, _looked_at_again(look, copy, small, least)])
        small = small.take(small.scores >= least)
        found = joined([found, _not_part_of(found.best(), small.best())])
    found = found.placed(0, 0, copy.shape[1] / width, copy.shape[0] / height)
    return found.take(bx.visible(found.boxes, width, height)).best()


def _in_whole(look: Look, image: Image, least: float) -> Found:
    height, width = image.shape[:2]
    longest = max(height, width)
    copy = resized(image, min(LONGEST, max(longest, _SHORTEST)) / longest)
    return look(copy, least).placed(0, 0, copy.shape[1] / width, copy.shape[0] / height)


def _in_tiles(look: Look, image: Image, least: float) -> Found:
    height, width = image.shape[:2]
    parts = []
    for top, upper, lower in _spans(height):
        for left, leftmost, rightmost in _spans(width):
            tile = image[top : top + LONGEST, left : left + LONGEST]
            found = look(tile, least).placed(left, top, 1, 1)
            sides = found.boxes[:, 2:] - found.boxes[:, :2]
            centres = (found.boxes[:, 2:] + found.boxes[:, :2]) / 2
            # What lies where tiles overlap belongs to the tile that has more around it.
            own = (centres >= [leftmost, upper]) & (centres < [rightmost, lower])
            keep: NDArray[np.bool_] = np.all(np.hstack([own, sides <= _OVERLAP]), axis=1)
            parts.append(found.take(keep))
    return joined(parts)


def _spans(length: int) -> Iterator[tuple[int, float, float]]:
    """Yield each tile's start along one side, and from where to where what it finds is its own."""
    count = max(1, math.ceil((length - _OVERLAP) / (LONGEST - _OVERLAP)))
    starts = [round(i * (length - LONGEST) / max(1, count - 1)) for i in range(count)]
    borders = [(a + LONGEST + b) / 2 for a, b in pairwise(starts)]
    return zip(starts, [-math.inf, *borders], [*borders, math.inf], strict=True)


def _looked_at_again(look: Look, image: Image, small: Found, least: float) -> Found:
    small = small.best()
    low, high = _DOUBTFUL
    doubtful = small.boxes[(small.scores >= low) & (small.scores < high)]
    parts = [small.take(np.zeros(0, np.intp))]
    for _ in range(_MAX_WINDOWS):
        if not len(doubtful):
            break
        corner = (doubtful[0, :2] + doubtful[0, 2:] - _WINDOW) / 2
        left, top = np.clip(corner, 0, np.array(image.shape[1::-1]) - _WINDOW).clip(0).astype(int)
        window = image[top : top + _WINDOW, left : left + _WINDOW]
        found = look(resized(window, 2.0), least).placed(left, top, 2, 2)
        parts.append(found.take(_within(found.boxes, left, top, _EDGE)))
        doubtful = doubtful[1:][~_within(doubtful[1:], left, top, _MARGIN)]
    return joined(parts)


def _within(boxes: bx.Boxes, left: int, top: int, margin: int) -> NDArray[np.bool_]:
    low, high = np.array([left, top]) + margin, np.array([left, top]) + _WINDOW - margin
    inside: NDArray[np.bool_] = np.all(
        np.hstack([boxes[:, :2] >= low, boxes[:, 2:] <= high]), axis=1
    )
    return inside


def _not_part_of(whole: Found, small: Found) -> Found:
    """Drop what was taken for a small face within a face that is much larger."""
    low = np.maximum(small.boxes[:, None, :2], whole.boxes[None, :, :2])
    high = np.minimum(small.boxes[:, None, 2:], whole.boxes[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas = bx.area(small.boxes)[:, None]
    part = (shared > _PART_OF * areas) & (bx.area(whole.boxes)[None, :] > 2 * areas)
    return small.take(~part.any(axis=1))


def joined(parts: list[Found]) -> Found:
    """Return the faces of all parts, at least one, in order."""
    return Found(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
    )


def resized(image: Image, scale: float) -> Image:
    """Return the picture at ``scale``, each side at least a pixel; the same one at scale 1."""
    import cv2

    if scale == 1.0:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)
