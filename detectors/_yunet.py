"""YuNet (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023) on OpenVINO.

It finds small faces too, and gives each face's five landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors._custom_faces import own_yunet
from detectors._custom_spec import CustomModel
from detectors._search import LONGEST, Found, joined, search
from visiongate import boxes as bx
from visiongate.contracts import ModelStore
from visiongate.errors import ModelUnavailable
from visiongate.models.manifest import model_use
from visiongate.runtimes.openvino import OpenVinoModel, Pixels
from visiongate.types import Box, Detection, Device, Enough, Image

__all__ = ["NAME", "YuNet"]

NAME = "face_detection_yunet_2026may"

# What scores less is no find at all, whatever is asked for.
_FLOOR = 0.05
_STRIDES = (8, 16, 32)
_LANDMARKS = 5
# Each shape that the network is given costs some 4 MB for good and, the first time, 30 ms: a few
# must do for all. These short sides of 640 fit 16:9, 3:2, 4:3 and the square closely.
_SMALL = (320, 320)
_SHORT_SIDES = (384, 448, 512, 640)


class YuNet:
    """The network, run on pictures of any size; those over ``search_side`` are shrunk to it first.

    ``own`` is a file of the user's in place of the manifest's.

    Raises:
        ModelUnavailable: its weights are not here, or are of another network.
    """

    # On the test pictures, true faces score from 0.68 on, other things up to 0.50.
    default_confidence = 0.65

    def __init__(
        self,
        models: ModelStore,
        device: Device,
        precision: str | None,
        search_side: int,
        own: CustomModel | None = None,
    ) -> None:
        if own is None:
            file = models.path(NAME)
            self._network = OpenVinoModel(
                file,
                device,
                pixels=Pixels(order="BGR"),
                precision=precision,
                all_cores_for_one=True,
            )
            self.use = model_use(NAME, self._network.runtime)
        else:
            file = own.path
            self._network, self.use = own_yunet(own, models, device, precision)
        self._search_side = search_side
        # A little less does as well, and so does half of what phones take: 4000 or 4032 pixels.
        self.enough = Enough(longer=search_side * 15 // 16)
        depths = [port.shape[-1] if port.shape else 0 for port in self._network.outputs]
        if depths != [1] * 6 + [4] * 3 + [2 * _LANDMARKS] * 3:
            raise ModelUnavailable(
                f"{file} is not YuNet: its outputs are {depths} deep, not three each of class, "
                "objectness (1), box (4) and landmarks (10)."
            )

    def find(self, image: Image, min_confidence: float) -> list[Detection]:
        """Return the faces of one picture, most confident first."""
        found = search(self._look, image, max(min_confidence, _FLOOR), self._search_side)
        height, width = image.shape[:2]
        return [
            Detection("face", float(score), Box(*box.tolist()), tuple(map(tuple, points.tolist())))
            for box, score, points in zip(
                bx.clip(found.boxes, width, height), found.scores, found.landmarks, strict=True
            )
        ]

    def _look(self, image: Image, least: float) -> Found:
        pixels = _letterboxed(image, *_shape_for(*image.shape[:2]))
        outputs = [output[0] for output in self._network.run(pixels[None])]
        # Classes, objectness, boxes and landmarks come one after another, each by stride.
        return joined(
            [
                _decoded(outputs[i::3], pixels.shape[1] // stride, stride, least)
                for i, stride in enumerate(_STRIDES)
            ]
        )


def _decoded(
    outputs: Sequence[NDArray[np.float32]], columns: int, stride: int, least: float
) -> Found:
    """Decode one stride's cells, row by row, as OpenCV's ``FaceDetectorYN`` does.

    A face's centre and landmarks are given from its cell's corner in strides, its size as the
    logarithm of strides; its score is the geometric mean of class and objectness.
    """
    classes, objectness, offsets, points = outputs
    scores = np.sqrt(classes[:, 0].clip(0, 1) * objectness[:, 0].clip(0, 1))
    cells = np.flatnonzero(scores >= least)
    corners = np.stack([cells % columns, cells // columns], axis=1).astype(np.float64)
    centres = (corners + offsets[cells, :2]) * stride
    sizes = np.exp(offsets[cells, 2:].astype(np.float64)) * stride
    landmarks = (points[cells].reshape(-1, _LANDMARKS, 2) + corners[:, None]) * stride
    return Found(bx.from_centre(centres, sizes), scores[cells], landmarks)


def _shape_for(height: int, width: int) -> tuple[int, int]:
    """Return the (height, width) in which a picture of this size is put before the network."""
    if height <= _SMALL[0] and width <= _SMALL[1]:
        return _SMALL
    short = next(side for side in _SHORT_SIDES if side >= min(height, width))
    return (short, LONGEST) if width >= height else (LONGEST, short)


def _letterboxed(image: Image, height: int, width: int) -> Image:
    """Put the picture into the upper left of a black one of this size."""
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    box = np.zeros((height, width, 3), np.uint8)
    box[: image.shape[0], : image.shape[1]] = image
    return box
