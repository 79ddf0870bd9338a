"""Boxes by the thousand: clip, IoU and class-wise NMS as array arithmetic.

A box is a row ``(x1, y1, x2, y2)`` in pixels, as in ``visiongate.types.Box``; N boxes are an array
of shape ``(N, 4)``. A box turned over (``x2 < x1``) or without area overlaps nothing.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Boxes", "Scores", "area", "clip", "from_centre", "iou", "nms", "visible"]

Boxes: TypeAlias = NDArray[np.floating[Any]]
"""Shape ``(N, 4)``."""

Scores: TypeAlias = NDArray[np.floating[Any]]
"""Shape ``(N,)``."""


def from_centre(centres: Boxes, sizes: Boxes) -> Boxes:
    """Return corner boxes ``(N, 4)`` of centres ``(N, 2)`` (x, y) and sizes ``(N, 2)``."""
    half = sizes / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def area(boxes: Boxes) -> Scores:
    """Return each box's area; 0 for a box turned over."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def clip(boxes: Boxes, width: float, height: float) -> Boxes:
    """Return the boxes cut to a ``width`` x ``height`` picture, one row for each given."""
    limit = np.array([width, height, width, height], dtype=boxes.dtype)
    return np.clip(boxes, 0, limit)


def visible(boxes: Boxes, width: float, height: float) -> NDArray[np.bool_]:
    """Tell which boxes keep at least a pixel each way when cut to the picture.

    The same rule as ``Box.clipped``; False for a coordinate that is not a number.
    """
    inside = clip(boxes, width, height)
    return np.asarray(((inside[:, 2:] - inside[:, :2]) >= 1).all(axis=1))


def iou(a: Boxes, b: Boxes) -> NDArray[np.floating[Any]]:
    """Return intersection over union of each of ``a`` with each of ``b``, shape ``(A, B)``."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    union = area(a)[:, None] + area(b)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def nms(
    boxes: Boxes,
    scores: Scores,
    threshold: float,
    *,
    classes: NDArray[np.integer[Any]] | None = None,
    limit: int | None = None,
) -> NDArray[np.intp]:
    """Return the indices of the boxes that greedy non-maximum suppression keeps, best first.

    A box goes when a better one overlaps it by an IoU above ``threshold``; of equal scores the
    earlier is the better. With ``classes``, one for each box, only boxes of one class compete. At
    most ``limit`` are kept.

    Raises:
        ValueError: the arrays do not fit each other, or a score is not a number.
    """
    count = len(boxes)
    if boxes.shape != (count, 4) or scores.shape != (count,):
        raise ValueError(f"need boxes (N, 4) and scores (N,), got {boxes.shape}, {scores.shape}")
    if classes is not None and classes.shape != (count,):
        raise ValueError(f"need one class for each of {count} boxes, got {classes.shape}")
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    waiting: NDArray[np.intp] = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while waiting.size and (limit is None or len(kept) < limit):
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        rival = iou(boxes[best : best + 1], boxes[waiting])[0] > threshold
        if classes is not None:
            rival &= classes[waiting] == classes[best]
        waiting = waiting[~rival]
    return np.array(kept, dtype=np.intp)
