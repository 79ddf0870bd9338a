"""Face networks of the user's own, read by the decoder that the configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from detectors._custom_network import CustomNetwork, shapes_in_words
from detectors._custom_spec import CustomModel
from visiongate import boxes as bx
from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.runtimes.convert import readable
from visiongate.runtimes.converted import sha256_of
from visiongate.runtimes.openvino import OpenVinoModel, Pixels
from visiongate.types import Box, Detection, Device, Image, ModelUse

__all__ = ["FORMATS", "OwnSsd", "own_faces", "own_yunet"]

_WHERE = "[detectors.face]"
_LABELS = ("face",)

# What each format leaves to the configuration, and its authors' own choice.
FORMATS: Mapping[str, Mapping[str, Any]] = {
    "ssd": {"input_size": None, "colour": "bgr", "scaling": "0..255"},
    # Takes BGR from 0 to 255, of any size, as OpenCV feeds it.
    "yunet": {},
}
"""Each decoder by the name that the ``format`` option takes."""


def own_faces(model: Any, form: Any, given: Mapping[str, Any]) -> CustomModel:
    """Check what the configuration says of the file.

    Raises:
        ConfigurationError: no such format, or an option that does not fit it.
    """
    feed = FORMATS.get(form) if isinstance(form, str) else None
    if feed is None:
        raise ConfigurationError(
            f"{_WHERE} model = {model!r} is a file of your own, so format must say how its outputs "
            f"are read: {', '.join(FORMATS)}; got {form!r}."
        )
    if "labels" in given:
        raise ConfigurationError(f"{_WHERE} labels: all that is found is a face; leave them out.")
    takes = ("labels", *feed)
    return CustomModel.read(
        _WHERE, model=model, takes=takes, least_labels=1, labels=_LABELS, **{**feed, **given}
    )


def own_yunet(
    spec: CustomModel, models: ModelStore, device: Device, precision: str | None
) -> tuple[OpenVinoModel, ModelUse]:
    """Load a YuNet that takes pictures of any size.

    Raises:
        ModelUnavailable: it cannot be loaded, or takes one size alone.
    """
    file = readable(spec.path, models.cache_dir())
    pixels = Pixels(order="BGR")
    try:
        # Also the releases that name one size work with others: nothing in them depends on it.
        net = OpenVinoModel(file, device, shape=(1, 3, -1, -1), pixels=pixels, precision=precision)
    except ModelUnavailable as error:
        raise ModelUnavailable(
            f'{spec.path.name} is not of the format "yunet", which takes (1, 3, H, W) for any '
            f"height and width: {error.detail}"
        ) from error
    return net, ModelUse(
        spec.path.name, sha256_of(spec.path), net.runtime, "not stated: your own model"
    )


class OwnSsd:
    """A detector that ends in SSD's ``DetectionOutput``: res10 and OpenVINO's own face networks.

    Raises:
        ModelUnavailable: the file cannot be used, or gives something else.
    """

    default_confidence = 0.5
    enough = None

    def __init__(
        self, spec: CustomModel, models: ModelStore, device: Device, precision: str | None = None
    ) -> None:
        self._net = CustomNetwork(spec, models, device, precision or "f32")
        self.use = self._net.use
        blank = self._net.blank
        if len(blank) != 1 or blank[0].ndim != 4 or blank[0].shape[3] != 7:
            raise ModelUnavailable(
                f'{spec.path.name} is not of the format "ssd", which gives one output '
                "(1, 1, N, 7) of rows (picture, class, confidence, x1, y1, x2, y2), places as "
                f"shares of the picture; this gives {shapes_in_words(blank)}."
            )

    def find(self, image: Image, min_confidence: float) -> list[Detection]:
        """Return the faces of one picture, most confident first."""
        height, width = image.shape[:2]
        small = cv2.resize(image, self._net.size, interpolation=cv2.INTER_LINEAR)
        rows = self._net.run([np.asarray(small, np.uint8)])[0].reshape(-1, 7).astype(np.float64)
        # Past the last detection, the picture's number is -1 or the confidence 0.
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 2] > 0) & (rows[:, 2] >= min_confidence)]
        rows = rows[np.argsort(-rows[:, 2], kind="stable")]
        boxes = rows[:, 3:7] * [width, height, width, height]
        seen = bx.visible(boxes, width, height)
        return [
            Detection("face", min(float(confidence), 1.0), Box(*box.tolist()))
            for confidence, box in zip(
                rows[seen, 2], bx.clip(boxes[seen], width, height), strict=True
            )
        ]
