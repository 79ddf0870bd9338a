"""Say what a picture shows as a whole: the likeliest of ImageNet's thousand classes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, DetectorUnavailable, ModelUnavailable
from visiongate.models.manifest import model_use
from visiongate.runtimes.converted import converted
from visiongate.runtimes.openvino import OpenVinoModel, import_openvino
from visiongate.types import Box, Detection, DetectorInfo, Device, Image, ModelUse, PredictOptions

__all__ = ["ClassifyDetector", "read_labels"]

_MODEL = "mobilenet_v2_1.0_224_quant"
_LABELS = "imagenet_labels_1001"
_SIDE = 224
# The network's softmax is quantised: 256 steps from 0 to 1 (the file's scale is 1/256, zero 0).
_STEPS = 256
_CLASSES = 1001


class ClassifyDetector:
    """MobileNetV2 on ImageNet: a detection for each of the ``top`` likeliest classes.

    Each covers the whole picture; confidences are the network's softmax. Class 0, background,
    is never an answer.

    Raises:
        ConfigurationError: ``top`` is not a number from 1 to 1000.
    """

    def __init__(self, *, top: int = 5) -> None:
        if type(top) is not int or not 1 <= top < _CLASSES:
            raise ConfigurationError(
                f"[detectors.classify] top must be a whole number from 1 to 1000, got {top!r}"
            )
        self._top = top
        self._model: ModelUse | None = None
        self._info = DetectorInfo(
            name="classify",
            task="classification",
            labels=(),
            description="What the picture shows as a whole: the likeliest of 1000 classes.",
            default_confidence=0.0,
        )

    @property
    def info(self) -> DetectorInfo:
        """What this detector is; the labels come with the weights, so only after ``load``."""
        return self._info

    @property
    def model(self) -> ModelUse | None:
        return self._model

    def load(self, models: ModelStore, device: Device) -> None:
        file = models.path(_MODEL)
        self._labels = read_labels(models.path(_LABELS))
        # OpenVINO reads its own form in a twentieth of the time that TFLite takes it.
        ir = converted(
            models.cache_dir(), _MODEL, [file], 1, lambda: import_openvino().Core().read_model(file)
        )
        self._net = OpenVinoModel(ir, device)
        self._info = dataclasses.replace(self._info, labels=self._labels[1:])
        self._model = model_use(_MODEL, self._net.runtime)

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        if self._model is None:
            raise DetectorUnavailable("The classifier is asked before it is loaded.")
        return [self._best(image, options) for image in images]

    def _best(self, image: Image, options: PredictOptions) -> tuple[Detection, ...]:
        height, width = image.shape[:2]
        shrunk = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        (scores,) = self._net.run(np.ascontiguousarray(shrunk[None]))
        probabilities: NDArray[np.float64] = scores[0] / _STEPS
        wanted = [
            index
            for index in np.argsort(-probabilities, kind="stable").tolist()
            if index and (options.labels is None or self._labels[index] in options.labels)
        ]
        least = self._info.default_confidence
        if options.min_confidence is not None:
            least = options.min_confidence
        return tuple(
            Detection(self._labels[index], float(probabilities[index]), Box(0, 0, width, height))
            for index in wanted[: min(self._top, options.max_detections)]
            if probabilities[index] >= least
        )


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the 1001 labels, each by its first name alone where that is enough to know it by.

    A line lists a class's names, as ``tench, Tinca tinca``. ImageNet has two classes called
    ``maillot``, which keep the whole line, and two that have no other name than ``crane``.

    Raises:
        ModelUnavailable: the file does not hold 1001 labels.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    if len(lines) != _CLASSES or not all(lines):
        raise ModelUnavailable(f"{path} does not hold {_CLASSES} labels, one a line.")
    first = [line.split(",")[0] for line in lines]
    count = Counter(first)
    return tuple(
        name if count[name] == 1 else line for name, line in zip(first, lines, strict=True)
    )
