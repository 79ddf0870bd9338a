"""Find things: people, animals, vehicles and furniture, by the network that a setting names."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detectors._candidates import Candidates, Network, Wish
from detectors._cards import manifest_card, own_card
from detectors._custom_objects import own_network
from detectors._darknet import Darknet
from detectors._hog import HogPeople
from detectors._picodet import PicoDet
from detectors._yolox import Yolox
from visiongate import boxes
from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, DetectorUnavailable, ModelUnavailable
from visiongate.runtimes.convert import FORMATS
from visiongate.types import (
    Box,
    Detection,
    DetectorInfo,
    Device,
    Image,
    ModelCard,
    ModelUse,
    PredictOptions,
)

__all__ = ["DEFAULT", "NETWORKS", "ObjectDetector"]

DEFAULT = "picodet_s_416_coco"

NETWORKS: Mapping[str, Callable[[], Network]] = {
    "picodet_s_416_coco": lambda: PicoDet("picodet_s_416_coco"),
    "yolox_nano": lambda: Yolox("yolox_nano", side=416, default_confidence=0.4),
    "yolox_s": lambda: Yolox("yolox_s", side=640, default_confidence=0.4),
    "yolov4": lambda: Darknet("yolov4"),
    "yolov4-tiny": lambda: Darknet("yolov4-tiny"),
    "people-hog": HogPeople,
}
"""Each network by the name that the ``model`` option takes."""


_WHERE = "[detectors.object]"
_PEOPLE = "people-hog"
_INTENDED = "Finding people, animals, vehicles and household things in photographs and video."
_LIMITS = (
    "A confident answer can be wrong, and what is small, cut off or unusual is often missed.",
    "Not for anything that must be safe, and no means of telling who somebody is.",
)


class ObjectDetector:
    """A detector of things, one box each.

    Options:
        model: one of ``NETWORKS``, or a file of the user's own.
        nms_iou: the overlap above which the better of two boxes of one label goes alone
            (default: what the network's authors use).
        format: how the outputs of the user's file are read: ``yolox``, ``yolov8``, ``picodet``.
        default_confidence: the least confidence of the user's network where a request names none.
        labels, input_size, colour, scaling: as of ``CustomModel``, for the user's file.

    Raises:
        ConfigurationError: an unknown model, or an option that does not fit it.
    """

    def __init__(
        self,
        *,
        model: str = DEFAULT,
        nms_iou: float | None = None,
        format: str | None = None,
        default_confidence: float | None = None,
        **own: Any,
    ) -> None:
        said = {"format": format, "default_confidence": default_confidence, **own}
        self._own = str(model) not in NETWORKS
        if self._own:
            _check_file(model, format)
            _check_share("default_confidence", default_confidence)
            self._network: Network = own_network(_WHERE, model, format, default_confidence, own)
        else:
            meant = [name for name, value in said.items() if value is not None]
            if meant:
                raise ConfigurationError(
                    f"{_WHERE} {', '.join(meant)}: {model} takes no such option, nms_iou alone; "
                    "a file of your own, named as the model, takes more."
                )
            self._network = NETWORKS[model]()
        self._name = str(model)
        self._nms_iou = self._network.nms_iou if nms_iou is None else nms_iou
        _check_share("nms_iou", self._nms_iou)
        self._model: ModelUse | None = None
        self._info = DetectorInfo(
            name="object",
            task="detection",
            labels=self._network.labels,
            description="People, animals, vehicles and other things, with a box for each.",
            default_confidence=self._network.default_confidence,
            enough=self._network.enough,
            # The built-in people detector does not see people cut off by the picture's edge.
            # What a network of the user's own must find, nobody knows here.
            probe_label=None if self._own or model == _PEOPLE else "person",
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    @property
    def model(self) -> ModelUse | None:
        return self._model

    @property
    def card(self) -> ModelCard:
        if self._own:
            return own_card(self._name)
        return manifest_card(self._name, _INTENDED, _LIMITS, "built into OpenCV")

    def read_ahead(self, models: ModelStore) -> None:
        if isinstance(self._network, PicoDet):
            self._network.read_ahead(models)

    def load(self, models: ModelStore, device: Device) -> None:
        try:
            self._model = self._network.load(models, device)
        except ModelUnavailable as error:
            if self._own:
                raise
            raise ModelUnavailable(
                f"{error.detail} Or choose the built-in people detector, which is weak and needs "
                'no weights: model = "people-hog" under [detectors.object].',
                retry_after=error.retry_after,
                extra=error.extra,
            ) from error

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        if self._model is None:
            raise DetectorUnavailable("The object detector is asked before it is loaded.")
        wanted = options.labels
        wish = Wish(
            self._network.default_confidence
            if options.min_confidence is None
            else options.min_confidence,
            np.array([wanted is None or label in wanted for label in self._network.labels]),
        )
        return [
            self._detections(self._network.find(image, wish), image, options.max_detections)
            for image in images
        ]

    def _detections(
        self, candidates: Candidates, image: Image, limit: int
    ) -> tuple[Detection, ...]:
        """Clip to the picture, drop what lies outside, and keep the best of overlapping boxes."""
        height, width = image.shape[:2]
        seen = boxes.visible(candidates.boxes, width, height)
        corners = boxes.clip(candidates.boxes[seen], width, height)
        scores, classes = candidates.scores[seen], candidates.classes[seen]
        kept = boxes.nms(corners, scores, self._nms_iou, classes=classes, limit=limit)
        return tuple(
            Detection(
                label=self._network.labels[classes[row]],
                confidence=float(min(scores[row], 1.0)),
                box=Box(*(float(value) for value in corners[row])),
            )
            for row in kept
        )


def _check_file(model: object, form: object) -> None:
    """Refuse what is neither a known network nor a file, with the nearest known names."""
    if form is not None or Path(str(model)).suffix.lower() in FORMATS:
        return
    near = difflib.get_close_matches(str(model), NETWORKS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigurationError(
        f"{_WHERE} model = {model!r} is none of {', '.join(NETWORKS)}, and no file ending in "
        f"{', '.join(FORMATS)}.{hint}"
    )


def _check_share(name: str, value: object) -> None:
    if value is None or (isinstance(value, (int, float)) and 0.0 < value <= 1.0):
        return
    raise ConfigurationError(f"{_WHERE} {name} must lie in (0, 1], got {value!r}")
