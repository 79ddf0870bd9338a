"""What gender and ethnicity have in common: face crops in, one label each out, or ``unknown``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors._cards import own_card
from detectors._custom import CustomClassifier, CustomModel
from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, DetectorUnavailable
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

__all__ = ["UNKNOWN", "AttributeDetector"]

UNKNOWN = "unknown"
"""The answer where the surest label is not sure enough."""


class AttributeDetector:
    """Judge aligned face crops by a network of the user's own.

    Options:
        model: its file; ``labels`` and the other options are ``CustomModel``'s.
        abstain_below: confidence under which the answer is ``unknown`` (0: never).

    Raises:
        ConfigurationError: an option's value does not fit.
    """

    def __init__(
        self, info: DetectorInfo, *, model: str, abstain_below: float = 0.0, **custom: Any
    ) -> None:
        where = f"[detectors.{info.name}]"
        if not 0.0 <= abstain_below <= 1.0:
            raise ConfigurationError(
                f"{where} abstain_below must lie in [0, 1], got {abstain_below!r}."
            )
        custom.setdefault("labels", info.labels)
        self._network = CustomClassifier(CustomModel.read(where, model=model, **custom))
        self._abstain_below = abstain_below
        self._info = dataclasses.replace(info, labels=(*self._network.labels, UNKNOWN))
        self._model: ModelUse | None = None

    @property
    def info(self) -> DetectorInfo:
        return self._info

    @property
    def model(self) -> ModelUse | None:
        return self._model

    @property
    def card(self) -> ModelCard:
        return own_card(str(self._network.spec.path), sensitive=True)

    def load(self, models: ModelStore, device: Device) -> None:
        self._model = self._network.load(models, device)
        self._info = dataclasses.replace(self._info, crop_size=max(self._network.size))

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        if self._model is None:
            raise DetectorUnavailable(f"{self._info.name} is asked before it is loaded.")
        if not images:
            return []
        least = options.abstain_below
        if least is None:
            least = self._abstain_below
        rows = self._network.probabilities(images)
        return [(self._judged(row, image, least),) for row, image in zip(rows, images, strict=True)]

    def _judged(self, row: NDArray[np.float32], image: Image, least: float) -> Detection:
        best = int(row.argmax())
        confidence = min(1.0, float(row[best]))
        labels = self._network.labels
        chances: Mapping[str, float] = {
            label: min(1.0, float(value)) for label, value in zip(labels, row, strict=True)
        }
        return Detection(
            labels[best] if confidence >= least else UNKNOWN,
            confidence,
            Box(0.0, 0.0, float(image.shape[1]), float(image.shape[0])),
            probabilities=chances,
        )
