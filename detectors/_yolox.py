"""YOLOX: one row for each cell with box, objectness and classes, box sides as logarithms.

Ge and others, "YOLOX: Exceeding YOLO Series in 2021". Weights by Megvii.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors._candidates import Candidates, Wish
from detectors._coco import LABELS
from visiongate import boxes
from visiongate.contracts import ModelStore
from visiongate.models.manifest import model_use
from visiongate.runtimes.openvino import OpenVinoModel, Pixels
from visiongate.types import Device, Enough, Image, ModelUse

__all__ = ["Yolox", "decode", "grid", "letterboxed"]

_STRIDES = (8, 16, 32)
_PADDING = 114


class Yolox:
    """A YOLOX with 80 classes, from the manifest's entry ``name``, whose input is ``side`` wide."""

    labels = LABELS
    nms_iou = 0.45

    def __init__(self, name: str, *, side: int, default_confidence: float) -> None:
        self.default_confidence = default_confidence
        self.enough = Enough(longer=4 * side)
        self._name = name
        self._side = side
        self._cells, self._strides = grid(side, side)

    def load(self, models: ModelStore, device: Device) -> ModelUse:
        self._model = OpenVinoModel(models.path(self._name), device, pixels=Pixels("BGR"))
        return model_use(self._name, self._model.runtime)

    def find(self, image: Image, wish: Wish) -> Candidates:
        picture, scale = letterboxed(image, self._side, self._side)
        (rows,) = self._model.run(picture[None])
        found = decode(rows[0], self._cells, self._strides, wish)
        return Candidates(found.boxes / np.float32(scale), found.scores, found.classes)


def letterboxed(image: Image, width: int, height: int) -> tuple[Image, float]:
    """Return the picture in one of ``width`` x ``height``, and the scale applied.

    It keeps its proportions and lies at the top left; the rest is grey.
    """
    scale = min(height / image.shape[0], width / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    canvas = np.full((height, width, 3), _PADDING, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=method)
    return canvas, scale


def decode(
    rows: NDArray[np.float32],
    cells: NDArray[np.float32],
    strides: NDArray[np.float32],
    wish: Wish,
) -> Candidates:
    """Turn rows ``(N, 5 + classes)`` into boxes in pixels of the network's input.

    A row is the centre's offset from its cell (x, y) and the logarithm of width and height, all
    in strides, the objectness and the classes, these in [0, 1]. A box's score is objectness times
    class. Only rows that the wish lets pass are decoded.
    """
    scores = rows[:, 4:5] * rows[:, 5:]
    classes = scores.argmax(axis=1)
    best = scores[np.arange(len(scores)), classes]
    kept = wish.rows(best, classes)
    stride = strides[kept, None]
    centres = (rows[kept, :2] + cells[kept]) * stride
    sides = np.exp(rows[kept, 2:4]) * stride
    return Candidates(
        boxes.from_centre(centres, sides).astype(np.float32), best[kept], classes[kept]
    )


def grid(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each row's cell ``(N, 2)`` as (column, row), and its stride ``(N,)``."""
    cells, strides = [], []
    for stride in _STRIDES:
        y, x = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full(x.size, stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
