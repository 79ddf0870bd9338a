"""Vary a face the way the world does: framing, light, lens, compression.

Everything works on RGB uint8 and goes through `crop_face`, the function that serving uses.
Randomness comes from the generator that is handed in, so that a picture of an epoch looks the same
in every run with one seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visiongate.face_crop import TEMPLATE, WHOLE, crop_face

__all__ = ["Face", "Strength", "plain_crop", "random_crop"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Face:
    """A face in a picture: the framed square as a box, and five landmarks or None, in pixels."""

    square: tuple[float, float, float, float]
    landmarks: NDArray[np.float32] | None


@dataclass(frozen=True)
class Strength:
    """How far to vary: the widest deviations, and the shares of faces that are changed.

    These are for a run of twenty epochs and more; one of ten does better with half as much.
    """

    shift: float = 0.06  # of the side
    zoom: float = 0.13  # natural logarithm
    turn: float = 10.0  # degrees
    unaligned: float = 0.35  # share cut without landmarks
    colour: float = 0.28
    grey: float = 0.08
    blur: float = 0.1
    jpeg: float = 0.18
    erase: float = 0.3


def plain_crop(
    image: Pixels, face: Face, size: int, aligned: bool = True, whole: bool = False
) -> Pixels:
    """Cut the face as serving does, without variation; `whole` takes the picture as it is."""
    if whole:
        return crop_face(image, (0, 0, image.shape[1], image.shape[0]), None, size, WHOLE)
    points = _points(face.landmarks) if aligned and face.landmarks is not None else None
    return crop_face(image, face.square, points, size, WHOLE)


def random_crop(
    image: Pixels, face: Face, size: int, rng: np.random.Generator, strength: Strength
) -> Pixels:
    """Cut the face with a random framing, by either path, and vary its colours and sharpness."""
    crop = _random_framing(image, face, size, rng, strength)
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
    crop = _colours(crop, rng, strength)
    if rng.random() < strength.blur:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.4, 1.4))), np.uint8)
    if rng.random() < strength.jpeg:
        quality = int(rng.integers(25, 90))
        _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
        crop = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < strength.erase:
        _erase(crop, rng)
    return crop


def _points(landmarks: NDArray[np.float32]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in landmarks]


def _random_framing(
    image: Pixels, face: Face, size: int, rng: np.random.Generator, strength: Strength
) -> Pixels:
    """Cut with shifted, scaled and turned landmarks, or with a shifted and scaled square."""
    x1, y1, x2, y2 = face.square
    side = x2 - x1
    shift = rng.uniform(-strength.shift, strength.shift, 2) * side
    zoom = float(np.exp(rng.uniform(-strength.zoom, strength.zoom)))
    angle = np.deg2rad(rng.uniform(-strength.turn, strength.turn))
    if face.landmarks is not None and rng.random() >= strength.unaligned:
        points = face.landmarks + rng.normal(0.0, 0.012 * side, face.landmarks.shape)
    else:
        # Where they lie in the mean face stands in for them: the turn is the same arithmetic.
        points = np.array([[x1 + px * side, y1 + py * side] for px, py in TEMPLATE])
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (points - centre) @ turn.T * zoom + centre + shift
    return crop_face(image, face.square, _points(points.astype(np.float32)), size, WHOLE)


def _colours(crop: Pixels, rng: np.random.Generator, strength: Strength) -> Pixels:
    """Change exposure, contrast and white balance by a curve a channel; weaken or drop colour."""
    if rng.random() < strength.grey:
        crop = np.asarray(
            cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8
        )
    elif rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        depth = float(1 + rng.uniform(-strength.colour, strength.colour))
        crop = np.asarray(cv2.addWeighted(crop, depth, grey, 1 - depth, 0), np.uint8)
    if rng.random() < 0.8:
        ramp = np.linspace(0.0, 1.0, 256)[:, None]
        gain = 1 + rng.uniform(-strength.colour, strength.colour) + rng.uniform(-0.08, 0.08, 3)
        gamma = np.exp(rng.uniform(-strength.colour, strength.colour))
        contrast = 1 + rng.uniform(-strength.colour, strength.colour)
        curve = ((ramp**gamma * gain) - 0.5) * contrast + 0.5
        crop = np.asarray(
            cv2.LUT(crop, np.clip(curve * 255, 0, 255).astype(np.uint8)[None]), np.uint8
        )
    return crop


def _erase(crop: Pixels, rng: np.random.Generator) -> None:
    """Fill one rectangle with one colour, in place (DeVries and Taylor, "Cutout", 2017)."""
    size = crop.shape[0]
    width, height = (int(value) for value in rng.uniform(0.1, 0.4, 2) * size)
    left, top = int(rng.integers(0, size - width)), int(rng.integers(0, size - height))
    crop[top : top + height, left : left + width] = rng.integers(0, 256, 3)
