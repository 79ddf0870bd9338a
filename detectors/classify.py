"""Say what a picture shows as a whole: the likeliest of ImageNet's thousand classes, or yours."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors._cards import manifest_card, own_card
from detectors._custom import CustomClassifier, CustomModel
from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, DetectorUnavailable, ModelUnavailable
from visiongate.models.manifest import model_use
from visiongate.runtimes.converted import converted, converted_before
from visiongate.runtimes.openvino import OpenVinoModel, read_ahead, read_in_floats
from visiongate.types import (
    Box,
    Detection,
    DetectorInfo,
    Device,
    Enough,
    Image,
    ModelCard,
    ModelUse,
    PredictOptions,
)

__all__ = ["ClassifyDetector", "read_labels"]

_MODEL = "mobilenet_v2_1.0_224_quant"
_LABELS = "imagenet_labels_1001"
_SIDE = 224
# The network's softmax is quantised: 256 steps from 0 to 1 (the file's scale is 1/256, zero 0).
_STEPS = 256
_CLASSES = 1001
_CONVERSION = 2
"""Raise it when the conversion changes. The second turns the weights into floats, too."""
# Below it an answer, in millionths, could not be told from 0: nearly all classes are there, and
# which of them comes fifth is chance. Who asks for 0 gets them all the same.
_LEAST = 1e-6


_INTENDED = "Saying what a photograph shows as a whole, among the 1000 classes of ImageNet."
_LIMITS = (
    "It answers for every picture, also for one that shows none of its classes.",
    "ImageNet's classes are many for dogs and few for people, and so are its answers.",
)


class _Network(Protocol):
    """Gives each picture's probabilities ``(N, labels)``, once loaded. Thread-safe."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def load(self, models: ModelStore, device: Device) -> ModelUse: ...

    def probabilities(self, images: Sequence[Image]) -> NDArray[np.floating[Any]]: ...


class ClassifyDetector:
    """A detection for each of the ``top`` likeliest classes, each over the whole picture.

    Classes that the network gives no likelihood are left out unless they are asked for. By default
    they are ImageNet's, by MobileNetV2. Confidences are the network's softmax.

    Options:
        top: how many classes are answered at most.
        model: the file of a network of the user's own, in MobileNetV2's place.
        labels, input_size, colour, scaling, activation: as of ``CustomModel``, for that file.

    Raises:
        ConfigurationError: ``top`` is not a number from 1 to 1000, or an option does not fit.
    """

    def __init__(self, *, top: int = 5, model: str | None = None, **own: Any) -> None:
        if type(top) is not int or not 1 <= top < _CLASSES:
            raise ConfigurationError(
                f"[detectors.classify] top must be a whole number from 1 to 1000, got {top!r}"
            )
        if model is None and own:
            raise ConfigurationError(
                f"[detectors.classify] {', '.join(sorted(own))}: these describe a model of your "
                "own; name its file with model = …"
            )
        self._top = top
        self._file = model
        self._network: _Network = (
            _MobileNet()
            if model is None
            else CustomClassifier(CustomModel.read("[detectors.classify]", model=model, **own))
        )
        self._model: ModelUse | None = None
        self._info = DetectorInfo(
            name="classify",
            task="classification",
            labels=self._network.labels,
            description="What the picture shows as a whole: the likeliest classes.",
            default_confidence=_LEAST,
            # Its quantised network is unsteady: at twice its side, small classes change places.
            enough=Enough(shorter=4 * _SIDE) if model is None else None,
        )

    @property
    def info(self) -> DetectorInfo:
        """What this detector is; MobileNetV2's labels come with its weights, after ``load``."""
        return self._info

    @property
    def model(self) -> ModelUse | None:
        return self._model

    @property
    def card(self) -> ModelCard:
        if self._file is not None:
            return own_card(self._file)
        return manifest_card(_MODEL, _INTENDED, _LIMITS)

    def read_ahead(self, models: ModelStore) -> None:
        if isinstance(self._network, _MobileNet):
            self._network.read_ahead(models)

    def load(self, models: ModelStore, device: Device) -> None:
        self._model = self._network.load(models, device)
        self._info = dataclasses.replace(self._info, labels=self._network.labels)

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        if self._model is None:
            raise DetectorUnavailable("The classifier is asked before it is loaded.")
        # One at a time: pictures that came together gain nothing from one batch, and huge
        # batches cost memory.
        return [
            self._best(self._network.probabilities([image])[0], image, options) for image in images
        ]

    def _best(
        self, probabilities: NDArray[np.floating[Any]], image: Image, options: PredictOptions
    ) -> tuple[Detection, ...]:
        height, width = image.shape[:2]
        labels = self._network.labels
        wanted = np.argsort(-probabilities, kind="stable")
        if options.labels is not None:
            wanted = wanted[[labels[index] in options.labels for index in wanted]]
        least = self._info.default_confidence
        if options.min_confidence is not None:
            least = options.min_confidence
        return tuple(
            Detection(labels[index], float(probabilities[index]), Box(0, 0, width, height))
            for index in wanted[: min(self._top, options.max_detections)].tolist()
            if probabilities[index] >= least
        )


class _MobileNet:
    """MobileNetV2 on ImageNet, quantised. Its class 0, background, is no class of a picture."""

    labels: tuple[str, ...] = ()

    def read_ahead(self, models: ModelStore) -> None:
        if (file := models.find(_MODEL)) is not None:
            ir = converted_before(models.cache_dir(), _MODEL, [file], _CONVERSION)
            if ir is not None:
                read_ahead(ir)

    def load(self, models: ModelStore, device: Device) -> ModelUse:
        file = models.path(_MODEL)
        labels = read_labels(models.path(_LABELS))
        # OpenVINO reads its own form in a twentieth of the time that TFLite takes it.
        ir = converted(
            models.cache_dir(), _MODEL, [file], _CONVERSION, lambda: read_in_floats(file)
        )
        self._net = OpenVinoModel(ir, device, all_cores_for_one=True)
        self.labels = labels[1:]
        return model_use(_MODEL, self._net.runtime)

    def probabilities(self, images: Sequence[Image]) -> NDArray[np.float64]:
        rows = [
            self._net.run(
                np.ascontiguousarray(
                    cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)[None]
                )
            )[0]
            for image in images
        ]
        found: NDArray[np.float64] = np.concatenate(rows)[:, 1:] / _STEPS
        return found


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
