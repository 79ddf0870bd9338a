"""Make pictures to calibrate a quantised network with, out of the faces that are trained on.

They are no photographs, and none is of the pictures that tests compare answers on. A third shows
one portrait that fills most of the picture; a third up to nine faces of all sizes on a blurred
ground; the rest faces few and small on a ground with detail, or none at all. Light and contrast
vary, so that what a network computes from them spreads as far as with photographs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.sources import read_bytes, records

__all__ = ["composites"]

_Image = NDArray[np.uint8]
_MOST_FACES = 9
# Sides of a pasted face, as shares of the picture's side.
_SMALL, _MIDDLE, _LARGE = (0.06, 0.2), (0.1, 0.45), (0.6, 1.3)


def composites(folder: Path, side: int, count: int, seed: int = 5) -> Iterator[_Image]:
    """Yield ``count`` pictures, RGB ``(side, side, 3)``, always the same ones.

    Raises:
        ValueError: the folder is no data set of faces.
    """
    chance = np.random.default_rng(seed)
    found = records(folder)
    chosen = [found[i] for i in chance.choice(len(found), min(len(found), 4 * count), False)]
    faces = [_decoded(data) for data in read_bytes(chosen)]
    for number in range(count):
        yield _lit(_composite(faces, side, number % 3, chance), chance)


def _decoded(data: bytes) -> _Image:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("a picture of the data set cannot be read")
    return np.asarray(pixels[..., ::-1], np.uint8)


def _composite(
    faces: Sequence[_Image], side: int, kind: int, chance: np.random.Generator
) -> _Image:
    canvas = _ground(_any(faces, chance), side, 12 if kind < 2 else 96)
    if kind == 0:
        _paste(canvas, _any(faces, chance), _LARGE, chance)
        return canvas
    most, sizes = (_MOST_FACES, _MIDDLE) if kind == 1 else (3, _SMALL)
    for _ in range(int(chance.integers(0 if kind == 2 else 1, most + 1))):
        _paste(canvas, _any(faces, chance), sizes, chance)
    return canvas


def _any(faces: Sequence[_Image], chance: np.random.Generator) -> _Image:
    return faces[int(chance.integers(len(faces)))]


def _ground(face: _Image, side: int, detail: int) -> _Image:
    """Turn a picture into one that shows nothing: its quarters change places, and it is blurred."""
    height, width = face.shape[:2]
    moved = np.roll(face, (height // 2, width // 2), (0, 1))[::-1]
    small = cv2.resize(moved, (detail, detail), interpolation=cv2.INTER_AREA)
    ground = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(ground, np.uint8)


def _paste(
    canvas: _Image, face: _Image, sizes: tuple[float, float], chance: np.random.Generator
) -> None:
    side = len(canvas)
    size = max(8, round(side * float(np.exp(chance.uniform(*np.log(sizes))))))
    scaled = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
    if chance.random() < 0.5:
        scaled = scaled[:, ::-1]
    # At most a quarter of a face is cut off by the picture's edge.
    left, top = (
        int(v) for v in chance.integers(-size // 4, max(side - 3 * size // 4, 1 - size // 4), 2)
    )
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + size, side), min(top + size, side)
    canvas[y1:y2, x1:x2] = scaled[y1 - top : y2 - top, x1 - left : x2 - left]


def _lit(picture: _Image, chance: np.random.Generator) -> _Image:
    gamma, gain = float(np.exp(chance.normal(0, 0.25))), chance.normal(1, 0.08, 3)
    light = (picture / 255.0) ** gamma * gain * 255
    return np.asarray(np.rint(light.clip(0, 255)), np.uint8)
