"""Find things: people, animals, vehicles and furniture, by the network that a setting names."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from detectors._candidates import Candidates, Network, Wish
from detectors._darknet import Darknet
from detectors._hog import HogPeople
from detectors._picodet import PicoDet
from detectors._yolox import Yolox
from visiongate import boxes
from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, DetectorUnavailable, ModelUnavailable
from visiongate.types import Box, Detection, DetectorInfo, Device, Image, ModelUse, PredictOptions

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


class ObjectDetector:
    """A detector of things, one box each.

    Options: ``model``, one of ``NETWORKS``; ``nms_iou``, the overlap above which the better of two
    boxes of one label goes alone (default: what the network's authors use).

    Raises:
        ConfigurationError: an unknown model, or ``nms_iou`` outside (0, 1].
    """

    def __init__(self, *, model: str = DEFAULT, nms_iou: float | None = None) -> None:
        if model not in NETWORKS:
            near = difflib.get_close_matches(str(model), NETWORKS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(
                f"[detectors.object] model = {model!r} is none of {', '.join(NETWORKS)}.{hint}"
            )
        self._network = NETWORKS[model]()
        self._nms_iou = self._network.nms_iou if nms_iou is None else nms_iou
        if not 0.0 < self._nms_iou <= 1.0:
            raise ConfigurationError(
                f"[detectors.object] nms_iou must lie in (0, 1], got {nms_iou!r}"
            )
        self._model: ModelUse | None = None
        self._info = DetectorInfo(
            name="object",
            task="detection",
            labels=self._network.labels,
            description="People, animals, vehicles and other things, with a box for each.",
            default_confidence=self._network.default_confidence,
            # The built-in people detector does not see people cut off by the picture's edge.
            probe_label=None if model == "people-hog" else "person",
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    @property
    def model(self) -> ModelUse | None:
        return self._model

    def load(self, models: ModelStore, device: Device) -> None:
        try:
            self._model = self._network.load(models, device)
        except ModelUnavailable as error:
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
