"""OpenCV's built-in people detector: histograms of oriented gradients and a linear SVM.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005. It needs no
weights beyond OpenCV itself, knows upright, whole people alone, and misses most of them.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors._candidates import Candidates, Wish
from visiongate.contracts import ModelStore
from visiongate.types import Device, Enough, Image, ModelUse

__all__ = ["HogPeople"]

_WINDOW = (64, 128)
# The search costs time in proportion to the pixels, so pictures are shrunk to this long side;
# people smaller than a sixth of the picture's height are then too small for the window.
_LONG_SIDE = 800
# The window has a margin around the person: OpenCV's own sample (peopledetect.py) cuts this off.
_MARGIN = (0.15, 0.05)
# Turns the SVM's margin, 0 at its own threshold and seldom above 2, into [0.5, 1).
_STEEPNESS = 2.0


class HogPeople:
    """Finds people who stand upright."""

    labels = ("person",)
    default_confidence = 0.6
    nms_iou = 0.4
    enough = Enough(longer=2 * _LONG_SIDE)

    def load(self, models: ModelStore, device: Device) -> ModelUse:  # noqa: ARG002 - built in
        return ModelUse(name="people-hog", runtime=f"opencv {cv2.__version__}", licence="BSD-3")

    def find(self, image: Image, wish: Wish) -> Candidates:
        height, width = image.shape[:2]
        scale = min(1.0, _LONG_SIDE / max(height, width))
        size = (round(width * scale), round(height * scale))
        if size[0] < _WINDOW[0] or size[1] < _WINDOW[1]:
            return _candidates(np.empty((0, 4)), np.empty(0), 1.0, wish)
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if scale < 1.0:
            gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        # One descriptor for each call: OpenCV does not promise that one may serve many threads.
        descriptor = cv2.HOGDescriptor()
        people = np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector(), np.float32)
        descriptor.setSVMDetector(people)
        found, margins = descriptor.detectMultiScale(gray, winStride=(8, 8), scale=1.05)
        return _candidates(
            np.asarray(found, np.float64).reshape(-1, 4),
            np.asarray(margins, np.float64).reshape(-1),
            scale,
            wish,
        )


def confidence(margin: float) -> float:
    """Squash an SVM margin into (0, 1): ``1 / (1 + exp(-2 margin))``, no probability."""
    return 1.0 / (1.0 + math.exp(-_STEEPNESS * margin))


def _candidates(
    found: NDArray[np.float64], margins: NDArray[np.float64], scale: float, wish: Wish
) -> Candidates:
    """Turn rows ``(x, y, width, height)`` of the shrunk picture into candidates."""
    inset = found[:, 2:] * _MARGIN
    corners = np.concatenate([found[:, :2] + inset, found[:, :2] + found[:, 2:] - inset], axis=1)
    scores = np.array([confidence(margin) for margin in margins], np.float32)
    classes = np.zeros(len(scores), np.intp)
    rows = wish.rows(scores, classes)
    return Candidates((corners[rows] / scale).astype(np.float32), scores[rows], classes[rows])
