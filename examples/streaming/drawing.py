"""Boxes, labels and the frames per second, drawn into a frame."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import cv2

from streaming.frames import Image

__all__ = ["draw"]

Detections = Sequence[Mapping[str, Any]]
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_USUAL_HEIGHT = 720
"""Height of a picture in which lines are two pixels wide and letters of OpenCV's size 0.6."""


def draw(image: Image, detections: Detections, caption: str) -> Image:
    """Return a copy of the frame with the detections' boxes, and the caption in its corner."""
    drawn = image.copy()
    scale = max(0.4, 0.6 * image.shape[0] / _USUAL_HEIGHT)
    thick = max(2, round(2 * image.shape[0] / _USUAL_HEIGHT))
    for found in detections:
        x1, y1, x2, y2 = (round(value) for value in found["box"])
        colour = _colour(found["label"])
        cv2.rectangle(drawn, (x1, y1), (x2, y2), colour, thick)
        _write(drawn, _words(found), (x1, y1), scale, colour)
    _write(drawn, caption, (0, 0), scale, (40, 40, 40))
    return drawn


def _words(found: Mapping[str, Any]) -> str:
    words = [f"{found['label']} {found['confidence']:.1%}"]
    words += [str(attribute["label"]) for attribute in found.get("attributes", {}).values()]
    # OpenCV's letters are ASCII's.
    return ", ".join(words).encode("ascii", "replace").decode()


def _colour(label: str) -> tuple[int, int, int]:
    """Return a label's colour (BGR), the same in each run."""
    red, green, blue = colorsys.hsv_to_rgb(zlib.crc32(label.encode()) % 360 / 360, 0.75, 0.9)
    return round(255 * blue), round(255 * green), round(255 * red)


def _write(
    image: Image, text: str, corner: tuple[int, int], scale: float, colour: tuple[int, int, int]
) -> None:
    """Write on a ground of this colour: above the corner, or below it where that is outside."""
    (width, height), below = cv2.getTextSize(text, _FONT, scale, 1)
    tall = height + below + 2
    x = max(0, min(corner[0], image.shape[1] - width))
    y = max(tall, min(corner[1], image.shape[0]))
    cv2.rectangle(image, (x, y - tall), (x + width, y), colour, cv2.FILLED)
    bright = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] > 140
    ink = (0, 0, 0) if bright else (255, 255, 255)
    cv2.putText(image, text, (x, y - below), _FONT, scale, ink, 1, cv2.LINE_AA)
