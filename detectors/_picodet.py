"""PicoDet: class maps and, for each side of a box, a distribution over eight distances.

Yu and others, "PP-PicoDet: A Better Real-Time Object Detector on Mobile Devices", 2021; the
distances as in Li and others, "Generalized Focal Loss", 2020. Weights by PaddleDetection.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors._candidates import Candidates, Wish
from detectors._coco import LABELS
from visiongate.contracts import ModelStore
from visiongate.models.manifest import model_use
from visiongate.runtimes.openvino import OpenVinoModel, Pixels, read_ahead
from visiongate.types import Device, Enough, Image, ModelUse

__all__ = ["PicoDet", "cells", "decode", "shrunk"]

_SIDE = 416
_STRIDES = (8, 16, 32, 64)
# Pictures are averaged if they are longer than so many times the input.
_LARGE = 4
# PaddleDetection's normalisation, here in the network's order of channels.
_PIXELS = Pixels("BGR", mean=(103.53, 116.28, 123.675), scale=(57.375, 57.12, 58.395))


class PicoDet:
    """A PicoDet with 80 classes at 416 pixels, from the manifest's entry ``name``."""

    labels = LABELS
    # Below this it sees objects in textures.
    default_confidence = 0.5
    nms_iou = 0.6
    # Still large enough to be averaged, as the whole picture is.
    enough = Enough(longer=_LARGE * _SIDE + 1)

    def __init__(self, name: str) -> None:
        self._name = name

    def read_ahead(self, models: ModelStore) -> None:
        if (file := models.find(self._name)) is not None:
            read_ahead(file, pixels=_PIXELS)

    def load(self, models: ModelStore, device: Device) -> ModelUse:
        self._model = OpenVinoModel(
            models.path(self._name), device, pixels=_PIXELS, all_cores_for_one=True
        )
        return model_use(self._name, self._model.runtime)

    def find(self, image: Image, wish: Wish) -> Candidates:
        height, width = image.shape[:2]
        outputs = self._model.run(shrunk(image, _SIDE, _SIDE)[None])
        maps = [output[0] for output in outputs]
        found = decode(maps[: len(_STRIDES)], maps[len(_STRIDES) :], wish)
        scale = np.array([width, height, width, height], np.float32) / _SIDE
        return Candidates((found.boxes * scale).astype(np.float32), found.scores, found.classes)


def shrunk(image: Image, width: int, height: int) -> Image:
    """Return the picture stretched to the network's input."""
    # Averaging suits pictures much larger than the input, where sampling would skip pixels; else
    # the network is surer of what it sees, and of less that is not there, with sampling.
    large = max(image.shape[:2]) > _LARGE * max(width, height)
    method = cv2.INTER_AREA if large else cv2.INTER_LINEAR
    size = (width, height)
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=method), np.uint8)


def cells(width: int, height: int) -> list[int]:
    """Return how many cells each stride has; the last column and row may reach over the edge."""
    return [-(-width // stride) * -(-height // stride) for stride in _STRIDES]


def decode(
    scores: Sequence[NDArray[np.float32]],
    distances: Sequence[NDArray[np.float32]],
    wish: Wish,
    size: tuple[int, int] = (_SIDE, _SIDE),
) -> Candidates:
    """Turn the maps of all strides into boxes in pixels of the network's input.

    ``scores``, ``(N, classes)`` for each stride, are in [0, 1]; ``distances``, ``(N, 4 * bins)``,
    are logits over 0, 1, 2 … strides from a cell's centre to the left, top, right and bottom.
    ``size`` is the input's (width, height). Only cells that the wish lets pass are decoded.
    """
    parts = []
    for stride, score, distance in zip(_STRIDES, scores, distances, strict=True):
        classes = score.argmax(axis=1)
        best = score[np.arange(len(score)), classes]
        rows = wish.rows(best, classes)
        columns = -(-size[0] // stride)
        centres = np.stack([rows % columns, rows // columns], axis=1) + 0.5
        sides = _expected_bin(distance[rows].reshape(len(rows), 4, distance.shape[1] // 4))
        corners = np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1)
        parts.append(((corners * stride).astype(np.float32), best[rows], classes[rows]))
    boxes, found, labels = zip(*parts, strict=True)
    return Candidates(np.concatenate(boxes), np.concatenate(found), np.concatenate(labels))


def _expected_bin(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the softmax distribution over bins, the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.asarray(weights @ np.arange(weights.shape[-1], dtype=np.float32))
